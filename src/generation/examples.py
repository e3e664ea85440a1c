"""Seed examples: the train rows that a prompt shows, and which excerpt of each.

    examples = Examples(train, keywords, data, generate)
    examples.of("补换卡", group=3, masked=True)  ->  [Example("r17", ["您好请讲", "我要补卡"]), ...]

Each group of requests shows the next rows of the class, so that all are shown about equally often.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import NamedTuple

import pandas as pd

from src.config.data import DataParams
from src.config.generate import GenerateParams
from src.data.dialogue import split_turns
from src.data.draws import shuffled
from src.llm.requests import digest
from src.privacy.find import mask

ENOUGH_KEYWORDS = 6  # in an excerpt; with that many, the longer excerpt is better
DIGEST = 12  # hexadecimal digits of the digest of a row's text


class Example(NamedTuple):
    """An excerpt of a train row."""

    row_id: str
    turns: list[str]


class Examples:
    """Deterministic choice of rows of a class, and of classes that it is confused with."""

    def __init__(
        self,
        train: pd.DataFrame,
        keywords: Mapping[str, tuple[str, ...]],
        data: DataParams,
        generate: GenerateParams,
        allowed: Sequence[str] = (),
        neighbours: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Set up.

        Args:
            train: columns row_id, text, label.
            keywords: class -> its keywords.
            data: turn separator and language.
            generate: how many rows are shown, and how much of each.
            allowed: numbers that are not private, see `filter.pii`.
            neighbours: class -> classes that it is confused with, see `generate.contrast`.
        """
        self._train = {str(label): rows for label, rows in train.groupby("label")}
        self._keywords, self._neighbours = keywords, neighbours or {}
        self._data, self._generate, self._allowed = data, generate, allowed
        self._shuffled: dict[tuple[str, bool], list[Example]] = {}
        self._digests: dict[str, dict[str, str]] = {}

    def of(self, label: str, group: int, *, masked: bool) -> list[Example]:
        """Return the next `seeds_per_prompt` examples of a class, or fewer if it has fewer rows.

        Args:
            label: the class.
            group: number of the group of requests, from 0.
            masked: whether private data is replaced.
        """
        if (label, masked) not in self._shuffled:
            self._shuffled[label, masked] = self._excerpts(label, masked=masked)
        examples = self._shuffled[label, masked]
        count = min(self._generate.seeds_per_prompt, len(examples))
        return [examples[(group * count + i) % len(examples)] for i in range(count)]

    def contrast(self, label: str, group: int, *, masked: bool) -> dict[str, list[Example]]:
        """Return the neighbouring classes that a group of requests shows, with examples.

        Each group draws its own, so that a class is contrasted with all its neighbours over time.
        """
        count = self._generate.contrast
        near = [name for name in self._neighbours.get(label, ()) if name in self._train]
        if not count or not near:
            return {}
        shown = shuffled(Random(f"{self._generate.seed}/{label}/{group}/contrast"), near)[:count]
        return {name: self.of(name, group, masked=masked) for name in shown}

    def rows(self, label: str) -> dict[str, str]:
        """Return the train rows of a class: id -> digest of the text."""
        if label not in self._digests:
            rows = self._train[label]
            self._digests[label] = {
                str(row_id): digest(text)[:DIGEST]
                for row_id, text in zip(rows["row_id"], rows["text"], strict=True)
            }
        return self._digests[label]

    def _excerpts(self, label: str, *, masked: bool) -> list[Example]:
        """Excerpts of all rows of a class; masked first, so that no private number is cut in two."""
        separator, limit = self._data.turn_separator, self._generate.seed_max_chars
        rows, keywords = self._train[label], self._keywords.get(label, ())
        examples = []
        for row_id, text in zip(rows["row_id"], rows["text"], strict=True):
            if masked:
                text, _ = mask(text, self._data.language, self._allowed, separator)
            turns = excerpt(split_turns(text, separator), keywords, limit)
            examples.append(Example(row_id, turns))
        return shuffled(Random(f"{self._generate.seed}/{label}"), examples)


def excerpt(turns: list[str], keywords: tuple[str, ...], max_chars: int) -> list[str]:
    """Return the consecutive turns, up to `max_chars`, with the most keywords of the class.

    A long call touches other intents as well, and a small model that sees all of it writes about
    none of them. A single turn that is too long is kept whole.
    """
    best, best_rank = turns, (-1, 0)
    for start in range(len(turns)):
        length = 0
        for end in range(start, len(turns)):
            length += len(turns[end])
            if length > max_chars and end > start:
                break
            run = turns[start : end + 1]
            hits = sum(word in " ".join(run) for word in keywords)
            rank = (min(hits, ENOUGH_KEYWORDS), length)
            if rank > best_rank:
                best, best_rank = run, rank
    return best
