"""The bootstrap is paired, stratified and reproducible; and the choice of the best free method."""

from __future__ import annotations

import time
from dataclasses import astuple, replace
from typing import get_args

import numpy as np
import pytest

from src.config.methods import FREE_METHODS, OUR_METHODS, Method
from src.config.params import load_params
from src.errors import UserError
from src.evaluation.scoring import METRICS, score
from src.evaluation.significance import (
    Bootstrap,
    Resampling,
    best_free,
    bootstrap,
    resampling,
)
from src.records.interval import Interval
from src.records.scores import ScoreIntervals

TRUTH = ["a"] * 60 + ["b"] * 30 + ["c"]
TAIL = frozenset({"b", "c"})
FEW = Resampling(100, 0.95, seed=0)
SMALL = Resampling(200, 0.95, seed=0)


def noisy(right: float, seed: int) -> list[str | None]:
    """Predictions that are right with this probability, otherwise missing."""
    hits = np.random.default_rng(seed).random(len(TRUTH)) < right
    return [label if hit else None for label, hit in zip(TRUTH, hits, strict=True)]


def of(scores: ScoreIntervals, metric: str) -> Interval:
    """One metric."""
    interval: Interval = getattr(scores, metric)
    return interval


def same(value: float, low: float, high: float) -> ScoreIntervals:
    """The same interval in every metric."""
    return ScoreIntervals(*[Interval(value, low, high)] * len(METRICS))


def run(drawn: Resampling = SMALL) -> Bootstrap[str]:
    """A small bootstrap of two methods."""
    methods = {"original": [noisy(0.5, 1)], "augmented": [noisy(0.9, 2)]}
    return bootstrap(TRUTH, methods, TAIL, drawn)


def test_values_are_the_scores_of_all_rows() -> None:
    """The value of an interval is the metric itself, not the mean over the resamples."""
    draws, expected = run(), score(TRUTH, noisy(0.5, 1), TAIL)
    for metric in METRICS:
        interval = of(draws.scores("original"), metric)
        assert interval.value == getattr(expected, metric)
        assert 0 <= interval.low <= interval.value <= interval.high <= 1


def test_each_class_keeps_its_rows_in_every_resample() -> None:
    """A correctly predicted one-row class is in every resample and always correct."""
    predicted = [None] * 90 + ["c"]
    scores = bootstrap(TRUTH, {"original": [predicted]}, TAIL, FEW).scores("original")
    expected = {
        "macro_f1": 1 / 3,
        "tail_recall": 1 / 2,
        "accuracy": 1 / 91,
        "balanced_accuracy": 1 / 3,
        "tail_recall_micro": 1 / 31,
    }
    for metric, value in expected.items():
        assert astuple(of(scores, metric)) == pytest.approx((value, value, value))


def test_intervals_are_those_of_the_binomial() -> None:
    """One class, 100 rows, 80 correct: accuracy spreads by sqrt(0.8 * 0.2 / 100) = 0.04."""
    predicted = ["a"] * 80 + [None] * 20
    many = Resampling(4000, 0.95, seed=0)
    draws = bootstrap(["a"] * 100, {"original": [predicted]}, {"a"}, many)
    accuracy = draws.scores("original").accuracy
    assert accuracy.value == pytest.approx(0.8)
    assert accuracy.low == pytest.approx(0.8 - 1.96 * 0.04, abs=0.011)
    assert accuracy.high == pytest.approx(0.8 + 1.96 * 0.04, abs=0.011)
    assert draws.resampled["original"][:, 2].std() == pytest.approx(0.04, abs=0.002)


def test_differences_are_paired() -> None:
    """Equal predictions differ by exactly 0 in every resample, however wide their intervals."""
    predictions = {"original": [noisy(0.5, 1)], "augmented": [noisy(0.5, 1)]}
    draws = bootstrap(TRUTH, predictions, TAIL, FEW)
    assert draws.versus("augmented", "original") == same(0, 0, 0)
    assert draws.scores("original").accuracy.high > draws.scores("original").accuracy.low
    assert draws.gain("augmented", "original") == (0, 0)


def test_a_clear_gain_excludes_zero() -> None:
    """Method minus reference; swapping them negates value and bounds."""
    forth, back = run().versus("augmented", "original"), run().versus("original", "augmented")
    for metric in ("macro_f1", "accuracy"):
        assert of(forth, metric).low > 0
        assert of(back, metric).value == -of(forth, metric).value
        assert of(back, metric).low == pytest.approx(-of(forth, metric).high)


def test_a_gain_has_a_standard_error() -> None:
    """The difference in macro-F1, and its standard deviation over the resamples."""
    draws = run()
    gain, error = draws.gain("augmented", "original")
    assert gain == draws.versus("augmented", "original").macro_f1.value
    differences = draws.resampled["augmented"][:, 0] - draws.resampled["original"][:, 0]
    assert error == pytest.approx(np.sqrt(np.mean((differences - differences.mean()) ** 2)))


def test_adding_a_method_does_not_change_the_others() -> None:
    """The resamples depend on the seed and the test rows only."""
    augmented = {"augmented": [noisy(0.9, 2)]}
    drawn = {"oversample": [noisy(0.5, n) for n in range(3)]}
    more = {"unfiltered": [noisy(0.5, n) for n in range(5)]}
    alone = bootstrap(TRUTH, augmented, TAIL, SMALL)
    assert alone.scores("augmented") == run().scores("augmented")
    both = bootstrap(TRUTH, augmented | drawn, TAIL, SMALL)
    assert both.scores("augmented") == alone.scores("augmented")
    three = bootstrap(TRUTH, augmented | drawn | more, TAIL, SMALL)
    assert three.scores("augmented") == alone.scores("augmented")
    assert three.scores("oversample") == both.scores("oversample")


