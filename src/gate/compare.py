"""What a candidate is compared with: rows of a split, and candidates of its class before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from src.data.dialogue import plain
from src.gate.measures import NOWHERE, Overlap
from src.gate.overlap import References, entries, first_largest, floor_for


class Rows:
    """Rows of a split with their ids, to compare with; shares up to `floor` count as 0."""

    def __init__(self, frame: pd.DataFrame, separator: str | None, floor: float) -> None:
        self._ids = [str(row_id) for row_id in frame["row_id"]]
        self._references = References([plain(text, separator) for text in frame["text"]])
        self._floor = floor

    def nearest(self, texts: list[str], among: np.ndarray | None = None) -> list[Overlap]:
        """The row that holds most of each text; of those that count, if not all do."""
        shares, places = self._references.max_overlap(texts, self._floor, among)
        return [
            Overlap(float(share), self._ids[place]) if share > 0 else NOWHERE
            for share, place in zip(shares, places, strict=True)
        ]


@dataclass
class Compared:
    """Candidates of one class in their order, by id and text, and what each was nearest to."""

    done: list[tuple[tuple[str, str], Overlap]] = field(default_factory=list)
    accepted: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    index: References = field(default_factory=References)

    def go_back(self, keys: list[tuple[str, str]]) -> int:
        """Forget all but what the new list starts with as well; how many that are."""
        pairs = enumerate(zip(keys, self.done, strict=False))
        same = min(len(keys), len(self.done))
        same = next((place for place, (key, old) in pairs if key != old[0]), same)
        del self.done[same:]
        return same

    def compare(self, texts: list[str], limit: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Places and shares of what each of the next candidates shares something with.

        Those before it and some after it; `nearest` looks at the accepted ones, all before it.
        """
        known = len(self.done)
        self.index.add(texts, after=known)
        self.accepted = np.append(self.accepted[:known], np.zeros(len(texts), dtype=bool))
        floors = [floor_for(place, limit) for place in range(known, known + len(texts))]
        return entries(self.index.shares(texts, np.array(floors)))

    def nearest(self, places: np.ndarray, shares: np.ndarray) -> Overlap:
        """The accepted candidate that holds most of the next one, of equals the first."""
        accepted = self.accepted[places]
        if not accepted.any():
            return NOWHERE
        share, place = first_largest(places[accepted], shares[accepted])
        return Overlap(share, self.done[place][0][0])

    def take(self, key: tuple[str, str], earlier: Overlap, *, accepted: bool) -> None:
        """The next candidate is judged."""
        self.accepted[len(self.done)] = accepted
        self.done.append((key, earlier))
