"""Keywords of a class, by class-against-rest log-odds over the rows that contain them.

    mine_keywords(train["text"], train["label"], "zh", per_class=12)["办理补换卡"]
    -> ("补卡", "换卡", ...)

Keywords contain no spaces and no punctuation.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from src.config.data import Language

PRIOR_ROWS = 0.5  # weight of the Dirichlet prior for a word of average frequency
MIN_ROWS = 2  # minimum number of rows with a keyword, unless the class has only one row


def mine_keywords(
    texts: pd.Series, labels: pd.Series, language: Language, per_class: int
) -> dict[str, tuple[str, ...]]:
    """Return the words of each class with the highest z-scores, best first.

    Words are character 2- to 4-grams in Chinese and words in English. The z-score is that of the
    log-odds ratio with an informative Dirichlet prior (Monroe, Colaresi, Quinn 2008, "Fightin'
    Words"). It counts rows and not occurrences, so that one call that repeats a word does not
    dominate.

    Args:
        texts: rows with turns joined by spaces.
        labels: their classes, in the same order.
        language: decides what counts as a word.
        per_class: maximum number of words per class.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    if language == "zh":
        vectorizer = CountVectorizer(
            analyzer="char", ngram_range=(2, 4), binary=True, max_features=40_000
        )
    else:
        vectorizer = CountVectorizer(binary=True, max_features=40_000)
    rows = vectorizer.fit_transform(texts)
    words = vectorizer.get_feature_names_out()
    total = np.asarray(rows.sum(axis=0)).ravel().astype(float)
    prior = PRIOR_ROWS * total / total.mean()
    usable = np.array([re.fullmatch(r"\w+", word) is not None for word in words])
    keywords: dict[str, tuple[str, ...]] = {}
    for label in sorted(set(labels)):
        mine = (labels == label).to_numpy()
        inside = np.asarray(rows[mine].sum(axis=0)).ravel().astype(float)
        z = _z_scores(inside, total - inside, prior)
        z[~usable | (inside < min(MIN_ROWS, mine.sum()))] = -np.inf
        keywords[label] = _distinct(words, z, per_class)
    return keywords


def _z_scores(inside: np.ndarray, outside: np.ndarray, prior: np.ndarray) -> np.ndarray:
    a, b = inside + prior, outside + prior
    log_odds = np.log(a / (a.sum() - a)) - np.log(b / (b.sum() - b))
    return np.asarray(log_odds / np.sqrt(1 / a + 1 / b))


def _distinct(words: np.ndarray, z: np.ndarray, limit: int) -> tuple[str, ...]:
    """Return the best words, skipping those that contain, or are part of, a better one."""
    chosen: list[str] = []
    for i in np.argsort(-z, kind="stable")[: 8 * limit]:
        word = str(words[i])
        if z[i] <= 0 or len(chosen) == limit:
            break
        if not any(word in other or other in word for other in chosen):
            chosen.append(word)
    return tuple(chosen)
