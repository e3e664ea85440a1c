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

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import pandas as pd

from src.config import DataParams
from src.data.dialogue import split_turns
from src.data.io import Record
from src.quality.diversity import tokens

Z = 3.29  # 99.9 % intervals: of hundreds of differences looked at, less than one is chance
FEW = 5  # a class with fewer real rows is compared with all; lengths of fewer texts with none
PATTERN = 3  # texts with the same value; fewer are named as no surplus and no lack
TOP = 3  # openings and regions shown of a class
LARGEST = 10  # differences named
OPENING = {"zh": 4, "en": 2}  # tokens: characters in Chinese, words in English

# 他 and 她 are left out: speech recognition writes 他 for both. The guards keep out "takes effect
# first", "Mexico", "Arabia" and "partner".
MALE = {
    "zh": r"先生(?!效|成|产)|男|爸|爷|叔|(?<!西)哥|弟|(?<!拉)伯|老公|丈夫|儿子|小伙(?!伴)",
    "en": r"\b(?:sir|mr|mister|he|him|his|man|men|gentlem[ae]n|boy|male|father|dad|husband|son"
    r"|brother|uncle|grandfather|grandpa)\b",
}
FEMALE = {
    "zh": r"女|小姐|姐|妈|(?<!牛)奶奶|姨|妹|姑娘|老婆|妻子|媳妇",
    "en": r"\b(?:madam|ma'?am|mrs|ms|she|her|hers|woman|women|lady|ladies|girl|female|mother|mom"
    r"|mum|wife|daughter|sister|aunt|grandmother|grandma)\b",
}
# Without what is mostly another word: "us", "turkey", "jersey", "reading"; the guards keep out
# 东西安装, 上海南站, 办成都要 and 最大连接.
REGIONS = {
    "zh": r"北京|天津|上海|重庆|河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北"
    r"|湖南|广东|(?<!上)海南|四川|贵州|云南|陕西|甘肃|青海|台湾|内蒙古?|广西|(?<!东)西藏|宁夏|新疆"
    r"|香港|澳门|广州|深圳|东莞|佛山|杭州|宁波|温州|南京|苏州|无锡|(?<!东)西安|武汉|长沙|郑州|济南"
    r"|青岛|沈阳|大连(?!接|续|不|网|上|线)|长春|哈尔滨|石家庄|太原|合肥|福州|厦门|南昌|南宁|昆明"
    r"|贵阳|兰州|海口|(?<![变办弄换改做完当设分])成都",
    "en": r"\b(?:usa|united states|america|uk|united kingdom|england|scotland|ireland|canada|mexico"
    r"|brazil|australia|china|india|japan|germany|france|spain|italy|portugal|poland|switzerland"
    r"|netherlands|sweden|russia|nigeria|south africa|europe|asia|africa|alabama|alaska|arizona"
    r"|california|colorado|florida|georgia|hawaii|illinois|massachusetts|michigan|minnesota|nevada"
    r"|new jersey|new york|north carolina|ohio|oregon|pennsylvania|tennessee|texas|utah|virginia"
    r"|washington|los angeles|chicago|houston|boston|seattle|san francisco|las vegas|miami|dallas"
    r"|denver|atlanta|philadelphia|london|manchester|paris|berlin|madrid|rome|dublin|toronto"
    r"|sydney|tokyo|beijing|shanghai|hong kong|singapore|dubai|mumbai|delhi)\b",
}
GENDERS = {(True, True): "both", (True, False): "male", (False, True): "female"}

SAYS = {
    "openings": "open with {}",
    "regions": "name {}",
}
GENDER_SAYS = {
    "both": "have male and female words",
    "male": "have male words only",
    "female": "have female words only",
    "none": "have no gender word",
}
ATTRIBUTE = "attribute "  # and its name: the facet
UNITS = {"chars": "characters", "turns": "turns"}

ComparedWith = Literal["class", "all", "even"]


@dataclass(frozen=True)
class Text:
    """What is looked at of one text.

    Attributes:
        label: its class.
        marks: pairs of facet ("openings", "genders", "regions") and value.
        lengths: "chars" without turn boundaries, and "turns".
        attributes: name -> value that the prompt asked for; real rows have none.
    """

    label: str
    marks: frozenset[tuple[str, str]]
    lengths: Mapping[str, int]
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class Group:
    """The samples of one class, or of all (label ""), and the real rows to compare them with."""

    label: str
    samples: Sequence[Text]
    rows: Sequence[Text]
    compared_with: ComparedWith


