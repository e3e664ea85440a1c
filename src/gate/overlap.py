"""How much of a text occurs in one other row: shared distinct character 3-grams.

    share, index = References(["我想查一下话费", "宽带断网了"]).max_overlap(["想查一下话费啊"])
    # share [0.8], index [0]: 4 of the 5 three-grams of the text occur in the first row

The share is relative to the text, not to both: a short sample copied out of a long call counts as
a copy. Only letters and numbers count, in lower case, so that different punctuation, spacing or
turn boundaries do not hide a copy.

All returned shares are exact: no hashing, no sampling. With many rows, only shares above a floor
are searched, and lower ones count as 0. If a text of n grams shares more than floor x n of them
with a row, it misses fewer than n - floor x n, so any set of more grams than that contains a shared
one. The rarest grams are looked up, and only rows found there are compared in full. (Prefix
filtering: Chaudhuri, Ganti and Kaushik, "A primitive operator for similarity joins", ICDE 2006.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
from scipy.sparse import csr_matrix, vstack

SIZE = 3  # characters per gram
FLOOR = 0.5  # with more rows than `Search.exact_rows`, shares up to it count as 0
ROUNDING = 1e-9  # floor x grams may be rounded to just above a whole number

NOT_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Search:
    """Limits of the overlap search; shares above the floor do not depend on them.

    Attributes:
        exact_rows: up to this number of rows, all shares are computed, however small.
        chunk: texts per block; 256 with 12,800 rows take at most 26 MB.
        pairs: pairs of text and row compared in full per block; 50,000 take about 100 MB.
        slack: rare grams looked up beyond those that may be missing; more of them leave fewer
            rows to compare in full.
    """

    exact_rows: int = 10_000
    chunk: int = 256
    pairs: int = 50_000
    slack: int = 15

    def floor_for(self, rows: int, limit: float) -> float:
        """Return the floor for this number of rows; never above `limit`, a rule's max. share."""
        return 0.0 if rows <= self.exact_rows else min(FLOOR, limit)

    def chunks(self, count: int, first: int = 0) -> Iterator[slice]:
        """Return consecutive slices of at most `chunk` items that cover `first` to `count`."""
        starts = range(first, count, self.chunk)
        return (slice(start, min(start + self.chunk, count)) for start in starts)


SEARCH = Search()


def grams(text: str) -> list[str]:
    """Return distinct 3-grams of letters and numbers; a shorter text is its own only gram."""
    letters = NOT_WORD.sub("", text.lower())
    if not letters:
        return []
    starts = range(max(1, len(letters) - SIZE + 1))
    return list(dict.fromkeys([letters[i : i + SIZE] for i in starts]))


