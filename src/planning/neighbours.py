"""The classes that are most similar to each class.

    nearest_classes(train["text"], train["label"])["exchange_rate"]  ->  ("exchange_charge", ...)

A prompt shows a few rows of them before the rows of its own class. A small model then writes what
distinguishes the class instead of what these classes have in common.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

NEIGHBOURS = 8
MIN_ROWS = 3  # a class with fewer rows is too small to serve as a contrast
NGRAMS = (2, 4)  # characters


def nearest_classes(
    texts: pd.Series, labels: pd.Series, most: int = NEIGHBOURS
) -> dict[str, tuple[str, ...]]:
    """Return the other classes with the most similar rows and names, nearest first.

    Similarity is the cosine between the classes' mean TF-IDF vectors, with the class name put
    before each row. Classes with fewer than `MIN_ROWS` rows are left out as neighbours, unless all
    classes are that small.

    Args:
        texts: rows with turns joined by spaces.
        labels: their classes, in the same order.
        most: maximum number of neighbours per class.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    counts = labels.value_counts()
    names = sorted(counts.index)
    named = [f"{readable_label(label)} {text}" for label, text in zip(labels, texts, strict=True)]
    rows = TfidfVectorizer(analyzer="char_wb", ngram_range=NGRAMS, sublinear_tf=True).fit_transform(
        named
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


def readable_label(label: str) -> str:
    """Return a class name as words, without underscores."""
    return label.replace("_", " ").strip()
