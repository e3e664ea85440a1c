"""Error-driven plans: give samples to the classes with the highest expected gain.

    plan = follow_errors(plan, bounds_of(counts, params.plan), recall, budget=1140, largest=200)
    neighbours = taken_for(truth, predicted, near)

What can still be gained in a class is its recall gap, scaled by how much earlier samples raised its
recall, times 1 / sqrt(rows). The expected gain of one more sample is how much it lowers this. Each
sample therefore lowers the gain of the next one in its class, and classes with equal recall get
equal numbers of rows (an allocation like that of Neyman, On the Two Different Aspects of the
Representative Method, 1934). Recall is measured on dev rows and shrunk towards the mean of all
classes, because few dev rows are a weak estimate.

This is experimental: with the same number of samples, such a plan was not better than the uniform
one beyond noise, on the stand-in and on banking77 (docs/benchmarks/where-should-samples-go.md). The default is therefore `plan.policy: uniform`.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.planning.imbalance import Counts
from src.planning.strategies import Bounds

PRIOR = 2.0  # weight of the mean recall in a class, in dev rows
LEAST, MOST = 0.5, 2.0  # limits of the factor by which the last round changes an expected gain

Floats = NDArray[np.float64]


def recall_by_class(
    classes: Sequence[str], truth: Sequence[str], predicted: Sequence[str]
) -> dict[str, float]:
    """Return the recall of each class on dev, shrunk towards the recall of all rows.

    The shrinkage adds `PRIOR` rows with the recall of all rows to each class.

    Args:
        classes: all classes; a class without dev rows gets the recall of all rows.
        truth: class of each dev row.
        predicted: predicted class of each dev row.
    """
    hits = Counter(
        label for label, prediction in zip(truth, predicted, strict=True) if label == prediction
    )
    rows = Counter(truth)
    mean = sum(hits.values()) / max(1, len(truth))
    return {c: (hits[c] + PRIOR * mean) / (rows[c] + PRIOR) for c in classes}


def expected_gain(recall: Floats, gained: Floats | None = None) -> Floats:
    """Return how much may be gained in each class, without a unit: its recall gap times a factor.

    Args:
        recall: recall of each class, see `recall_by_class`.
        gained: how much the recall of each class rose in the last round. The factor is up to `MOST`
            for a class whose recall rose more than that of the others, and down to `LEAST` for one
            that fell behind; 1 for all classes if None.
    """
    gap: Floats = 1 - recall
    if gained is None or not np.ptp(gained):
        return gap
    standing = (gained - gained.mean()) / gained.std()
    gap *= np.clip(2.0 ** (standing / 2), LEAST, MOST)
    return gap


def allocate(expected: Floats, rows: Counts, most: Counts, budget: int) -> Counts:
    """Return the samples of each class, given out one by one to the class with the highest gain.

    Args:
        expected: from `expected_gain`; the gain of one more sample in a class of n rows is
            expected / sqrt(n) - expected / sqrt(n + 1).
        rows: rows of each class.
        most: maximum number of samples of each class.
        budget: samples over all classes; fewer are given out if no class has room.
    """
    given = np.zeros(len(rows), dtype=np.int64)

    def gain(i: int) -> float:
        """Gain, negated for the min-heap; if nothing is expected, smaller classes come first."""
        there = max(rows[i], 1) + given[i]
        return float(max(expected[i], 1e-12) * ((there + 1) ** -0.5 - there**-0.5))

    best = [(gain(i), i) for i in range(len(rows)) if most[i] > 0]
    heapq.heapify(best)
    for _ in range(min(budget, int(most.sum()))):
        _, i = best[0]
        given[i] += 1
        if given[i] < most[i]:
            heapq.heapreplace(best, (gain(i), i))
        else:
            heapq.heappop(best)
    return given


def taken_for(
    truth: Sequence[str], predicted: Sequence[str], near: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """Return the classes confused with each class on dev, most frequent first, then nearest ones.

    Both directions count: rows of the class predicted as the other class, and the reverse.

    Args:
        truth: class of each dev row.
        predicted: predicted class of each dev row.
        near: label -> nearest classes (`neighbours.nearest_classes`); the result has as many
            classes for each label.
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
    bounds: Bounds,
    recall: Mapping[str, float],
    budget: int,
    largest: int,
    before: Mapping[str, int] | None = None,
    gained: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Return the plan with its samples redistributed, on top of those of earlier rounds.

    Args:
        plan: from `strategies.plan_classes`.
        bounds: bounds of each class, in the same order (`strategies.bounds_of`). A class in `overrides`
            keeps the samples of the plan.
        recall: label -> dev recall, with the samples of earlier rounds.
        budget: further samples over all classes.
        largest: maximum rows of a class, real rows and samples.
        before: label -> samples of earlier rounds.
        gained: label -> how much dev recall rose in the last round.
    """
    labels = plan["label"]
    there = np.array([(before or {}).get(label, 0) for label in labels], dtype=np.int64)
    named = bounds.override >= 0
    free = np.maximum(np.minimum(bounds.most, largest) - bounds.kept, 0)
    start = np.where(named, plan["needed"], np.minimum(there, free))
    expected = expected_gain(
        np.array([recall[label] for label in labels], dtype=np.float64),
        np.array([gained[label] for label in labels], dtype=np.float64) if gained else None,
    )
    most = np.where(named, 0, free - start)
    spent = int(start[named].sum()) if not before else 0
    left = max(0, min(budget - spent, bounds.samples - int(start.sum())))
    needed = start + allocate(expected, bounds.kept + start, most, left)
    return plan.assign(needed=needed, target=bounds.kept + needed)
