"""Stage filter: give the final verdict on every candidate, with scores and the first reason.

python -m src.stages.filter
python -m src.stages.filter --candidates elsewhere.jsonl --accepted good.jsonl --rejected bad.jsonl

Other candidates need label scores first: `python -m src.stages.score`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from src.cli import stage
from src.config.data import DataParams
from src.config.embedding import EmbeddingParams
from src.config.filter import FilterParams
from src.config.generate import GenerateParams
from src.config.llm import LlmParams
from src.config.load import load
from src.config.runtime import RuntimeParams
from src.data.schema import load_splits
from src.diagnostics.bias import bias_report
from src.files import write_csv, write_jsonl
from src.gate.funnel import filter_metrics
from src.gate.score_table import read_scores
from src.gate.screening import screen_all
from src.judging.rubric import Judgement
from src.judging.run import judge_samples
from src.paths import (
    ACCEPTED,
    CANDIDATES,
    DECISIONS,
    JUDGE_RESPONSES,
    METRICS,
    PLAN,
    REJECTED,
    REVIEW_QUEUE,
    SCORES,
)
from src.planning.plan import read_plan
from src.records.decisions import read_decisions
from src.records.json_files import write_record
from src.records.samples import Screened, read_candidates, write_screened
from src.reporting.tracking import track
from src.review.decisions import verdicts
from src.review.queue import review_queue

log = logging.getLogger(__name__)


@stage
def main(
    candidates: Annotated[Path, typer.Option(help="JSONL: id, label, text")] = CANDIDATES,
    scores: Annotated[Path, typer.Option(help="label scores written by score")] = SCORES,
    decisions: Annotated[Path, typer.Option(help="decisions of reviewers")] = DECISIONS,
    plan: Annotated[Path, typer.Option(help="the plan written by analyze")] = PLAN,
    accepted: Annotated[Path, typer.Option(help="where accepted samples go")] = ACCEPTED,
    rejected: Annotated[Path, typer.Option(help="where rejected samples go")] = REJECTED,
    queue: Annotated[Path, typer.Option(help="where the review queue goes")] = REVIEW_QUEUE,
    responses: Annotated[
        Path, typer.Option(help="where the judges' responses go")
    ] = JUDGE_RESPONSES,
    metrics: Annotated[Path, typer.Option(help="folder for filter.json")] = METRICS,
) -> None:
    """Write accepted, rejected, the review queue and metrics/filter.json."""
    data = load(DataParams)
    rules = load(FilterParams)
    llm = load(LlmParams)
    embedding = load(EmbeddingParams)
    generate = load(GenerateParams)
    runtime = load(RuntimeParams)
    splits, decided = load_splits(data), read_decisions(decisions)
    write_jsonl(responses, [])

    def ask(samples: Sequence[Screened]) -> Mapping[str, Sequence[Judgement]]:
        domain, budget = generate.domain, generate.budget
        return judge_samples(
            samples, splits, rules.judge, llm, data, runtime, domain, budget, responses
        )

    screened = screen_all(
        read_candidates(candidates),
        splits,
        read_plan(plan),
        rules,
        data,
        embedding,
        read_scores(scores),
        verdicts(decided),
        ask if rules.judge.enabled else None,
    )
    write_screened(accepted, screened.accepted)
    write_screened(rejected, screened.rejected)
    ratio, least = rules.review_ratio, rules.review_min_per_class
    for_people = review_queue(screened.accepted, ratio, least, generate.seed)
    write_csv(queue, for_people, for_excel=True)
    bias = bias_report(screened.accepted, splits.train, data)
    write_record(metrics / "filter.json", filter_metrics(screened, decided, bias))
    log.info(
        "filter: %d of %d accepted (%.0f %%); rejected by %s",
        len(screened.accepted),
        len(screened.all),
        100 * screened.acceptance_rate,
        ", ".join(f"{rule} {n}" for rule, n in screened.rejected_by.most_common()) or "none",
    )
    track("filter", metrics=metrics, queue=queue)


if __name__ == "__main__":
    typer.run(main)
