"""Stage filter: the final verdict on every candidate, with its scores and the first reason.

python -m src.stages.filter
python -m src.stages.filter --candidates elsewhere.jsonl --accepted good.jsonl --rejected bad.jsonl

Candidates from elsewhere need their label scores first: `python -m src.stages.score`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from src.config import Params, UserError, command, load_params
from src.data.dialogue import plain
from src.data.io import Record, read_jsonl, write_csv, write_json, write_jsonl
from src.data.schema import Splits, load_splits
from src.llm.budget import Budget
from src.llm.cache import CACHE, RECORDINGS, open_store
from src.llm.client import Client
from src.planning.plan import read_plan
from src.quality.bias import bias_report
from src.quality.checks import best_first, relabelled, with_judgements, with_label_scores
from src.quality.decisions import (
    Decision,
    agreement,
    read_decisions,
    reject_rate,
    verdicts,
)
from src.quality.embedding import fit_embedder
from src.quality.gate import REVIEW, Gate
from src.quality.judge import Judgement
from src.quality.judge import agreement as judges_agree
from src.quality.judging import JudgeWriter, all_labels, ask_judges
from src.quality.review import review_queue
from src.reporting.tracking import track
from src.stages.common import flat_numbers, settings
from src.stages.paths import (
    ACCEPTED,
    CANDIDATES,
    DECISIONS,
    METRICS,
    PLAN,
    REJECTED,
    REVIEW_QUEUE,
    SCORES,
)

log = logging.getLogger(__name__)


@command
def main(
    candidates: Annotated[Path, typer.Option(help="samples: id, label, text a line")] = CANDIDATES,
    scores: Annotated[Path, typer.Option(help="their label scores, of score")] = SCORES,
    decisions: Annotated[Path, typer.Option(help="what people decided")] = DECISIONS,
    plan: Annotated[Path, typer.Option(help="the plan of analyze, for its keywords")] = PLAN,
    accepted: Annotated[Path, typer.Option(help="where accepted samples go")] = ACCEPTED,
    rejected: Annotated[Path, typer.Option(help="where rejected samples go")] = REJECTED,
    queue: Annotated[Path, typer.Option(help="where the sample for people goes")] = REVIEW_QUEUE,
    metrics: Annotated[Path, typer.Option(help="folder for filter.json")] = METRICS,
) -> None:
    """Write accepted, rejected, the review queue and metrics/filter.json."""
    params = load_params()
    splits, the_plan = load_splits(params.data), read_plan(plan)
    decided = read_decisions(decisions)
    final = verdicts(decided)
    records = relabelled(read_jsonl(candidates), final)
    gate = Gate(
        splits.train,
        splits.dev,
        splits.test,
        the_plan.keywords,
        params.filter,
        params.data,
        final,
    )
    ruled = gate.screen(records)
    kept = {name for name, decision in final.items() if decision.decision != "reject"}
    checked = with_label_scores(
        ruled.accepted, _read_scores(scores), params.filter.label_check, kept
    )
    judged: dict[str, list[Judgement]] = {}
    if params.filter.judge.enabled:
        passed = [record for record in checked if "reason" not in record]
        judged = asyncio.run(_judge(passed, splits, params))
        after = with_judgements(passed, judged, params.filter.judge, kept)
        by_id = {record["id"]: record for record in after}
        checked = [by_id.get(record["id"], record) for record in checked]
    place = {record["id"]: number for number, record in enumerate(records)}
    dropped = [*ruled.rejected, *(record for record in checked if "reason" in record)]
    dropped.sort(key=lambda record: place[record["id"]])
    good = best_first(
        [record for record in checked if "reason" not in record],
        the_plan.quotas,
        splits.train,
        fit_embedder(
            [plain(text, params.data.turn_separator) for text in splits.train["text"]],
            params.embedding,
        ),
        params.filter.diversity,
        params.data.turn_separator,
    )
    write_jsonl(accepted, good)
    write_jsonl(rejected, dropped)
    for_people = review_queue(
        good,
        params.filter.review_ratio,
        params.filter.review_min_per_class,
        params.generate.seed,
    )
    write_csv(queue, for_people, for_excel=True)
    result = {
        **_funnel(good, dropped),
        "review": _review(decided, good, dropped),
        "judges_agree": judges_agree(list(judged.values()), params.filter.judge),
        "bias": bias_report(good, splits.train, params.data),
    }
    write_json(metrics / "filter.json", result)
    log.info(
        "filter: %d of %d accepted (%.0f %%); rejected by %s",
        result["accepted"],
        result["candidates"],
        100 * result["acceptance_rate"],
        ", ".join(f"{rule} {n}" for rule, n in Counter(result["rejected_by"]).most_common())
        or "none",
    )
    numbers = {
        name: value for name, value in flat_numbers(result).items() if not name.startswith("bias")
    }
    track("filter", settings(params, ["filter"]), numbers, [queue])


def _read_scores(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype={"id": str, "suggested": str}, keep_default_na=False)
    except FileNotFoundError:
        raise UserError(
            f"{path} not found; run `python -m src.stages.score` on the same candidates first"
        ) from None


async def _judge(
    records: Sequence[Record], splits: Splits, params: Params
) -> dict[str, list[Judgement]]:
    writer = JudgeWriter(
        all_labels(splits.train["label"], splits.labels),
        params.filter.judge,
        params.llm,
        params.data,
        params.generate.domain,
    )
    budget = Budget(params.generate.budget)
    with open_store(RECORDINGS, CACHE) as store:
        async with Client(params.llm, params.runtime, budget) as client:
            offline = params.runtime.offline
            return await ask_judges(records, writer, client, store, budget, offline=offline)


def _funnel(accepted: Sequence[Record], rejected: Sequence[Record]) -> dict[str, Any]:
    """What became of the candidates, in all and by class."""
    per_class: dict[str, dict[str, Any]] = {}
    for label in sorted({record["label"] for record in (*accepted, *rejected)}):
        mine = [record for record in accepted if record["label"] == label]
        lost = Counter(record["reason"] for record in rejected if record["label"] == label)
        per_class[label] = {
            "candidates": len(mine) + lost.total(),
            "accepted": len(mine),
            "rejected_by": dict(lost),
        }
    private: Counter[str] = Counter()
    for record in (*accepted, *rejected):
        private.update(record["private"])
    total = len(accepted) + len(rejected)
    return {
        "candidates": total,
        "accepted": len(accepted),
        "acceptance_rate": len(accepted) / max(1, total),
        "rejected_by": dict(Counter(record["reason"] for record in rejected)),
        "relabelled": sum("label_before" in record for record in accepted),
        "private": dict(private),
        "per_class": per_class,
    }


def _review(
    decided: Sequence[Decision], accepted: Sequence[Record], rejected: Sequence[Record]
) -> dict[str, Any]:
    """What people decided on the samples that the gate had let pass, and how far that carries."""
    passed = {record["id"] for record in accepted}
    passed |= {record["id"] for record in rejected if record["reason"] == REVIEW}
    mine: Mapping[bool, list[Decision]] = {True: [], False: []}
    for decision in decided:
        mine[decision.id in passed].append(decision)
    rate = reject_rate(mine[True], len(passed))
    return {
        "decided": rate.decided if rate else 0,
        "rejected": asdict(rate) | {"expected": rate.expected} if rate else None,
        "reviewers": asdict(agreement(mine[True])),
        "accepted_but_dropped_by_the_gate": sum(
            decision.decision == "accept" for decision in mine[False]
        ),
    }


if __name__ == "__main__":
    typer.run(main)
