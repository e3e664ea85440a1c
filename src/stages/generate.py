"""Stage generate: ask models for samples until each class has its quota of accepted ones.

python -m src.stages.generate --dry-run
python -m src.stages.generate
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from src.config import ROOT, Params, UserError, command, load_params
from src.data.io import Record, write_json, write_jsonl
from src.data.schema import Splits, load_splits
from src.llm.cache import CACHE, RECORDINGS, AnswerStore, open_store
from src.llm.client import Client, Failure
from src.llm.estimate import estimate, render_estimate
from src.llm.progress import Progress
from src.llm.prompts import Ask, PromptWriter
from src.llm.quota import Outcome, fill_quotas
from src.llm.requests import Answer
from src.planning.plan import Plan, read_plan
from src.quality.gate import Gate
from src.reporting.tracking import track
from src.stages.common import flat_numbers, settings
from src.stages.paths import CANDIDATES, CASSETTE, FAILURES, METRICS, PLAN

log = logging.getLogger(__name__)


@command
def main(
    plan: Annotated[Path, typer.Option(help="the plan of analyze")] = PLAN,
    candidates: Annotated[Path, typer.Option(help="where the samples go")] = CANDIDATES,
    failures: Annotated[Path, typer.Option(help="where requests without answer go")] = FAILURES,
    cassette: Annotated[Path, typer.Option(help="where the answers used go")] = CASSETTE,
    metrics: Annotated[Path, typer.Option(help="folder for generate.json")] = METRICS,
    recordings: Annotated[Path, typer.Option(help="folder of shipped answers")] = RECORDINGS,
    cache: Annotated[Path, typer.Option(help="SQLite file of answers bought here")] = CACHE,
    dry_run: Annotated[
        bool, typer.Option(help="show plan, cost and prompts; call nothing")
    ] = False,
) -> None:
    """Write candidates, failures, the cassette and metrics/generate.json."""
    params = load_params()
    splits = load_splits(params.data)
    the_plan = read_plan(plan)
    writer = PromptWriter(
        splits.train, the_plan.keywords, splits.labels, params.data, params.llm, params.generate
    )
    with open_store(recordings, cache) as store:
        if dry_run:
            typer.echo(render_estimate(estimate(the_plan, writer, store, params), writer))
            return
        outcome = asyncio.run(_generate(the_plan, splits, writer, store, params))
        write_jsonl(candidates, outcome.candidates)
        write_jsonl(failures, outcome.failures)
        write_jsonl(cassette, store.cassette())
        result = _summary(outcome, store)
    write_json(metrics / "generate.json", result)
    _say(outcome)
    track(
        "generate",
        settings(params, ["llm", "generate", "plan"]),
        {**flat_numbers(result), "cache_hits": store.hits, "cache_misses": store.misses},
    )


async def _generate(
    plan: Plan, splits: Splits, writer: PromptWriter, store: AnswerStore, params: Params
) -> Outcome:
    gate = Gate(splits.train, splits.dev, splits.test, plan.keywords, params.filter, params.data)

    async with Client(params.runtime) as client:

        async def ask_model(ask: Ask) -> Answer | Failure:
            answer = store.get(ask.request.key)
            if answer is not None:
                return answer
            if params.runtime.offline:
                raise UserError(
                    f"no recorded answer for request {ask.attempt} of class {ask.label!r}; "
                    "set runtime.offline: false to ask the endpoint"
                )
            reply = await client.ask(ask.request)
            if isinstance(reply, Answer):
                store.put(ask.request.key, reply)
            progress.answered()
            return reply

        def count_accepted(records: list[Record]) -> int:
            return len(gate.screen(records).accepted)

        with Progress(plan.quotas) as progress:
            return await fill_quotas(
                plan.quotas, writer, ask_model, count_accepted, params.generate, progress.round
            )


def _summary(outcome: Outcome, store: AnswerStore) -> dict[str, Any]:
    used = store.used.values()
    runs = outcome.classes
    return {
        "candidates": len(outcome.candidates),
        "accepted": sum(run.accepted for run in runs),
        "quota": sum(run.quota for run in runs),
        "shortfall": sum(max(run.quota - run.accepted, 0) for run in runs),
        "requests": sum(run.attempts for run in runs),
        "tokens": {
            "prompt": sum(answer.prompt_tokens for answer in used),
            "completion": sum(answer.completion_tokens for answer in used),
        },
        "failures": outcome.failure_counts(),
        "per_class": {
            run.label: {
                "quota": run.quota,
                "requests": run.attempts,
                "candidates": len(run.candidates),
                "accepted": run.accepted,
                "stopped": run.stopped or "",
            }
            for run in runs
        },
    }


def _say(outcome: Outcome) -> None:
    for run in outcome.classes:
        if run.stopped:
            log.warning(
                "generate: %s has %d of %d samples after %d requests (%s)",
                run.label,
                run.accepted,
                run.quota,
                run.attempts,
                run.stopped,
            )
    log.info(
        "generate: %d candidates, %d accepted of %d wanted, %d requests failed (answers: %s)",
        len(outcome.candidates),
        sum(run.accepted for run in outcome.classes),
        sum(run.quota for run in outcome.classes),
        len(outcome.failures),
        ROOT / ".cache",
    )


if __name__ == "__main__":
    typer.run(main)
