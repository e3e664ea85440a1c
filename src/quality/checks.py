"""The checks that look at all samples together, after the rules: label, judges, choice.

    records = with_label_scores(verdicts.accepted, scores, params.filter.label_check, kept)
    records = with_judgements(records, judged, params.filter.judge, kept)
    accepted = best_first(passed(records), plan.quotas, ...)

`generate` does not ask them, since one more sample may change every verdict; it buys
`generate.surplus` more than is needed, from which they choose. What people accepted (`kept`)
passes them all.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
import pandas as pd

from src.config import JudgeRule, LabelRule, UserError
from src.data.dialogue import plain
from src.data.io import Record
from src.quality.decisions import Decision
from src.quality.embedding import Embed
from src.quality.judge import Judgement, decide
from src.quality.label_check import LabelCheck
from src.quality.selection import select

LABEL_CHECK, JUDGE = "label_check", "judge"
SCORE_COLUMNS = ["label_score", "label_rank", "neighbours"]


def relabelled(candidates: Sequence[Record], decisions: Mapping[str, Decision]) -> list[Record]:
    """The candidates, those that people gave to another class with its label."""
    moved = []
    for candidate in candidates:
        decision = decisions.get(candidate["id"])
        if decision is not None and decision.decision == "relabel":
            old = {"label": decision.label, "label_before": candidate["label"]}
            moved.append(candidate | old)
        else:
            moved.append(candidate)
    return moved


def scores_table(candidates: Sequence[Record], checked: LabelCheck) -> pd.DataFrame:
    """One row a candidate, see `label_check.LabelScores`.

    Columns id, label_score, label_rank (1 = its class is the likeliest), neighbours, and
    suggested, the likeliest class where that is another.
    """
    scores = checked.candidates
    return pd.DataFrame(
        {
            "id": [candidate["id"] for candidate in candidates],
            "label_score": scores.score.round(6),
            "label_rank": scores.rank + 1,
            "neighbours": scores.neighbours.round(6),
            "suggested": np.where(scores.rank > 0, np.array(scores.best, dtype=str), ""),
        }
    )


def with_label_scores(
    records: Sequence[Record], scores: pd.DataFrame, rule: LabelRule, kept: AbstractSet[str]
) -> list[Record]:
    """The records with their label scores; a reason, or another label, where the rule says so.

    Args:
        records: accepted so far.
        scores: `scores_table`, of these and maybe others.
        rule: the section `filter.label_check`.
        kept: ids that people accepted.

    Raises:
        UserError: a record has no scores.
    """
    known = dict(zip(scores["id"], scores.to_dict("records"), strict=True))
    checked = []
    for record in records:
        if record["id"] not in known:
            raise UserError(
                f"candidate {record['id']} has no label score; run `python -m src.stages.score` "
                "on the same candidates first"
            )
        found = known[record["id"]]
        scored = record | {
            "scores": record["scores"] | {name: found[name] for name in SCORE_COLUMNS},
            "suggested": found["suggested"],
        }
        fault = _label_fault(found, rule) if record["id"] not in kept else None
        if fault and rule.action == "relabel" and found["suggested"]:
            scored |= {"label": found["suggested"], "label_before": record["label"]}
        elif fault:
            scored |= {"reason": LABEL_CHECK, "detail": fault}
        checked.append(scored)
    return checked


def _label_fault(found: Mapping[Hashable, Any], rule: LabelRule) -> str | None:
    if not rule.enabled:
        return None
    if found["label_rank"] > rule.max_rank:
        return (
            f"its class is number {found['label_rank']} of the likeliest, beyond {rule.max_rank}; "
            f"number 1 is {found['suggested']}"
        )
    if found["label_score"] < rule.min_score:
        return f"{found['label_score']:.2f} likely to be of its class, under {rule.min_score}"
    return None


def with_judgements(
    records: Sequence[Record],
    judged: Mapping[str, Sequence[Judgement]],
    rule: JudgeRule,
    kept: AbstractSet[str],
) -> list[Record]:
    """The records with what the judges say of them, and a reason where they vote against one.

    Args:
        records: accepted so far.
        judged: judgements by record id.
        rule: the section `filter.judge`.
        kept: ids that people accepted.
    """
    checked = []
    for record in records:
        verdict = decide(judged.get(record["id"], ()), record.get("model", ""), rule)
        scored = record | {"scores": record["scores"] | verdict.scores}
        if verdict.accepted is False and record["id"] not in kept:
            scored |= {"reason": JUDGE, "detail": verdict.detail}
        checked.append(scored)
    return checked


def best_first(
    accepted: Sequence[Record],
    needed: Mapping[str, int],
    train: pd.DataFrame,
    embed: Embed,
    trade: float,
    separator: str | None,
) -> list[Record]:
    """Classes that have more samples than they need with the best choice of them in front.

    Args:
        accepted: records with text, label and scores.
        needed: by class.
        train: columns text, label; what these cover needs no more covering.
        embed: from texts to vectors.
        trade: 0 = by label score alone, 1 = by coverage alone, see `selection.select`.
        separator: between turns.
    """
    by_class: dict[str, list[Record]] = {}
    for record in accepted:
        by_class.setdefault(record["label"], []).append(record)
    ordered: list[Record] = []
    for label, records in by_class.items():
        size = needed.get(label, 0)
        if not 0 < size < len(records):
            ordered += records
            continue
        rows = train.loc[train["label"] == label, "text"]
        order = select(
            embed([plain(record["text"], separator) for record in records]),
            np.array([record["scores"]["label_score"] for record in records], dtype=float),
            size,
            trade,
            embed([plain(text, separator) for text in rows]),
        )
        chosen = set(order)
        left = [place for place in range(len(records)) if place not in chosen]
        ordered += [records[place] for place in (*order, *left)]
    return ordered
