"""Decisions of reviewers on synthetic samples.

    decisions = read_decisions(Path("data/review/decisions.csv"))
    verdicts(decisions)["5ae4b77795139c0f-0"].decision   # accept | reject | relabel

One row is one reviewer's decision on one sample.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from src.records.decisions import CHOICES, Decision
from src.records.samples import Candidate


def with_decision(decisions: Iterable[Decision], new: Decision) -> list[Decision]:
    """Add a decision; it replaces the reviewer's earlier one on the same sample."""
    key = (new.id, new.reviewer)
    return [*(one for one in decisions if (one.id, one.reviewer) != key), new]


def last_of(decisions: Sequence[Decision], reviewer: str, ids: AbstractSet[str]) -> Decision | None:
    """Return a reviewer's last decision on one of these samples, in file order, or None."""
    own = (one for one in reversed(decisions) if one.reviewer == reviewer and one.id in ids)
    return next(own, None)


def verdicts(decisions: Iterable[Decision]) -> dict[str, Decision]:
    """Return the majority decision per sample id.

    Ties go to the more cautious decision: reject, then relabel, then accept. If a majority relabels
    to different classes, the class named most often wins, the first one among equals. The returned
    decision is that of the first reviewer who agrees with the majority.
    """
    by_sample: dict[str, list[Decision]] = defaultdict(list)
    for one in decisions:
        by_sample[one.id].append(one)
    return {sample: _majority(given) for sample, given in by_sample.items()}


def relabelled(
    candidates: Sequence[Candidate], decisions: Mapping[str, Decision]
) -> list[Candidate]:
    """Return the candidates, with the new label where reviewers relabelled them."""
    return [
        replace(one, label=decision.label, label_before=one.label)
        if (decision := decisions.get(one.id)) is not None and decision.decision == "relabel"
        else one
        for one in candidates
    ]


def _majority(given: Sequence[Decision]) -> Decision:
    counts = Counter(one.decision for one in given)
    choice = max(CHOICES, key=lambda name: counts[name])  # max keeps the first among equals
    same = [one for one in given if one.decision == choice]
    labels = Counter(one.label for one in same)
    return max(same, key=lambda one: labels[one.label])
