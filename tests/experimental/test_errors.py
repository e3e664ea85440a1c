"""Error-driven plans: how many samples each class gets, and which classes a prompt contrasts."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.config.plan import PlanParams
from src.experimental.errors import (
    allocate,
    expected_gain,
    follow_errors,
    recall_by_class,
    taken_for,
)
from src.planning.strategies import bounds_of, plan_classes

PARAMS = PlanParams(
    target_per_class=50,
    minority_ratio=1.0,
    ultra_minority_max=10,
    overrides={},
    keywords_per_class=12,
)
LABELS = pd.Series(["a"] * 60 + ["b"] * 10 + ["c"] * 10 + ["d"] * 2)


def follow(recall: dict[str, float], budget: int, **more: object) -> dict[str, int]:
    """Samples by class for the given recalls."""
    params = PARAMS.model_copy(update=more.pop("params", {}))  # type: ignore[arg-type]
    plan = plan_classes(LABELS, params)
    bounds = bounds_of(plan.set_index("label")["support"], params)
    planned = follow_errors(plan, bounds, recall, budget, 100, **more)  # type: ignore[arg-type]
    assert (planned["target"] == planned["support"] + planned["needed"]).all()
    return dict(zip(planned["label"], planned["needed"], strict=True))


def test_recall_is_shrunk_to_the_mean() -> None:
    """Two of four rows are correct overall; a class without dev rows gets that mean."""
    found = recall_by_class(["a", "b", "c"], ["a", "a", "b", "b"], ["a", "a", "a", "a"])
    assert found == pytest.approx({"a": 3 / 4, "b": 1 / 4, "c": 1 / 2})


def test_expected_gain_is_the_recall_gap() -> None:
    """It is 0 for a class that is always right."""
    assert expected_gain(np.array([0.5, 0.75, 1.0])) == pytest.approx([0.5, 0.25, 0.0])


def test_expected_gain_is_higher_where_recall_rose() -> None:
    """Among equal classes it is highest for the one that rose most, within the limits."""
    expected = expected_gain(np.full(3, 0.5), np.array([0.2, 0.0, -0.2]))
    assert expected[0] > expected[1] > expected[2]
    assert expected[1] == pytest.approx(0.5)
    assert expected.max() <= 1.0
    assert expected.min() >= 0.25


@given(
    st.lists(
        st.tuples(st.floats(0, 10), st.integers(0, 50), st.integers(0, 300)),
        min_size=1,
        max_size=30,
    ),
    st.integers(0, 2000),
)
def test_allocation_spends_the_budget_within_the_limits(
    classes: list[tuple[float, int, int]], budget: int
) -> None:
    """The budget, or all the room, is given out; no class exceeds its maximum."""
    expected = np.array([one for one, _, _ in classes])
    rows, most = (np.array([one[k] for one in classes], dtype=np.int64) for k in (1, 2))
    given_out = allocate(expected, rows, most, budget)
    assert (given_out <= most).all()
    assert (given_out >= 0).all()
    assert given_out.sum() == min(budget, most.sum())


@given(st.lists(st.integers(1, 60), min_size=2, max_size=12), st.integers(0, 300))
def test_classes_of_equal_gain_are_filled_from_below(rows: list[int], budget: int) -> None:
    """Classes with new samples end within one row of each other, below all other classes."""
    there = np.array(rows, dtype=np.int64)
    filled = there + allocate(np.full(len(rows), 0.5), there, np.full(len(rows), 1000), budget)
    level = filled[filled > there]
    assert level.size == 0 or level.max() - level.min() <= 1
    assert level.size == 0 or (filled[filled == there] >= level.max() - 1).all()


@given(
    st.lists(st.tuples(st.floats(0.01, 1), st.integers(1, 9)), min_size=2, max_size=3),
    st.integers(0, 6),
)
def test_no_other_allocation_is_better(classes: list[tuple[float, int]], budget: int) -> None:
    """Compared with all allocations: the sum of gap / sqrt(rows) is the smallest."""
    expected = np.array([one for one, _ in classes])
    rows = np.array([there for _, there in classes], dtype=np.int64)
    found = allocate(expected, rows, np.full(len(classes), budget), budget)
    ways = (way for way in product(range(budget + 1), repeat=len(classes)) if sum(way) == budget)
    least = min(float((expected / np.sqrt(rows + np.array(way))).sum()) for way in ways)
    assert float((expected / np.sqrt(rows + found)).sum()) == pytest.approx(least)


def test_golden_allocation() -> None:
    """A gap of 0.8 gets 4^(2/3) times the rows of one of 0.2; a full class gets no more."""
    wide = np.array([10_000, 10_000])
    one_row = np.array([1, 1])
    first, second = allocate(np.array([0.8, 0.2]), one_row, wide, 998)
    assert (first + 1) / (second + 1) == pytest.approx(4 ** (2 / 3), rel=0.01)
    assert allocate(np.array([0.8, 0.2]), one_row, np.array([3, 10]), 9).tolist() == [3, 6]


def test_the_class_that_errs_gets_the_samples() -> None:
    """B and c have ten rows each; b is always right, c never."""
    needed = follow({"a": 1.0, "b": 1.0, "c": 0.0, "d": 1.0}, 40)
    assert needed["c"] == 40


def test_no_class_is_filled_beyond_the_largest() -> None:
    """C has room for 90 samples up to 100 rows; the rest goes to the other classes."""
    needed = follow({"a": 0.9, "b": 0.9, "c": 0.0, "d": 0.9}, 200)
    assert needed["c"] == 90
    assert sum(needed.values()) == 200


def test_a_round_builds_on_the_one_before() -> None:
    """A class keeps its samples, even if none are added."""
    recall = {"a": 0.5, "b": 0.5, "c": 0.5, "d": 0.5}
    before = {"b": 7, "d": 3}
    assert follow(recall, 0, before=before) == {"a": 0, "b": 7, "c": 0, "d": 3}
    assert sum(follow(recall, 20, before=before).values()) == 30


def test_overrides_win() -> None:
    """A class in plan.overrides gets the rows set there, and no share of the rest."""
    recall = {"a": 1.0, "b": 0.0, "c": 0.0, "d": 0.0}
    needed = follow(recall, 40, params={"overrides": {"c": 0, "d": 12}})
    assert (needed["c"], needed["d"]) == (0, 10)
    assert sum(needed.values()) == 40


def test_confused_classes_come_before_near_ones() -> None:
    """Both directions count; ties are sorted by name; the number of neighbours stays."""
    near = {"a": ("b", "c"), "b": ("c", "a"), "c": ("b", "a")}
    truth = ["a", "a", "a", "c"]
    predicted = ["c", "c", "a", "a"]
    found = taken_for(truth, predicted, near)
    assert found == {"a": ("c", "b"), "b": ("c", "a"), "c": ("a", "b")}
