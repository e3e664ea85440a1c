"""Stage filter: the final verdict on every candidate, with its scores and the first reason.

python -m src.stages.filter
python -m src.stages.filter --candidates elsewhere.jsonl --accepted good.jsonl --rejected bad.jsonl

Candidates from elsewhere need their label scores first: `python -m src.stages.score`.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from src.cli import command
from src.config.params import load_params
from src.data.schema import load_splits
from src.diagnostics.bias import bias_report
from src.files import Record, read_jsonl, write_csv, write_json, write_jsonl
from src.gate.gate import REVIEW, Verdicts
from src.gate.screening import read_scores, screen_all
from src.judging.rubric import Judgement
from src.judging.run import judge
from src.judging.votes import agreement as judges_agree
from src.judging.votes import kappa, vote_weights
from src.paths import (
    ACCEPTED,
    CANDIDATES,
    DECISIONS,
    JUDGE_CASSETTE,
    METRICS,
    PLAN,
    REJECTED,
    REVIEW_QUEUE,
    SCORES,
)
from src.planning.plan import read_plan
from src.records.decisions import Decision, read_decisions
from src.records.samples import Candidate, Screened
from src.reporting.tracking import track
from src.review.agreement import agreement, reject_rate
from src.review.decisions import verdicts
from src.review.queue import review_queue

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
    cassette: Annotated[Path, typer.Option(help="where the judges' answers go")] = JUDGE_CASSETTE,
    metrics: Annotated[Path, typer.Option(help="folder for filter.json")] = METRICS,
) -> None:
    """Write accepted, rejected, the review queue and metrics/filter.json."""
    params = load_params()
    splits, the_plan = load_splits(params.data), read_plan(plan)
    decided = read_decisions(decisions)
    write_jsonl(cassette, [])

    def ask(records: Sequence[Record]) -> dict[str, list[Judgement]]:
        return judge(
            [
                Screened(
                    Candidate(r["id"], r["label"], r["text"], model=r.get("model", "")), r["text"]
                )
                for r in records
            ],
            splits,
            params.filter.judge,
            params.llm,
            params.data,
            params.runtime,
            params.generate.domain,
            params.generate.budget,
            cassette,
        )

    screened = screen_all(
        read_jsonl(candidates),
        splits,
        the_plan,
        params,
        read_scores(scores),
        verdicts(decided),
        ask if params.filter.judge.enabled else None,
    )
    write_jsonl(accepted, screened.accepted)
    write_jsonl(rejected, screened.rejected)
    for_people = review_queue(
        screened.accepted,
        params.filter.review_ratio,
        params.filter.review_min_per_class,
        params.generate.seed,
    )
    write_csv(queue, for_people, for_excel=True)
    result = {
        **_funnel(screened),
        "review": _review(decided, screened),
        **_panel(screened),
        "bias": bias_report(screened.accepted, splits.train, params.data),
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
    track("filter", metrics=metrics, queue=queue)


def _funnel(screened: Verdicts) -> dict[str, Any]:
    """What became of the candidates, in all and by class."""
    accepted, rejected = screened.accepted, screened.rejected
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
    return {
        "candidates": len(accepted) + len(rejected),
        "accepted": len(accepted),
        "per_model": _per_model(screened),
        "acceptance_rate": screened.acceptance_rate,
        "rejected_by": dict(screened.rejected_by),
        "relabelled": sum("label_before" in record for record in accepted),
        "private": dict(private),
        "per_class": per_class,
    }


def _per_model(screened: Verdicts) -> dict[str, dict[str, int]]:
    """What the whole gate, checks and judges included, let pass of each endpoint's samples."""
    written = Counter(
        record.get("endpoint", "") for record in (*screened.accepted, *screened.rejected)
    )
    passed = Counter(record.get("endpoint", "") for record in screened.accepted)
    return {
        name: {"candidates": count, "accepted": passed[name]}
        for name, count in sorted(written.items())
        if name
    }


def _panel(screened: Verdicts) -> dict[str, Any]:
    """How far those who voted agree, and of each how many it saw, accepted, and counts for."""
    every = [
        record["votes"] for record in (*screened.accepted, *screened.rejected) if "votes" in record
    ]
    said: dict[str, list[bool]] = {}
    for votes in every:
        for voter, vote in votes.items():
            said.setdefault(voter, []).append(vote)
    weights = vote_weights(every)
    return {
        "judges_agree": judges_agree(every),
        "judges_kappa": kappa(every),
        "judges": {
            voter: {
                "judged": len(votes),
                "accepted": sum(votes),
                "weight": weights[voter],
            }
            for voter, votes in sorted(said.items())
        },
    }


def _review(decided: Sequence[Decision], screened: Verdicts) -> dict[str, Any]:
    """What people decided on the samples that the gate had let pass, and how far that carries."""
    passed = {record["id"] for record in screened.accepted}
    passed |= {record["id"] for record in screened.rejected if record["reason"] == REVIEW}
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
