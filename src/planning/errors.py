"""Where a further sample is worth most: the budget follows the errors that a classifier makes.

    plan = follow_errors(plan, room_of(counts, params.plan), recall, budget=1140)
    neighbours = taken_for(truth, said, near)

The worth of one more sample of a class is its recall gap times how little is known of the class,
1 / sqrt(rows), times what earlier samples of it gained. Recall is measured on dev rows and drawn to
the mean of all classes, because few dev rows say little.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.planning.strategies import Room

PRIOR = 2.0  # dev rows that the mean recall counts for in a class
LEAST, MOST = 0.5, 2.0  # how much earlier rounds may lower or raise the worth of a class

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def recall_by_class(
    classes: Sequence[str], truth: Sequence[str], said: Sequence[str]
) -> dict[str, float]:
    """Recall of each class on dev, drawn to that of all rows as if it had `PRIOR` rows more.

    Args:
        classes: all classes; one without dev rows has the recall of all rows.
        truth: class of each dev row.
        said: what the classifier says of it.
    """
    hits = Counter(label for label, answer in zip(truth, said, strict=True) if label == answer)
    rows = Counter(truth)
    mean = sum(hits.values()) / max(1, len(truth))
    return {c: (hits[c] + PRIOR * mean) / (rows[c] + PRIOR) for c in classes}


def worth_of_samples(rows: Counts, recall: Floats, gained: Floats | None = None) -> Floats:
    """What one more sample of each class is worth, in no unit.

    Args:
        rows: of each class, real ones and samples.
        recall: of each class, see `recall_by_class`.
        gained: how much its recall rose in the last round; a class whose recall rose by more than
            the others' is worth up to `MOST` times as much, one that fell behind `LEAST`.
    """
    worth: Floats = (1 - recall) / np.sqrt(np.maximum(rows, 1))
    if gained is None or not np.ptp(gained):
        return worth
    standing = (gained - gained.mean()) / gained.std()
    worth *= np.clip(2.0 ** (standing / 2), LEAST, MOST)
    return worth


def allocate(worth: Floats, most: Counts, budget: int) -> Counts:
    """Samples of each class: in proportion to their worth, the largest remainders rounded up.

    What a class cannot take goes to the others, in proportion again.

    Args:
        worth: of one more sample of each class.
        most: samples that each class may have.
        budget: samples of all classes; fewer where no class has room.
    """
    given = np.zeros(len(worth), dtype=np.int64)
    left = min(budget, int(most.sum()))
    while left:
        room = most - given
        open_ = room > 0
        weight = np.where(open_, np.maximum(worth, 1e-12), 0.0)
        share = weight / weight.sum() * left
        step = np.minimum(np.floor(share).astype(np.int64), room)
        if not step.any():  # less than one for each: the largest shares get one
            first = np.argsort(-np.where(open_, share, -1.0), kind="stable")[:left]
            step[first] = np.minimum(1, room[first])
        given += step
        left -= int(step.sum())
    return given


def taken_for(
    truth: Sequence[str], said: Sequence[str], near: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """The classes that each class is confused with on dev, most often first, then its nearest ones.

    Both ways count: rows of the class that are taken for the other, and the reverse.

    Args:
        truth: class of each dev row.
        said: what the classifier says of it.
        near: of every class its nearest ones (`neighbours.nearest_classes`); as many are kept.
    """
    wrong = Counter(
        pair
        for one, other in zip(truth, said, strict=True)
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
    worth = worth_of_samples(
        room.kept + start,
        np.array([recall[label] for label in labels], dtype=np.float64),
        np.array([gained[label] for label in labels], dtype=np.float64) if gained else None,
    )
    most = np.where(named, 0, free - start)
    spent = int(start[named].sum()) if not before else 0
    left = max(0, min(budget - spent, room.samples - int(start.sum())))
    needed = start + allocate(worth, most, left)
    return plan.assign(needed=needed, target=room.kept + needed)
