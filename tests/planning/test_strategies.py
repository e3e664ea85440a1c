"""Strategies: planned class sizes, and the limits that apply to all strategies."""

from __future__ import annotations

from itertools import pairwise, product
from pathlib import Path
from random import Random
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from src.config.params import load_params
from src.config.plan import PlanParams, Strategy
from src.errors import UserError
from src.planning.imbalance import gini
from src.planning.strategies import (
    SHOWN_GINI,
    compare_strategies,
    gini_goal,
    least_fill,
    plan_classes,
    targets,
    water_fill,
)
from src.records.metrics.analyze import TIE, GiniGoal
from src.records.metrics.balance import BalanceFigures

PARAMS = PlanParams(
    target_per_class=100,
    minority_ratio=0.3,
    ultra_minority_max=10,
    overrides={},
    keywords_per_class=12,
)
COUNTS = st.lists(st.integers(1, 300), min_size=1, max_size=8)
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
SHARE = st.none() | st.floats(0, 1)
CAPS = st.none() | st.integers(1, 300)


def counts_of(counts: list[int]) -> pd.Series:
    """Rows by label as `targets` expects them: largest class first."""
    ordered = sorted(counts, reverse=True)
    return pd.Series(ordered, index=[f"c{i}" for i in range(len(ordered))], dtype="int64")


def labels_of(counts: dict[str, int]) -> pd.Series:
    """A column with each label repeated as given."""
    return pd.Series([label for label, count in counts.items() for _ in range(count)], dtype=str)


def with_settings(**change: Any) -> PlanParams:  # noqa: ANN401  (of any setting)
    """The settings above with some changed."""
    return PARAMS.model_copy(update=change)


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
    """Computed by hand: label, support, tier, target, needed; largest first, then by name."""
    plan = plan_classes(labels_of(TRAIN), PARAMS.model_copy(update=change))
    assert list(plan) == ["label", "support", "tier", "target", "needed"]
    assert list(plan.itertuples(index=False, name=None)) == expected


def test_an_override_of_an_unknown_class_is_named() -> None:
    """The error names setting, class and remedy."""
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
    """Target >= support, needed is the difference, and the order of rows does not matter."""
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


@given(counts=COUNTS, target=st.integers(1, 400), ratio=st.floats(0, 1))
def test_quota_fills_minority_classes_only(counts: list[int], target: int, ratio: float) -> None:
    """Classes below the ratio are filled up to the target, the others stay unchanged."""
    mean = sum(counts) / len(counts)
    expected = [
        max(count, target) if count < ratio * mean else count
        for count in sorted(counts, reverse=True)
    ]
    found = targets(
        "quota", counts_of(counts), with_settings(target_per_class=target, minority_ratio=ratio)
    )
    assert found.tolist() == expected


