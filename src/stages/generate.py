"""Stage generate: request samples until every class has its quota of accepted ones.

python -m src.stages.generate --dry-run
python -m src.stages.generate
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from src.cli import also_log_to, stage
from src.config.data import DataParams
from src.config.filter import FilterParams
from src.config.generate import GenerateParams
from src.config.llm import LlmParams
from src.config.load import load
from src.config.runtime import RuntimeParams
from src.data.schema import load_splits
from src.gate.gate import Gate
from src.generation.estimate import dry_run as estimated
from src.generation.failures import write_failures
from src.generation.prompts import PromptWriter
from src.generation.record import generate_metrics, log_summary
from src.generation.run import run
from src.llm.recorded import PACKED
from src.llm.response_store import CACHE, open_store, write_used
from src.paths import CANDIDATES, DECISIONS, FAILURES, METRICS, PLAN, RESPONSES
from src.planning.plan import read_plan
from src.records.decisions import read_decisions
from src.records.json_files import write_record
from src.records.samples import write_candidates
from src.reporting.tracking import track
from src.review.decisions import verdicts


@stage
def main(
    plan: Annotated[Path, typer.Option(help="the plan written by analyze")] = PLAN,
    candidates: Annotated[Path, typer.Option(help="where the candidates go")] = CANDIDATES,
    failures: Annotated[Path, typer.Option(help="where failed requests go")] = FAILURES,
    responses: Annotated[Path, typer.Option(help="where the used responses go")] = RESPONSES,
    metrics: Annotated[Path, typer.Option(help="folder for generate.json")] = METRICS,
    decisions: Annotated[Path, typer.Option(help="decisions of reviewers")] = DECISIONS,
    packed: Annotated[Path, typer.Option(help="folder of recorded responses in git")] = PACKED,
    cache: Annotated[Path, typer.Option(help="SQLite file of new responses")] = CACHE,
    log_file: Annotated[Path | None, typer.Option(help="write the log to this file too")] = None,
    dry_run: Annotated[
        bool, typer.Option(help="show plan, cost and prompts; send no request")
    ] = False,
) -> None:
    """Write candidates, failures, responses and metrics/generate.json."""
    if log_file is not None:
        also_log_to(log_file)
    data = load(DataParams)
    llm = load(LlmParams)
    wanted = load(GenerateParams)
    rules = load(FilterParams)
    runtime = load(RuntimeParams)
    splits, planned = load_splits(data), read_plan(plan).with_surplus(wanted.surplus)
    train, words = splits.train, planned.keywords
    writer = PromptWriter(
        train,
        words,
        splits.labels,
        data,
        llm,
        wanted,
        rules.pii.allowed,
        neighbours=planned.neighbours,
    )
    decided = verdicts(read_decisions(decisions))
    gate = Gate(train, splits.dev, splits.test, words, rules, data, decided)
    with open_store(packed, cache) as store:
        if dry_run:
            last = metrics / "generate.json"
            typer.echo(estimated(planned, writer, store, wanted, llm, data, runtime, last))
            return
        generated = run(
            planned.quotas, writer, gate.accepts, store, wanted, llm, data, runtime, failures
        )
        write_candidates(candidates, generated.candidates)
        write_failures(failures, generated.failures)
        write_used(store, responses)
    write_record(metrics / "generate.json", generate_metrics(generated, train, data))
    log_summary(generated, store)
    track("generate", metrics=metrics)


if __name__ == "__main__":
    typer.run(main)
