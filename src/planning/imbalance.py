"""Measures of class imbalance.

imbalance_of(train["label"]).gini
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.records.metrics.analyze import Imbalance

Counts = NDArray[np.int64]


def gini(counts: np.ndarray) -> float:
    """Return the Gini coefficient of the class counts, 0 (all equal) to 1 - 1/k.

    It is the mean absolute difference of all pairs over twice the mean, computed on the sorted
    counts as (2 sum_i i x_i) / (k sum x) - (k + 1) / k with i from 1.
    """
    ordered = np.sort(np.asarray(counts, dtype=float))
    k = len(ordered)
    if k == 0 or ordered.sum() == 0:
        return 0.0
    ranks = np.arange(1, k + 1)
    return float(2 * (ranks * ordered).sum() / (k * ordered.sum()) - (k + 1) / k)


def entropy(counts: np.ndarray) -> float:
    """Return the Shannon entropy of the class shares in nats; empty classes add nothing."""
    rows = np.asarray(counts, dtype=float)
    shares = rows[rows > 0] / rows.sum() if rows.any() else rows[:0]
    return float((shares * np.log(1 / shares)).sum())


def imbalance_of(labels: pd.Series) -> Imbalance:
    """Return the imbalance of a column of labels."""
    return imbalance_of_counts(labels.value_counts().to_numpy())


def imbalance_of_counts(counts: np.ndarray) -> Imbalance:
    """Return the imbalance of class counts, each at least 1."""
    spread = entropy(counts)
    return Imbalance(
        rows=int(counts.sum()),
        classes=len(counts),
        gini=gini(counts),
        imbalance_ratio=float(counts.max() / counts.min()),
        entropy=spread,
        effective_classes=float(np.exp(spread)),
    )
