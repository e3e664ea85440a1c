"""How unequal the classes are.

    imbalance_of(train["label"]).gini

What is done about it is planned in `strategies`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.records.metrics.analyze import Imbalance

Counts = NDArray[np.int64]


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


def entropy(counts: np.ndarray) -> float:
    """Shannon entropy of the classes' shares in nats; a class without rows adds nothing."""
    rows = np.asarray(counts, dtype=float)
    shares = rows[rows > 0] / rows.sum() if rows.any() else rows[:0]
    return float((shares * np.log(1 / shares)).sum())


def imbalance_of(labels: pd.Series) -> Imbalance:
    """Inequality of the classes in one column of labels."""
    return imbalance_of_counts(labels.value_counts().to_numpy())


def imbalance_of_counts(counts: np.ndarray) -> Imbalance:
    """Inequality of classes of so many rows, at least one each."""
    spread = entropy(counts)
    return Imbalance(
        rows=int(counts.sum()),
        classes=len(counts),
        gini=gini(counts),
        imbalance_ratio=float(counts.max() / counts.min()),
        entropy=spread,
        effective_classes=float(np.exp(spread)),
    )
