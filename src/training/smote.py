"""SMOTE in the TF-IDF space of the classifier.

Chawla et al., SMOTE: Synthetic Minority Over-sampling Technique, 2002.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

NEIGHBOURS = 5


def with_points_between(
    terms: csr_matrix,
    labels: NDArray[np.str_],
    times: NDArray[np.float64],
    wanted: Mapping[str, int],
    seed: int,
) -> tuple[csr_matrix, NDArray[np.str_], NDArray[np.float64]]:
    """Add points between neighbours to each class; a one-row class gets copies of its row.

    Args:
        terms: TF-IDF of the rows, shape (rows, terms).
        labels: class of each row.
        times: weight of each row; a point has weight 1.
        wanted: label -> points to add; a class without rows gets none.
        seed: seed of the points.

    Returns:
        terms, labels and weights; the given rows come first, in their order.
    """
    from imblearn.over_sampling import SMOTE, RandomOverSampler

    counts = pd.Series(labels).value_counts()
    known = {label: count for label, count in wanted.items() if counts.get(label, 0) > 0}
    single = {label: 1 + count for label, count in known.items() if counts[label] == 1}
    several = {
        label: int(counts[label]) + count for label, count in known.items() if counts[label] > 1
    }
    x, y = terms, labels
    if several:
        near = min(NEIGHBOURS, min(int(counts[label]) for label in several) - 1)
        smote = SMOTE(sampling_strategy=several, k_neighbors=near, random_state=seed)
        x, y = smote.fit_resample(x, y)
    if single:
        repeat = RandomOverSampler(sampling_strategy=single, random_state=seed)
        x, y = repeat.fit_resample(x, y)
    return x, np.asarray(y, dtype=str), np.append(times, np.ones(len(y) - len(times)))