@pytest.mark.parametrize(
    ("strategy", "change", "expected"),
    [
        pytest.param("quota", {}, [400, 100, 100], id="quota"),
        pytest.param("floor", {"target_per_class": 120}, [400, 120, 120], id="floor"),
        pytest.param("floor", {"target_per_class": 500}, [500, 500, 500], id="floor-above-all"),
        # 400 * (100/400)^(1/2), 400 * (4/40)^(1/2)
        pytest.param("power", {"temperature": 0.5}, [400, 200, 126], id="square-roots"),
        pytest.param("power", {"temperature": 1.0}, [400, 100, 40], id="power-as-it-is"),
        pytest.param("power", {"temperature": 1e-9}, [400, 400, 400], id="power-all-equal"),
        # 400 times (1 - 0.99^100) / (1 - 0.99^400) = 0.633968 / 0.982047, and 0.331028 / 0.982047
        pytest.param("effective_number", {"beta": 0.99}, [400, 258, 135], id="effective"),
        pytest.param("effective_number", {"beta": 1e-9}, [400, 400, 400], id="all-count-as-one"),
        # 2 (x + 2 * 100 + 3 * 400) / (3 (x + 500)) - 4/3 is 0.4009 for x = 62 and 0.3991 for 63
        pytest.param("gini", {"target_gini": 0.4}, [400, 100, 63], id="gini"),
        pytest.param("gini", {"target_gini": 0.0}, [400, 400, 400], id="gini-all-equal"),
        pytest.param("gini", {"target_gini": 0.9}, [400, 100, 40], id="gini-is-there-already"),
        # 0.3503 for x = 90, 0.3486 for 91
        pytest.param("gini", {}, [400, 100, 91], id="gini-of-the-table"),
    ],
)
def test_targets(strategy: Strategy, change: dict[str, object], expected: list[int]) -> None:
    """Computed by hand for classes of 400, 100 and 40 rows, mean 180."""
    found = targets(strategy, counts_of([400, 100, 40]), with_settings(**change))
    assert found.tolist() == expected


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_overrides_win(strategy: Strategy) -> None:
    """0 means no samples; a number above the class size is its target."""
    params = with_settings(overrides={"c1": 0, "c2": 90}, minority_ratio=1.0, beta=0.9)
    found = targets(strategy, counts_of([400, 100, 40, 2]), params)
    assert found[:3].tolist() == [400, 100, 90]
    assert found[3] > 2


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({}, [400, 100, 100, 100], id="no-limit"),
        pytest.param({"max_synthetic_share": 0.99}, [400, 100, 100, 100], id="99-beside-one"),
        pytest.param({"max_synthetic_share": 0.5}, [400, 100, 80, 2], id="one-beside-one"),
        pytest.param({"max_synthetic_share": 0.0}, [400, 100, 40, 1], id="none"),
        pytest.param({"max_synthetic_share": 1.0}, [400, 100, 100, 100], id="all"),
        # 541 real rows: 60 samples are 10 % of 601, so the levels are 51, 50 or 11 and 49
        pytest.param({"max_synthetic_total": 0.1}, [400, 100, 50, 51], id="the-highest-come-down"),
        pytest.param({"max_synthetic_total": 0.05}, [400, 100, 40, 29], id="the-rarest-comes-last"),
        pytest.param({"max_synthetic_total": 0.0}, [400, 100, 40, 1], id="no-samples"),
        pytest.param(
            {"max_synthetic_total": 0.1, "overrides": {"c1": 150}},
            [400, 100, 50, 51],
            id="overrides-come-down-too",
        ),
        pytest.param(
            {"max_synthetic_share": 0.5, "overrides": {"c3": 9}}, [400, 100, 80, 2], id="override"
        ),
        pytest.param({"head_cap": 150}, [150, 100, 100, 100], id="head-cap"),
        pytest.param({"head_cap": 100}, [100, 100, 100, 100], id="head-cap-at-the-target"),
        pytest.param({"head_cap": 60}, [60, 60, 60, 60], id="none-above-the-head-cap"),
        pytest.param(
            {"head_cap": 150, "overrides": {"c0": 300}}, [300, 100, 100, 100], id="cut-to-override"
        ),
    ],
)
def test_limits(change: dict[str, object], expected: list[int]) -> None:
    """Computed by hand for the strategy floor and classes of 400, 100, 40 and 1 rows."""
    found = targets("floor", counts_of([400, 100, 40, 1]), with_settings(**change))
    assert found.tolist() == expected


def test_a_capped_class_needs_nothing() -> None:
    """Its target is the cap, and that many real rows stay."""
    plan = plan_classes(labels_of(TRAIN), with_settings(head_cap=110))
    assert plan.loc[plan["label"] == "a", ["support", "target", "needed"]].to_numpy().tolist() == [
        [332, 110, 0]
    ]
    assert plan.loc[plan["label"] == "f", "target"].tolist() == [104]


@settings(deadline=None)
@given(
    counts=COUNTS,
    strategy=st.sampled_from(STRATEGIES),
    temperature=st.floats(0.01, 1),
    beta=st.floats(0.5, 0.9999),
    goal=st.none() | st.floats(0, 0.99),
    share=SHARE,
    total=SHARE,
    cap=CAPS,
    override=st.integers(0, 400),
)
def test_limits_hold_in_every_strategy(
    counts: list[int],
    strategy: Strategy,
    temperature: float,
    beta: float,
    goal: float | None,
    share: float | None,
    total: float | None,
    cap: int | None,
    override: int,
) -> None:
    """Never below the rows that stay, above the allowed samples, or above the cap."""
    rows = counts_of(counts)
    params = with_settings(
        strategy=strategy,
        temperature=temperature,
        beta=beta,
        target_gini=goal,
        max_synthetic_share=share,
        max_synthetic_total=total,
        head_cap=cap,
        overrides={"c0": override},
    )
    found = targets(strategy, rows, params)
    # the class with an override keeps at least that many real rows
    caps = np.full(len(counts), 10**6 if cap is None else cap)
    caps[0] = max(caps[0], override)
    kept = np.minimum(rows.to_numpy(), caps)
    samples = found - kept
    assert (samples >= 0).all()
    assert (found <= caps).all()
    assert (samples <= (1 if share is None else share) * found + 1e-6).all()
    assert samples.sum() <= (1 if total is None else total) * found.sum() + 1e-6
    assert (samples[rows.to_numpy() > caps] == 0).all()


