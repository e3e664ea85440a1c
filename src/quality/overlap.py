"""How much of a text stands in one other row: shared distinct character 3-grams.

    share, index = References(["我想查一下话费", "宽带断网了"]).max_overlap(["想查一下话费啊"])
    # share [0.8], index [0]: 4 of the 5 three-grams of the text stand in the first row

The share is of the text, not of both: a short sample copied out of a long call counts as a copy.
Only letters and numbers count, in lower case, so that other punctuation, spacing or turn
boundaries do not hide a copy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.sparse import csr_matrix

SIZE = 3  # characters a gram
CHUNK = 256  # texts at a time: 256 x 12,800 rows are 26 MB

NOT_WORD = re.compile(r"[\W_]+")


def grams(text: str) -> list[str]:
    """Distinct 3-grams of the letters and numbers; a shorter text is its own only gram."""
    letters = NOT_WORD.sub("", text.lower())
    if not letters:
        return []
    starts = range(max(1, len(letters) - SIZE + 1))
    return list(dict.fromkeys(letters[i : i + SIZE] for i in starts))


class References:
    """Rows to compare with.

    Exact: no hashing, so that a share is the same whatever else stands in the rows.
    """

    def __init__(self, rows: Sequence[str]) -> None:
        """Index the 3-grams of the rows."""
        self._columns: dict[str, int] = {}
        self._count = len(rows)
        column = self._columns.setdefault
        found = [[column(gram, len(self._columns)) for gram in grams(row)] for row in rows]
        self._grams = _binary(found, len(self._columns)).T.tocsr()

    def shares(self, texts: Sequence[str]) -> np.ndarray:
        """Share of each text in each row, shape (texts, rows); texts are few, see `CHUNK`."""
        found = [grams(text) for text in texts]
        known = [[self._columns[g] for g in text if g in self._columns] for text in found]
        shared = (_binary(known, len(self._columns)) @ self._grams).toarray()
        sizes = np.array([max(1, len(text)) for text in found], dtype=float)
        return np.asarray(shared / sizes.reshape(-1, 1))

    def max_overlap(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Largest share of each text and the index of its row, the first one among equals.

        Without rows the share is 0 and the index -1.
        """
        if self._count == 0:
            return np.zeros(len(texts)), np.full(len(texts), -1)
        index = np.zeros(len(texts), dtype=int)
        share = np.zeros(len(texts))
        for part in chunks(len(texts)):
            shares = self.shares(texts[part])
            index[part] = shares.argmax(axis=1)
            share[part] = shares.max(axis=1)
        return share, index


def chunks(count: int) -> Iterator[slice]:
    """Consecutive slices of at most `CHUNK` that cover `count` items."""
    return (slice(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK))


def _binary(rows: list[list[int]], width: int) -> csr_matrix:
    bounds = np.cumsum([0, *map(len, rows)])
    columns = np.fromiter((c for row in rows for c in row), dtype=np.int32, count=bounds[-1])
    ones = np.ones(len(columns), dtype=np.float32)
    return csr_matrix((ones, columns, bounds), shape=(len(rows), width))
