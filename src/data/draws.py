"""Random draws that are reproducible across Python versions.

    shuffled(Random("7/补换卡"), rows)

They only use Random.random(), the one stream that Python guarantees not to change. Recorded
responses are keyed by prompts, and thus by the rows and the order that these draws return.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import TypeVar

T = TypeVar("T")


def pick(rng: Random, options: Sequence[T]) -> T:
    """Return one of the options, all equally likely."""
    return options[int(rng.random() * len(options))]


def pick_weighted(rng: Random, options: Sequence[T], weights: Sequence[float]) -> T:
    """Return one of the options, with probability proportional to its weight."""
    cumulative = list(accumulate(weights))
    return options[bisect_right(cumulative, rng.random() * cumulative[-1], hi=len(options) - 1)]


def shuffled(rng: Random, items: Sequence[T]) -> list[T]:
    """Return the items in random order."""
    keys = [rng.random() for _ in items]
    return [items[i] for i in sorted(range(len(items)), key=keys.__getitem__)]


def between(rng: Random, low: int, high: int) -> int:
    """Return an integer from low to high - 1."""
    return low + int(rng.random() * (high - low))
