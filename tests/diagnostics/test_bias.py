"""Bias: how shares and lengths of samples differ from real rows, and what is listed."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.config.data import DataParams
from src.diagnostics.bias import LARGEST, bias_report
from src.diagnostics.bias_words import largest_lines
from src.diagnostics.differences import FEW, PATTERN, newcombe, standardised
from src.records.json_files import as_json, read_record, write_record
from src.records.metrics.filter import BiasGroup, BiasReport, LargestDifference
from src.records.samples import Candidate, Screened
from src.stats import wilson

TEXT = st.text(alphabet="您好我想查话费北京先生妈", min_size=1, max_size=9)
ROWS = st.lists(st.tuples(st.sampled_from("甲乙丙"), TEXT), min_size=1, max_size=8)
PLAIN = "查话费"


def accept(label: str, text: str, **attributes: str) -> Screened:
    """Return an accepted sample."""
    return Screened(Candidate("s", label, text, attributes=attributes), text)


def records(*rows: tuple[str, str], times: int = 1) -> list[Screened]:
    """Return accepted samples of (label, text), each repeated `times` times."""
    return [accept(label, text) for label, text in rows for _ in range(times)]


def frame(*rows: tuple[str, str], times: int = 1) -> pd.DataFrame:
    """Return train rows of (label, text), each repeated `times` times."""
    return pd.DataFrame([*rows] * times, columns=["label", "text"])


def drawn(*values: str, label: str = "甲") -> list[Screened]:
    """Return samples that only differ in the attribute 情绪."""
    return [accept(label, PLAIN, 情绪=value) for value in values]


def overall(report: BiasReport) -> BiasGroup:
    """Return the overall figures of a report that has them."""
    assert report.overall is not None
    return report.overall


def of_regions(report: BiasReport) -> list[LargestDifference]:
    """Return the largest differences of the facet regions."""
    return [one for one in report.largest if one.facet == "regions"]


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        # Newcombe 1998, table II, method 10
        pytest.param((56, 70), (48, 80), 0.0524, 0.3339, id="a"),
        pytest.param((9, 10), (3, 10), 0.1705, 0.8090, id="b"),
        pytest.param((6, 7), (2, 7), 0.0582, 0.8062, id="c"),
        pytest.param((5, 56), (0, 29), -0.0381, 0.1926, id="d"),
        pytest.param((0, 10), (0, 20), -0.1611, 0.2775, id="e"),
        pytest.param((0, 10), (0, 10), -0.2775, 0.2775, id="f"),
        pytest.param((10, 10), (0, 20), 0.6791, 1.0, id="g"),
        pytest.param((10, 10), (0, 10), 0.6075, 1.0, id="h"),
    ],
)
def test_newcombe(first: tuple[int, int], second: tuple[int, int], low: float, high: float) -> None:
    """Check the 95 % intervals of the paper's examples."""
    interval = newcombe(wilson(*first), wilson(*second))
    assert interval == pytest.approx((low, high), abs=6e-5)


@pytest.mark.parametrize(
    ("samples", "rows", "difference", "variance"),
    [
        # variances 4 and 4: d = -4 / 2; each side (4 / 8 + 1) / 2
        pytest.param([2, 4, 6], [6, 8, 10], -2.0, 1.5, id="equal-spread"),
        # variances 8 and 4, mean 6, d^2 = 100 / 6; (d^2 * (4/3)^2 / 8 + 4/3) / 1 = 5.0370 and
        # (d^2 * (2/3)^2 / 8 + 2/3) / 2 = 0.7963
        pytest.param([14, 10, 12], [0, 4], 10 / math.sqrt(6), 35 / 6, id="unequal-spread"),
        pytest.param([3, 3], [5, 5], -2.0, 3.0, id="no-spread-is-one-unit"),
        pytest.param([7, 7], [7, 7, 7], 0.0, 1.5, id="all-alike"),
    ],
)
def test_standardised(
    samples: list[int], rows: list[int], difference: float, variance: float
) -> None:
    """Check difference and interval of Bonett's formula, worked out manually."""
    half = 2 * math.sqrt(variance)
    expected = (difference, difference - half, difference + half)
    assert standardised(samples, rows, z=2) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "gender"),
    [
        pytest.param("好的先生", "male", id="sir"),
        pytest.param("女士您好", "female", id="madam"),
        pytest.param("我爸[SEP]我妈", "both", id="both"),
        pytest.param("他说她来", "none", id="pronouns-are-not-told-apart"),
        pytest.param("月底先生效", "none", id="takes-effect-first"),
        pytest.param("墨西哥和阿拉伯的小伙伴", "none", id="regions-and-partners"),
        pytest.param("牛奶奶粉", "none", id="milk"),
    ],
)
def test_chinese_genders(text: str, gender: str, data: DataParams) -> None:
    """A text has male words, female words, both or none; look-alikes are none."""
    report = bias_report(records(("甲", text)), frame(("甲", PLAIN), times=5), data)
    assert [g for g, pair in overall(report).genders.items() if pair[0]] == [gender]


