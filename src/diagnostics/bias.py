"""Bias report: what accepted samples have too much or too little of, compared with real rows.

    report = bias_report(verdicts.accepted, splits.train, params.data)
    report.per_class["办理缴费"].openings  # {"给我充一": (0.12, 0.0)}: 12 % of samples, 0 % of rows
    largest_lines(report)  # ["all classes: 0 % of the samples open with 您好请问 (real rows: 11 %)"]

The report compares how texts open, their gender words, regions and lengths, and the attributes
drawn for the prompt. Word lists are incomplete, and a single word says little about one text; only
the difference of shares over many texts is meaningful.

The largest differences are ranked by their size beyond chance: the bound nearer to 0 of Newcombe's
interval for the difference of two shares (Interval estimation for the difference between
independent proportions, 1998, method 10). It combines Wilson's intervals (1927), which are valid
for few texts and near 0 and 1. For lengths it is that bound of Bonett's interval for a standardised
mean difference (Confidence intervals for standardized linear contrasts of means, 2008), which does
not assume equal variances. McGraw and Wong's common language effect size (1992) puts it on the
scale of shares: how much more often the sample is longer than the row than shorter, or vice versa.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
import pandas as pd

from src.config.data import DataParams
from src.data.dialogue import split_turns
from src.diagnostics.differences import FEW, UNITS, Group, Text, counts, differences
from src.diagnostics.diversity import tokens
from src.diagnostics.lexicon import FEMALE, GENDERS, MALE, REGIONS
from src.records.metrics.filter import (
    BiasGroup,
    BiasReport,
    Difference,
    LargestDifference,
    Pair,
)
from src.records.samples import Screened

TOP = 3  # openings and regions shown per class
LARGEST = 10  # max. number of largest differences
OPENING = {"zh": 4, "en": 2}  # tokens: characters in Chinese, words in English


def bias_report(accepted: Sequence[Screened], train: pd.DataFrame, data: DataParams) -> BiasReport:
    """Compare samples with real rows, overall and for each class with samples.

    The overall figures pool all samples and rows, so a difference there may only reflect the class
    mix; a difference within a class does not. For a class that is compared with all rows, a
    difference may reflect its topic.

    Args:
        accepted: samples, in any order.
        train: the real rows, columns text and label.
        data: turn separator and language.

    Returns:
        Floats to 4 digits. Openings and regions are the `TOP` most frequent ones on either side;
        lengths have a mean, overall also p10, p50 and p90. There are at most `LARGEST` largest
        differences, those beyond chance first. The same difference (facet, value, direction) is
        listed once, for the group where it is most certain. A value is not listed if fewer than
        `PATTERN` texts have it on the side where it is more frequent.
    """
    samples = [_look(one.text, one.label, data, one.candidate.attributes) for one in accepted]
    rows = [
        _look(text, label, data, {})
        for text, label in zip(train["text"], train["label"], strict=True)
    ]
    groups = _groups(samples, rows)
    even = _observed(samples)
    found = [difference for group in groups for difference in differences(group, even)]
    return BiasReport(
        overall=_figures(groups[0], quantiles=True) if groups else None,
        per_class={group.label: _figures(group, quantiles=False) for group in groups[1:]},
        attributes=_attributes(samples, even),
        compared_with_all=tuple(g.label for g in groups[1:] if g.compared_with == "all"),
        largest=_largest(found),
    )


def _look(text: str, label: str, data: DataParams, attributes: Mapping[str, str]) -> Text:
    turns, language = split_turns(text, data.turn_separator), data.language
    words = " ".join(turns).lower().replace("’", "'")
    start = tokens(turns[0], language)[: OPENING[language]] if turns else []
    opening = ("" if language == "zh" else " ").join(start)
    genders = tuple(bool(re.search(by[language], words)) for by in (MALE, FEMALE))
    marks = {("regions", region) for region in re.findall(REGIONS[language], words)}
    marks.add(("genders", GENDERS.get((genders[0], genders[1]), "none")))
    if opening:
        marks.add(("openings", opening))
    lengths = {"chars": sum(map(len, turns)), "turns": len(turns)}
    return Text(label, frozenset(marks), lengths, attributes)


def _groups(samples: Sequence[Text], rows: Sequence[Text]) -> list[Group]:
    """Return the group of all classes, then one per class; empty without samples or rows."""
    labels = sorted({sample.label for sample in samples})
    if not labels or not rows:
        return []
    return [
        _group("", samples, rows, set(labels)),
        *(_group(label, samples, rows, {label}) for label in labels),
    ]


def _group(
    name: str, samples: Sequence[Text], rows: Sequence[Text], labels: AbstractSet[str]
) -> Group:
    mine = [sample for sample in samples if sample.label in labels]
    own = [row for row in rows if row.label in labels]
    if len(own) < FEW:
        return Group(name, mine, rows, "all")
    return Group(name, mine, own, "class")


def _figures(group: Group, *, quantiles: bool) -> BiasGroup:
    mine, real = counts(group.samples), counts(group.rows)
    shares: dict[str, dict[str, Pair]] = {"genders": {}, "openings": {}, "regions": {}}
    for facet, value in mine.keys() | real.keys():
        pair = (mine[facet, value] / len(group.samples), real[facet, value] / len(group.rows))
        shares[facet][value] = pair
    chars, turns = (_rounded(_summary(group, unit, quantiles=quantiles)) for unit in UNITS)
    return BiasGroup(
        count=(len(group.samples), len(group.rows)),
        openings=_rounded(_top(shares["openings"])),
        genders=_rounded(shares["genders"]),
        regions=_rounded(_top(shares["regions"])),
        chars=chars,
        turns=turns,
    )


def _top(shares: Mapping[str, Pair]) -> dict[str, Pair]:
    first = sorted(shares, key=lambda value: (-max(shares[value]), value))[:TOP]
    return {value: shares[value] for value in first}


def _summary(group: Group, unit: str, *, quantiles: bool) -> dict[str, Pair]:
    mine, real = ([t.lengths[unit] for t in texts] for texts in (group.samples, group.rows))
    figures = {"mean": (float(np.mean(mine)), float(np.mean(real)))}
    for percent in (10, 50, 90) if quantiles else ():
        figures[f"p{percent}"] = _percentile(mine, percent), _percentile(real, percent)
    return figures


def _percentile(lengths: Sequence[int], percent: int) -> float:
    """Return one of the lengths; interpolation would depend on the number of texts."""
    return float(np.percentile(lengths, percent, method="inverted_cdf"))


def _rounded(pairs: Mapping[str, Pair]) -> dict[str, Pair]:
    return {name: (round(pairs[name][0], 4), round(pairs[name][1], 4)) for name in sorted(pairs)}


def _observed(samples: Sequence[Text]) -> dict[str, list[str]]:
    """Return the values of each attribute in any sample, sorted."""
    values: defaultdict[str, set[str]] = defaultdict(set)
    for sample in samples:
        for name, value in sample.attributes.items():
            values[name].add(value)
    return {name: sorted(values[name]) for name in sorted(values)}


def _attributes(
    samples: Sequence[Text], observed: Mapping[str, list[str]]
) -> dict[str, dict[str, Pair]]:
    shares: dict[str, dict[str, Pair]] = {}
    for name, values in observed.items():
        drawn = Counter(s.attributes[name] for s in samples if name in s.attributes)
        pairs = {value: (drawn[value] / drawn.total(), 1 / len(values)) for value in values}
        shares[name] = _rounded(pairs)
    return shares


def _largest(found: Sequence[Difference]) -> tuple[LargestDifference, ...]:
    same: defaultdict[tuple[str, str, bool], list[Difference]] = defaultdict(list)
    for one in sorted(found, key=_rank):
        if round(one.difference, 4):
            same[one.facet, one.value, one.difference > 0].append(one)
    first = sorted(same.values(), key=lambda alike: _rank(alike[0]))[:LARGEST]
    return tuple(_named(alike) for alike in first)


def _rank(one: Difference) -> tuple[float, float, bool, str, str, str]:
    """Return a sort key: most certain first, and a class before all classes if they tie."""
    at_least, difference = round(one.at_least, 4), round(abs(one.difference), 4)
    return (-at_least, -difference, one.label == "", one.label, one.facet, one.value)


def _named(alike: Sequence[Difference]) -> LargestDifference:
    """Return the first of equal differences, with the number of other classes beyond chance."""
    one = alike[0]
    return LargestDifference(
        label=one.label,
        facet=one.facet,
        value=one.value,
        synthetic=round(one.synthetic, 4),
        real=round(one.real, 4),
        difference=round(one.difference, 4),
        synthetic_count=one.synthetic_count,
        real_count=one.real_count,
        compared_with=one.compared_with,
        at_least=round(one.at_least, 4),
        also_in=sum(bool(other.label) and other.at_least > 0 for other in alike[1:]),
    )
