"""What a candidate is compared with: rows of a split, and candidates of its class before it."""

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
    """Rows of a split with their ids, to compare with.

    Args:
        frame: columns row_id, text.
        separator: between turns.
        limit: the lowest share that a rule drops at; small ones count as 0 among many rows.
        search: how shares are looked for.
    """

    def __init__(
        self, frame: pd.DataFrame, separator: str | None, limit: float, search: Search
    ) -> None:
        self._ids = [str(row_id) for row_id in frame["row_id"]]
        self._references = References([plain(text, separator) for text in frame["text"]], search)
        self._floor = search.floor_for(len(frame), limit)

    def nearest(self, texts: list[str], among: np.ndarray | None = None) -> list[Overlap]:
        """The row that holds most of each text; of those that count, if not all do."""
        shares, positions = self._references.max_overlap(texts, self._floor, among)
        return [
            Overlap(float(share), self._ids[position]) if share > 0 else NOWHERE
            for share, position in zip(shares, positions, strict=True)
        ]


@dataclass
class Compared:
    """The growing list of candidates of one class, and what each was nearest to.

    Attributes:
        search: how shares are looked for.
        done: candidates with a verdict, and of each the accepted one before it that is nearest.
        accepted: whether each is, shape (candidates,).
        index: the 3-grams of their texts.
    """

    search: Search
    done: list[tuple[Candidate, Overlap]] = field(default_factory=list)
    accepted: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    index: References = field(init=False)

    def __post_init__(self) -> None:
        self.index = References((), self.search)

    def go_back(self, candidates: Sequence[Candidate]) -> int:
        """Forget all but what the new list starts with as well; how many that are."""
        pairs = enumerate(zip(candidates, self.done, strict=False))
        same = min(len(candidates), len(self.done))
        same = next((position for position, (one, (old, _)) in pairs if not _alike(one, old)), same)
        del self.done[same:]
        return same

    def compare(self, texts: list[str], limit: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Positions and shares of what each of the next candidates shares something with.

        Those before it and some after it; `nearest` looks at the accepted ones, all before it.
        """
        known = len(self.done)
        self.index.add(texts, after=known)
        self.accepted = np.append(self.accepted[:known], np.zeros(len(texts), dtype=bool))
        positions = range(known, known + len(texts))
        floors = [self.search.floor_for(position, limit) for position in positions]
        return entries(self.index.shares(texts, np.array(floors)))

    def nearest(self, positions: np.ndarray, shares: np.ndarray) -> Overlap:
        """The accepted candidate that holds most of the next one, of equals the first."""
        accepted = self.accepted[positions]
        if not accepted.any():
            return NOWHERE
        share, position = first_largest(positions[accepted], shares[accepted])
        return Overlap(share, self.done[position][0].id)

    def take(self, candidate: Candidate, earlier: Overlap, *, accepted: bool) -> None:
        """The next candidate has its verdict."""
        self.accepted[len(self.done)] = accepted
        self.done.append((candidate, earlier))


def _alike(one: Candidate, other: Candidate) -> bool:
    """Whether the gate says the same of both after the same list."""
    return (one.id, one.text) == (other.id, other.text)
