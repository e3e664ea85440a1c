"""Select which candidates of a class to keep if more are accepted than its quota needs.

    order = select(vectors, quality, size=80, trade=0.5, already=vectors_of_its_real_rows)
    kept = [candidates[position] for position in order]

Greedy facility location: each step takes the candidate that adds most coverage, i.e. that raises
most the similarity of the class's candidates to their nearest kept one (Nemhauser, Wolsey and
Fisher 1978, "An analysis of approximations for maximizing submodular set functions": at least 63 %
of the best coverage of a selection of the same size). Coverage is traded off against quality as in
maximal marginal relevance (Carbonell and Goldstein 1998, "The use of MMR"). Unlike a penalty on
the nearest row alone, coverage does not favour outliers: a candidate that resembles no other
covers only itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from src.gate.ngrams import Matrix

TIE = 1e-6  # scores that differ by less count as equal
PART = 512  # rows per block, to bound memory

Floats = NDArray[np.floating]


def select(
    vectors: Matrix,
    quality: Floats,
    size: int,
    trade: float,
    already: Matrix | None = None,
) -> list[int]:
    """Return the positions of the candidates to keep, best first.

    Deterministic; ties go to the lower position. A smaller size returns a prefix of what a larger
    one returns. 2,000 candidates take a quarter of a second.

    Args:
        vectors: the candidates of one class, rows of length 1 (or 0), see `embedding`.
        quality: one value per candidate, higher is better, in any unit: values are scaled to 0
            for the worst and 1 for the best of the class.
        size: how many to keep; all if there are fewer, none if negative.
        trade: 0 = quality only, 1 = coverage only. In between, every step weighs quality against
            the coverage gained, as a share of the largest gain of any candidate.
        already: rows that exist anyway, such as the real ones; what they cover adds no coverage.

    Raises:
        ValueError: trade is not within 0 and 1, or quality is not one finite number per candidate.
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
    value = (1 - trade) * _scaled(quality)
    near = similarity(vectors, vectors)
    covered = np.zeros(count, np.float32) if already is None else _nearest(vectors, already)
    gain = np.zeros(count)
    for part in _parts(count):
        gain += np.maximum(near[part] - covered[part, None], 0).sum(axis=0, dtype=float)
    kept: list[int] = []
    for _ in range(size):
        most = gain.max()
        score = value + trade * gain / most if most > count * TIE else value.copy()
        score[kept] = -1
        best = int((score > score.max() - TIE).argmax())
        kept.append(best)
        closer = np.flatnonzero(near[best] > covered)
        gain = gain - _lost(near[closer], covered[closer], near[best, closer])
        covered[closer] = near[best, closer]
    return kept


def similarity(rows: Matrix, others: Matrix) -> NDArray[np.float32]:
    """Return the cosine of each row and each other row, shape (rows, others), clipped at 0."""
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
    """Return by how much each candidate's gain shrinks after some rows are covered better.

    Args:
        near: similarity of these rows to each candidate, shape (rows, candidates).
        before: previous coverage of each row.
        after: new coverage of each row.
    """
    lost: Floats = np.clip(near - before[:, None], 0, (after - before)[:, None]).sum(
        axis=0, dtype=float
    )
    return lost


def _scaled(quality: Floats) -> Floats:
    least, most = quality.min(), quality.max()
    scaled: Floats = (quality - least) / (most - least) if most > least else np.zeros(len(quality))
    return scaled
