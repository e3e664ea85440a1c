"""Intervals of shares and kappa: hand-computed golden values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.stats import cohen_kappa, wilson


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [  # by Wilson's formula with z = 1.959964
        pytest.param(0, 10, 0.0, 0.2775, id="none"),
        pytest.param(10, 10, 0.7225, 1.0, id="all"),
        pytest.param(1, 1, 0.2065, 1.0, id="one-of-one"),
        pytest.param(15, 148, 0.0624, 0.1605, id="some"),
    ],
)
def test_golden_intervals(count: int, of: int, low: float, high: float) -> None:
    """The ends are exactly 0 and 1 if none or all count."""
    found = wilson(count, of)
    assert found.value == count / of
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)
    assert (found.low == 0.0) == (count == 0)
    assert (found.high == 1.0) == (count == of)


def test_more_confidence_is_a_wider_interval() -> None:
    """At 99 %, both ends lie further out."""
    narrow, wide = wilson(3, 10), wilson(3, 10, 0.99)
    assert wide.low < narrow.low < 0.3 < narrow.high < wide.high


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param("aabb", "aabb", 1.0, id="always"),
        pytest.param("aabb", "bbaa", -1.0, id="never"),
        pytest.param("aabb", "abab", 0.0, id="by-chance"),
        pytest.param("aaaa", "abab", 0.0, id="one-rater-is-constant"),
        pytest.param("aaaa", "aaaa", None, id="both-raters-are-constant"),
        pytest.param("", "", None, id="nothing"),
        pytest.param("aabbc", "aabcc", round(12 / 17, 12), id="three-classes"),
    ],
)
def test_golden_kappa(first: str, second: str, expected: float | None) -> None:
    """1, 0 and -1 are exact."""
    assert cohen_kappa(first, second) == expected


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1))
def test_kappa_is_symmetric_and_at_most_one(pairs: list[tuple[bool, bool]]) -> None:
    """The order of the raters does not matter."""
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    found = cohen_kappa(first, second)
    assert found == cohen_kappa(second, first)
    assert found is None or -1 <= found <= 1
