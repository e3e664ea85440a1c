"""The final verdict on all candidates: the rules, then the checks that look at all of them.

    verdicts = screen_all(candidates, splits, plan, params, scores, decisions)

The checks (label, judges, choice) are not asked by `generate`, since one more sample may change
every verdict; it buys `generate.surplus` more than is needed, from which they choose. What people
accepted passes them all.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.config.filter import FilterParams, LabelRule
from src.config.params import Params
from src.data.dialogue import plain
from src.data.schema import Splits
from src.errors import UserError
from src.files import Record
from src.gate.embedding import Embed, fit_embedder
from src.gate.gate import Gate, Verdicts
from src.gate.label_check import LabelCheck
from src.gate.selection import select
from src.judging.rubric import Judgement
from src.judging.votes import accepting, decide, faults_of, vote_weights
from src.planning.plan import Plan
from src.records.decisions import Decision

LABEL_CHECK, JUDGE = "label_check", "judge"
MOST_FITTED = 20_000  # train rows that n-grams and their rarity are taken from
MOST_COVERED = 500  # train rows of a class whose neighbourhood needs no more samples
SCORE_COLUMNS = ["label_score", "label_rank", "neighbours"]


AskJudges = Callable[[Sequence[Record]], Mapping[str, Sequence[Judgement]]]


def screen_all(
    candidates: Sequence[Record],
    splits: Splits,
    plan: Plan,
    params: Params,
    scores: pd.DataFrame,
    decisions: Mapping[str, Decision],
    ask_judges: AskJudges | None = None,
) -> Verdicts:
    """Rules, label check, judges; the accepted ones with the best choice of a class in front.

    Args:
        candidates: records with id, text and label.
        splits: the real rows.
        plan: keywords, and how many samples each class needs.
        params: the sections `filter`, `data` and `embedding`.
        scores: `scores_table` of these candidates, and maybe others.
        decisions: of people, by candidate id.
        ask_judges: gives judgements on records; None leaves the judges out.

    Raises:
        UserError: see `Gate.screen` and `with_label_scores`; or an endpoint is at fault.
    """
    rules = params.filter
    records = relabelled(candidates, decisions)
    gate = Gate(splits.train, splits.dev, splits.test, plan.keywords, rules, params.data, decisions)
    ruled = gate.screen(records)
    kept = {name for name, decision in decisions.items() if decision.decision != "reject"}
    votes = ask_judges is not None and rules.judge.classifier
    checked = with_label_scores(ruled.accepted, scores, rules.label_check, kept, decides=not votes)
    if ask_judges is not None:
        passed = [record for record in checked if "reason" not in record]
        judged = with_judgements(passed, ask_judges(passed), rules, kept)
        checked = [*judged, *(record for record in checked if "reason" in record)]
    place = {record["id"]: number for number, record in enumerate(records)}
    checked.sort(key=lambda record: place[record["id"]])
    dropped = [*ruled.rejected, *(record for record in checked if "reason" in record)]
    separator = params.data.turn_separator
    chosen = best_first(
        [record for record in checked if "reason" not in record],
        plan.quotas,
        splits.train,
        fit_embedder(
            [plain(text, separator) for text in _spread(splits.train["text"], MOST_FITTED)],
            params.embedding,
        ),
        rules.diversity,
        separator,
    )
    return Verdicts(tuple(chosen), tuple(sorted(dropped, key=lambda record: place[record["id"]])))


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


def read_scores(path: Path) -> pd.DataFrame:
    """`scores_table` as the stage `score` wrote it.

    Raises:
        UserError: it is not there.
    """
    try:
        return pd.read_csv(path, dtype={"id": str, "suggested": str}, keep_default_na=False)
    except FileNotFoundError:
        raise UserError(
            f"{path} not found; run `python -m src.stages.score` on the same candidates first"
        ) from None


def with_label_scores(
    records: Sequence[Record],
    scores: pd.DataFrame,
    rule: LabelRule,
    kept: AbstractSet[str],
    *,
    decides: bool = True,
) -> list[Record]:
    """The records with their label scores; a reason, or another label, where the rule says so.

    Args:
        records: accepted so far.
        scores: `scores_table`, of these and maybe others.
        rule: the section `filter.label_check`.
        kept: ids that people accepted.
        decides: False adds the scores alone, for a label check that votes among the judges.

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
        fault = _label_fault(found, rule) if decides and record["id"] not in kept else None
        if fault and rule.action == "relabel" and found["suggested"]:
            scored |= {"label": found["suggested"], "label_before": record["label"]}
        elif fault:
            scored |= {"reason": LABEL_CHECK, "detail": fault}
        checked.append(scored)
    return checked


def _label_fault(found: Mapping[Hashable, Any], rule: LabelRule) -> str | None:
    if not rule.enabled:
        return None
    if found["label_score"] < rule.min_score:
        likelier = f"; {found['suggested']} is likelier" if found["suggested"] else ""
        return f"{found['label_score']:.2f} likely to be of its class, under {rule.min_score}{likelier}"
    return None


def with_judgements(
    records: Sequence[Record],
    judged: Mapping[str, Sequence[Judgement]],
    rules: FilterParams,
    kept: AbstractSet[str],
) -> list[Record]:
    """The records with what the judges say of them, and a reason where they vote against one.

    Args:
        records: accepted so far, with label scores.
        judged: judgements by record id.
        rules: the sections `judge` and `label_check`, which may have a vote.
        kept: ids that people accepted.

    Returns:
        with `votes`, voter -> whether it accepts.
    """
    judgements = [judged.get(record["id"], ()) for record in records]
    faults = [
        faults_of(mine, rules.judge, _label_fault(record["scores"] | record, rules.label_check))
        for record, mine in zip(records, judgements, strict=True)
    ]
    weights = (
        vote_weights([accepting(found) for found in faults])
        if rules.judge.vote == "weighted"
        else None
    )
    checked = []
    for record, mine, found in zip(records, judgements, faults, strict=True):
        verdict = decide(mine, found, rules.judge.vote, weights)
        scored = record | {"scores": record["scores"] | verdict.scores, "votes": verdict.votes}
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
        rows = _spread(train.loc[train["label"] == label, "text"], MOST_COVERED)
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


def _spread(rows: pd.Series, most: int) -> list[str]:
    """At most so many of the rows, evenly spread over them."""
    places = np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)
    return rows.iloc[places].tolist()
