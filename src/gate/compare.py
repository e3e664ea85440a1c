"""Find the nearest row of a split, or the nearest earlier candidate, of each candidate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from src.data.dialogue import plain
from src.gate.measurements import NOWHERE, Overlap
from src.gate.overlap import References, Search, entries, first_largest
from src.records.samples import Candidate


class Rows:
    """Indexed rows of a split and their ids.

    Args:
        frame: columns row_id, text.
        separator: turn separator.
        limit: the lowest share at which a rule rejects; with many rows, small shares count as 0.
        search: limits of the overlap search.
    """

    def __init__(
        self, frame: pd.DataFrame, separator: str | None, limit: float, search: Search
    ) -> None:
        self._ids = [str(row_id) for row_id in frame["row_id"]]
        self._references = References([plain(text, separator) for text in frame["text"]], search)
        self._floor = search.floor_for(len(frame), limit)

    def nearest(self, texts: list[str], among: np.ndarray | None = None) -> list[Overlap]:
        """Return the row that shares most with each text; `among` masks the rows that count."""
        shares, positions = self._references.max_overlap(texts, self._floor, among)
        return [
            Overlap(float(share), self._ids[position]) if share > 0 else NOWHERE
            for share, position in zip(shares, positions, strict=True)
        ]


@dataclass
class Compared:
    """The growing list of candidates of one class, and the overlap of each with earlier ones.

    Attributes:
        search: limits of the overlap search.
        done: candidates with a verdict, each with its nearest earlier accepted candidate.
        accepted: whether each is accepted, shape (candidates,).
        index: the 3-grams of their texts.
    """

    search: Search
    done: list[tuple[Candidate, Overlap]] = field(default_factory=list)
    accepted: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    index: References = field(init=False)

    def __post_init__(self) -> None:
        self.index = References((), self.search)

    def go_back(self, candidates: Sequence[Candidate]) -> int:
        """Drop all but the prefix shared with the new list; return the length of that prefix."""
        pairs = enumerate(zip(candidates, self.done, strict=False))
        same = min(len(candidates), len(self.done))
        same = next((position for position, (one, (old, _)) in pairs if not _alike(one, old)), same)
        del self.done[same:]
        return same

    def compare(self, texts: list[str], limit: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield, per text, the positions and shares of the candidates that it overlaps with.

        These are earlier and some later candidates. `nearest` only uses accepted ones, which are
        all earlier.
        """
        known = len(self.done)
        self.index.add(texts, after=known)
        self.accepted = np.append(self.accepted[:known], np.zeros(len(texts), dtype=bool))
        positions = range(known, known + len(texts))
        floors = [self.search.floor_for(position, limit) for position in positions]
        return entries(self.index.shares(texts, np.array(floors)))

    def nearest(self, positions: np.ndarray, shares: np.ndarray) -> Overlap:
        """Return the accepted candidate with the largest share, the first one among equals."""
        accepted = self.accepted[positions]
        if not accepted.any():
            return NOWHERE
        share, position = first_largest(positions[accepted], shares[accepted])
        return Overlap(share, self.done[position][0].id)

    def take(self, candidate: Candidate, earlier: Overlap, *, accepted: bool) -> None:
        """Record the verdict of the next candidate."""
        self.accepted[len(self.done)] = accepted
        self.done.append((candidate, earlier))


def _alike(one: Candidate, other: Candidate) -> bool:
    """Return whether the gate gives both the same verdict after the same list."""
    return (one.id, one.text) == (other.id, other.text)
