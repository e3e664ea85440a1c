"""The comparison of all methods: dev chooses the two, test scores them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from src.config.evaluate import EvaluateParams
from src.config.methods import Method
from src.config.params import load_params
from src.records.interval import Interval
from src.records.json_files import fields_of
from src.records.metrics.balance import ClassBalance
from src.records.metrics.choose import ChooseMetrics, Chosen
from src.records.metrics.evaluate import (
    EvaluateMetrics,
    FalsePositives,
    LeakageFigures,
    McNemarAgainst,
    Tail,
)
from src.records.scores import Scores
from src.training.compare import MethodPredictions, compare, mean_scores

METHODS: tuple[Method, ...] = ("original", "class_weight", "oversample", "unfiltered", "augmented")
TRUTH = pd.Series(["head"] * 12 + ["tail"] * 8)
TAIL = frozenset({"tail"})
COUNTS = {
    "head": ClassBalance(real=60, dropped=0, synthetic=0, target=60, shortfall=0),
    "tail": ClassBalance(real=4, dropped=0, synthetic=16, target=20, shortfall=0),
}
FOUND = ChooseMetrics(Chosen(20, True, 1.0, False, "it is better"), 20, (), {})
CLEAN = LeakageFigures(16, 0, 0, 4, 0, 0, 0)


def predicted(heads: int, tails: int) -> NDArray[np.str_]:
    """Predictions with these numbers of correct rows; the others get the other class."""
    wrong = {"head": "tail", "tail": "head"}
    right = [n < heads for n in range(12)] + [n < tails for n in range(8)]
    return np.array([one if hit else wrong[one] for one, hit in zip(TRUTH, right, strict=True)])


ON_DEV = {
    "original": [predicted(12, 1)],
    "class_weight": [predicted(12, 3)],
    "oversample": [predicted(12, 0), predicted(12, 8)],
    "unfiltered": [predicted(12, 8)],
    "augmented": [predicted(12, 7)],
}
ON_TEST = ON_DEV | {"class_weight": [predicted(12, 1)], "augmented": [predicted(11, 8)]}


@pytest.fixture(scope="module")
def evaluate() -> EvaluateParams:
    """The shipped settings with few resamples."""
    return load_params().evaluate.model_copy(update={"methods": METHODS, "bootstrap": 200})


@pytest.fixture(scope="module")
def predictions() -> MethodPredictions:
    """Two classes, five methods, one of them with several seeds."""
    return MethodPredictions(TRUTH, TRUTH, ON_DEV, ON_TEST, TAIL)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def result(predictions: MethodPredictions, evaluate: EvaluateParams) -> EvaluateMetrics:
    """The metrics of the comparison."""
    return compare(predictions, COUNTS, FOUND, evaluate, CLEAN, "seed:0")


def test_dev_decides_which_methods_are_compared(result: EvaluateMetrics) -> None:
    """The best free method and ours are the best on dev, whatever test shows."""
    assert (result.best_free, result.ours) == ("oversample", "augmented")
    assert result.methods["augmented"].accuracy.value == pytest.approx(19 / 20)


def test_every_method_has_scores_and_differences(result: EvaluateMetrics) -> None:
    """All others against `original`, methods with samples against the best free one."""
    assert tuple(result.methods) == tuple(result.dev) == METHODS
    assert tuple(result.versus_original) == METHODS[1:]
    assert tuple(result.versus_best_free) == ("unfiltered", "augmented")
    assert result.versus_original["class_weight"].accuracy == Interval(0, 0, 0)


def test_the_score_of_several_seeds_is_their_mean(result: EvaluateMetrics) -> None:
    """The mean of no tail row and all tail rows is one half."""
    assert result.dev["oversample"].tail_recall == 0.5
    assert mean_scores(TRUTH, [predicted(12, 8)], TAIL) == Scores(1, 1, 1, 1, 1)


def test_paired_tests_use_the_first_seed(result: EvaluateMetrics) -> None:
    """Ours has all 8 tail rows that oversample's first seed misses, and misses one head row."""
    assert result.mcnemar == McNemarAgainst(8, 1, pytest.approx(20 / 512), against="oversample")
    assert result.tail_false_positives == FalsePositives(ours=1, best_free=0)
    tail = result.per_class["tail"]
    assert (tail.support, tail.train_rows, tail.synthetic_rows) == (8, 4, 16)
    assert (tail.recall_before, tail.recall_after, tail.measurable) == (0, 1, True)
    assert (result.head_class_regressions, result.head_class_regressions_count) == ((), 0)


def test_other_metrics_are_passed_through(result: EvaluateMetrics) -> None:
    """Choice, leakage and sizes; optional parts that are missing are not in the file."""
    assert result.tail == Tail(classes=1, test_rows=8)
    assert (result.test_rows, result.signature, result.leakage) == (20, "seed:0", CLEAN)
    assert (result.chosen, result.recommended) == (FOUND.chosen, 20)
    assert not {"detectability", "second", "rounds"} & fields_of(result).keys()
