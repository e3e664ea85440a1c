"""metrics/analyze.json: the imbalance of the train rows and the size of the plan."""

from __future__ import annotations

from dataclasses import dataclass

TIE = 1e-12  # Gini coefficients that differ by less than this count as equal


@dataclass(frozen=True)
class Imbalance:
    """Imbalance of the class counts.

    Attributes:
        rows: number of rows over all classes.
        classes: number of classes, k.
        gini: Gini coefficient of the class counts, 0 (all equal) to 1 - 1/k.
        imbalance_ratio: rows of the largest class / rows of the smallest class.
        entropy: Shannon entropy of the class shares in nats, 0 (one class) to ln k (all equal).
        effective_classes: exp(entropy), the number of equal classes with the same entropy.
    """

    rows: int
    classes: int
    gini: float
    imbalance_ratio: float
    entropy: float
    effective_classes: float


@dataclass(frozen=True)
class GiniGoal:
    """Target of the strategy gini.

    Attributes:
        wanted: `plan.target_gini`.
        planned: Gini coefficient of the planned class sizes.
        reachable: the lowest Gini coefficient that the limits of the plan allow.
    """

    wanted: float
    planned: float
    reachable: float

    @property
    def missed(self) -> bool:
        """Whether the limits keep the Gini coefficient above the target."""
        return self.reachable > self.wanted + TIE


@dataclass(frozen=True)
class AnalyzeMetrics(Imbalance):
    """Imbalance of the train rows and totals of the plan.

    Attributes:
        minority_classes: number of minority classes, including the ultra-minority ones.
        ultra_minority_classes: number of minority classes with at most
            `plan.ultra_minority_max` rows.
        needed: samples that the plan asks for, over all classes.
        target_gini: target of the strategy gini; None (not in the file) for other strategies.
    """

    minority_classes: int
    ultra_minority_classes: int
    needed: int
    target_gini: GiniGoal | None = None
