"""Overlap: the share of a text that occurs in one other row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.gate.overlap import FLOOR, SEARCH, References, Search, grams

TEXTS = st.lists(st.text(alphabet="查话费吗 ，ab", max_size=12), max_size=6)

LONG = st.text(alphabet="查话费吗网卡丢了补停机开通", max_size=30)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("查一下话费", ["查一下", "一下话", "下话费"], id="three-grams"),
        pytest.param("哈哈哈哈", ["哈哈哈"], id="distinct"),
        pytest.param("查，一 下话费！", ["查一下", "一下话", "下话费"], id="marks-and-spaces-out"),
        pytest.param("A-B c", ["abc"], id="lower-case"),
        pytest.param("退款", ["退款"], id="shorter-than-a-gram"),
        pytest.param("。。", [], id="no-letters"),
    ],
)
def test_grams(text: str, expected: list[str]) -> None:
    """Distinct character 3-grams of letters and numbers, in order."""
    assert grams(text) == expected


@pytest.mark.parametrize(
    ("text", "share", "index"),
    [
        pytest.param("想查一下话费啊", 0.8, 0, id="four-of-five"),
        pytest.param("宽带断网了", 1.0, 1, id="a-copy"),
        pytest.param("断网了", 1.0, 1, id="an-excerpt-is-a-copy"),
        pytest.param("退款", 1.0, 2, id="a-short-copy"),
        pytest.param("没有的事", 0.0, -1, id="nothing-shared"),
        pytest.param("", 0.0, -1, id="empty"),
    ],
)
def test_largest_share_and_its_row(text: str, share: float, index: int) -> None:
    """Shares worked out manually; relative to the text, not to the row."""
    rows = ["我想查一下话费", "宽带断网了", "退款", "宽带断网了"]
    shares, indices = References(rows).max_overlap([text])
    assert shares == pytest.approx([share])
    assert indices.tolist() == [index]


def test_without_rows_nothing_overlaps() -> None:
    """No rows: share 0 and no index."""
    shares, indices = References([]).max_overlap(["查话费", ""])
    assert shares.tolist() == [0, 0]
    assert indices.tolist() == [-1, -1]


def by_hand(text: str, row: str) -> float:
    """Return the overlap by its definition, with sets."""
    mine = set(grams(text))
    return len(mine & set(grams(row))) / len(mine) if mine else 0.0


@settings(deadline=None)
@given(texts=TEXTS, rows=TEXTS.filter(bool))
def test_matrices_give_the_shares_of_sets(texts: list[str], rows: list[str]) -> None:
    """The sparse product equals the plain definition."""
    expected = [[by_hand(text, row) for row in rows] for text in texts]
    references = References(rows)
    assert references.shares(texts).toarray().tolist() == expected
    shares, indices = references.max_overlap(texts)
    assert shares.tolist() == [max(row) for row in expected]
    assert indices.tolist() == [row.index(max(row)) if max(row) else -1 for row in expected]


@settings(deadline=None, max_examples=300)
@given(
    texts=st.lists(LONG, max_size=6),
    rows=st.lists(LONG, min_size=1, max_size=8),
    edits=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 30), LONG), max_size=6),
    floor=st.sampled_from([0.0, 0.25, 0.5, 0.85, 0.9]),
    slack=st.integers(1, 5),
)
def test_above_the_floor_shares_are_exact(
    texts: list[str], rows: list[str], edits: list[tuple[int, int, str]], floor: float, slack: int
) -> None:
    """However few grams are looked up, shares above the floor are exact and others are 0."""
    for number, cut, tail in edits:  # near copies, as random texts share little
        row = rows[number % len(rows)]
        texts = [*texts, row[:cut] + tail[:3] + row[cut + 1 :]]
    expected = [[by_hand(text, row) for row in rows] for text in texts]
    expected = [[share if share > floor else 0.0 for share in row] for row in expected]
    references = References(rows, Search(slack=slack, pairs=3))
    shares, indices = references.max_overlap(texts, floor)
    assert references.shares(texts, floor).toarray().tolist() == expected
    assert shares.tolist() == [max(row) for row in expected]
    assert indices.tolist() == [row.index(max(row)) if max(row) else -1 for row in expected]


def test_a_share_at_the_floor_is_not_above_it() -> None:
    """17 of 20 grams are not above 0.85, although no float equals 0.85 exactly."""
    text = "零一二三四五六七八九十百千万亿兆甲乙丙丁戊己"  # 22 characters, 20 grams
    rows = [text[:19], text[:20]]
    assert References(rows[:1]).max_overlap([text], 0.85)[0].tolist() == [0.0]
    assert References(rows[:1]).max_overlap([text], 0.84)[0].tolist() == [0.85]
    shares, indices = References(rows).max_overlap([text], 0.85)
    assert (shares.tolist(), indices.tolist()) == ([0.9], [1])


@pytest.mark.parametrize(
    ("rows", "limit", "floor"),
    [
        pytest.param(SEARCH.exact_rows, 0.85, 0.0, id="few-rows"),
        pytest.param(SEARCH.exact_rows + 1, 0.85, FLOOR, id="many-rows"),
        pytest.param(SEARCH.exact_rows + 1, 0.3, 0.3, id="a-limit-under-the-floor"),
    ],
)
def test_floor(rows: int, limit: float, floor: float) -> None:
    """Small shares are only searched among few rows; shares above a rule's limit always."""
    assert SEARCH.floor_for(rows, limit) == floor


def test_chunks_change_nothing() -> None:
    """Comparing texts in chunks gives the same result as all at once."""
    rows = ["我想查一下话费", "宽带断网了"]
    texts = ["查一下话费", "断网了吗", "想查", "宽带", "我想"]
    whole = References(rows).max_overlap(texts)
    parts = References(rows, Search(chunk=2)).max_overlap(texts)
    for once, again in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(once, again)
