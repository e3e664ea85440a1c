"""Figures that several rooms give: the interval of a share, and agreement beyond chance."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from src.records.interval import Interval

ROUNDING = 12  # digits: agreement that is no better than chance comes out as 1e-17


def wilson(count: int, of: int, confidence: float = 0.95) -> Interval:
    """The share `count / of` with Wilson's interval, which holds for few and near 0 and 1.

    Wilson, Probable inference, the law of succession, and statistical inference, 1927.

    Args:
        count: 0 to `of`.
        of: 1 or more.
        confidence: of the interval, between 0 and 1.
    """
    from scipy.stats import binomtest

    ends = binomtest(count, of).proportion_ci(confidence, method="wilson")
    return Interval(count / of, float(ends.low), float(ends.high))


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Agreement of two raters beyond chance, 1 at most.

    Cohen, A coefficient of agreement for nominal scales, 1960. None where both gave one and the same
    answer to everything, so that chance alone explains it, and where there is nothing.

    Args:
        first: what the one says of each item.
        second: what the other says, in the same order.
    """
    from sklearn.metrics import cohen_kappa_score

    if len({*first, *second}) < 2:
        return None
    return round(float(cohen_kappa_score(list(first), list(second))), ROUNDING)