@pytest.mark.parametrize(
    ("text", "regions"),
    [
        pytest.param("从北京到哈尔滨再到北京", ["北京", "哈尔滨"], id="each-once"),
        pytest.param("四川成都", ["四川", "成都"], id="province-and-city"),
        pytest.param("买了东西安装[SEP]东西藏哪了", [], id="things"),
        pytest.param("在上海南站", ["上海"], id="shanghai-south"),
        pytest.param("办成都要钱吗最大连接数", [], id="done-and-connections"),
        pytest.param("到上[SEP]海外", [], id="not-across-turns"),
    ],
)
def test_chinese_regions(text: str, regions: list[str], data: DataParams) -> None:
    """Provinces and cities by name; look-alikes are not regions."""
    report = bias_report(records(("甲", text)), frame(("甲", PLAIN), times=5), data)
    assert sorted(overall(report).regions) == sorted(regions)


@pytest.mark.parametrize(
    ("text", "opening", "gender", "regions"),
    [
        pytest.param("Hello, Sir! I'm in LONDON", "hello sir", "male", ["london"], id="case"),
        pytest.param("She told him, in New York", "she told", "both", ["new york"], id="both"),
        pytest.param("yes ma’am", "yes maam", "female", [], id="apostrophe"),
        pytest.param("Help", "help", "none", [], id="one-word"),
        pytest.param("contact us about the menu here", "contact us", "none", [], id="look-alikes"),
    ],
)
def test_english(
    text: str, opening: str, gender: str, regions: list[str], english: DataParams
) -> None:
    """Whole words count, in any case; the opening is two words."""
    rows = frame(("a", "card payment declined"), times=5)
    figures = bias_report(records(("a", text)), rows, english).per_class["a"]
    assert figures.openings == {opening: (1.0, 0.0), "card payment": (0.0, 1.0)}
    assert figures.genders[gender][0] == 1.0
    assert list(figures.regions) == regions
    assert figures.turns == {"mean": (1.0, 1.0)}
    assert figures.chars == {"mean": (float(len(text)), 21.0)}


SAMPLES = [
    *records(("缴费", "您好，我想交费[SEP]好的先生"), times=3),
    *records(("缴费", "交一百块话费[SEP]给我妈"), ("停机", "在北京停机"), ("停机", "在北京停机")),
]
REAL = pd.concat(
    [
        frame(("缴费", "您好我想交费"), ("停机", "我要停机")),
        frame(("缴费", "给手机充值"), times=4),
        frame(("开通", "开通漫游业务请讲"), times=0),
    ]
)


