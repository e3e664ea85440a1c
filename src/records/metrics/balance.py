"""metrics/balance.json: the train set before and after balancing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class BeforeAfter:
    """One figure, computed on the real train rows and on the balanced set."""

    before: float
    after: float


@dataclass(frozen=True)
class BalanceFigures:
    """Number of samples, and the imbalance of a set that contains them.

    Attributes:
        needed: samples in the set; for a strategy, the samples that it would ask for.
        gini: Gini coefficient of the class counts.
        imbalance_ratio: rows of the largest class / rows of the smallest class.
        entropy: Shannon entropy of the class shares in nats.
        effective_classes: exp(entropy).
    """

    needed: int
    gini: float
    imbalance_ratio: float
    entropy: float
    effective_classes: float


@dataclass(frozen=True)
class ClassBalance:
    """Rows of one class.

    Attributes:
        real: real rows in the balanced set.
        dropped: real rows dropped by `plan.head_cap`.
        synthetic: samples in the balanced set.
        target: planned size of the class, real rows and samples.
        shortfall: target - real - synthetic.
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
        rows: rows of the balanced set, real rows and samples.
        gini: Gini coefficient of the class counts.
        imbalance_ratio: rows of the largest class / rows of the smallest class.
        synthetic_share: samples / rows.
        shortfall: sum of the shortfalls of all classes.
        dropped: real rows dropped by `plan.head_cap`, over all classes.
        strategies: strategy -> the figures that it would plan with the current settings.
        before: the real train rows; `needed` is 0.
        achieved: the balanced set; `needed` is the number of samples in it.
        per_class: label -> rows of the class.
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
