"""Statistics used by several packages: the interval of a share, and chance-corrected agreement."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from src.records.interval import Interval

ROUNDING = 12  # digits; otherwise agreement no better than chance would be 1e-17 instead of 0


def wilson(count: int, of: int, confidence: float = 0.95) -> Interval:
    """Return the share `count / of` with Wilson's interval.

    It holds for small numbers and for shares near 0 and 1 (Wilson, Probable inference, the law of
    succession, and statistical inference, 1927).

    Args:
        count: 0 to `of`.
        of: 1 or more.
        confidence: level of the interval, between 0 and 1.
    """
    from scipy.stats import binomtest

    ends = binomtest(count, of).proportion_ci(confidence, method="wilson")
    return Interval(count / of, float(ends.low), float(ends.high))


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Return Cohen's kappa: agreement of two raters beyond chance, 1 at most.

    Cohen, A coefficient of agreement for nominal scales, 1960. None if there are no items, or if
    both raters give every item one and the same category, because chance alone explains that.

    Args:
        first: category of each item by the first rater.
        second: category of each item by the second rater, in the same order.
    """
    from sklearn.metrics import cohen_kappa_score

    if len({*first, *second}) < 2:
        return None
    return round(float(cohen_kappa_score(list(first), list(second))), ROUNDING)
