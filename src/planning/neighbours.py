"""The classes that are most easily taken for each other.

    nearest_classes(train["text"], train["label"])["exchange_rate"]  ->  ("exchange_charge", ...)

A prompt shows a few rows of them before those of its own class: a small model then writes what sets
the class apart, and not what all of them have in common.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

NEIGHBOURS = 8
MIN_ROWS = 3  # a class of fewer rows shows too little of itself
NGRAMS = (2, 4)  # characters


def nearest_classes(
    texts: pd.Series, labels: pd.Series, most: int = NEIGHBOURS
) -> dict[str, tuple[str, ...]]:
    """The `most` other classes whose rows and names are most like a class's, the nearest first.

    By the cosine of the mean TF-IDF of their rows, each with the class's name before it. Classes
    of fewer than `MIN_ROWS` rows are nobody's neighbours, unless all are that small.

    Args:
        texts: rows with turns joined by spaces.
        labels: their classes, in the same order.
        most: of a class.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    counts = labels.value_counts()
    names = sorted(counts.index)
    told = [f"{spoken(label)} {text}" for label, text in zip(labels, texts, strict=True)]
    rows = TfidfVectorizer(analyzer="char_wb", ngram_range=NGRAMS, sublinear_tf=True).fit_transform(
        told
    )
    means = [np.asarray(rows[(labels == name).to_numpy()].mean(axis=0)) for name in names]
    directions = normalize(np.vstack(means))
    shown = np.array([counts[name] >= MIN_ROWS for name in names])
    if not shown.any():
        shown[:] = True
    near = directions @ directions.T
    near[:, ~shown] = -np.inf
    np.fill_diagonal(near, -np.inf)
    ordered = np.argsort(-near, axis=1, kind="stable")[:, :most]
    return {
        name: tuple(names[other] for other in ordered[index] if np.isfinite(near[index, other]))
        for index, name in enumerate(names)
    }


def spoken(label: str) -> str:
    """A class's name as one would say it: no underscores."""
    return label.replace("_", " ").strip()