@settings(deadline=None)
@given(
    counts=COUNTS,
    strategy=st.sampled_from(["floor", "power", "effective_number", "gini"]),
    goal=st.floats(0, 0.9),
    share=SHARE,
    cap=CAPS,
)
def test_the_order_of_classes_stays(
    counts: list[int], strategy: Strategy, goal: float, share: float | None, cap: int | None
) -> None:
    """A class with more real rows stays the larger one, up to one row."""
    params = with_settings(target_gini=goal, max_synthetic_share=share, head_cap=cap)
    found = targets(strategy, counts_of(counts), params)
    assert (np.diff(found) <= 1).all()


@pytest.mark.parametrize(
    ("strategy", "name", "stronger"),
    [
        pytest.param("floor", "target_per_class", [10, 50, 200], id="floor"),
        pytest.param("power", "temperature", [1.0, 0.7, 0.3, 0.1], id="power"),
        pytest.param("effective_number", "beta", [0.9999, 0.999, 0.9, 0.5], id="effective"),
        pytest.param("gini", "target_gini", [0.9, 0.5, 0.2, 0.0], id="gini"),
    ],
)
@given(counts=COUNTS)
def test_a_stronger_setting_never_asks_for_less(
    counts: list[int], strategy: Strategy, name: str, stronger: list[float]
) -> None:
    """A stronger setting never lowers the target of a class."""
    found = [
        targets(strategy, counts_of(counts), with_settings(**{name: value})) for value in stronger
    ]
    for weaker, next_one in pairwise(found):
        assert (weaker <= next_one).all()


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(1, 3000), min_size=2, max_size=40),
    goal=st.floats(0, 0.9),
    share=SHARE,
    total=SHARE,
    cap=st.none() | st.integers(1, 3000),
)
def test_the_gini_target_is_reached_or_its_bound_reported(
    counts: list[int], goal: float, share: float | None, total: float | None, cap: int | None
) -> None:
    """The target is met with no row to spare, or else the lowest possible value is reached."""
    params = with_settings(
        strategy="gini",
        target_gini=goal,
        max_synthetic_share=share,
        max_synthetic_total=total,
        head_cap=cap,
    )
    plan = plan_classes(labels_of(counts_of(counts).to_dict()), params)
    found = gini_goal(plan, params)
    assert found is not None
    planned, target = found.planned, plan["target"].to_numpy()
    assert found == GiniGoal(goal, gini(target), found.reachable)
    assert found.missed == (found.reachable > goal + TIE)
    if found.missed:
        assert planned == pytest.approx(found.reachable, abs=1e-9)
    else:
        assert planned <= goal + 1e-9
        kept = target - plan["needed"].to_numpy()
        if plan["needed"].sum():
            fewer = gini(water_fill(kept, target, int(plan["needed"].sum()) - 1))
            assert fewer > goal
            # a row changes the coefficient by at most 2 / rows
            assert planned >= goal - max(0.005, 2 / target.sum())


@settings(deadline=None, max_examples=200)
@given(
    classes=st.lists(st.tuples(st.integers(1, 7), st.integers(0, 7)), min_size=1, max_size=4),
    samples=st.integers(0, 20),
    goal=st.floats(0, 0.6),
)
def test_no_way_to_reach_a_gini_coefficient_is_cheaper(
    classes: list[tuple[int, int]], samples: int, goal: float
) -> None:
    """Compared with every way to add rows, including beyond the largest class."""
    start = np.array([rows for rows, _ in classes])
    most = start + np.array([room for _, room in classes])
    ways = [
        np.array(way)
        for way in product(*(range(a, b + 1) for a, b in zip(start, most, strict=True)))
        if sum(way) - start.sum() <= samples
    ]
    enough = max(goal, min(map(gini, ways))) + TIE
    cheapest = min(way.sum() for way in ways if gini(way) <= enough)
    found = least_fill(start, most, samples, goal)
    assert found.sum() == cheapest
    assert gini(found) <= enough
    assert ((start <= found) & (found <= most)).all()


