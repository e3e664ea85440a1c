"""How much of a text stands in one other row: shared distinct character 3-grams.

    share, index = References(["我想查一下话费", "宽带断网了"]).max_overlap(["想查一下话费啊"])
    # share [0.8], index [0]: 4 of the 5 three-grams of the text stand in the first row

The share is of the text, not of both: a short sample copied out of a long call counts as a copy.
Only letters and numbers count, in lower case, so that other punctuation, spacing or turn
boundaries do not hide a copy.

Every share that is given is exact: no hashing, no sampling. Among many rows only shares above a
floor are looked for, and what lies below counts as 0. A text of n grams that shares more than
floor x n of them with a row can miss only few, so the row must hold some of any few more than
those: the rarest ones are looked up, and only the rows found there are compared in full. (Prefix
filtering: Chaudhuri, Ganti and Kaushik, "A primitive operator for similarity joins", ICDE 2006.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
from scipy.sparse import csr_matrix, vstack

SIZE = 3  # characters a gram
FLOOR = 0.5  # among more rows than `Search.exact_rows`: shares up to it count as 0
ROUNDING = 1e-9  # floor x grams may come out above a whole number that it is

NOT_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Search:
    """How shares are looked for; none above the floor depends on it.

    Attributes:
        exact_rows: up to which all shares are looked for, however small.
        chunk: texts at a time; 256 with 12,800 rows take at most 26 MB.
        pairs: of text and row that are compared in full at a time; 50,000 take about 100 MB.
        slack: rare grams looked up beyond those that may be missed: the more, the fewer rows to
            compare in full.
    """

    exact_rows: int = 10_000
    chunk: int = 256
    pairs: int = 50_000
    slack: int = 15

    def floor_for(self, rows: int, limit: float) -> float:
        """The floor among so many rows; never above the limit that a rule sets on shares."""
        return 0.0 if rows <= self.exact_rows else min(FLOOR, limit)

    def chunks(self, count: int, first: int = 0) -> Iterator[slice]:
        """Consecutive slices of at most `chunk` that cover `count` items from the first on."""
        starts = range(first, count, self.chunk)
        return (slice(start, min(start + self.chunk, count)) for start in starts)


SEARCH = Search()


def grams(text: str) -> list[str]:
    """Distinct 3-grams of the letters and numbers; a shorter text is its own only gram."""
    letters = NOT_WORD.sub("", text.lower())
    if not letters:
        return []
    starts = range(max(1, len(letters) - SIZE + 1))
    return list(dict.fromkeys([letters[i : i + SIZE] for i in starts]))


class References:
    """Rows to compare with; further ones may be added at the end."""

    def __init__(self, rows: Sequence[str] = (), search: Search = SEARCH) -> None:
        """Index the 3-grams of the rows."""
        self._search = search
        self._columns: dict[str, int] = {}
        self._rows = _binary([], 0)
        self.add(rows)

    def add(self, rows: Sequence[str], after: int | None = None) -> None:
        """Index further rows, instead of those that stand after the first `after`, if given."""
        column = self._columns.setdefault
        found = [[column(gram, len(self._columns)) for gram in grams(row)] for row in rows]
        kept = self._rows[:after]
        kept.resize(kept.shape[0], len(self._columns))
        self._rows = vstack([kept, _binary(found, len(self._columns))], format="csr")
        self._grams = self._rows.T.tocsr()

    def shares(self, texts: Sequence[str], floor: float | np.ndarray = 0.0) -> csr_matrix:
        """Share of each text in each row where it is above the floor, shape (texts, rows).

        Sparse, columns in no order; texts are few, see `Search.chunk`. The floor may be one a text.
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
        """Which grams of the rows the texts have, of each text the rarest first."""
        columns = self._columns
        known = _binary(
            [[columns[g] for g in text if g in columns] for text in found], len(columns)
        )
        often = np.diff(self._grams.indptr)[known.indices]
        order = np.lexsort((often, _of_row(known, np.arange(len(found)))))
        known.indices = known.indices[order]  # all that is stored are ones
        return known

    def max_overlap(
        self, texts: Sequence[str], floor: float = 0.0, among: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Largest share of each text and the index of its row, the first one among equals.

        Where no share is above the floor the share is 0 and the index -1.

        Args:
            texts: any number of them.
            floor: shares up to it count as 0.
            among: whether each row counts, shape (rows,); all do if it is not given.
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
        """Counts of shared grams, with those in `rest` added to those counted already."""
        text = _of_row(shared, np.arange(shared.shape[0]))
        for start in range(0, shared.nnz, self._search.pairs):
            pairs = slice(start, start + self._search.pairs)
            rows = self._rows[shared.indices[pairs]]
            shared.data[pairs] += np.asarray(rest[text[pairs]].multiply(rows).sum(axis=1)).ravel()
        return shared


def first_largest(rows: np.ndarray, values: np.ndarray) -> tuple[float, int]:
    """The largest value and the first row that has it."""
    largest = values.max()
    return float(largest), int(rows[values == largest].min())


def entries(matrix: csr_matrix) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Columns and values of what is stored in each row."""
    for start, end in pairwise(matrix.indptr.tolist()):
        yield matrix.indices[start:end], matrix.data[start:end]


def _binary(rows: list[list[int]], width: int) -> csr_matrix:
    bounds = np.cumsum([0, *map(len, rows)])
    columns = np.fromiter(chain.from_iterable(rows), dtype=np.int32, count=bounds[-1])
    ones = np.ones(len(columns), dtype=np.float32)
    return csr_matrix((ones, columns, bounds), shape=(len(rows), width))


def _of_row(matrix: csr_matrix, values: np.ndarray) -> np.ndarray:
    """The value of its row for every stored entry."""
    return np.repeat(values, np.diff(matrix.indptr))


def _where(matrix: csr_matrix, keep: np.ndarray) -> csr_matrix:
    """Only the stored entries that are to be kept."""
    bounds = np.concatenate([[0], np.cumsum(keep)])[matrix.indptr]
    return csr_matrix((matrix.data[keep], matrix.indices[keep], bounds), shape=matrix.shape)
