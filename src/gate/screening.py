"""The final verdicts: the rules, then the checks that compare all candidates with each other.

    verdicts = screen_all(candidates, splits, plan, rules, data, embedding, scores, decisions)

These checks (label check, judges, selection) run only in `filter`, because one more sample may
change every verdict. So `generate` requests `generate.surplus` more samples than needed, and the
checks select from them. Samples that reviewers accepted pass all checks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, replace

import numpy as np
import pandas as pd

from src.config.data import DataParams
from src.config.embedding import EmbeddingParams
from src.config.filter import FilterParams, LabelParams
from src.data.dialogue import plain
from src.data.schema import Splits
from src.errors import UserError
from src.gate.embedding import fit_embedder
from src.gate.gate import Gate, Verdicts
from src.gate.ngrams import Embed
from src.gate.score_table import scores_by_id
from src.gate.selection import select
from src.judging.rubric import Judgement
from src.judging.votes import accepting, decide, faults_of, vote_weights
from src.planning.plan import Plan
from src.records.decisions import Decision
from src.records.samples import Candidate, Fault, Screened
from src.review.decisions import relabelled

LABEL_CHECK, JUDGE = "label_check", "judge"
MOST_FITTED = 20_000  # max. train rows to fit n-grams and their weights on
MOST_COVERED = 500  # max. train rows per class that selection treats as already covered

AskJudges = Callable[[Sequence[Screened]], Mapping[str, Sequence[Judgement]]]


def screen_all(
    candidates: Sequence[Candidate],
    splits: Splits,
    plan: Plan,
    rules: FilterParams,
    data: DataParams,
    embedding: EmbeddingParams,
    scores: pd.DataFrame,
    decisions: Mapping[str, Decision],
    ask_judges: AskJudges | None = None,
) -> Verdicts:
    """Run rules, label check and judges; order the accepted samples best first per class.

    Args:
        candidates: candidates as `generate` wrote them.
        splits: the real rows.
        plan: keywords and quotas.
        rules: the section `filter`.
        data: the section `data`.
        embedding: the section `embedding`.
        scores: a `scores_table` with at least these candidates.
        decisions: decisions of reviewers by candidate id.
        ask_judges: returns judgements by sample id; None skips the judges.

    Raises:
        UserError: see `Gate.screen` and `with_label_scores`; or an endpoint fails.
    """
    moved = relabelled(candidates, decisions)
    gate = Gate(splits.train, splits.dev, splits.test, plan.keywords, rules, data, decisions)
    ruled = gate.screen(moved)
    kept = {name for name, decision in decisions.items() if decision.decision != "reject"}
    votes = ask_judges is not None and rules.judge.classifier
    checked = with_label_scores(ruled.accepted, scores, rules.label_check, kept, decides=not votes)
    if ask_judges is not None:
        passed = [one for one in checked if one.accepted]
        judged = with_judgements(passed, ask_judges(passed), rules, kept)
        checked = [*judged, *(one for one in checked if not one.accepted)]
    position = {one.id: number for number, one in enumerate(moved)}
    checked.sort(key=lambda one: position[one.id])
    rejected = [*ruled.rejected, *(one for one in checked if not one.accepted)]
    separator = data.turn_separator
    chosen = best_first(
        [one for one in checked if one.accepted],
        plan.quotas,
        splits.train,
        fit_embedder(
            [plain(text, separator) for text in _spread(splits.train["text"], MOST_FITTED)],
            embedding,
        ),
        rules.diversity,
        separator,
    )
    return Verdicts(tuple(chosen), tuple(sorted(rejected, key=lambda one: position[one.id])))


def with_label_scores(
    screened: Sequence[Screened],
    scores: pd.DataFrame,
    rule: LabelParams,
    kept: AbstractSet[str],
    *,
    decides: bool = True,
) -> list[Screened]:
    """Add label scores; reject or relabel samples that score too low.

    Args:
        screened: samples accepted so far.
        scores: a `scores_table` with at least these samples.
        rule: the section `filter.label_check`.
        kept: ids that reviewers accepted.
        decides: False only adds the scores, for a label check that votes with the judges.

    Raises:
        UserError: a sample has no score.
    """
    known = scores_by_id(scores)
    checked = []
    for one in screened:
        if one.id not in known:
            raise UserError(
                f"candidate {one.id} has no label score; run `python -m src.stages.score` "
                "on the same candidates first"
            )
        found = known[one.id]
        scored = replace(
            one,
            scores=replace(
                one.known_scores,
                label_score=found.label_score,
                label_rank=found.label_rank,
                neighbours=found.neighbours,
            ),
            suggested=found.suggested,
        )
        fault = _label_fault(scored, rule) if decides and one.id not in kept else None
        if fault and rule.action == "relabel" and found.suggested:
            moved = replace(one.candidate, label=found.suggested, label_before=one.label)
            scored = replace(scored, candidate=moved)
        elif fault:
            scored = replace(scored, fault=Fault(LABEL_CHECK, fault))
        checked.append(scored)
    return checked


def _label_fault(one: Screened, rule: LabelParams) -> str | None:
    score = one.known_scores.label_score
    if not rule.enabled or score is None or score >= rule.min_score:
        return None
    better = f"; {one.suggested} is more likely" if one.suggested else ""
    return f"{score:.2f} likely to belong to its class, below {rule.min_score}{better}"


def with_judgements(
    screened: Sequence[Screened],
    judged: Mapping[str, Sequence[Judgement]],
    rules: FilterParams,
    kept: AbstractSet[str],
) -> list[Screened]:
    """Add scores and votes of the judges; reject samples that they vote against.

    Args:
        screened: samples accepted so far, with label scores.
        judged: judgements by sample id.
        rules: the sections `judge` and `label_check` (which may have a vote).
        kept: ids that reviewers accepted.
    """
    judgements = [judged.get(one.id, ()) for one in screened]
    faults = [
        faults_of(mine, rules.judge, _label_fault(one, rules.label_check))
        for one, mine in zip(screened, judgements, strict=True)
    ]
    weights = (
        vote_weights([accepting(found) for found in faults])
        if rules.judge.vote == "weighted"
        else None
    )
    checked = []
    for one, mine, found in zip(screened, judgements, faults, strict=True):
        verdict = decide(mine, found, rules.judge.vote, weights)
        scores = replace(one.known_scores, **asdict(verdict.scores))
        scored = replace(one, scores=scores, votes=verdict.votes)
        if verdict.accepted is False and one.id not in kept:
            scored = replace(scored, fault=Fault(JUDGE, verdict.detail))
        checked.append(scored)
    return checked


def best_first(
    accepted: Sequence[Screened],
    needed: Mapping[str, int],
    train: pd.DataFrame,
    embed: Embed,
    trade: float,
    separator: str | None,
) -> list[Screened]:
    """Group samples by class; in classes with more than needed, put the selected ones first.

    Args:
        accepted: samples with label scores.
        needed: number of samples per class.
        train: columns text, label; rows that count as already covered.
        embed: maps texts to vectors.
        trade: 0 = label score only, 1 = coverage only, see `selection.select`.
        separator: turn separator.
    """
    by_class: dict[str, list[Screened]] = {}
    for one in accepted:
        by_class.setdefault(one.label, []).append(one)
    ordered: list[Screened] = []
    for label, samples in by_class.items():
        size = needed.get(label, 0)
        if not 0 < size < len(samples):
            ordered += samples
            continue
        rows = _spread(train.loc[train["label"] == label, "text"], MOST_COVERED)
        order = select(
            embed([plain(one.text, separator) for one in samples]),
            np.array([one.known_scores.label_score for one in samples], dtype=float),
            size,
            trade,
            embed([plain(text, separator) for text in rows]),
        )
        chosen = set(order)
        left = [position for position in range(len(samples)) if position not in chosen]
        ordered += [samples[position] for position in (*order, *left)]
    return ordered


def _spread(rows: pd.Series, most: int) -> list[str]:
    """Return at most `most` of the rows, evenly spaced."""
    positions = np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)
    return rows.iloc[positions].tolist()
