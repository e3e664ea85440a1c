"""Stage generate: ask models for samples until each class has its quota of accepted ones.

python -m src.stages.generate --dry-run
python -m src.stages.generate
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from src.cli import also_log_to, command
from src.config.params import Params, load_params
from src.data.dialogue import plain
from src.data.schema import Splits, load_splits
from src.diagnostics.diversity import diversity
from src.errors import UserError
from src.files import read_json, write_json, write_jsonl
from src.gate.gate import Gate
from src.generation.estimate import estimate, render_estimate
from src.generation.loop import QuotaLoop
from src.generation.progress import Progress, Status
from src.generation.prompts import Ask, PromptWriter
from src.generation.quota import Attempt, ClassRun, Generated
from src.llm.budget import Budget, Spend, spent_on
from src.llm.cache import CACHE, AnswerStore, open_store
from src.llm.client import Client, Failure, OutOfBudget, Reply
from src.llm.recordings import RECORDINGS
from src.paths import CANDIDATES, CASSETTE, DECISIONS, FAILURES, METRICS, PLAN, ROOT
from src.planning.plan import read_plan
from src.records.decisions import read_decisions
from src.records.samples import Candidate
from src.reporting.tracking import track
from src.review.decisions import verdicts

log = logging.getLogger(__name__)


@command
def main(
    plan: Annotated[Path, typer.Option(help="the plan of analyze")] = PLAN,
    candidates: Annotated[Path, typer.Option(help="where the samples go")] = CANDIDATES,
    failures: Annotated[Path, typer.Option(help="where requests without answer go")] = FAILURES,
    cassette: Annotated[Path, typer.Option(help="where the answers used go")] = CASSETTE,
    metrics: Annotated[Path, typer.Option(help="folder for generate.json")] = METRICS,
    decisions: Annotated[Path, typer.Option(help="what people decided")] = DECISIONS,
    recordings: Annotated[Path, typer.Option(help="folder of shipped answers")] = RECORDINGS,
    cache: Annotated[Path, typer.Option(help="SQLite file of answers bought here")] = CACHE,
    log_file: Annotated[Path | None, typer.Option(help="where the log goes as well")] = None,
    dry_run: Annotated[
        bool, typer.Option(help="show plan, cost and prompts; call nothing")
    ] = False,
) -> None:
    """Write candidates, failures, the cassette and metrics/generate.json."""
    if log_file is not None:
        also_log_to(log_file)
    params = load_params()
    splits = load_splits(params.data)
    the_plan = read_plan(plan).with_surplus(params.generate.surplus)
    writer = PromptWriter(
        splits.train,
        the_plan.keywords,
        splits.labels,
        params.data,
        params.llm,
        params.generate,
        params.filter.pii.allowed,
        neighbours=the_plan.neighbours,
    )
    gate = Gate(
        splits.train,
        splits.dev,
        splits.test,
        the_plan.keywords,
        params.filter,
        params.data,
        verdicts(read_decisions(decisions)),
    )
    with open_store(recordings, cache) as store:
        if dry_run:
            last = metrics / "generate.json"
            last_run = read_json(last)["per_class"] if last.exists() else None
            what_it_takes = estimate(the_plan, writer, store, params, last_run)
            typer.echo(render_estimate(what_it_takes, writer))
            return
        generated, spent = asyncio.run(
            _generate(the_plan.quotas, gate, writer, store, params, failures)
        )
        write_jsonl(candidates, generated.candidates)
        write_jsonl(failures, generated.failures)
        write_jsonl(cassette, store.cassette())
        result = _summary(generated, spent, store, splits, params)
    write_json(metrics / "generate.json", result)
    _say(generated)
    log.info(
        "generate: %d answers were at hand (%d of them written from earlier train rows), "
        "%d were not",
        store.hits,
        store.reused,
        store.misses,
    )
    track("generate", metrics=metrics)


async def _generate(
    quotas: dict[str, int],
    gate: Gate,
    writer: PromptWriter,
    store: AnswerStore,
    params: Params,
    ledger: Path,
) -> tuple[Generated, Spend]:
    budget = Budget(params.generate.budget)

    async with Client(params.llm, params.runtime, budget) as client:

        async def ask_model(ask: Ask) -> Reply | Failure | OutOfBudget:
            recorded = store.first(ask.requests, ask.rows)
            if recorded is not None:
                request, answer = recorded
                budget.add(spent_on(answer, request.endpoint.price))
                return Reply(request, answer)
            if params.runtime.offline:
                raise UserError(
                    f"no recorded answer for request {ask.attempt} of class {ask.label!r}; "
                    "set runtime.offline: false to ask the endpoint"
                )
            reply = await client.ask(ask.requests, store.commit)
            if isinstance(reply, Reply):
                progress.answered()
            return reply

        def status() -> Status:
            spent = budget.spent
            cost = f"{spent.cost:.4f} {params.llm.currency}" if spent.cost else ""
            return Status(client.running, client.failures, spent.tokens, cost)

        with Progress(sum(quotas.values()), status) as progress:
            loop = QuotaLoop(
                quotas,
                writer,
                ask_model,
                lambda records: gate.accepts(
                    [Candidate(one["id"], one["label"], one["text"]) for one in records]
                ),
                params.generate,
                params.data.turn_separator,
                client.most_waiting,
                on_change=progress.changed,
            )
            try:
                return await loop.run(), budget.spent
            except UserError:
                write_jsonl(ledger, Generated(tuple(loop.runs)).failures)
                raise


def _summary(
    generated: Generated, spent: Spend, store: AnswerStore, splits: Splits, params: Params
) -> dict[str, Any]:
    answers = [answer for _, answer in store.used()]
    runs = generated.classes
    return {
        "candidates": len(generated.candidates),
        "accepted": sum(run.accepted for run in runs),
        "quota": sum(run.quota for run in runs),
        "shortfall": sum(max(run.quota - run.accepted, 0) for run in runs),
        "requests": sum(run.judged for run in runs),
        "tokens": {
            "prompt": sum(answer.prompt_tokens for answer in answers),
            "cached": sum(answer.cached_tokens for answer in answers),
            "completion": sum(answer.completion_tokens for answer in answers),
        },
        "cost": float(spent.cost),
        "failures": generated.failure_counts(),
        "per_model": _per_model(runs, params),
        "per_class": {
            run.label: {
                "quota": run.quota,
                "requests": run.judged,
                "candidates": len(run.candidates(run.judged)),
                "accepted": run.accepted,
                "stopped": run.stopped or "",
                "diversity": _diversity(run, splits, params),
                **_models(run),
            }
            for run in runs
        },
    }


def _per_model(runs: Sequence[ClassRun], params: Params) -> dict[str, dict[str, Any]]:
    """What each endpoint that answered is worth.

    Acceptance is a share of draws, as the classes count them: a request without a usable answer
    is one that accepts nothing. The cost is that of the requests counted here.
    """
    by_model: dict[str, list[Attempt]] = {}
    for run in runs:
        for name, attempts in run.by_endpoint().items():
            by_model.setdefault(name, []).extend(attempts)
    varied = _diversity_by_model(runs, params)
    worth = {}
    for name, attempts in sorted(by_model.items()):
        accepted = sum(attempt.accepted or 0 for attempt in attempts)
        cost = float(sum(attempt.cost for attempt in attempts))
        worth[name] = {
            "requests": len(attempts),
            "candidates": sum(len(attempt.candidates) for attempt in attempts),
            "accepted": accepted,
            "acceptance": accepted / sum(attempt.draws for attempt in attempts),
            "cost": cost,
            "cost_per_accepted": cost / accepted if accepted else None,
            "diversity": varied.get(name, {"samples": 0, "distinct_2": None}),
        }
    return worth


def _diversity_by_model(
    runs: Sequence[ClassRun], params: Params
) -> dict[str, dict[str, float | int]]:
    """Mean over classes of distinct_2, and the samples looked at.

    More samples have fewer distinct n-grams, so of a class each model shows as many as the one
    that has fewest; models with less than two are left out.
    """
    shares: dict[str, list[float]] = {}
    looked_at: Counter[str] = Counter()
    for run in runs:
        texts = {
            name: [plain(c["text"], params.data.turn_separator) for a in mine for c in a.candidates]
            for name, mine in run.by_endpoint().items()
        }
        several = {name: mine for name, mine in texts.items() if len(mine) > 1}
        count = min((len(mine) for mine in several.values()), default=0)
        for name, mine in several.items():
            found = diversity(mine[:count], (), params.data.language)
            if found.distinct_2 is not None:
                shares.setdefault(name, []).append(found.distinct_2)
                looked_at[name] += found.samples
    return {
        name: {"samples": looked_at[name], "distinct_2": sum(each) / len(each)}
        for name, each in shares.items()
    }


def _models(run: ClassRun) -> dict[str, dict[str, dict[str, int]]]:
    """What a class got from each model, where there were several."""
    models = {
        name: {
            "requests": len(attempts),
            "accepted": sum(attempt.accepted or 0 for attempt in attempts),
        }
        for name, attempts in sorted(run.by_endpoint().items())
    }
    return {"models": models} if len(models) > 1 else {}


def _diversity(run: ClassRun, splits: Splits, params: Params) -> dict[str, float | int | None]:
    separator = params.data.turn_separator
    rows = splits.train.loc[splits.train["label"] == run.label, "text"]
    texts = [record["text"] for record in run.candidates(run.judged)]
    return asdict(
        diversity(
            [plain(text, separator) for text in texts],
            [plain(text, separator) for text in rows],
            params.data.language,
        )
    )


def _say(generated: Generated) -> None:
    if any(run.stopped == "budget" for run in generated.classes):
        log.warning(
            "generate: generate.budget is spent; what was bought is kept and used. Raise it and "
            "run again to buy the rest"
        )
    for run in generated.classes:
        if run.stopped:
            log.warning(
                "generate: %s has %d of %d samples after %d requests (%s)",
                run.label,
                run.accepted,
                run.quota,
                run.judged,
                run.stopped,
            )
    log.info(
        "generate: %d candidates, %d accepted of %d wanted, %d requests failed (answers: %s)",
        len(generated.candidates),
        sum(run.accepted for run in generated.classes),
        sum(run.quota for run in generated.classes),
        sum(generated.failure_counts().values()),
        ROOT / ".cache",
    )


if __name__ == "__main__":
    typer.run(main)
