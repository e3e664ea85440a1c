"""The bootstrap: paired, stratified, repeatable; and the choice of the arm to beat."""

from __future__ import annotations

import time

import numpy as np
import pytest

from src.config import FREE_ARMS, UserError
from src.modeling.scoring import METRICS, score
from src.modeling.significance import Bootstrap, Interval, best_free, bootstrap

TRUTH = ["a"] * 60 + ["b"] * 30 + ["c"]
TAIL = frozenset({"b", "c"})


def noisy(right: float, seed: int) -> list[str | None]:
    """Predictions that are right about that often, else missing."""
    hits = np.random.default_rng(seed).random(len(TRUTH)) < right
    return [label if hit else None for label, hit in zip(TRUTH, hits, strict=True)]


def run(**changes: object) -> Bootstrap:
    """A small bootstrap of two arms."""
    settings = {"resamples": 200, "confidence": 0.95, "seed": 0} | changes
    return bootstrap(
        TRUTH, {"original": noisy(0.5, 1), "augmented": noisy(0.9, 2)}, TAIL, **settings
    )


def test_values_are_the_scores_of_all_rows() -> None:
    """The value of an interval is the metric itself, not the mean of the resamples."""
    draws, expected = run(), score(TRUTH, noisy(0.5, 1), TAIL)
    for metric in METRICS:
        interval = draws.scores("original")[metric]
        assert interval.value == getattr(expected, metric)
        assert 0 <= interval.low <= interval.value <= interval.high <= 1


def test_each_class_keeps_its_rows_in_every_resample() -> None:
    """Stratified: a class of one row that is hit is hit in all resamples, and never lost."""
    predicted = [None] * 90 + ["c"]
    draws = bootstrap(TRUTH, {"original": predicted}, TAIL, resamples=100, confidence=0.95, seed=0)
    assert draws.scores("original") == {
        "macro_f1": Interval(*[pytest.approx(1 / 3)] * 3),
        "tail_recall": Interval(*[pytest.approx(1 / 2)] * 3),
        "accuracy": Interval(*[pytest.approx(1 / 91)] * 3),
    }


def test_intervals_are_those_of_the_binomial() -> None:
    """One class, 100 rows, 80 right: accuracy spreads by sqrt(0.8 * 0.2 / 100) = 0.04."""
    predicted = ["a"] * 80 + [None] * 20
    draws = bootstrap(
        ["a"] * 100, {"original": predicted}, {"a"}, resamples=4000, confidence=0.95, seed=0
    )
    accuracy = draws.scores("original")["accuracy"]
    assert accuracy.value == pytest.approx(0.8)
    assert accuracy.low == pytest.approx(0.8 - 1.96 * 0.04, abs=0.011)
    assert accuracy.high == pytest.approx(0.8 + 1.96 * 0.04, abs=0.011)
    assert draws.resampled["original"][:, 2].std() == pytest.approx(0.04, abs=0.002)


def test_differences_are_paired() -> None:
    """Equal predictions differ by exactly 0 in every resample, however wide their intervals."""
    predictions = {"original": noisy(0.5, 1), "augmented": noisy(0.5, 1)}
    draws = bootstrap(TRUTH, predictions, TAIL, resamples=100, confidence=0.95, seed=0)
    assert draws.versus("augmented", "original") == dict.fromkeys(METRICS, Interval(0, 0, 0))
    assert draws.scores("original")["accuracy"].high > draws.scores("original")["accuracy"].low


def test_a_clear_gain_excludes_zero_and_turns_with_the_arms() -> None:
    """Arm minus reference; the reverse has the opposite sign and bounds."""
    forth, back = run().versus("augmented", "original"), run().versus("original", "augmented")
    for metric in ("macro_f1", "accuracy"):
        assert forth[metric].low > 0
        assert back[metric].value == -forth[metric].value
        assert back[metric].low == pytest.approx(-forth[metric].high)


def test_adding_an_arm_changes_no_other() -> None:
    """The resamples depend on the seed and the test rows only."""
    alone = bootstrap(
        TRUTH, {"augmented": noisy(0.9, 2)}, TAIL, resamples=200, confidence=0.95, seed=0
    )
    assert alone.scores("augmented") == run().scores("augmented")


def test_the_seed_decides() -> None:
    """The same seed gives the same intervals, another seed others."""
    assert run().scores("original") == run().scores("original")
    assert run(seed=1).scores("original") != run().scores("original")


def test_more_confidence_is_wider() -> None:
    """A 99 % interval holds the 80 % one."""
    wide, narrow = (run(confidence=c).scores("original")["accuracy"] for c in (0.99, 0.8))
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize(
    ("predicted", "tail", "error", "message"),
    [
        pytest.param(["a"], TAIL, ValueError, "1 predictions for 91 rows", id="too-few"),
        pytest.param(TRUTH, frozenset({"z"}), UserError, "tail_max_support", id="no-tail"),
    ],
)
def test_what_cannot_be_scored_is_explained(
    predicted: list[str], tail: frozenset[str], error: type[Exception], message: str
) -> None:
    """The errors of scoring come through."""
    with pytest.raises(error, match=message):
        bootstrap(TRUTH, {"original": predicted}, tail, resamples=100, confidence=0.95, seed=0)


def test_a_full_size_bootstrap_takes_seconds() -> None:
    """4,400 rows, 34 classes, 6 arms: 200 of the 2,000 resamples within a tenth of 30 s."""
    rng = np.random.default_rng(0)
    truth = [str(c) for c in rng.integers(34, size=4400)]
    arms = (*FREE_ARMS, "unfiltered", "augmented", "augmented_class_weight")
    start = time.perf_counter()
    bootstrap(truth, dict.fromkeys(arms, truth), {"0"}, resamples=200, confidence=0.95, seed=0)
    assert time.perf_counter() - start < 3


@pytest.mark.parametrize(
    ("dev_scores", "expected"),
    [
        pytest.param((0.4, 0.5, 0.45), "class_weight", id="highest"),
        pytest.param((0.5, 0.5, 0.5), "original", id="all-equal"),
        pytest.param((0.4, 0.5, 0.5), "class_weight", id="two-equal"),
        pytest.param((0.4, 0.3, 0.6), "oversample", id="last"),
    ],
)
def test_the_arm_to_beat(dev_scores: tuple[float, ...], expected: str) -> None:
    """The best free arm by dev macro-F1, never an augmented one, the earlier of equals."""
    scores = dict(zip(FREE_ARMS, dev_scores, strict=True)) | {"augmented": 0.99}
    assert best_free(scores) == expected
