"""Overlap: the share of a text that stands in one other row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.quality import overlap
from src.quality.overlap import References, grams

TEXTS = st.lists(st.text(alphabet="查话费吗 ，ab", max_size=12), max_size=6)


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
        pytest.param("没有的事", 0.0, 0, id="nothing-shared"),
        pytest.param("", 0.0, 0, id="empty"),
    ],
)
def test_largest_share_and_its_row(text: str, share: float, index: int) -> None:
    """Shares counted by hand; of the text, not of the row."""
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
    """The definition, with sets."""
    mine = set(grams(text))
    return len(mine & set(grams(row))) / len(mine) if mine else 0.0


@settings(deadline=None)
@given(texts=TEXTS, rows=TEXTS.filter(bool))
def test_matrices_give_the_shares_of_sets(texts: list[str], rows: list[str]) -> None:
    """The sparse product is the plain definition."""
    expected = [[by_hand(text, row) for row in rows] for text in texts]
    references = References(rows)
    assert references.shares(texts).tolist() == expected
    shares, indices = references.max_overlap(texts)
    assert shares.tolist() == [max(row) for row in expected]
    assert indices.tolist() == [row.index(max(row)) for row in expected]


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts are compared some at a time, with the result of all at once."""
    rows = ["我想查一下话费", "宽带断网了"]
    texts = ["查一下话费", "断网了吗", "想查", "宽带", "我想"]
    whole = References(rows).max_overlap(texts)
    monkeypatch.setattr(overlap, "CHUNK", 2)
    for once, again in zip(whole, References(rows).max_overlap(texts), strict=True):
        np.testing.assert_array_equal(once, again)
