"""How many rows each class should have, by one of several strategies.

    plan = plan_classes(train["label"], params.plan)

- quota: minority classes are filled up to `target_per_class`;
- floor: all classes are filled up to `target_per_class`;
- power: sizes are proportional to n^temperature, and the largest class keeps its size (as in the
  language sampling of Conneau et al., Unsupervised Cross-lingual Representation Learning at Scale,
  2019);
- effective_number: sizes are proportional to the effective number of rows, (1 - beta^n) /
  (1 - beta), and the largest class keeps its size (Cui et al., Class-Balanced Loss Based on
  Effective Number of Samples, 2019);
- gini: the fewest samples that bring the Gini coefficient down to `target_gini`.

No strategy plans a class below its real rows. `overrides` take precedence, and then the limits
apply: `max_synthetic_share` of each class, `max_synthetic_total` of the whole set, `head_cap`.
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
SHOWN_GINI = 0.35  # target of the strategy gini in `compare` if target_gini is not set


@dataclass(frozen=True)
class Bounds:
    """Bounds that every strategy respects; arrays have one entry per class.

    Attributes:
        kept: real rows that remain under the head cap.
        most: maximum rows of the class, by `max_synthetic_share` and the head cap.
        override: rows set in `overrides`, -1 for other classes.
        samples: maximum number of samples over all classes.
    """

    kept: Counts
    most: Counts
    override: Counts
    samples: int

    def within(self, wanted: Counts) -> Counts:
        """Return the targets cut to the limits; none falls below `kept`."""
        return water_fill(self.kept, np.clip(wanted, self.kept, self.most), self.samples)


def plan_classes(labels: pd.Series, params: PlanParams) -> pd.DataFrame:
    """Return tier, target and needed samples of each class, by the strategy of `params`.

    A minority class has fewer rows than `minority_ratio` times the mean class size; minority
    classes with at most `ultra_minority_max` rows have the tier "ultra". Without a head cap no
    class is cut, so that target - needed is its support.

    Returns:
        columns label, support, tier (majority, minority, ultra), target (rows after balancing),
        needed (samples among them; the rest are real rows); largest class first.

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
            "needed": target - bounds_of(counts, params).kept,
        }
    )


def targets(strategy: Strategy, counts: pd.Series, params: PlanParams) -> Counts:
    """Return the rows that each class should have under a strategy, in the order of `counts`.

    Args:
        strategy: the strategy; `params.strategy` is ignored.
        counts: train rows by label, largest class first.
        params: settings of all strategies, and the limits.
    """
    bounds = bounds_of(counts, params)
    kept = bounds.kept
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
            return _gini_targets(bounds, params)
        case _:
            assert_never(strategy)
    return bounds.within(np.where(bounds.override < 0, wanted, bounds.override))


def compare_strategies(counts: pd.Series, params: PlanParams) -> dict[str, BalanceFigures]:
    """Return the figures of the set that each strategy would plan with these settings.

    Args:
        counts: train rows by label, largest class first.
        params: the settings; without `target_gini` the strategy gini uses `SHOWN_GINI`.
    """
    kept = bounds_of(counts, params).kept
    return {
        strategy: balance_figures(imbalance_of_counts(target), int((target - kept).sum()))
        for strategy in get_args(Strategy)
        for target in [targets(strategy, counts, params)]
    }


def balance_figures(measured: Imbalance, needed: int) -> BalanceFigures:
    """Combine the imbalance of a set with the number of samples in it."""
    return BalanceFigures(
        needed=needed,
        gini=measured.gini,
        imbalance_ratio=measured.imbalance_ratio,
        entropy=measured.entropy,
        effective_classes=measured.effective_classes,
    )


def gini_goal(plan: pd.DataFrame, params: PlanParams) -> GiniGoal | None:
    """Return how close the plan comes to `target_gini`; None for other strategies than gini.

    Args:
        plan: from `plan_classes`.
        params: the settings that the plan was made with.
    """
    if params.strategy != "gini" or params.target_gini is None:
        return None
    lowest = targets(
        "gini", plan.set_index("label")["support"], params.model_copy(update={"target_gini": 0.0})
    )
    return GiniGoal(params.target_gini, gini(plan["target"].to_numpy()), gini(lowest))


def water_fill(start: Counts, most: Counts, samples: int) -> Counts:
    """Return the rows after giving out samples one by one, each to the smallest class with bounds.

    Among classes of equal size the last one is served first: with the largest class first in the
    order, that is the rarest one.

    Args:
        start: rows of each class.
        most: maximum rows of each class; not below start.
        samples: number of samples; those for which no class has room are left over.
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
    """Return the rows with the fewest samples that bring the Gini coefficient down to `goal`.

    If the goal is out of reach, the coefficient is brought as low as it goes.

    Of all ways to add a given number of rows, filling the smallest classes first gives the lowest
    coefficient: its result is majorized by every other one (Marshall, Olkin and Arnold,
    Inequalities, 2011), and at a constant sum the Gini coefficient increases with majorization. So
    only the number of rows must be found. As the fill level rises, the coefficient falls and then
    rises, because classes at their limit stay behind; it can turn only at a level where a class
    joins or stops. Within one level, row by row, it may rise before it falls. Therefore the search
    finds the level first and then the row.

    Args:
        start: rows of each class.
        most: maximum rows of each class; not below start.
        samples: maximum number of samples over all classes.
        goal: the Gini coefficient to reach.
    """
    # Filling beyond the largest class would only add imbalance.
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


def _gini_targets(bounds: Bounds, params: PlanParams) -> Counts:
    """Targets of the strategy gini: overridden classes as set, the others by `least_fill`."""
    goal = SHOWN_GINI if params.target_gini is None else params.target_gini
    named = bounds.override >= 0
    start = bounds.within(np.where(named, bounds.override, bounds.kept))
    left = bounds.samples - int((start - bounds.kept).sum())
    return least_fill(start, np.where(named, start, bounds.most), left, goal)


def bounds_of(counts: pd.Series, params: PlanParams) -> Bounds:
    """Return the bounds of each class.

    Args:
        counts: train rows by label, largest class first.
        params: overrides and limits.
    """
    override = np.array([params.overrides.get(label, -1) for label in counts.index], dtype=np.int64)
    # An override above the head cap lifts the cap: real rows are not dropped in favour of samples.
    cap = np.maximum(override, NO_LIMIT if params.head_cap is None else params.head_cap)
    kept = np.minimum(_rows(counts), cap)
    most = [rows + _samples_beside(rows, params.max_synthetic_share) for rows in kept.tolist()]
    return Bounds(
        kept=kept,
        most=np.minimum(np.array(most, dtype=np.int64), cap),
        override=override,
        samples=_samples_beside(int(kept.sum()), params.max_synthetic_total),
    )


def _rows(counts: pd.Series) -> Counts:
    return counts.to_numpy(dtype=np.int64)


def _samples_beside(rows: int, share: float | None) -> int:
    """Return how many samples may be added to real rows without exceeding this share of the sum."""
    if share is None or share == 1:
        return NO_LIMIT
    exact = Fraction(str(share))  # 0.99 with one row allows 99 samples; in binary it would be 98
    return min(NO_LIMIT, rows * exact // (1 - exact))


def _minority(support: Counts, params: PlanParams) -> NDArray[np.bool_]:
    smaller: NDArray[np.bool_] = support < params.minority_ratio * support.mean()
    return smaller


def _rounded(rows: NDArray[np.float64]) -> Counts:
    whole: Counts = np.rint(rows).astype(np.int64)
    return whole
