"""Where a further sample is worth most: the budget follows the errors that a classifier makes.

    plan = follow_errors(plan, room_of(counts, params.plan), recall, budget=1140, largest=200)
    neighbours = taken_for(truth, predicted, near)

What is won in a class is its recall gap times how little is known of it, 1 / sqrt(rows); one more
sample is worth what it takes off that, times what earlier samples gained there. So each sample that
is given out makes the next one of its class worth less, and classes that err alike get alike many
rows (the optimal allocation of Neyman, On the Two Different Aspects of the Representative Method,
1934, is of this kind). Recall is measured on dev rows and drawn to the mean of all classes, because
few dev rows say little.

An experiment: with the same number of samples such a plan was no better than the uniform one beyond
noise, on the stand-in and on banking77 (docs/benchmarks.md, "The same number of samples, where the
classifier errs"), so `plan.policy: uniform` is the default.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.planning.imbalance import Counts
from src.planning.strategies import Room

PRIOR = 2.0  # dev rows that the mean recall counts for in a class
LEAST, MOST = 0.5, 2.0  # how much earlier rounds may lower or raise the worth of a class

Floats = NDArray[np.float64]


def recall_by_class(
    classes: Sequence[str], truth: Sequence[str], predicted: Sequence[str]
) -> dict[str, float]:
    """Recall of each class on dev, drawn to that of all rows as if it had `PRIOR` rows more.

    Args:
        classes: all classes; one without dev rows has the recall of all rows.
        truth: class of each dev row.
        predicted: the class that the classifier predicts.
    """
    hits = Counter(
        label for label, prediction in zip(truth, predicted, strict=True) if label == prediction
    )
    rows = Counter(truth)
    mean = sum(hits.values()) / max(1, len(truth))
    return {c: (hits[c] + PRIOR * mean) / (rows[c] + PRIOR) for c in classes}


def expected_gain(recall: Floats, gained: Floats | None = None) -> Floats:
    """How much may be won in each class, in no unit: its recall gap, by what samples gained there.

    Args:
        recall: of each class, see `recall_by_class`.
        gained: how much its recall rose in the last round; a class whose recall rose by more than
            the others' promises up to `MOST` times as much, one that fell behind `LEAST`.
    """
    gap: Floats = 1 - recall
    if gained is None or not np.ptp(gained):
        return gap
    standing = (gained - gained.mean()) / gained.std()
    gap *= np.clip(2.0 ** (standing / 2), LEAST, MOST)
    return gap


def allocate(expected: Floats, rows: Counts, most: Counts, budget: int) -> Counts:
    """Samples of each class, given out one by one to the class where the next is worth most.

    Args:
        expected: of each class, see `expected_gain`; one more of n rows takes off
            expected / sqrt(n) - expected / sqrt(n + 1).
        rows: that each class has.
        most: samples that each class may have.
        budget: samples of all classes; fewer where no class has room.
    """
    given = np.zeros(len(rows), dtype=np.int64)

    def worth(i: int) -> float:
        """As a negative number, for the heap; where nothing is expected the smallest is first."""
        there = max(rows[i], 1) + given[i]
        return float(max(expected[i], 1e-12) * ((there + 1) ** -0.5 - there**-0.5))

    best = [(worth(i), i) for i in range(len(rows)) if most[i] > 0]
    heapq.heapify(best)
    for _ in range(min(budget, int(most.sum()))):
        _, i = best[0]
        given[i] += 1
        if given[i] < most[i]:
            heapq.heapreplace(best, (worth(i), i))
        else:
            heapq.heappop(best)
    return given


def taken_for(
    truth: Sequence[str], predicted: Sequence[str], near: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """The classes that each class is confused with on dev, most often first, then its nearest ones.

    Both ways count: rows of the class that are taken for the other, and the reverse.

    Args:
        truth: class of each dev row.
        predicted: the class that the classifier predicts.
        near: of every class its nearest ones (`neighbours.nearest_classes`); as many are kept.
    """
    wrong = Counter(
        pair
        for one, other in zip(truth, predicted, strict=True)
        if one != other
        for pair in ((one, other), (other, one))
    )
    confused: dict[str, list[str]] = {label: [] for label in near}
    for label, other in sorted(wrong, key=lambda pair: (-wrong[pair], pair)):
        if label in confused:
            confused[label].append(other)
    return {
        label: tuple(dict.fromkeys([*confused[label], *nearest]))[: len(nearest)]
        for label, nearest in near.items()
    }


def follow_errors(
    plan: pd.DataFrame,
    room: Room,
    recall: Mapping[str, float],
    budget: int,
    largest: int,
    before: Mapping[str, int] | None = None,
    gained: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """The plan with its samples given out anew, on top of those of the rounds before.

    Args:
        plan: from `strategies.plan_classes`.
        room: the limits of each class, in the same order (`strategies.room_of`). A class that
            `overrides` names keeps what the plan gives it.
        recall: of each class on dev, with the samples of the rounds before.
        budget: further samples of all classes.
        largest: rows up to which a class may be filled, real ones and samples.
        before: samples of each class that are there.
        gained: how much its recall rose with them.
    """
    labels = plan["label"]
    there = np.array([(before or {}).get(label, 0) for label in labels], dtype=np.int64)
    named = room.override >= 0
    free = np.maximum(np.minimum(room.most, largest) - room.kept, 0)
    start = np.where(named, plan["needed"], np.minimum(there, free))
    expected = expected_gain(
        np.array([recall[label] for label in labels], dtype=np.float64),
        np.array([gained[label] for label in labels], dtype=np.float64) if gained else None,
    )
    most = np.where(named, 0, free - start)
    spent = int(start[named].sum()) if not before else 0
    left = max(0, min(budget - spent, room.samples - int(start.sum())))
    needed = start + allocate(expected, room.kept + start, most, left)
    return plan.assign(needed=needed, target=room.kept + needed)
