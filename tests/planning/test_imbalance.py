"""Class imbalance: Gini coefficient, ratio, entropy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.planning.imbalance import entropy, gini, imbalance_of, imbalance_of_counts
from src.records.json_files import fields_of
from src.records.metrics.analyze import Imbalance

COUNTS = st.lists(st.integers(1, 300), min_size=1, max_size=8)


def labels_of(counts: dict[str, int]) -> pd.Series:
    """A column with each label repeated as given."""
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
    """The sorted form equals the definition; 0 to 1 - 1/k; scaling has no effect."""
    x = np.array(counts, dtype=float)
    by_pairs = np.abs(x[:, None] - x[None, :]).mean() / (2 * x.mean())
    assert gini(x) == pytest.approx(by_pairs, abs=1e-12)
    assert -1e-12 <= gini(x) <= 1 - 1 / len(x)
    assert gini(x) == pytest.approx(gini(3 * x), abs=1e-12)


@pytest.mark.parametrize(
    ("counts", "expected", "classes"),
    [
        pytest.param([5, 5, 5, 5], 1.3862943611, 4.0, id="equal"),  # ln 4
        pytest.param([7], 0.0, 1.0, id="one-class"),
        pytest.param([], 0.0, 1.0, id="no-class"),
        pytest.param([0, 0], 0.0, 1.0, id="no-rows"),
        pytest.param([9, 0], 0.0, 1.0, id="a-class-without-rows"),
        # 3/4 ln 4/3 + 1/4 ln 4 = 0.2157615543 + 0.3465735903
        pytest.param([3, 1], 0.5623351446, 1.7547653506, id="three-to-one"),
        # 1/2 ln 2 + 2 * 1/4 ln 4 = 3/2 ln 2; 2 to the 3/2
        pytest.param([2, 4, 2], 1.0397207708, 2.8284271247, id="three-classes"),
    ],
)
def test_entropy(counts: list[int], expected: float, classes: float) -> None:
    """Computed by hand, in nats; its exponential is the effective number of classes."""
    assert entropy(np.array(counts)) == pytest.approx(expected)
    assert np.exp(entropy(np.array(counts))) == pytest.approx(classes)


@given(counts=COUNTS)
def test_effective_classes_are_one_to_all(counts: list[int]) -> None:
    """It is the number of classes if all are equal; scaling has no effect."""
    found = imbalance_of_counts(np.array(counts))
    assert 1 - 1e-9 <= found.effective_classes <= len(counts) + 1e-9
    equal = imbalance_of_counts(np.full(len(counts), counts[0]))
    assert equal.effective_classes == pytest.approx(len(counts))
    assert imbalance_of_counts(3 * np.array(counts)).entropy == pytest.approx(
        found.entropy, abs=1e-12
    )


def test_cmcc_34() -> None:
    """The published figures: 12,799 rows, Gini 0.651, ratio 1,961, 16 effective classes."""
    classes = pd.read_csv("data/raw/cmcc34_classes.csv")
    measured = imbalance_of(labels_of(dict(zip(classes["name"], classes["train"], strict=True))))
    assert measured == Imbalance(
        12799,
        34,
        pytest.approx(0.651, abs=5e-4),
        1961.0,
        pytest.approx(2.764897, abs=1e-6),
        pytest.approx(15.877408, abs=1e-6),
    )


def test_the_figures_have_the_keys_of_the_metrics_file() -> None:
    """The keys of metrics/analyze.json."""
    assert fields_of(imbalance_of(labels_of({"a": 3, "b": 1}))) == {
        "rows": 4,
        "classes": 2,
        "gini": 0.25,
        "imbalance_ratio": 3.0,
        "entropy": pytest.approx(0.5623351446),
        "effective_classes": pytest.approx(1.7547653506),
    }