def test_the_value_of_several_seeds_is_their_mean() -> None:
    """Observed is the mean over the seeds; each resample is scored with one of them."""
    seeds = [noisy(0.2, 1), noisy(0.6, 2), noisy(1.0, 3)]
    draws = bootstrap(TRUTH, {"oversample": seeds}, TAIL, Resampling(300, 0.95, seed=0))
    each = [score(TRUTH, predicted, TAIL) for predicted in seeds]
    for metric in METRICS:
        mean = sum(getattr(one, metric) for one in each) / 3
        assert of(draws.scores("oversample"), metric).value == pytest.approx(mean)
    # The third seed is always correct: a resample scored with it has 1, whatever its rows.
    assert (draws.resampled["oversample"][:, 2] == 1).mean() == pytest.approx(1 / 3, abs=0.09)


def test_seeds_widen_the_interval() -> None:
    """Two seeds, all correct and all wrong: rows alone have no spread, seeds do."""
    draws = bootstrap(TRUTH, {"eda": [TRUTH, [None] * 91]}, TAIL, SMALL)
    assert draws.scores("eda") == same(0.5, 0, 1)
    assert set(draws.resampled["eda"][:, 2]) == {0.0, 1.0}


def test_one_seed_is_used_in_every_resample() -> None:
    """A method with one seed scores as if that seed were repeated."""
    drawn = [noisy(0.4, n) for n in range(3)]
    once, thrice = (
        bootstrap(TRUTH, {"original": predicted, "eda": drawn}, TAIL, SMALL)
        for predicted in ([noisy(0.5, 9)], [noisy(0.5, 9)] * 3)
    )
    np.testing.assert_array_equal(once.resampled["original"], thrice.resampled["original"])
    for metric in METRICS:
        one, other = (of(draws.versus("eda", "original"), metric) for draws in (once, thrice))
        assert astuple(one) == pytest.approx(astuple(other))


def test_seeds_are_paired() -> None:
    """All methods use the same seed: seeds that shift two methods alike leave no difference."""
    seeds = [noisy(right, n) for n, right in enumerate((0.1, 0.5, 0.9))]
    draws = bootstrap(TRUTH, {"oversample": seeds, "eda": list(seeds)}, TAIL, SMALL)
    assert draws.versus("eda", "oversample") == same(0, 0, 0)
    turned = bootstrap(TRUTH, {"oversample": seeds, "eda": seeds[::-1]}, TAIL, SMALL)
    accuracy = turned.versus("eda", "oversample").accuracy
    assert accuracy.value == pytest.approx(0)
    assert accuracy.low < -0.5
    assert accuracy.high > 0.5


def test_the_seed_determines_the_intervals() -> None:
    """The same seed gives the same intervals, another seed gives others."""
    assert run().scores("original") == run().scores("original")
    assert run(replace(SMALL, seed=1)).scores("original") != run().scores("original")


def test_more_confidence_is_wider() -> None:
    """A 99 % interval contains the 80 % interval."""
    wide, narrow = (
        run(replace(SMALL, confidence=c)).scores("original").accuracy for c in (0.99, 0.8)
    )
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize(
    ("predicted", "tail", "error", "message"),
    [
        pytest.param(["a"], TAIL, ValueError, "1 predictions for 91 rows", id="too-few"),
        pytest.param(TRUTH, frozenset({"z"}), UserError, "tail_max_support", id="no-tail"),
    ],
)
def test_errors_of_scoring_are_raised(
    predicted: list[str], tail: frozenset[str], error: type[Exception], message: str
) -> None:
    """The bootstrap raises the errors of scoring."""
    with pytest.raises(error, match=message):
        bootstrap(TRUTH, {"original": [predicted]}, tail, FEW)


def test_a_full_size_bootstrap_takes_seconds() -> None:
    """4,400 rows, 34 classes, 11 methods: 200 of the 2,000 resamples in a tenth of 50 s."""
    rng = np.random.default_rng(0)
    truth = [str(c) for c in rng.integers(34, size=4400)]
    start = time.perf_counter()
    bootstrap(truth, {method: [truth] for method in get_args(Method)}, {"0"}, SMALL)
    assert time.perf_counter() - start < 5


def test_resampling_has_the_settings_of_the_section() -> None:
    """Number, confidence and seed as in params.yaml."""
    evaluate = load_params().evaluate
    assert resampling(evaluate) == Resampling(
        resamples=evaluate.bootstrap, confidence=evaluate.confidence, seed=evaluate.seed
    )


@pytest.mark.parametrize(
    ("dev_scores", "expected"),
    [
        pytest.param((0.4, 0.5, 0.45), "class_weight", id="highest"),
        pytest.param((0.5,) * 7, "original", id="all-equal"),
        pytest.param((0.4, 0.5, 0.5), "class_weight", id="two-equal"),
        pytest.param((0.4, 0.3, 0.6), "oversample", id="last-of-three"),
        pytest.param((0.4, 0.3, 0.2, 0.1, 0.6, 0.5, 0.5), "logit_adjustment", id="of-seven"),
        pytest.param((0.4, 0.3, 0.2, 0.1, 0.5, 0.5, 0.6), "smote", id="last"),
    ],
)
def test_best_free(dev_scores: tuple[float, ...], expected: str) -> None:
    """The best free method that was scored, the earlier one in a tie, never one with samples."""
    free = dict(zip(FREE_METHODS, dev_scores, strict=False))
    assert best_free(free | dict.fromkeys((*OUR_METHODS, "unfiltered"), 0.99)) == expected
