"""Paired tests: hand-computed golden tables, and agreement with scipy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from src.evaluation.paired import (
    binomial_p,
    class_changes,
    head_class_regressions,
    holm,
    mcnemar,
    tail_false_positives,
)
from src.evaluation.scoring import per_class
from src.records.metrics.evaluate import McNemar


@pytest.mark.parametrize(
    ("one", "other", "exact", "mid_p"),
    [
        # 2 (1 + 8) / 2^8, and 8 / 2^8 less for mid-p: the example of Fagerland et al. (2013)
        pytest.param(1, 7, 18 / 256, 10 / 256, id="published"),
        pytest.param(6, 0, 2 / 64, 1 / 64, id="six-to-none"),
        pytest.param(0, 5, 2 / 32, 1 / 32, id="none-to-five"),
        pytest.param(2, 3, 1.0, 1 - 10 / 32, id="nearly-even"),  # 2 (1 + 5 + 10) / 32
        pytest.param(2, 2, 1.0, 1 - 6 / 32, id="even"),  # minus half of 6 / 16
        pytest.param(1, 0, 1.0, 0.5, id="one"),
        pytest.param(0, 0, 1.0, 1.0, id="none"),
    ],
)
def test_golden_p(one: int, other: int, exact: float, mid_p: float) -> None:
    """Binomial coefficients, summed and doubled; mid-p subtracts half the observed per side."""
    assert binomial_p(one, other) == pytest.approx(exact)
    assert binomial_p(other, one) == pytest.approx(exact)
    assert binomial_p(one, other, mid_p=True) == pytest.approx(mid_p)


@given(one=st.integers(0, 400), other=st.integers(0, 400))
def test_p_is_that_of_scipy(one: int, other: int) -> None:
    """The exact p equals scipy's two-sided binomial test; mid-p is above 0 and not larger."""
    expected = binomtest(one, one + other, 0.5).pvalue if one + other else 1.0
    assert binomial_p(one, other) == pytest.approx(expected)
    assert 0 < binomial_p(one, other, mid_p=True) <= binomial_p(one, other)


def test_only_rows_on_which_the_two_differ_count() -> None:
    """Missing and unknown predictions are wrong; rows both hit or both miss have no effect."""
    truth = ["a"] * 8 + ["b"] * 4
    theirs = ["a"] + [None] * 7 + ["b", "b", "a", "x"]
    ours = [""] + ["a"] * 7 + ["b", "b", "a", "y"]
    assert mcnemar(truth, ours, theirs) == McNemar(7, 1, pytest.approx(18 / 256))
    assert mcnemar(truth, theirs, ours, mid_p=True) == McNemar(1, 7, pytest.approx(10 / 256))
    more = mcnemar(truth + ["a"] * 100, ours + ["a"] * 100, theirs + ["a"] * 100)
    assert more == mcnemar(truth, ours, theirs)


@pytest.mark.parametrize(
    ("p", "adjusted"),
    [
        pytest.param([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02], id="published"),
        pytest.param([0.02, 0.02], [0.04, 0.04], id="equal"),
        pytest.param([0.6, 0.9, 0.01], [1.0, 1.0, 0.03], id="at-most-1"),
        pytest.param([0.04], [0.04], id="alone"),
        pytest.param([], [], id="none"),
    ],
)
def test_golden_holm(p: list[float], adjusted: list[float]) -> None:
    """The smallest p times their number, the next times one less, never decreasing."""
    assert holm(np.array(p)).tolist() == pytest.approx(adjusted)


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_lies_between_p_and_bonferroni_and_keeps_the_order(p: list[float]) -> None:
    """Never below p, never above Bonferroni's, and in the order of the p-values."""
    values = np.array(p)
    adjusted = holm(values)
    assert (adjusted >= values).all()
    assert (adjusted <= np.minimum(1, values * len(p)) + 1e-12).all()
    assert (np.diff(adjusted[np.argsort(values, kind="stable")]) >= 0).all()


# 10 rows of "big": 9 of the 10 lost. 8 of "up": 7 gained, 1 lost. 5 of "five": all lost.
TRUTH = ["big"] * 10 + ["up"] * 8 + ["five"] * 5
BEFORE = ["big"] * 10 + ["up"] + [None] * 7 + ["five"] * 5
AFTER = ["big"] + ["up"] * 9 + ["big"] + ["up"] * 7 + ["big"] * 5


