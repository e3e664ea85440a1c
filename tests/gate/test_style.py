"""Style: measuring the surface of real rows, and matching candidates to it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.gate.spoken import speak_digits
from src.gate.style import Surface, is_common, match_surface, measure_surface

SPOKEN = Surface(punctuation=False, digits=False, upper_case=False, spaces=False, marks="")
WRITTEN = Surface(punctuation=True, digits=True, upper_case=True, spaces=True, marks="'-")


def test_common_is_one_row_in_a_hundred() -> None:
    """One row in a hundred is common, one in two hundred is not, and zero never is."""
    digit = re.compile(r"\d")
    assert is_common(digit, ["1"] + ["一"] * 99)
    assert not is_common(digit, ["1"] + ["一"] * 199)
    assert not is_common(digit, ["一"])
    assert not is_common(digit, [])


@pytest.mark.parametrize(
    ("texts", "separator", "expected"),
    [
        pytest.param(["您好请讲[SEP]查四g流量"], "[SEP]", SPOKEN, id="transcript"),
        pytest.param(["My top-up failed, I don't know 1."], None, WRITTEN, id="written-english"),
        pytest.param(
            ["i don't know my e-mail"],
            None,
            Surface(punctuation=False, digits=False, upper_case=False, spaces=True, marks="'-"),
            id="marks-inside-words-are-no-punctuation",
        ),
        pytest.param(
            ["您好 | 查话费"],
            " | ",
            SPOKEN,
            id="the-separator-is-neither-mark-nor-space",
        ),
    ],
)
def test_surface_is_what_the_rows_have(
    texts: list[str], separator: str | None, expected: Surface
) -> None:
    """Punctuation, digits, case, spaces and marks, without the turn separators."""
    assert measure_surface(texts, separator) == expected


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        pytest.param("拨打10086", "拨打幺零零八六", id="service-number"),
        pytest.param("１００８６", "幺零零八六", id="full-width"),
        pytest.param("13800138000", "幺三八零零幺三八零零零", id="phone"),
        pytest.param("138-1234-5678", "幺三八幺二三四五六七八", id="phone-in-groups"),
        pytest.param("138****1234", "幺三八幺二三四", id="masked-phone"),
        pytest.param("尾号是1102", "尾号是幺幺零二", id="code-by-the-word-before"),
        pytest.param("007", "零零七", id="leading-zero"),
        pytest.param("128元", "一百二十八元", id="amount"),
        pytest.param("10000元", "一万元", id="long-amount-with-unit"),
        pytest.param(
            "1234567890123元", "幺二三四五六七八九零幺二三元", id="no-amount-is-that-long"
        ),
        pytest.param("1,000块", "一千块", id="thousands-mark"),
        pytest.param("¥50", "五十元", id="money-sign"),
        pytest.param("3.50元", "三点五零元", id="decimal"),
        pytest.param("30%", "百分之三十", id="percent"),
        pytest.param("2.5％", "百分之二点五", id="percent-of-decimal"),
        pytest.param("1/3", "三分之一", id="fraction"),
        pytest.param("3-5个", "三到五个", id="range"),
        pytest.param("100M-200M", "一百M到二百M", id="range-with-unit"),
        pytest.param("7*24小时", "七乘二十四小时", id="times"),
        pytest.param("10:05", "十点零五", id="clock"),
        pytest.param("9:00", "九点", id="full-hour"),
        pytest.param("2023-12-01", "二零二三年十二月一日", id="date"),
        pytest.param("2021年", "二零二一年", id="year"),
        pytest.param("2个", "两个", id="two-of-something"),
        pytest.param("第2个2月", "第二个二月", id="second-and-february"),
        pytest.param("5G", "五G", id="beside-letters"),
    ],
)
def test_digits_are_spoken(text: str, spoken: str) -> None:
    """Numbers are read as a Chinese speaker reads them."""
    assert speak_digits(text) == spoken


@pytest.mark.parametrize(
    ("text", "matched"),
    [
        pytest.param("您好，请讲。[SEP]5G套餐？", "您好请讲[SEP]五g套餐", id="marks-digits-case"),
        pytest.param("您好[SEP]。。。[SEP]嗯", "您好[SEP]嗯", id="a-turn-of-marks-goes"),
        pytest.param("华为 P30 好的\n吗", "华为p三十好的吗", id="no-spaces"),
        pytest.param("……", "", id="nothing-left"),
    ],
)
def test_a_call_is_brought_to_the_surface_of_transcripts(text: str, matched: str) -> None:
    """What the real rows do not have is removed; the turn separator stays."""
    assert match_surface(text, SPOKEN, "[SEP]", "zh") == matched


def english(**has: bool | str) -> Surface:
    """Return an English surface with words only, except for the given fields."""
    plain = {"punctuation": False, "digits": True, "upper_case": False, "marks": ""}
    return Surface(spaces=True, **{**plain, **has})


@pytest.mark.parametrize(
    ("surface", "matched"),
    [
        pytest.param(WRITTEN, "I'd like a top-up, please: $3.50!", id="as-written"),
        pytest.param(english(), "id like a top up please 3.50", id="bare"),
        pytest.param(english(marks="'-"), "i'd like a top-up please 3.50", id="marks-in-words"),
        pytest.param(english(digits=False), "id like a top up please 3.50", id="digits-stay"),
        pytest.param(
            english(upper_case=True), "Id like a top up please 3.50", id="upper-case-stays"
        ),
    ],
)
def test_english_keeps_digits_and_the_marks_of_real_rows(surface: Surface, matched: str) -> None:
    """English digits are kept; marks inside words are kept if real rows have them."""
    assert match_surface("I’d like a top-up, please: $3.50!", surface, None, "en") == matched


def test_digits_of_real_rows_keep_their_decimal_point() -> None:
    """A decimal point is kept even if punctuation is removed."""
    surface = Surface(punctuation=False, digits=True, upper_case=True, spaces=False, marks="")
    assert match_surface("3.5元。好，", surface, "[SEP]", "zh") == "3.5元好"


@given(st.text(alphabet="您好元个第号是 ,，。.-/:%*xM¥019２[SEP]", max_size=40))
def test_matching_is_done_once(text: str) -> None:
    """No digit, mark or capital remains, and a second pass changes nothing."""
    matched = match_surface(text, SPOKEN, "[SEP]", "zh")
    assert not re.search(r"[0-9A-Z.,%\s]", matched.replace("[SEP]", ""))
    assert match_surface(matched, SPOKEN, "[SEP]", "zh") == matched


@given(st.lists(st.sampled_from(["您好请讲", "查四g流量", "嗯"]), min_size=1, max_size=5))
def test_real_text_stays_as_it_is(turns: list[str]) -> None:
    """Text that already has the style of the real rows is unchanged."""
    text = "[SEP]".join(turns)
    assert match_surface(text, SPOKEN, "[SEP]", "zh") == text