@given(
    classes=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=6),
    samples=st.integers(0, 60),
)
def test_water_fill_goes_row_by_row(classes: list[tuple[int, int]], samples: int) -> None:
    """Each sample goes to the smallest class with room, the last one in a tie."""
    start = np.array([rows for rows, _ in classes])
    most = start + np.array([room for _, room in classes])
    expected = start.copy()
    rows = list(range(len(classes)))
    for _ in range(samples):
        open_ones = [position for position in rows if expected[position] < most[position]]
        if not open_ones:
            break
        expected[min(open_ones, key=lambda position: (expected[position], -position))] += 1
    assert water_fill(start, most, samples).tolist() == expected.tolist()


def test_an_unreachable_gini_is_reported() -> None:
    """A class of two rows may get two samples; beyond that only the head would grow."""
    params = with_settings(strategy="gini", target_gini=0.2, max_synthetic_share=0.5)
    plan = plan_classes(labels_of({"a": 10, "b": 2}), params)
    assert plan["target"].tolist() == [10, 4]
    found = gini_goal(plan, params)
    assert found == GiniGoal(0.2, pytest.approx(3 / 14), pytest.approx(3 / 14))
    assert found.missed


def test_other_strategies_have_no_gini_goal() -> None:
    """They ignore target_gini."""
    params = with_settings(target_gini=0.2)
    assert gini_goal(plan_classes(labels_of({"a": 10, "b": 2}), params), params) is None


def test_strategies_are_compared() -> None:
    """One entry per strategy; computed by hand for classes of 3 rows and 1 row."""
    table = compare_strategies(
        counts_of([3, 1]), with_settings(target_per_class=2, minority_ratio=0.9)
    )
    assert list(table) == list(STRATEGIES)
    assert table["quota"] == BalanceFigures(
        needed=1,
        gini=pytest.approx(0.1),
        imbalance_ratio=1.5,
        entropy=pytest.approx(0.6730116670),  # 3/5 ln 5/3 + 2/5 ln 5/2
        effective_classes=pytest.approx(1.9601317042),
    )
    assert table["power"].needed == 1  # the square root of 3 is 1.7
    assert table["gini"].needed == 0  # 0.25 is below SHOWN_GINI
    assert SHOWN_GINI > 0.25


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            {"temperature": 2},
            "plan.temperature is 2 but should be less than or equal to 1; correct it",
            id="temperature",
        ),
        pytest.param(
            {"beta": 1}, "plan.beta is 1 but should be less than 1; correct it", id="beta"
        ),
        pytest.param(
            {"strategy": "fill"},
            "plan.strategy is 'fill' but should be 'quota', 'floor', 'power', "
            "'effective_number' or 'gini'; correct it",
            id="strategy",
        ),
        pytest.param(
            {"strategy": "gini"},
            "plan: strategy gini needs target_gini, the Gini coefficient to reach (for example "
            "0.35), got None",
            id="gini-without-a-target",
        ),
        pytest.param(
            {"max_synthetic_total": 3},
            "plan.max_synthetic_total is 3 but should be less than or equal to 1; correct it",
            id="share",
        ),
        pytest.param(
            {"head_cap": 50},
            "plan: head_cap 50 is below target_per_class 100: large classes would be cut to fewer "
            "rows than small ones are filled up to; raise head_cap or lower target_per_class",
            id="head-cap-below-the-target",
        ),
    ],
)
def test_a_wrong_setting_is_named(change: dict[str, object], expected: str, tmp_path: Path) -> None:
    """The error is one line with key, value and remedy."""
    raw = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    raw["plan"] |= {"target_per_class": 100} | change
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    with pytest.raises(UserError) as error:
        load_params(file)
    assert str(error.value) == f"{file}: {expected}"


def test_other_strategies_allow_a_small_head_cap(tmp_path: Path) -> None:
    """They do not fill up to target_per_class."""
    raw = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    raw["plan"] |= {"strategy": "power", "target_per_class": 100, "head_cap": 50}
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    assert load_params(file).plan.head_cap == 50