def test_golden_changes() -> None:
    """Counts, exact p, and Holm over the two measurable classes."""
    big, up = 2 / 512, 18 / 256  # nine of nine; seven of eight
    pd.testing.assert_frame_equal(
        class_changes(TRUTH, BEFORE, AFTER).set_index("label"),
        pd.DataFrame(
            {
                "support": [10, 5, 8],
                "recall_before": [1.0, 1.0, 1 / 8],
                "recall_after": [1 / 10, 0.0, 7 / 8],
                "gained": [0, 0, 7],
                "lost": [9, 5, 1],
                "p": [big, 2 / 32, up],
                "measurable": [True, False, True],
                "p_adjusted": [2 * big, 1.0, up],
            },
            index=pd.Index(["big", "five", "up"], name="label", dtype=object),
        ),
        check_index_type=False,
    )


@pytest.mark.parametrize(
    ("rows", "measurable"),
    [
        pytest.param(1, False, id="one"),
        pytest.param(4, False, id="under-five"),
        pytest.param(5, False, id="five-at-best-0.0625"),
        pytest.param(6, True, id="six-at-best-0.03125"),
    ],
)
def test_few_rows_are_not_measurable(rows: int, measurable: bool) -> None:
    """A class is measurable from the number of rows at which p can fall below 0.05."""
    changes = class_changes(["a"] * rows, ["a"] * rows, [None] * rows)
    assert changes["measurable"].tolist() == [measurable]
    assert (head_class_regressions(changes, frozenset()) == ("a",)) is measurable


@pytest.mark.parametrize(
    ("tail", "alpha", "expected"),
    [
        pytest.param(set(), 0.05, ("big",), id="significant-losses-only"),
        pytest.param({"big"}, 0.05, (), id="a-tail-class-is-no-head"),
        pytest.param(set(), 0.005, (), id="adjusted-p-counts"),
        pytest.param(set(), 0.08, ("big",), id="a-gain-is-no-loss"),
    ],
)
def test_head_class_regressions(tail: set[str], alpha: float, expected: tuple[str, ...]) -> None:
    """Classes outside the tail, recall down, adjusted p below alpha: big has 2 x 0.0039."""
    assert head_class_regressions(class_changes(TRUTH, BEFORE, AFTER), tail, alpha) == expected


PREDICTION = st.sampled_from(["a", "b", "c", "x", None])


@given(st.lists(st.tuples(st.sampled_from("abc"), PREDICTION, PREDICTION), min_size=1, max_size=40))
def test_recalls_and_counts_agree_with_scoring(rows: list[tuple]) -> None:
    """Recalls equal `scoring.per_class`; gained and lost add up to McNemar's counts."""
    truth, before, after = (list(column) for column in zip(*rows, strict=True))
    changes = class_changes(truth, before, after)
    for predicted, column in ((before, "recall_before"), (after, "recall_after")):
        expected = per_class(truth, predicted)
        assert changes["label"].tolist() == expected["label"].tolist()
        assert changes[column].tolist() == pytest.approx(expected["recall"].tolist())
    whole = mcnemar(truth, after, before)
    assert (whole.only_ours_right, whole.only_theirs_right) == (
        changes["gained"].sum(),
        changes["lost"].sum(),
    )


@pytest.mark.parametrize(
    ("predicted", "expected"),
    [
        pytest.param(["h", "h", "t", "u"], 0, id="all-right"),
        pytest.param(["t", "h", "t", "u"], 1, id="a-head-row-predicted-as-tail"),
        pytest.param(["h", "h", "u", "t"], 2, id="tail-rows-mixed-up"),
        pytest.param(["h", "h", "h", "h"], 0, id="tail-rows-missed"),
        pytest.param(["v", None, "", "x"], 1, id="a-tail-class-without-test-rows"),
    ],
)
def test_tail_false_positives(predicted: list[str | None], expected: int) -> None:
    """Counts rows of any other class for which a tail class is predicted."""
    truth = ["h", "h", "t", "u"]
    assert tail_false_positives(truth, predicted, {"t", "u", "v"}) == expected
    assert tail_false_positives(truth, np.array(predicted, dtype=object), {"t", "u", "v"}) == (
        expected
    )


def test_a_missing_prediction_is_an_error() -> None:
    """Each function raises the error of scoring if predictions are missing."""
    for call in (
        lambda: mcnemar(["a", "b"], ["a"], ["a", "b"]),
        lambda: class_changes(["a", "b"], ["a", "b"], ["a"]),
        lambda: tail_false_positives(["a", "b"], ["a"], {"a"}),
    ):
        with pytest.raises(ValueError, match="1 predictions for 2 rows"):
            call()