class References:
    """An index of rows to compare texts with; rows can be appended."""

    def __init__(self, rows: Sequence[str] = (), search: Search = SEARCH) -> None:
        """Index the 3-grams of the rows."""
        self._search = search
        self._columns: dict[str, int] = {}
        self._rows = _binary([], 0)
        self.add(rows)

    def add(self, rows: Sequence[str], after: int | None = None) -> None:
        """Append rows to the index; with `after`, first drop all but the first `after` rows."""
        column = self._columns.setdefault
        found = [[column(gram, len(self._columns)) for gram in grams(row)] for row in rows]
        kept = self._rows[:after]
        kept.resize(kept.shape[0], len(self._columns))
        self._rows = vstack([kept, _binary(found, len(self._columns))], format="csr")
        self._grams = self._rows.T.tocsr()

    def shares(self, texts: Sequence[str], floor: float | np.ndarray = 0.0) -> csr_matrix:
        """Return shares of texts in rows that are above the floor, shape (texts, rows).

        The matrix is sparse and its columns unordered. Pass few texts at a time, see
        `Search.chunk`. `floor` may be an array with one floor per text.
        """
        floors = np.broadcast_to(floor, len(texts))
        found = [grams(text) for text in texts]
        sizes = np.array([len(text) for text in found])
        known = self._known(found)
        needed = np.floor(floors * sizes - ROUNDING).astype(int) + 1
        missable = np.diff(known.indptr) - needed
        position = np.arange(known.nnz) - _of_row(known, known.indptr[:-1])
        is_rare = position < _of_row(known, missable + self._search.slack)
        rare, rest = _where(known, is_rare), _where(known, ~is_rare)
        shared = rare @ self._grams
        if rest.nnz:
            least = np.diff(rare.indptr) - missable
            shared = self._complete(_where(shared, shared.data >= _of_row(shared, least)), rest)
        shared.data = shared.data / _of_row(shared, sizes)
        return _where(shared, shared.data > _of_row(shared, floors)) if floors.any() else shared

    def _known(self, found: list[list[str]]) -> csr_matrix:
        """Return which indexed grams each text has, the rarest of each text first."""
        columns = self._columns
        known = _binary(
            [[columns[g] for g in text if g in columns] for text in found], len(columns)
        )
        often = np.diff(self._grams.indptr)[known.indices]
        order = np.lexsort((often, _of_row(known, np.arange(len(found)))))
        known.indices = known.indices[order]  # all stored values are ones
        return known

    def max_overlap(
        self, texts: Sequence[str], floor: float = 0.0, among: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the largest share of each text and the index of its row, the first among equals.

        If no share is above the floor, the share is 0 and the index -1.

        Args:
            texts: any number of texts.
            floor: shares up to it count as 0.
            among: mask of the rows that count, shape (rows,); None for all.
        """
        share = np.zeros(len(texts))
        index = np.full(len(texts), -1)
        for part in self._search.chunks(len(texts)):
            shares = self.shares(texts[part], floor)
            for text, (rows, values) in enumerate(entries(shares), part.start):
                if among is not None:
                    counts = among[rows]
                    rows, values = rows[counts], values[counts]
                if len(values):
                    share[text], index[text] = first_largest(rows, values)
        return share, index

    def _complete(self, shared: csr_matrix, rest: csr_matrix) -> csr_matrix:
        """Return the counts of shared grams, with those in `rest` added."""
        text = _of_row(shared, np.arange(shared.shape[0]))
        for start in range(0, shared.nnz, self._search.pairs):
            pairs = slice(start, start + self._search.pairs)
            rows = self._rows[shared.indices[pairs]]
            shared.data[pairs] += np.asarray(rest[text[pairs]].multiply(rows).sum(axis=1)).ravel()
        return shared


def first_largest(rows: np.ndarray, values: np.ndarray) -> tuple[float, int]:
    """Return the largest value and the first row that has it."""
    largest = values.max()
    return float(largest), int(rows[values == largest].min())


def entries(matrix: csr_matrix) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield columns and values of the stored entries, row by row."""
    for start, end in pairwise(matrix.indptr.tolist()):
        yield matrix.indices[start:end], matrix.data[start:end]


def _binary(rows: list[list[int]], width: int) -> csr_matrix:
    bounds = np.cumsum([0, *map(len, rows)])
    columns = np.fromiter(chain.from_iterable(rows), dtype=np.int32, count=bounds[-1])
    ones = np.ones(len(columns), dtype=np.float32)
    return csr_matrix((ones, columns, bounds), shape=(len(rows), width))


def _of_row(matrix: csr_matrix, values: np.ndarray) -> np.ndarray:
    """Return, for every stored entry, the value of its row."""
    return np.repeat(values, np.diff(matrix.indptr))


def _where(matrix: csr_matrix, keep: np.ndarray) -> csr_matrix:
    """Return the matrix with only the stored entries that `keep` marks."""
    bounds = np.concatenate([[0], np.cumsum(keep)])[matrix.indptr]
    return csr_matrix((matrix.data[keep], matrix.indices[keep], bounds), shape=matrix.shape)
