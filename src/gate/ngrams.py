"""Embed texts as TF-IDF of their character n-grams: no model, no cost, wording only.

embed = fit_ngrams(train_texts)
similarity = embed(candidate_texts) @ embed(train_texts).T
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

NGRAMS = (1, 3)  # characters

Matrix: TypeAlias = NDArray[np.float32] | csr_matrix  # rows of length 1, or 0
Embed = Callable[[Sequence[str]], Matrix]


def fit_ngrams(reference: Sequence[str]) -> Embed:
    """Return a function that maps texts to vectors of one space, in order.

    Args:
        reference: texts that the n-grams and their weights are taken from.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        analyzer="char", ngram_range=NGRAMS, sublinear_tf=True, dtype=np.float32
    )
    if not any(map(str.strip, reference)):
        return lambda texts: csr_matrix((len(texts), 1), dtype=np.float32)
    vectorizer.fit(reference)
    return lambda texts: csr_matrix(vectorizer.transform(texts))
