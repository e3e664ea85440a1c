"""How unequal the classes are, and how many samples each needs.

    plan = plan_classes(train["label"], params.plan)

The plan says which classes are minorities and how many rows each lacks.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from src.config import PlanParams, UserError


@dataclass(frozen=True)
class Imbalance:
    """Inequality of the class counts."""

    rows: int
    classes: int
    gini: float
    imbalance_ratio: float

    def as_dict(self) -> dict[str, float]:
        """The fields, for a metrics file."""
        return asdict(self)


def gini(counts: np.ndarray) -> float:
    """Gini coefficient of the class counts, 0 (equal) to 1 - 1/k.

    Mean absolute difference of all pairs over twice the mean; here by the sorted form
    (2 sum_i i x_i) / (k sum x) - (k + 1) / k with i from 1.
    """
    ordered = np.sort(np.asarray(counts, dtype=float))
    k = len(ordered)
    if k == 0 or ordered.sum() == 0:
        return 0.0
    ranks = np.arange(1, k + 1)
    return float(2 * (ranks * ordered).sum() / (k * ordered.sum()) - (k + 1) / k)


def measure(labels: pd.Series) -> Imbalance:
    """Inequality of the classes in one column of labels."""
    counts = labels.value_counts().to_numpy()
    return Imbalance(
        int(counts.sum()), len(counts), gini(counts), float(counts.max() / counts.min())
    )


def plan_classes(labels: pd.Series, params: PlanParams) -> pd.DataFrame:
    """Tier, target and need of each class.

    A minority class has fewer rows than `minority_ratio` times the mean class; of those the ones
    up to `ultra_minority_max` are the tier "ultra". Minority classes are filled up to
    `target_per_class`, or to their override; no class is ever cut.

    Returns:
        columns label, support, tier (majority, minority, ultra), target, needed; the largest
        class first.

    Raises:
        UserError: an override names a class that train does not have.
    """
    counts = labels.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    unknown = sorted(set(params.overrides) - set(counts.index))
    if unknown:
        raise UserError(
            f"params.yaml plan.overrides: no class {unknown[0]!r} in train; correct the name"
        )
    support = counts.to_numpy()
    minority = support < params.minority_ratio * support.mean()
    ultra = minority & (support <= params.ultra_minority_max)
    target = np.where(minority, np.maximum(support, params.target_per_class), support)
    for label, rows in params.overrides.items():
        target[counts.index.get_loc(label)] = max(rows, int(counts[label]))
    return pd.DataFrame(
        {
            "label": counts.index,
            "support": support,
            "tier": np.select([ultra, minority], ["ultra", "minority"], "majority"),
            "target": target,
            "needed": target - support,
        }
    )