def test_golden(data: DataParams) -> None:
    """Check all figures of six samples and six rows, worked out manually."""
    report = bias_report(SAMPLES, REAL, data)
    assert report.overall == BiasGroup(
        count=(6, 6),
        # of the next ones, 0.1667 at most
        openings={"在北京停": (0.3333, 0.0), "您好我想": (0.5, 0.1667), "给手机充": (0, 0.6667)},
        genders={"female": (0.1667, 0.0), "male": (0.5, 0.0), "none": (0.3333, 1.0)},
        regions={"北京": (0.3333, 0.0)},
        # 5 5 9 11 11 11 and 4 5 5 5 5 6
        chars={"mean": (8.6667, 5.0), "p10": (5, 4), "p50": (9, 5), "p90": (11, 6)},
        turns={"mean": (1.6667, 1.0), "p10": (1, 1), "p50": (2, 1), "p90": (2, 1)},
    )
    assert report.per_class == {
        "停机": BiasGroup(  # against all six rows, as there is one of the class
            count=(2, 6),
            # 我要停机 is as frequent as 您好我想 and sorts after it
            openings={
                "在北京停": (1.0, 0.0),
                "您好我想": (0.0, 0.1667),
                "给手机充": (0.0, 0.6667),
            },
            genders={"none": (1.0, 1.0)},
            regions={"北京": (1.0, 0.0)},
            chars={"mean": (5.0, 5.0)},
            turns={"mean": (1.0, 1.0)},
        ),
        "缴费": BiasGroup(
            count=(4, 5),
            openings={
                "交一百块": (0.25, 0.0),
                "您好我想": (0.75, 0.2),
                "给手机充": (0.0, 0.8),
            },
            genders={"female": (0.25, 0.0), "male": (0.75, 0.0), "none": (0.0, 1.0)},
            regions={},
            chars={"mean": (10.5, 5.2)},
            turns={"mean": (2.0, 1.0)},
        ),
    }
    assert report.attributes == {}
    assert report.compared_with_all == ("停机",)


@pytest.mark.parametrize(
    ("rows", "count", "compared_with"),
    [
        pytest.param(FEW, FEW, "class", id="enough"),
        pytest.param(FEW - 1, FEW + 6, "all", id="one-too-few"),
    ],
)
def test_few_rows(rows: int, count: int, compared_with: str, data: DataParams) -> None:
    """A class with fewer than five rows is compared with all rows, and this is recorded."""
    train = pd.concat([frame(("甲", PLAIN), times=rows), frame(("乙", PLAIN), times=7)])
    report = bias_report(records(("甲", "去北京"), times=9), train, data)
    assert report.per_class["甲"].count == (9, count)
    named = [(one.compared_with, one.real_count) for one in of_regions(report)]
    assert named == [(compared_with, count)]
    assert report.compared_with_all == (("甲",) if compared_with == "all" else ())


def test_other_classes_do_not_count_overall(data: DataParams) -> None:
    """The overall figures only use real rows of classes with samples."""
    train = pd.concat([frame(("甲", PLAIN), times=5), frame(("乙", "去北京"), times=9)])
    figures = overall(bias_report(records(("甲", PLAIN)), train, data))
    assert (figures.count, figures.regions) == ((1, 5), {})


def test_chance_comes_last(data: DataParams) -> None:
    """40 of 100 is listed before 3 of 3, which is marked as possible chance."""
    accepted = [
        *records(("甲", "查北京"), times=40),
        *records(("甲", PLAIN), times=60),
        *records(("乙", "查上海"), times=3),
    ]
    train = frame(("甲", PLAIN), times=100)
    few = pd.concat([train, frame(("乙", PLAIN), times=5)])
    report = bias_report(accepted, few, data)
    named = of_regions(report)
    assert [(one.label, one.value) for one in named] == [("甲", "北京"), ("乙", "上海")]
    assert named[0].at_least > 0 >= named[1].at_least
    least = [one.at_least for one in report.largest]
    assert least == sorted(least, reverse=True)


@pytest.mark.parametrize(
    ("samples", "rows", "named"),
    [
        pytest.param(FEW, FEW, ["chars"], id="enough"),
        pytest.param(FEW - 1, FEW, [], id="few-samples"),
        pytest.param(FEW, FEW - 1, [], id="few-rows"),
    ],
)
def test_lengths_of_few_texts(samples: int, rows: int, named: list[str], data: DataParams) -> None:
    """Lengths are compared if both sides have five texts; equal ones are not listed."""
    accepted, train = records(("甲", "查话费多少"), times=samples), frame(("甲", PLAIN), times=rows)
    largest = bias_report(accepted, train, data).largest
    assert [one.facet for one in largest if one.facet in ("chars", "turns")] == named


@pytest.mark.parametrize(
    ("more", "named"),
    [pytest.param(PATTERN, True, id="enough"), pytest.param(PATTERN - 1, False, id="too-few")],
)
@pytest.mark.parametrize("surplus", [True, False], ids=["surplus", "lack"])
def test_patterns(more: int, named: bool, surplus: bool, data: DataParams) -> None:
    """A surplus or lack of very few texts is not listed, however rare they are elsewhere."""
    many = [("甲", PLAIN)] * 200
    with_few = [("甲", "去北京")] * more + [("甲", PLAIN)] * 5
    samples, rows = (with_few, many) if surplus else (many, with_few)
    assert bool(of_regions(bias_report(records(*samples), frame(*rows), data))) == named


