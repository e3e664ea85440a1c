"""How many rows each class is to have, by one of several strategies.

    plan = plan_classes(train["label"], params.plan)

- quota: minority classes are filled up to `target_per_class`;
- floor: every class is;
- power: sizes go as n^temperature, the largest class as it is (the sampling of languages in
  Conneau et al., Unsupervised Cross-lingual Representation Learning at Scale, 2019);
- effective_number: sizes go as the effective number of rows, (1 - beta^n) / (1 - beta), the largest
  class as it is (Cui et al., Class-Balanced Loss Based on Effective Number of Samples, 2019);
- gini: the fewest samples that bring the Gini coefficient down to `target_gini`.

In all of them no class falls below its real rows, `overrides` win, and then the limits hold:
`max_synthetic_share` of each class, `max_synthetic_total` of the whole set, `head_cap`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from fractions import Fraction
from typing import assert_never, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.config.plan import PlanParams, Strategy
from src.errors import UserError
from src.planning.imbalance import Counts, gini, imbalance_of_counts
from src.records.metrics.analyze import TIE, GiniGoal, Imbalance
from src.records.metrics.balance import BalanceFigures

NO_LIMIT = 10**12  # rows
SHOWN_GINI = 0.35  # of the strategy gini in the table, where no target_gini is set


@dataclass(frozen=True)
class Room:
    """What every strategy starts from and ends at; one number a class.

    Attributes:
        kept: real rows that stay.
        most: rows that the class may have by its share of samples and the head cap.
        override: rows asked for by name, -1 where none are.
        samples: that all classes together may have.
    """

    kept: Counts
    most: Counts
    override: Counts
    samples: int

    def within(self, wanted: Counts) -> Counts:
        """What the limits leave of wanted targets; none falls below the rows that stay."""
        return water_fill(self.kept, np.clip(wanted, self.kept, self.most), self.samples)


def plan_classes(labels: pd.Series, params: PlanParams) -> pd.DataFrame:
    """Tier, target and need of each class.

    A minority class has fewer rows than `minority_ratio` times the mean class; of those the ones
    up to `ultra_minority_max` are the tier "ultra". Targets are those of `strategy`. Without a
    head cap no class is ever cut, so that target - needed is its support.

    Returns:
        columns label, support, tier (majority, minority, ultra), target (rows after balancing),
        needed (samples among them; the others are the real rows that stay); the largest class
        first.

    Raises:
        UserError: an override names a class that train does not have.
    """
    counts = labels.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    unknown = sorted(set(params.overrides) - set(counts.index))
    if unknown:
        raise UserError(
            f"params.yaml plan.overrides: no class {unknown[0]!r} in train; correct the name"
        )
    support = _rows(counts)
    minority = _minority(support, params)
    ultra = minority & (support <= params.ultra_minority_max)
    target = targets(params.strategy, counts, params)
    return pd.DataFrame(
        {
            "label": counts.index,
            "support": support,
            "tier": np.select([ultra, minority], ["ultra", "minority"], "majority"),
            "target": target,
            "needed": target - room_of(counts, params).kept,
        }
    )


def targets(strategy: Strategy, counts: pd.Series, params: PlanParams) -> Counts:
    """Rows that each class is to have under a strategy, in the order of `counts`.

    Args:
        strategy: any, whatever `params` names.
        counts: train rows by label, the largest class first.
        params: the settings of every strategy and the limits.
    """
    room = room_of(counts, params)
    kept = room.kept
    largest = kept.max()
    match strategy:
        case "quota":
            filled = np.maximum(kept, params.target_per_class)
            wanted = np.where(_minority(_rows(counts), params), filled, kept)
        case "floor":
            wanted = np.maximum(kept, params.target_per_class)
        case "power":
            wanted = _rounded(largest * (kept / largest) ** params.temperature)
        case "effective_number":
            effective = -np.expm1(kept * np.log(params.beta))  # 1 - beta^n
            wanted = _rounded(largest * effective / effective.max())
        case "gini":
            return _gini_targets(room, params)
        case _:
            assert_never(strategy)
    return room.within(np.where(room.override < 0, wanted, room.override))


def compare(counts: pd.Series, params: PlanParams) -> dict[str, BalanceFigures]:
    """What each strategy would come to at these settings.

    Args:
        counts: train rows by label, the largest class first.
        params: the strategy gini takes `SHOWN_GINI` where they have no `target_gini`.
    """
    kept = room_of(counts, params).kept
    return {
        strategy: balance_figures(imbalance_of_counts(target), int((target - kept).sum()))
        for strategy in get_args(Strategy)
        for target in [targets(strategy, counts, params)]
    }


def balance_figures(measured: Imbalance, needed: int) -> BalanceFigures:
    """The line of the table for classes measured with `needed` samples among their rows."""
    return BalanceFigures(
        needed=needed,
        gini=measured.gini,
        imbalance_ratio=measured.imbalance_ratio,
        entropy=measured.entropy,
        effective_classes=measured.effective_classes,
    )


def gini_goal(plan: pd.DataFrame, params: PlanParams) -> GiniGoal | None:
    """How near the plan comes to `target_gini`; None under another strategy than gini.

    Args:
        plan: from `plan_classes`.
        params: the settings that it was made with.
    """
    if params.strategy != "gini" or params.target_gini is None:
        return None
    lowest = targets(
        "gini", plan.set_index("label")["support"], params.model_copy(update={"target_gini": 0.0})
    )
    return GiniGoal(params.target_gini, gini(plan["target"].to_numpy()), gini(lowest))


def water_fill(start: Counts, most: Counts, samples: int) -> Counts:
    """Rows after `samples` have been given out one by one, each to the smallest class with room.

    Of classes of one size the last is first, which is the rarest where the largest stands first.

    Args:
        start: rows of each class.
        most: rows that each may have; not below start.
        samples: how many there are; those for which no class has room are left over.
    """
    if (most - start).sum() <= samples:
        return most

    def cost(level: int) -> int:
        return int((np.clip(level, start, most) - start).sum())

    levels = range(int(start.min()), int(most.max()) + 1)
    level = levels[bisect_right(levels, samples, key=cost) - 1]
    filled: Counts = np.clip(level, start, most)
    rising = np.flatnonzero((filled == level) & (most > level))[::-1]
    filled[rising[: samples - cost(level)]] += 1
    return filled


def least_fill(start: Counts, most: Counts, samples: int, goal: float) -> Counts:
    """The fewest samples that bring the Gini coefficient down to `goal`, or as low as it goes.

    Of all ways to add so many rows, filling the smallest classes first leaves the lowest Gini: the
    result is majorized by every other one (Marshall, Olkin and Arnold, Inequalities, 2011), and
    the Gini coefficient of a constant sum only rises by majorization. So only the number of rows
    is to be found. As the level rises, the coefficient falls and then rises, for the classes at
    their limit stay behind; it turns only at a level at which a class joins or stops. Within one
    level, row by row, it may rise before it falls, so the level comes first and then the row.

    Args:
        start: rows of each class.
        most: rows that each may have; not below start.
        samples: that all together may have.
        goal: a Gini coefficient.
    """
    # above the largest class there is only new inequality
    most = water_fill(start, np.minimum(most, start.max()), samples)
    levels = np.unique(np.concatenate([start, most])).tolist()

    def at(level: int) -> float:
        return gini(np.clip(level, start, most))

    found = [at(level) for level in levels]
    enough = max(goal, min(found)) + TIE
    turn = next(index for index, value in enumerate(found) if value <= enough)
    if turn == 0:
        return start
    below, level = levels[turn - 1], levels[turn]
    between = range(below + 1, level)
    level = below + 1 + bisect_left(between, True, key=lambda one: at(one) <= enough)
    few, many = (int((np.clip(one, start, most) - start).sum()) for one in (level - 1, level))
    numbers = range(few + 1, many)
    number = bisect_left(
        numbers, True, key=lambda rows: gini(water_fill(start, most, rows)) <= enough
    )
    return water_fill(start, most, few + 1 + number)


def _gini_targets(room: Room, params: PlanParams) -> Counts:
    """Targets of the strategy gini: overridden classes as asked for, the others as is cheapest."""
    goal = SHOWN_GINI if params.target_gini is None else params.target_gini
    named = room.override >= 0
    start = room.within(np.where(named, room.override, room.kept))
    left = room.samples - int((start - room.kept).sum())
    return least_fill(start, np.where(named, start, room.most), left, goal)


def room_of(counts: pd.Series, params: PlanParams) -> Room:
    """What the limits leave to each class.

    Args:
        counts: train rows by label, the largest class first.
        params: the limits.
    """
    override = np.array([params.overrides.get(label, -1) for label in counts.index], dtype=np.int64)
    # rows that are asked for by name are not dropped to be written anew
    cap = np.maximum(override, NO_LIMIT if params.head_cap is None else params.head_cap)
    kept = np.minimum(_rows(counts), cap)
    most = [rows + _samples_beside(rows, params.max_synthetic_share) for rows in kept.tolist()]
    return Room(
        kept=kept,
        most=np.minimum(np.array(most, dtype=np.int64), cap),
        override=override,
        samples=_samples_beside(int(kept.sum()), params.max_synthetic_total),
    )


def _rows(counts: pd.Series) -> Counts:
    return counts.to_numpy(dtype=np.int64)


def _samples_beside(rows: int, share: float | None) -> int:
    """The most samples that are at most this share of themselves and so many real rows."""
    if share is None or share == 1:
        return NO_LIMIT
    exact = Fraction(str(share))  # 0.99 beside one row is 99; in binary it were 98
    return min(NO_LIMIT, rows * exact // (1 - exact))


def _minority(support: Counts, params: PlanParams) -> NDArray[np.bool_]:
    smaller: NDArray[np.bool_] = support < params.minority_ratio * support.mean()
    return smaller


def _rounded(rows: NDArray[np.float64]) -> Counts:
    whole: Counts = np.rint(rows).astype(np.int64)
    return whole
