"""What people decided on synthetic samples.

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
    """The decisions with a new one, instead of the reviewer's earlier one on the sample."""
    key = (new.id, new.reviewer)
    return [*(one for one in decisions if (one.id, one.reviewer) != key), new]


def last_of(decisions: Sequence[Decision], reviewer: str, ids: AbstractSet[str]) -> Decision | None:
    """A reviewer's last decision on one of these samples, in the file's order."""
    own = (one for one in reversed(decisions) if one.reviewer == reviewer and one.id in ids)
    return next(own, None)


def verdicts(decisions: Iterable[Decision]) -> dict[str, Decision]:
    """Sample -> the decision of most of its reviewers.

    The more careful one wins a tie: reject, then relabel, then accept. Where most relabel, but
    to different classes, it is to the class that most of them name, the first among equals.
    What is returned is one reviewer's row: the first that says so.
    """
    by_sample: dict[str, list[Decision]] = defaultdict(list)
    for one in decisions:
        by_sample[one.id].append(one)
    return {sample: _majority(given) for sample, given in by_sample.items()}


def relabelled(
    candidates: Sequence[Candidate], decisions: Mapping[str, Decision]
) -> list[Candidate]:
    """The candidates, those that people gave to another class with its label."""
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
