"""Which candidates of a class to keep, where more pass than its quota needs.

    order = select(vectors, quality, size=80, trade=0.5, already=vectors_of_its_real_rows)
    kept = [candidates[position] for position in order]

Greedy facility location: each step takes the candidate that brings most rows of the class nearer
to something kept (Nemhauser, Wolsey and Fisher 1978, "An analysis of approximations for
maximizing submodular set functions": at least 63 % of the best coverage that so many rows can
have), weighed against its quality as maximal marginal relevance does (Carbonell and Goldstein
1998, "The use of MMR"). Unlike a penalty on the nearest row alone, coverage does not run after
outliers: a candidate that is like no other covers only itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from src.gate.ngrams import Matrix

TIE = 1e-6  # scores that differ less are equal
PART = 512  # rows at a time

Floats = NDArray[np.floating]


def select(
    vectors: Matrix,
    quality: Floats,
    size: int,
    trade: float,
    already: Matrix | None = None,
) -> list[int]:
    """Positions of the candidates to keep, the one to keep first in front.

    Deterministic, ties by position; of the same candidates a smaller size gives the beginning of
    what a larger one gives. 2,000 candidates take a quarter of a second.

    Args:
        vectors: the candidates of one class, rows of length 1 (or 0), see `embedding`.
        quality: of each candidate, the higher the better, in any unit: the class's worst counts
            as 0 and its best as 1.
        size: how many to keep; all where there are not more, none if it is negative.
        trade: 0 = by quality alone, 1 = by coverage alone. In between it weighs, at every step,
            quality against the coverage gained as a share of the most that any could gain.
        already: rows that are there anyway, such as the real ones; what they cover needs no more.

    Raises:
        ValueError: trade is not within 0 and 1, or quality is not one finite number a candidate.
    """
    count = vectors.shape[0]
    if not 0 <= trade <= 1:
        raise ValueError(f"trade must be within 0 and 1, got {trade}")
    if quality.shape != (count,) or not np.isfinite(quality).all():
        raise ValueError(f"quality must be {count} finite numbers, got {quality}")
    size = max(0, min(size, count))
    if not size:
        return []
    if not trade:
        return [int(position) for position in np.argsort(-quality, kind="stable")[:size]]
    worth = (1 - trade) * _scaled(quality)
    near = similarity(vectors, vectors)
    covered = np.zeros(count, np.float32) if already is None else _nearest(vectors, already)
    gain = np.zeros(count)
    for part in _parts(count):
        gain += np.maximum(near[part] - covered[part, None], 0).sum(axis=0, dtype=float)
    kept: list[int] = []
    for _ in range(size):
        most = gain.max()
        score = worth + trade * gain / most if most > count * TIE else worth.copy()
        score[kept] = -1
        best = int((score > score.max() - TIE).argmax())
        kept.append(best)
        closer = np.flatnonzero(near[best] > covered)
        gain = gain - _lost(near[closer], covered[closer], near[best, closer])
        covered[closer] = near[best, closer]
    return kept


def similarity(rows: Matrix, others: Matrix) -> NDArray[np.float32]:
    """Cosine of each row to each other one, shape (rows, others); opposites count as 0."""
    near = rows @ others.T
    dense = near if isinstance(near, np.ndarray) else near.toarray()
    return np.clip(dense, 0, 1).astype(np.float32, copy=False)


def _nearest(rows: Matrix, others: Matrix) -> NDArray[np.float32]:
    parts = [
        similarity(rows[part], others).max(axis=1, initial=0) for part in _parts(rows.shape[0])
    ]
    return np.concatenate(parts)


def _parts(count: int) -> list[slice]:
    return [slice(start, start + PART) for start in range(0, count, PART)]


def _lost(near: Floats, before: Floats, after: Floats) -> Floats:
    """How much less each candidate can gain of rows that another one has just come nearer to.

    Args:
        near: similarity of these rows to each candidate, shape (rows, candidates).
        before: how well each row was covered.
        after: how well it is covered now.
    """
    lost: Floats = np.clip(near - before[:, None], 0, (after - before)[:, None]).sum(
        axis=0, dtype=float
    )
    return lost


def _scaled(quality: Floats) -> Floats:
    least, most = quality.min(), quality.max()
    scaled: Floats = (quality - least) / (most - least) if most > least else np.zeros(len(quality))
    return scaled
