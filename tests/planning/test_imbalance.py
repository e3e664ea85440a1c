"""Inequality of the classes, and how many samples each needs."""

from __future__ import annotations

from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.config import PlanParams, UserError
from src.planning.imbalance import Imbalance, gini, measure, plan_classes

PARAMS = PlanParams(
    target_per_class=100,
    minority_ratio=0.3,
    ultra_minority_max=10,
    overrides={},
    keywords_per_class=12,
)
COUNTS = st.lists(st.integers(1, 300), min_size=1, max_size=8)


def labels_of(counts: dict[str, int]) -> pd.Series:
    """A column with each label so many times."""
    return pd.Series([label for label, count in counts.items() for _ in range(count)], dtype=str)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        pytest.param([1, 1, 1, 1], 0.0, id="equal"),
        pytest.param([7], 0.0, id="one-class"),
        pytest.param([], 0.0, id="no-class"),
        pytest.param([0, 0], 0.0, id="no-rows"),
        # mean absolute difference of the 16 pairs 6/16, over twice the mean 1/2
        pytest.param([0, 0, 0, 1], 0.75, id="one-has-all"),
        # differences 2 * (2 + 2 + 0) / 9 over 2 * 5/3
        pytest.param([1, 3, 1], 4 / 15, id="three-classes"),
        # differences 2 * 9 / 4 over 2 * 5.5
        pytest.param([10, 1], 9 / 22, id="ten-to-one"),
    ],
)
def test_gini(counts: list[int], expected: float) -> None:
    """Computed by hand from all pairs; order does not matter."""
    assert gini(np.array(counts)) == pytest.approx(expected)
    assert gini(np.array(counts[::-1])) == pytest.approx(expected)


@given(counts=COUNTS)
def test_gini_is_the_mean_difference_of_all_pairs(counts: list[int]) -> None:
    """The sorted form is the definition; 0 to 1 - 1/k; the unit does not matter."""
    x = np.array(counts, dtype=float)
    by_pairs = np.abs(x[:, None] - x[None, :]).mean() / (2 * x.mean())
    assert gini(x) == pytest.approx(by_pairs, abs=1e-12)
    assert -1e-12 <= gini(x) <= 1 - 1 / len(x)
    assert gini(x) == pytest.approx(gini(3 * x), abs=1e-12)


def test_cmcc_34() -> None:
    """The published counts: 12,799 rows, Gini 0.651, 1,961 to 1."""
    classes = pd.read_csv("data/raw/cmcc34_classes.csv")
    measured = measure(labels_of(dict(zip(classes["name"], classes["train"], strict=True))))
    assert measured == Imbalance(12799, 34, pytest.approx(0.651, abs=5e-4), 1961.0)


def test_measure_as_dict() -> None:
    """The keys of metrics/analyze.json."""
    assert measure(labels_of({"a": 3, "b": 1})).as_dict() == {
        "rows": 4,
        "classes": 2,
        "gini": 0.25,
        "imbalance_ratio": 3.0,
    }


# The mean class has 80 rows, so at 0.3 minority classes have fewer than 24.
TRAIN = {"e": 1, "d": 10, "b": 23, "c": 10, "a": 332, "f": 104}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            {},
            [
                ("a", 332, "majority", 332, 0),
                ("f", 104, "majority", 104, 0),
                ("b", 23, "minority", 100, 77),
                ("c", 10, "ultra", 100, 90),
                ("d", 10, "ultra", 100, 90),
                ("e", 1, "ultra", 100, 99),
            ],
            id="as-shipped",
        ),
        pytest.param(
            {"target_per_class": 15, "ultra_minority_max": 0},
            [
                ("a", 332, "majority", 332, 0),
                ("f", 104, "majority", 104, 0),
                ("b", 23, "minority", 23, 0),
                ("c", 10, "minority", 15, 5),
                ("d", 10, "minority", 15, 5),
                ("e", 1, "minority", 15, 14),
            ],
            id="a-target-below-a-minority-class",
        ),
        pytest.param(
            {"overrides": {"a": 400, "b": 5, "c": 0, "d": 30, "f": 104}},
            [
                ("a", 332, "majority", 400, 68),
                ("f", 104, "majority", 104, 0),
                ("b", 23, "minority", 23, 0),
                ("c", 10, "ultra", 10, 0),
                ("d", 10, "ultra", 30, 20),
                ("e", 1, "ultra", 100, 99),
            ],
            id="overrides",
        ),
        pytest.param(
            {"minority_ratio": 0.2875},
            [
                ("a", 332, "majority", 332, 0),
                ("f", 104, "majority", 104, 0),
                ("b", 23, "majority", 23, 0),
                ("c", 10, "ultra", 100, 90),
                ("d", 10, "ultra", 100, 90),
                ("e", 1, "ultra", 100, 99),
            ],
            id="at-the-ratio-is-no-minority",
        ),
        pytest.param(
            {"minority_ratio": 0.0},
            [(x, TRAIN[x], "majority", TRAIN[x], 0) for x in "afbcde"],
            id="no-minority",
        ),
    ],
)
def test_plan(change: dict[str, object], expected: list[tuple[object, ...]]) -> None:
    """Worked out by hand: label, support, tier, target, needed; largest first, then by name."""
    plan = plan_classes(labels_of(TRAIN), PARAMS.model_copy(update=change))
    assert list(plan) == ["label", "support", "tier", "target", "needed"]
    assert list(plan.itertuples(index=False, name=None)) == expected


def test_an_override_of_an_unknown_class_is_named() -> None:
    """Setting, class and remedy."""
    params = PARAMS.model_copy(update={"overrides": {"a": 5, "z": 5}})
    with pytest.raises(UserError, match=r"plan.overrides: no class 'z' in train; correct the name"):
        plan_classes(labels_of({"a": 3}), params)


@settings(deadline=None, max_examples=50)
@given(
    counts=COUNTS,
    target=st.integers(1, 400),
    ratio=st.floats(0, 1),
    override=st.integers(0, 400),
    shuffle=st.randoms(use_true_random=False),
)
def test_a_plan_never_cuts_a_class(
    counts: list[int], target: int, ratio: float, override: int, shuffle: Random
) -> None:
    """Targets are the support or more, needs the difference, and the order of rows is no matter."""
    labels = labels_of({f"c{i}": count for i, count in enumerate(counts)})
    params = PARAMS.model_copy(
        update={
            "target_per_class": target,
            "minority_ratio": ratio,
            "overrides": {"c0": override},
        }
    )
    plan = plan_classes(labels, params)
    assert plan["support"].sum() == len(labels)
    assert (plan["target"] >= plan["support"]).all()
    assert (plan["needed"] >= 0).all()
    assert (plan["support"] + plan["needed"] == plan["target"]).all()
    assert (plan["target"] <= np.maximum(plan["support"], max(target, override))).all()
    assert plan["support"].is_monotonic_decreasing
    shuffled = labels.tolist()
    shuffle.shuffle(shuffled)
    pd.testing.assert_frame_equal(plan_classes(pd.Series(shuffled, dtype=str), params), plan)
