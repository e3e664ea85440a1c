"""metrics/analyze.json: how unequal the classes are, and what that calls for."""

from __future__ import annotations

from dataclasses import dataclass

TIE = 1e-12  # Gini coefficients that differ less are equal


@dataclass(frozen=True)
class Imbalance:
    """Inequality of the class counts.

    Attributes:
        rows: of all classes.
        classes: how many there are.
        gini: 0 (equal) to 1 - 1/k.
        imbalance_ratio: rows of the largest class over those of the smallest.
        entropy: of the classes' shares, in nats, 0 (one class) to ln k (equal).
        effective_classes: so many equal classes have this entropy: exp of it.
    """

    rows: int
    classes: int
    gini: float
    imbalance_ratio: float
    entropy: float
    effective_classes: float


@dataclass(frozen=True)
class GiniGoal:
    """The Gini coefficient asked for, that of the plan, and the lowest that the limits allow."""

    wanted: float
    planned: float
    reachable: float

    @property
    def missed(self) -> bool:
        """Whether the limits keep the plan above what was asked for."""
        return self.reachable > self.wanted + TIE


@dataclass(frozen=True)
class AnalyzeMetrics(Imbalance):
    """The inequality of the train rows, and the plan in figures.

    Attributes:
        minority_classes: those that are filled up, the ultra-minority ones among them.
        ultra_minority_classes: those of at most `plan.ultra_minority_max` rows.
        needed: samples that the plan wants.
        target_gini: under the strategy gini alone.
    """

    minority_classes: int
    ultra_minority_classes: int
    needed: int
    target_gini: GiniGoal | None = None
