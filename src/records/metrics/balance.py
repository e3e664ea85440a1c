"""metrics/balance.json: the train set before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class BeforeAfter:
    """One figure of the real rows, and of the balanced set."""

    before: float
    after: float


@dataclass(frozen=True)
class BalanceFigures:
    """What a strategy comes to: samples needed, and the inequality once they are there."""

    needed: int
    gini: float
    imbalance_ratio: float
    entropy: float
    effective_classes: float


@dataclass(frozen=True)
class ClassBalance:
    """Rows of one class.

    Attributes:
        real: that stay.
        dropped: by `plan.head_cap`.
        synthetic: samples beside them.
        target: rows wanted.
        shortfall: rows that are missing of it.
    """

    real: int
    dropped: int
    synthetic: int
    target: int
    shortfall: int


@dataclass(frozen=True)
class BalanceMetrics:
    """The balanced set.

    Attributes:
        rows: real and synthetic.
        gini: of the class counts.
        imbalance_ratio: of the largest to the smallest class.
        synthetic_share: of the rows.
        shortfall: of all classes.
        dropped: real rows, by `plan.head_cap`.
        strategies: what each would come to at these settings.
        before: what there was.
        achieved: what there is; `needed` are the samples in the set.
        per_class: by label.
    """

    rows: int
    gini: BeforeAfter
    imbalance_ratio: BeforeAfter
    synthetic_share: float
    shortfall: int
    dropped: int
    strategies: Mapping[str, BalanceFigures]
    before: BalanceFigures
    achieved: BalanceFigures
    per_class: Mapping[str, ClassBalance]
