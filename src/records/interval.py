"""A value with its interval."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A value, and the ends of the interval around it, in the value's own unit."""

    value: float
    low: float
    high: float
