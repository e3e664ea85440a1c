"""The budget follows the errors: who gets how many samples, and who is shown beside whom."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.config import PlanParams
from src.planning.errors import (
    allocate,
    follow_errors,
    recall_by_class,
    taken_for,
    worth_of_samples,
)
from src.planning.strategies import plan_classes, room_of

PARAMS = PlanParams(
    target_per_class=50,
    minority_ratio=1.0,
    ultra_minority_max=10,
    overrides={},
    keywords_per_class=12,
)
LABELS = pd.Series(["a"] * 60 + ["b"] * 10 + ["c"] * 10 + ["d"] * 2)


def follow(recall: dict[str, float], budget: int, **more: object) -> dict[str, int]:
    """Samples by class for planted recalls."""
    params = PARAMS.model_copy(update=more.pop("params", {}))  # type: ignore[arg-type]
    plan = plan_classes(LABELS, params)
    room = room_of(plan.set_index("label")["support"], params)
    planned = follow_errors(plan, room, recall, budget, 100, **more)  # type: ignore[arg-type]
    assert (planned["target"] == planned["support"] + planned["needed"]).all()
    return dict(zip(planned["label"], planned["needed"], strict=True))


def test_recall_is_drawn_to_the_mean() -> None:
    """Two of four right overall; a class without dev rows has the mean."""
    found = recall_by_class(["a", "b", "c"], ["a", "a", "b", "b"], ["a", "a", "a", "a"])
    assert found == pytest.approx({"a": 3 / 4, "b": 1 / 4, "c": 1 / 2})


def test_worth_falls_with_recall_and_rows() -> None:
    """Gap over the root of the rows: 0.5 / 2, 0.5 / 10, 0 of a class that is always right."""
    worth = worth_of_samples(np.array([4, 100, 4]), np.array([0.5, 0.5, 1.0]))
    assert worth == pytest.approx([0.25, 0.05, 0.0])


def test_worth_follows_what_samples_gained() -> None:
    """Of equal classes the one that rose most is worth more, within the limits."""
    worth = worth_of_samples(np.full(3, 4), np.full(3, 0.5), np.array([0.2, 0.0, -0.2]))
    assert worth[0] > worth[1] > worth[2]
    assert worth[1] == pytest.approx(0.25)
    assert worth.max() <= 0.5
    assert worth.min() >= 0.125


@given(
    st.lists(st.tuples(st.floats(0, 10), st.integers(0, 300)), min_size=1, max_size=30),
    st.integers(0, 2000),
)
def test_allocation_spends_the_budget_within_the_limits(
    classes: list[tuple[float, int]], budget: int
) -> None:
    """All of it is given out, or all the room there is; no class gets more than it may."""
    worth = np.array([one for one, _ in classes])
    most = np.array([rows for _, rows in classes], dtype=np.int64)
    given_out = allocate(worth, most, budget)
    assert (given_out <= most).all()
    assert (given_out >= 0).all()
    assert given_out.sum() == min(budget, most.sum())


def test_allocation_is_proportional_to_the_worth() -> None:
    """Golden: 10 over worths 3, 1, 1; and a class that is full leaves its share to the others."""
    wide = np.array([100, 100, 100])
    assert allocate(np.array([3.0, 1.0, 1.0]), wide, 10).tolist() == [6, 2, 2]
    assert allocate(np.array([3.0, 1.0, 1.0]), np.array([2, 100, 100]), 10).tolist() == [2, 4, 4]


def test_the_class_that_errs_gets_the_samples() -> None:
    """B and c have ten rows each; b is always right, c never."""
    needed = follow({"a": 1.0, "b": 1.0, "c": 0.0, "d": 1.0}, 40)
    assert needed["c"] == 40


def test_no_class_is_filled_beyond_the_largest() -> None:
    """C has room for 90 up to 100 rows; what is left goes to those that err less."""
    needed = follow({"a": 0.9, "b": 0.9, "c": 0.0, "d": 0.9}, 200)
    assert needed["c"] == 90
    assert sum(needed.values()) == 200


def test_a_round_goes_on_from_the_one_before() -> None:
    """What a class has it keeps, even if nothing is added."""
    recall = {"a": 0.5, "b": 0.5, "c": 0.5, "d": 0.5}
    before = {"b": 7, "d": 3}
    assert follow(recall, 0, before=before) == {"a": 0, "b": 7, "c": 0, "d": 3}
    assert sum(follow(recall, 20, before=before).values()) == 30


def test_overrides_win() -> None:
    """A class named in plan.overrides gets what is named, and none of the rest."""
    recall = {"a": 1.0, "b": 0.0, "c": 0.0, "d": 0.0}
    needed = follow(recall, 40, params={"overrides": {"c": 0, "d": 12}})
    assert (needed["c"], needed["d"]) == (0, 10)
    assert sum(needed.values()) == 40


def test_confused_classes_come_before_near_ones() -> None:
    """Both directions count; ties go by name; as many as there were neighbours."""
    near = {"a": ("b", "c"), "b": ("c", "a"), "c": ("b", "a")}
    truth = ["a", "a", "a", "c"]
    said = ["c", "c", "a", "a"]
    found = taken_for(truth, said, near)
    assert found == {"a": ("c", "b"), "b": ("c", "a"), "c": ("a", "b")}
