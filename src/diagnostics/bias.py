"""What the accepted samples have too much or too little of, against the real rows.

    report = bias_report(verdicts.accepted, splits.train, params.data)
    report["per_class"]["办理缴费"]["openings"]  # {"给我充一": [0.12, 0.0]}: 12 % of the samples, no row
    largest_lines(report)  # ["all classes: 0 % of the samples open with 您好请问 (real rows: 11 %)"]

Looked at are how a text opens, the gender words and the regions in it, its length, and the
attributes that were drawn for the prompt. Word lists miss what they do not list, and a word says
little about one text; what counts is how the shares of many texts differ.

The largest differences are ranked by what they are at least, beyond chance: the end nearer to 0 of
Newcombe's interval for the difference of two shares (Interval estimation for the difference
between independent proportions, 1998, method 10), made of Wilson's intervals (1927), which hold
for few texts and near 0 and 1. For lengths it is that end of Bonett's interval for a standardised
mean difference (Confidence intervals for standardized linear contrasts of means, 2008), which
needs no equal spreads, put on the scale of shares by McGraw and Wong's common language effect size
(1992): of a sample and a row, how much more often one is the longer than the shorter.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict

import numpy as np
import pandas as pd

from src.config.data import DataParams
from src.data.dialogue import split_turns
from src.diagnostics.differences import FEW, UNITS, Difference, Group, Text, counts, differences
from src.diagnostics.diversity import tokens
from src.diagnostics.lexicon import FEMALE, GENDERS, MALE, REGIONS
from src.files import Record

TOP = 3  # openings and regions shown of a class
LARGEST = 10  # differences named
OPENING = {"zh": 4, "en": 2}  # tokens: characters in Chinese, words in English


def bias_report(accepted: Sequence[Record], train: pd.DataFrame, data: DataParams) -> Record:
    """How the samples differ from the real rows, of each class with samples and overall.

    Overall, classes weigh as many samples and rows as they have. A difference there may be one of
    the mix of classes; the same one inside a class is not. One of a class that is compared with all
    rows may be one of its subject.

    Args:
        accepted: records with label, text and, if any were drawn, attributes; in any order.
        train: the real rows, columns text and label.
        data: turn separator and language.

    Returns:
        ready for JSON, floats to 4 digits; without samples or rows nothing is compared and all but
        attributes is empty. A pair is [synthetic, real].

        - overall: count (pair), openings, genders and regions (value -> pair of shares; values
          that occur, openings and regions the `TOP` most frequent on either side), chars and
          turns (mean, p10, p50, p90 -> pair).
        - per_class: label -> the same, of the lengths only the mean.
        - attributes: name -> value -> [share, even share] of the samples.
        - compared_with_all: classes with too few real rows, which are compared with all rows.
        - largest: at most `LARGEST` fields of `Difference`, those that cannot be chance first.
          The same difference (facet, value, direction) is named once, where it is surest;
          also_in counts the other classes where it is beyond chance. A value that fewer than
          `PATTERN` texts have, of the side that has more of it, is not named.
    """
    samples = [_look(r["text"], r["label"], data, r.get("attributes") or {}) for r in accepted]
    rows = [
        _look(text, label, data, {})
        for text, label in zip(train["text"], train["label"], strict=True)
    ]
    groups = _groups(samples, rows)
    even = _observed(samples)
    found = [difference for group in groups for difference in differences(group, even)]
    return {
        "overall": _figures(groups[0], quantiles=True) if groups else {},
        "per_class": {group.label: _figures(group, quantiles=False) for group in groups[1:]},
        "attributes": _attributes(samples, even),
        "compared_with_all": [g.label for g in groups[1:] if g.compared_with == "all"],
        "largest": _largest(found),
    }


def _look(text: str, label: str, data: DataParams, attributes: Mapping[str, object]) -> Text:
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
    return Text(
        label,
        frozenset(marks),
        lengths,
        {name: str(value) for name, value in attributes.items()},
    )


def _groups(samples: Sequence[Text], rows: Sequence[Text]) -> list[Group]:
    """All classes together, then one by one; none without samples or without rows."""
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


def _figures(group: Group, *, quantiles: bool) -> Record:
    mine, real = counts(group.samples), counts(group.rows)
    shares: dict[str, dict[str, tuple[float, float]]] = {
        "genders": {},
        "openings": {},
        "regions": {},
    }
    for facet, value in mine.keys() | real.keys():
        pair = (mine[facet, value] / len(group.samples), real[facet, value] / len(group.rows))
        shares[facet][value] = pair
    return {
        "count": [len(group.samples), len(group.rows)],
        "openings": _rounded(_top(shares["openings"])),
        "genders": _rounded(shares["genders"]),
        "regions": _rounded(_top(shares["regions"])),
        **{unit: _rounded(_summary(group, unit, quantiles=quantiles)) for unit in UNITS},
    }


def _top(shares: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    first = sorted(shares, key=lambda value: (-max(shares[value]), value))[:TOP]
    return {value: shares[value] for value in first}


def _summary(group: Group, unit: str, *, quantiles: bool) -> dict[str, tuple[float, float]]:
    mine, real = ([t.lengths[unit] for t in texts] for texts in (group.samples, group.rows))
    figures = {"mean": (float(np.mean(mine)), float(np.mean(real)))}
    for percent in (10, 50, 90) if quantiles else ():
        figures[f"p{percent}"] = _percentile(mine, percent), _percentile(real, percent)
    return figures


def _percentile(lengths: Sequence[int], percent: int) -> float:
    """One of the lengths; one between them would depend on how many there are."""
    return float(np.percentile(lengths, percent, method="inverted_cdf"))


def _rounded(pairs: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    return {name: [round(x, 4) for x in pairs[name]] for name in sorted(pairs)}


def _observed(samples: Sequence[Text]) -> dict[str, list[str]]:
    """Attribute -> its values in any sample."""
    values: defaultdict[str, set[str]] = defaultdict(set)
    for sample in samples:
        for name, value in sample.attributes.items():
            values[name].add(value)
    return {name: sorted(values[name]) for name in sorted(values)}


def _attributes(
    samples: Sequence[Text], observed: Mapping[str, list[str]]
) -> dict[str, dict[str, list[float]]]:
    shares: dict[str, dict[str, list[float]]] = {}
    for name, values in observed.items():
        drawn = Counter(s.attributes[name] for s in samples if name in s.attributes)
        pairs = {value: (drawn[value] / drawn.total(), 1 / len(values)) for value in values}
        shares[name] = _rounded(pairs)
    return shares


def _largest(found: Sequence[Difference]) -> list[Record]:
    same: defaultdict[tuple[str, str, bool], list[Difference]] = defaultdict(list)
    for one in sorted(found, key=_rank):
        if round(one.difference, 4):
            same[one.facet, one.value, one.difference > 0].append(one)
    first = sorted(same.values(), key=lambda alike: _rank(alike[0]))[:LARGEST]
    return [{**_fields(alike[0]), "also_in": _also_in(alike)} for alike in first]


def _rank(one: Difference) -> tuple[float, float, bool, str, str, str]:
    """The surest first; a class before all classes, if they are the same texts."""
    at_least, difference = round(one.at_least, 4), round(abs(one.difference), 4)
    return (-at_least, -difference, one.label == "", one.label, one.facet, one.value)


def _fields(one: Difference) -> Record:
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(one).items()}


def _also_in(alike: Sequence[Difference]) -> int:
    return sum(bool(one.label) and one.at_least > 0 for one in alike[1:])