def test_golden_difference(data: DataParams) -> None:
    """Check one difference; Wilson's bounds for 60 of 60 and 0 of 60 are worked out manually."""
    report = bias_report(
        records(("甲", "去北京"), times=60), frame(("甲", "去哪里"), times=60), data
    )
    end = 3.29**2 / (60 + 3.29**2)
    assert of_regions(report) == [
        LargestDifference(
            label="甲",
            facet="regions",
            value="北京",
            synthetic=1.0,
            real=0.0,
            difference=1.0,
            synthetic_count=60,
            real_count=60,
            compared_with="class",
            at_least=round(1 - math.sqrt(2) * end, 4),
            also_in=0,
        )
    ]


def test_a_difference_is_named_once(data: DataParams) -> None:
    """The same difference in several classes is one entry, with a count of the others."""
    accepted = [
        *records(("甲", "去北京"), times=60),
        *records(("乙", "去北京"), times=50),
        *records(("丙", "去北京"), ("丙", PLAIN), times=1),
    ]
    train = frame(("甲", "去哪里"), ("乙", "去哪里"), ("丙", "去哪里"), times=40)
    named = of_regions(bias_report(accepted, train, data))
    assert [(one.label, one.also_in) for one in named] == [("", 2)]


def test_opposite_directions_are_two(data: DataParams) -> None:
    """Too much in one class and too little in another are listed separately."""
    accepted = records(("甲", "去北京"), ("乙", "去哪里"), times=60)
    train = frame(("甲", "去哪里"), ("乙", "去北京"), times=60)
    named = of_regions(bias_report(accepted, train, data))
    assert [(one.label, one.difference) for one in named] == [("乙", -1.0), ("甲", 1.0)]


def test_attributes(data: DataParams) -> None:
    """Values are compared with an even share of those that occur in any class."""
    accepted = [*drawn(*["平静"] * 90, *["着急"] * 10), *drawn("生气", label="乙")]
    report = bias_report(accepted, frame(("甲", PLAIN), ("乙", PLAIN), times=5), data)
    assert report.attributes == {
        "情绪": {"平静": (0.8911, 0.3333), "生气": (0.0099, 0.3333), "着急": (0.099, 0.3333)}
    }
    first = report.largest[0]
    assert (first.label, first.facet, first.value) == ("甲", "attribute 情绪", "平静")
    assert (first.synthetic_count, first.real_count) == (100, 0)
    assert first.compared_with == "even"
    # Wilson's lower end: (0.9 + 0.05412 - 3.29 * sqrt(0.0009 + 0.0002706)) / 1.10824 = 0.75936
    assert first.at_least == pytest.approx(0.75936 - 1 / 3, abs=1e-4)


def test_even_attributes_are_no_difference(data: DataParams) -> None:
    """Evenly drawn attributes are not listed; samples without them do not count."""
    accepted = [*drawn("平静", "着急", "生气"), *records(("甲", PLAIN))]
    report = bias_report(accepted, frame(("甲", PLAIN), times=5), data)
    assert report.largest == ()
    assert report.attributes["情绪"]["平静"] == (0.3333, 0.3333)


@pytest.mark.parametrize(
    ("accepted", "train"),
    [
        pytest.param([], frame(("甲", PLAIN), times=5), id="no-samples"),
        pytest.param(records(("甲", PLAIN)), frame(), id="no-rows"),
        pytest.param([], frame(), id="nothing"),
    ],
)
def test_nothing_to_compare(
    accepted: list[Screened], train: pd.DataFrame, data: DataParams
) -> None:
    """Without samples or without rows there are no figures and no lines."""
    report = bias_report(accepted, train, data)
    assert report == BiasReport(per_class={}, attributes={}, compared_with_all=(), largest=())
    assert largest_lines(report) == []


