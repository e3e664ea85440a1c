"""Intervals of the scores, by a paired, stratified bootstrap over the test rows.

Intervals are percentile intervals (Efron & Tibshirani, An Introduction to the Bootstrap, 1993,
chapter 13). Rows are drawn with replacement within each true class, as in the two-sample problem of
their chapter 8, so that every resample has the same number of rows per class. A bootstrap without
strata would lose a one-row class in 37 % of the resamples, and a macro average over the remaining
classes is a different metric each time. All methods are scored on the same resamples, so that
differences are paired (Koehn, Statistical Significance Tests for Machine Translation Evaluation,
2004).

A method with random draws has one prediction per row and seed. Each resample uses one seed, the
same in all methods, so the intervals cover rows and seeds together.

The intervals do not cover other train rows, other generated samples or other class shares. A class
with one test row is the same in every resample.

    draws = bootstrap(test["label"], {"original": [predicted]}, tail, Resampling(2000, 0.95, 0))
    draws.scores("augmented").macro_f1.low
    draws.versus("augmented", "original").macro_f1.low > 0
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.config.evaluate import EvaluateParams
from src.config.methods import FREE_METHODS, Method
from src.evaluation.scoring import METRICS, Codes, Floats, encode, headline, tail_mask
from src.records.interval import Interval
from src.records.scores import ScoreIntervals

SEEDS = 2**31  # range of the drawn seed numbers; a method takes them modulo its number of seeds

Predictions = Sequence[str | None] | NDArray[np.str_]
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Resampling:
    """How a bootstrap is drawn.

    Attributes:
        resamples: number of resamples.
        confidence: level of the intervals, for example 0.95.
        seed: seed of the resamples.
    """

    resamples: int
    confidence: float
    seed: int


def resampling(evaluate: EvaluateParams) -> Resampling:
    """Return the resampling of the section `evaluate`."""
    return Resampling(evaluate.bootstrap, evaluate.confidence, evaluate.seed)


@dataclass(frozen=True)
class Bootstrap(Generic[K]):
    """Headline metrics of each method, on the test rows and on every resample.

    Attributes:
        observed: method -> mean over its seeds, shape (5,), in the order of `METRICS`.
        resampled: method -> shape (resamples, 5); row i is the same resample for all methods.
        confidence: level of the intervals.
    """

    observed: Mapping[K, Floats]
    resampled: Mapping[K, Floats]
    confidence: float

    def scores(self, method: K) -> ScoreIntervals:
        """Return the scores of one method on all rows, with percentile intervals."""
        return _intervals(self.observed[method], self.resampled[method], self.confidence)

    def versus(self, method: K, reference: K) -> ScoreIntervals:
        """Return the paired differences, method minus reference, with percentile intervals."""
        return _intervals(
            self.observed[method] - self.observed[reference],
            self.resampled[method] - self.resampled[reference],
            self.confidence,
        )

    def gain(self, method: K, reference: K) -> tuple[float, float]:
        """Return the difference in macro-F1, method minus reference, and its standard error."""
        difference = self.observed[method][0] - self.observed[reference][0]
        resampled = (self.resampled[method] - self.resampled[reference])[:, 0]
        return float(difference), float(resampled.std())


def bootstrap(
    truth: Sequence[str] | pd.Series[str],
    predictions: Mapping[K, Sequence[Predictions]],
    tail: AbstractSet[str],
    resampling: Resampling,
) -> Bootstrap[K]:
    """Score every method on the test rows and on stratified resamples of them.

    Args:
        truth: class of each test row.
        predictions: method -> for each seed, one prediction per test row, None if missing. A
            method without random draws has one seed, which is used in every resample.
        tail: tail classes, from `scoring.tail_classes`.
        resampling: how resamples are drawn.

    Raises:
        UserError: no tail class has a test row.
        ValueError: the numbers of predictions and labels differ.
    """
    coded = {
        method: [encode(truth, predicted) for predicted in seeds]
        for method, seeds in predictions.items()
    }
    reference = encode(truth, list(truth))
    mask = tail_mask(reference.classes, tail)
    resamples = resampling.resamples
    resampled = {method: np.empty((resamples, len(METRICS))) for method in coded}
    rng = np.random.default_rng(resampling.seed)
    # Seeds have their own generator and range, so that adding a method does not change the others.
    drawn = np.random.default_rng([resampling.seed, 1]).integers(SEEDS, size=resamples)
    for i, counts in enumerate(_stratified(reference.truth, resamples, rng)):
        for method, seeds in coded.items():
            resampled[method][i] = headline(seeds[drawn[i] % len(seeds)], mask, counts)
    return Bootstrap(
        observed={
            method: np.mean([headline(one, mask) for one in seeds], axis=0)
            for method, seeds in coded.items()
        },
        resampled=resampled,
        confidence=resampling.confidence,
    )


def best_free(dev_scores: Mapping[Method, float]) -> Method:
    """Return the free method with the highest dev macro-F1; the earlier one in a tie."""
    return max(
        (method for method in FREE_METHODS if method in dev_scores),
        key=lambda method: dev_scores[method],
    )


def _stratified(truth: Codes, resamples: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Yield one array per resample: how often each row is drawn, each class to its own size."""
    by_class = np.argsort(truth, kind="stable")
    sizes = np.bincount(truth)
    starts = np.cumsum(sizes) - sizes
    start, size = starts[truth[by_class]], sizes[truth[by_class]]
    for _ in range(resamples):
        drawn = by_class[start + rng.integers(size)]
        yield np.bincount(drawn, minlength=len(truth)).astype(np.float64)


def _intervals(observed: Floats, resampled: Floats, confidence: float) -> ScoreIntervals:
    outside = (1 - confidence) / 2
    low, high = np.quantile(resampled, [outside, 1 - outside], axis=0)
    ends = zip(observed.tolist(), low.tolist(), high.tolist(), strict=True)
    return ScoreIntervals(*(Interval(*three) for three in ends))
