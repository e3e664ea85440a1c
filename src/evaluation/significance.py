"""How sure the scores are: a paired, stratified bootstrap over the test rows.

Percentile intervals (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).
Rows are redrawn with replacement within each true class, as their chapter 8 redraws each sample
of a two-sample problem within itself: every resample keeps each class at its number of test rows.
Plain redrawing would lose a class of one row in 37 % of the resamples, and a macro average over
whatever classes are left is another metric each time. All arms are scored on the same redrawn
rows, so differences are paired (Koehn, Statistical Significance Tests for Machine Translation
Evaluation, 2004).

An arm may have several predictions a row, one a seed of what it draws. Each resample takes one
seed, the same in all arms, so the intervals are over rows and seeds together.

What they do not cover: other train rows, other generated samples, another share of the classes;
and a class of one test row is the same in every resample.

    draws = bootstrap(test["label"], {"original": [said]}, tail, resamples=2000, confidence=0.95, seed=0)
    draws.scores("augmented")["macro_f1"].low
    draws.versus("augmented", "original")["macro_f1"].low > 0
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.config.arms import FREE_ARMS, Arm
from src.evaluation.scoring import METRICS, Codes, Floats, encode, headline, tail_mask

SEEDS = 2**31  # draws stand for an arm's seeds modulo how many it has

Predictions = Sequence[str | None] | NDArray[np.str_]


@dataclass(frozen=True)
class Interval:
    """A value on all test rows and the percentile interval around it."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Bootstrap:
    """Headline metrics of each arm, on the test rows and on every resample of them.

    Attributes:
        observed: of each arm, shape (5,), in the order of `METRICS`; the mean over its seeds.
        resampled: of each arm, shape (resamples, 5); row i is the same resample in all arms.
        confidence: share of the resamples inside an interval.
    """

    observed: Mapping[str, Floats]
    resampled: Mapping[str, Floats]
    confidence: float

    def scores(self, arm: str) -> dict[str, Interval]:
        """Metric -> its interval for one arm."""
        return _intervals(self.observed[arm], self.resampled[arm], self.confidence)

    def versus(self, arm: str, reference: str) -> dict[str, Interval]:
        """Metric -> interval of the paired difference, arm minus reference."""
        return _intervals(
            self.observed[arm] - self.observed[reference],
            self.resampled[arm] - self.resampled[reference],
            self.confidence,
        )


def bootstrap(
    truth: Sequence[str] | pd.Series[str],
    predictions: Mapping[Arm, Sequence[Predictions]] | Mapping[str, Sequence[Predictions]],
    tail: AbstractSet[str],
    *,
    resamples: int,
    confidence: float,
    seed: int,
) -> Bootstrap:
    """Score every arm on the test rows and on stratified resamples of them.

    Args:
        truth: class of each test row.
        predictions: arm -> for each seed one prediction a test row, None where there is no
            answer. An arm that draws nothing has one seed, which stands for all.
        tail: tail classes, from `scoring.tail_classes`.
        resamples: how many resamples to draw.
        confidence: of the intervals, such as 0.95.
        seed: of the resamples.

    Raises:
        UserError: no tail class has a test row.
        ValueError: an arm has not as many predictions as there are labels.
    """
    coded = {
        arm: [encode(truth, predicted) for predicted in seeds] for arm, seeds in predictions.items()
    }
    reference = encode(truth, list(truth))
    mask = tail_mask(reference.classes, tail)
    resampled = {arm: np.empty((resamples, len(METRICS))) for arm in coded}
    rng = np.random.default_rng(seed)
    # Drawn apart from the rows and from a range of its own, so that no arm changes another one.
    drawn = np.random.default_rng([seed, 1]).integers(SEEDS, size=resamples)
    for i, counts in enumerate(_stratified(reference.truth, resamples, rng)):
        for arm, seeds in coded.items():
            resampled[arm][i] = headline(seeds[drawn[i] % len(seeds)], mask, counts)
    return Bootstrap(
        observed={
            arm: np.mean([headline(one, mask) for one in seeds], axis=0)
            for arm, seeds in coded.items()
        },
        resampled=resampled,
        confidence=confidence,
    )


def best_free(dev_scores: Mapping[Arm, float]) -> Arm:
    """The arm to beat: of the free ones the best by dev macro-F1, the earlier if two are equal."""
    return max((arm for arm in FREE_ARMS if arm in dev_scores), key=lambda arm: dev_scores[arm])


def _stratified(truth: Codes, resamples: int, rng: np.random.Generator) -> Iterator[Floats]:
    """How often each row is drawn, one array a resample; each class is drawn to its size."""
    by_class = np.argsort(truth, kind="stable")
    sizes = np.bincount(truth)
    starts = np.cumsum(sizes) - sizes
    start, size = starts[truth[by_class]], sizes[truth[by_class]]
    for _ in range(resamples):
        drawn = by_class[start + rng.integers(size)]
        yield np.bincount(drawn, minlength=len(truth)).astype(np.float64)


def _intervals(observed: Floats, resampled: Floats, confidence: float) -> dict[str, Interval]:
    outside = (1 - confidence) / 2
    low, high = np.quantile(resampled, [outside, 1 - outside], axis=0)
    return {
        metric: Interval(float(observed[i]), float(low[i]), float(high[i]))
        for i, metric in enumerate(METRICS)
    }