def test_texts_without_letters(data: DataParams) -> None:
    """A text without letters or turns has no opening, and lengths like any other."""
    report = bias_report(records(("甲", "……"), ("甲", "")), frame(("甲", PLAIN), times=5), data)
    figures = report.per_class["甲"]
    assert figures.openings == {PLAIN: (0.0, 1.0)}
    assert (figures.chars, figures.turns) == ({"mean": (1.0, 3.0)}, {"mean": (0.5, 1.0)})


def test_lines(data: DataParams) -> None:
    """Each kind of difference gets a sentence with its baseline and whether it may be chance."""
    first = LargestDifference(
        label="办理缴费",
        facet="openings",
        value="您好我想",
        synthetic=0.42,
        real=0.03,
        difference=0.39,
        synthetic_count=100,
        real_count=100,
        compared_with="class",
        at_least=0.2,
        also_in=0,
    )
    none = replace(first, facet="genders", value="none", label="", also_in=3)
    asked = replace(first, facet="attribute 情绪", value="生气", compared_with="even", real=0.25)
    chars = replace(first, facet="chars", value="mean", synthetic=61.04, real=203, difference=-3.1)
    turns = replace(chars, facet="turns", difference=1.25, compared_with="all", at_least=0)
    region = replace(first, facet="regions", value="北京", also_in=1, synthetic=0.004, real=0)
    report = BiasReport({}, {}, (), (first, none, asked, chars, turns, region))
    assert largest_lines(report) == [
        "办理缴费: 42 % of the samples open with 您好我想 (real rows: 3 %)",
        "all classes: 42 % of the samples have no gender word (real rows: 3 %), "
        "also in 3 other classes",
        "办理缴费: 42 % of the samples were requested with 情绪 生气 (even share: 25 %)",
        "办理缴费: the samples have 61.0 characters on average (real rows: 203.0; "
        "3.1 standard deviations fewer)",
        "办理缴费: the samples have 61.0 turns on average (all real rows: 203.0; "
        "1.2 standard deviations more), which may be chance",
        "办理缴费: 0.4 % of the samples mention 北京 (real rows: 0 %), also in 1 other class",
    ]


@given(rows=ROWS, times=st.integers(1, 3))
def test_identical_distributions_do_not_differ(
    rows: list[tuple[str, str]], times: int, data: DataParams
) -> None:
    """Samples that equal the rows, repeated any number of times, give no difference."""
    report = bias_report(records(*rows, times=times), frame(*rows, times=FEW), data)
    assert report.largest == ()
    for figures in [overall(report), *report.per_class.values()]:
        for facet in ("openings", "genders", "regions", "chars", "turns"):
            assert all(mine == real for mine, real in getattr(figures, facet).values())


@settings(deadline=None)
@given(samples=ROWS, rows=ROWS, seed=st.integers(0, 9))
def test_order_does_not_matter(
    samples: list[tuple[str, str]], rows: list[tuple[str, str]], seed: int, data: DataParams
) -> None:
    """Shuffled samples and rows give a byte-identical JSON report."""
    accepted, train = records(*samples), frame(*rows, times=3)
    shuffled = random.Random(seed).sample(accepted, len(accepted))
    first = bias_report(accepted, train, data)
    again = bias_report(shuffled, train.sample(frac=1, random_state=seed), data)
    assert json.dumps(as_json(first)) == json.dumps(as_json(again))
    assert len(first.largest) <= LARGEST
    with TemporaryDirectory() as folder:
        write_record(Path(folder) / "bias.json", first)
        read = read_record(Path(folder) / "bias.json", BiasReport)
    assert largest_lines(read) == largest_lines(again)


@settings(deadline=None)
@given(samples=ROWS, rows=ROWS)
def test_figures_are_in_range(
    samples: list[tuple[str, str]], rows: list[tuple[str, str]], data: DataParams
) -> None:
    """Shares are 0 to 1, `at_least` is at most the difference, and genders add up to 1."""
    report = bias_report(records(*samples), frame(*rows), data)
    for one in report.largest:
        assert -1 <= one.at_least <= 1
        if one.facet not in ("chars", "turns"):
            assert one.at_least <= abs(one.difference) <= 1
    for figures in report.per_class.values():
        totals = map(sum, zip(*figures.genders.values(), strict=True))
        assert list(totals) == pytest.approx([1, 1], abs=3e-4)