@dataclass(frozen=True)
class Share:
    """A share of texts, 0 to 1, with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """One difference between samples and real rows.

    Attributes:
        label: the class, "" for all classes.
        facet: openings, genders, regions, chars, turns, or "attribute " and its name.
        value: whose shares are compared; "mean" of lengths.
        synthetic: share of the samples, or their mean length.
        real: the same of the real rows; of an attribute the even share, as real rows have none.
        difference: synthetic - real; of lengths in standard deviations.
        synthetic_count: samples compared.
        real_count: real rows compared, 0 for an attribute.
        compared_with: "class", rows of the same class or classes; "all" train rows, where those
            are fewer than `FEW`; "even" for an attribute.
        at_least: size of the difference beyond chance, -1 to 1, see the module; 0 or less where
            it could be chance.
    """

    label: str
    facet: str
    value: str
    synthetic: float
    real: float
    difference: float
    synthetic_count: int
    real_count: int
    compared_with: ComparedWith
    at_least: float


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
    found = [difference for group in groups for difference in _differences(group, even)]
    return {
        "overall": _figures(groups[0], quantiles=True) if groups else {},
        "per_class": {group.label: _figures(group, quantiles=False) for group in groups[1:]},
        "attributes": _attributes(samples, even),
        "compared_with_all": [g.label for g in groups[1:] if g.compared_with == "all"],
        "largest": _largest(found),
    }


def largest_lines(report: Record) -> list[str]:
    """One sentence for each of the largest differences of a `bias_report`."""
    return [_line(entry) for entry in report["largest"]]


def wilson(count: int, of: int, z: float = Z) -> Share:
    """The share `count / of` with Wilson's interval; `of` is 1 or more."""
    share = count / of
    centre = (share + z**2 / (2 * of)) / (1 + z**2 / of)
    half = z * math.sqrt(share * (1 - share) / of + z**2 / (4 * of**2)) / (1 + z**2 / of)
    # the ends are exactly 0 and 1 there, which rounding would miss
    low = 0.0 if count == 0 else centre - half
    return Share(share, low, 1.0 if count == of else centre + half)


def newcombe(first: Share, second: Share) -> tuple[float, float]:
    """Newcombe's interval of first - second; a share that is known has itself as both ends."""
    difference = first.value - second.value
    down = math.hypot(first.value - first.low, second.high - second.value)
    up = math.hypot(first.high - first.value, second.value - second.low)
    return difference - down, difference + up


def standardised(
    samples: Sequence[int], rows: Sequence[int], z: float = Z
) -> tuple[float, float, float]:
    """Difference of mean lengths in standard deviations, and Bonett's interval of it.

    Args:
        samples: lengths, two or more.
        rows: lengths, two or more.
        z: half the width of the interval, in standard errors.

    Returns:
        samples - rows, lower end, upper end.
    """
    lengths = [np.sort(texts) for texts in (samples, rows)]  # so that order changes no digit
    # Lengths are whole numbers: where all are alike, the spread is one unit, not 0.
    variances = [max(float(x.var(ddof=1)), 1.0) for x in lengths]
    mean_variance = sum(variances) / 2
    d = float(lengths[0].mean() - lengths[1].mean()) / math.sqrt(mean_variance)
    ratios = [(v / mean_variance, len(x) - 1) for v, x in zip(variances, lengths, strict=True)]
    half = z * math.sqrt(sum((d**2 * ratio**2 / 8 + ratio) / n for ratio, n in ratios))
    return d, d - half, d + half


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


def _counts(texts: Sequence[Text]) -> Counter[tuple[str, str]]:
    return Counter(mark for text in texts for mark in text.marks)


def _figures(group: Group, *, quantiles: bool) -> Record:
    mine, real = _counts(group.samples), _counts(group.rows)
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


def _differences(group: Group, observed: Mapping[str, list[str]]) -> Iterator[Difference]:
    yield from _share_differences(group)
    yield from _length_differences(group)
    yield from _attribute_differences(group, observed)


def _share_differences(group: Group) -> Iterator[Difference]:
    n, m = len(group.samples), len(group.rows)
    mine, real = _counts(group.samples), _counts(group.rows)
    for facet, value in mine.keys() | real.keys():
        first, second = mine[facet, value], real[facet, value]
        if (first if first / n > second / m else second) < PATTERN:
            continue
        shares = wilson(first, n), wilson(second, m)
        yield _of_shares(group.label, facet, value, shares, (n, m), group.compared_with)


def _length_differences(group: Group) -> Iterator[Difference]:
    n, m = len(group.samples), len(group.rows)
    if min(n, m) < FEW:  # their spread is not known
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
            shares = wilson(drawn[value], n), Share(even, even, even)
            yield _of_shares(group.label, ATTRIBUTE + name, value, shares, (n, 0), "even")


def _of_shares(
    label: str,
    facet: str,
    value: str,
    shares: tuple[Share, Share],
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


def _line(entry: Record) -> str:
    unit = UNITS.get(entry["facet"])
    real = {"class": "real rows", "all": "all real rows", "even": "an even share"}
    where, against = entry["label"] or "all classes", real[entry["compared_with"]]
    if unit:
        size, more = abs(entry["difference"]), "more" if entry["difference"] > 0 else "fewer"
        says = (
            f"the samples have {entry['synthetic']:.1f} {unit} on average "
            f"({against}: {entry['real']:.1f}; {size:.1f} standard deviations {more})"
        )
    else:
        says = (
            f"{_percent(entry['synthetic'])} of the samples {_says(entry)} "
            f"({against}: {_percent(entry['real'])})"
        )
    return f"{where}: {says}{_remarks(entry)}"


def _says(entry: Record) -> str:
    facet, value = entry["facet"], entry["value"]
    if facet == "genders":
        return GENDER_SAYS[value]
    if facet in SAYS:
        return SAYS[facet].format(value)
    return f"were asked for with {facet.removeprefix(ATTRIBUTE)} {value}"


def _percent(share: float) -> str:
    """Of little a digit more, so that it does not read as none."""
    return f"{100 * share:.{int(0 < share < 0.01)}f} %"


def _remarks(entry: Record) -> str:
    others = entry["also_in"]
    also = f", also in {others} other class{'' if others == 1 else 'es'}" if others else ""
    return also + (", which may be chance" if entry["at_least"] <= 0 else "")
