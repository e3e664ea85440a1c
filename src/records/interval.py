"""A value with its interval."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A value and the ends of its interval, all in the same unit."""

    value: float
    low: float
    high: float
