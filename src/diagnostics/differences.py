"""Measure how much two groups of texts differ beyond chance, per facet and value."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np

from src.records.interval import Interval
from src.records.metrics.filter import ComparedWith, Difference
from src.stats import wilson

Z = 3.29  # 99.9 % intervals: among hundreds of differences, less than one is due to chance
CONFIDENCE = 2 * NormalDist().cdf(Z) - 1
FEW = 5  # classes with fewer real rows are compared with all rows; lengths need this many texts
PATTERN = 3  # min. texts with the same value to list it as a difference
ATTRIBUTE = "attribute "  # prefix of a facet, followed by the attribute's name
UNITS = {"chars": "characters", "turns": "turns"}


@dataclass(frozen=True)
class Text:
    """The features of one text.

    Attributes:
        label: its class.
        marks: pairs of facet ("openings", "genders", "regions") and value.
        lengths: "chars" (without turn separators) and "turns".
        attributes: name -> value that the prompt requested; empty for real rows.
    """

    label: str
    marks: frozenset[tuple[str, str]]
    lengths: Mapping[str, int]
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class Group:
    """Samples of one class, or of all (label ""), and the real rows to compare them with."""

    label: str
    samples: Sequence[Text]
    rows: Sequence[Text]
    compared_with: ComparedWith


@cache
def share_of(count: int, of: int) -> Interval:
    """Return `count / of` with Wilson's interval at `Z`; cached, as classes share many values."""
    return wilson(count, of, CONFIDENCE)


def newcombe(first: Interval, second: Interval) -> tuple[float, float]:
    """Return Newcombe's interval of first - second; both ends of a known share equal its value."""
    difference = first.value - second.value
    down = math.hypot(first.value - first.low, second.high - second.value)
    up = math.hypot(first.high - first.value, second.value - second.low)
    return difference - down, difference + up


def standardised(
    samples: Sequence[int], rows: Sequence[int], z: float = Z
) -> tuple[float, float, float]:
    """Return the difference of mean lengths in standard deviations, with Bonett's interval.

    Args:
        samples: lengths, two or more.
        rows: lengths, two or more.
        z: half the width of the interval, in standard errors.

    Returns:
        samples - rows, lower end, upper end.
    """
    lengths = [np.sort(texts) for texts in (samples, rows)]  # makes rounding independent of order
    # Lengths are integers: if all are equal, assume a variance of 1, not 0.
    variances = [max(float(x.var(ddof=1)), 1.0) for x in lengths]
    mean_variance = sum(variances) / 2
    d = float(lengths[0].mean() - lengths[1].mean()) / math.sqrt(mean_variance)
    ratios = [(v / mean_variance, len(x) - 1) for v, x in zip(variances, lengths, strict=True)]
    half = z * math.sqrt(sum((d**2 * ratio**2 / 8 + ratio) / n for ratio, n in ratios))
    return d, d - half, d + half


def counts(texts: Sequence[Text]) -> Counter[tuple[str, str]]:
    """Count the texts that have each pair of facet and value."""
    return Counter(mark for text in texts for mark in text.marks)


def differences(group: Group, observed: Mapping[str, list[str]]) -> Iterator[Difference]:
    """Yield all differences of a group, in openings, genders, regions, lengths and attributes.

    Args:
        group: samples and the real rows to compare them with.
        observed: attribute -> its values in any sample.
    """
    yield from _share_differences(group)
    yield from _length_differences(group)
    yield from _attribute_differences(group, observed)


def _share_differences(group: Group) -> Iterator[Difference]:
    n, m = len(group.samples), len(group.rows)
    mine, real = counts(group.samples), counts(group.rows)
    for facet, value in mine.keys() | real.keys():
        first, second = mine[facet, value], real[facet, value]
        if (first if first / n > second / m else second) < PATTERN:
            continue
        shares = share_of(first, n), share_of(second, m)
        yield _of_shares(group.label, facet, value, shares, (n, m), group.compared_with)


def _length_differences(group: Group) -> Iterator[Difference]:
    n, m = len(group.samples), len(group.rows)
    if min(n, m) < FEW:  # too few to estimate the variance
        return
    for unit in UNITS:
        mine, real = ([t.lengths[unit] for t in texts] for texts in (group.samples, group.rows))
        d, low, high = standardised(mine, real)
        least = math.erf((low if d > 0 else -high) / 2)
        means = float(np.mean(mine)), float(np.mean(real))
        yield Difference(group.label, unit, "mean", *means, d, n, m, group.compared_with, least)


def _attribute_differences(group: Group, observed: Mapping[str, list[str]]) -> Iterator[Difference]:
    for name, values in observed.items():
        drawn = Counter(s.attributes[name] for s in group.samples if name in s.attributes)
        n, even = drawn.total(), 1 / len(values)
        for value in values if n else ():
            shares = share_of(drawn[value], n), Interval(even, even, even)
            yield _of_shares(group.label, ATTRIBUTE + name, value, shares, (n, 0), "even")


def _of_shares(
    label: str,
    facet: str,
    value: str,
    shares: tuple[Interval, Interval],
    counts: tuple[int, int],
    compared_with: ComparedWith,
) -> Difference:
    mine, real = shares
    low, high = newcombe(mine, real)
    difference = mine.value - real.value
    least = low if difference > 0 else -high
    return Difference(
        label, facet, value, mine.value, real.value, difference, *counts, compared_with, least
    )
