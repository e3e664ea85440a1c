"""How sure the scores are: a paired, stratified bootstrap over the test rows.

Percentile intervals (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).
Rows are redrawn with replacement within each true class, as their chapter 8 redraws each sample
of a two-sample problem within itself: every resample keeps each class at its number of test rows.
Plain redrawing would lose a class of one row in 37 % of the resamples, and a macro average over
whatever classes are left is another metric each time. All methods are scored on the same redrawn
rows, so differences are paired (Koehn, Statistical Significance Tests for Machine Translation
Evaluation, 2004).

A method may have several predictions a row, one a seed of what it draws. Each resample takes one
seed, the same in all methods, so the intervals are over rows and seeds together.

What they do not cover: other train rows, other generated samples, another share of the classes;
and a class of one test row is the same in every resample.

    draws = bootstrap(test["label"], {"original": [predicted]}, tail, Resampling(2000, 0.95, seed=0))
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

SEEDS = 2**31  # draws stand for a method's seeds modulo how many it has

Predictions = Sequence[str | None] | NDArray[np.str_]
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Resampling:
    """How a bootstrap is drawn.

    Attributes:
        resamples: how many.
        confidence: of the intervals, such as 0.95.
        seed: of the resamples.
    """

    resamples: int
    confidence: float
    seed: int


def resampling(evaluate: EvaluateParams) -> Resampling:
    """That of the section `evaluate`."""
    return Resampling(evaluate.bootstrap, evaluate.confidence, evaluate.seed)


@dataclass(frozen=True)
class Bootstrap(Generic[K]):
    """Headline metrics of each method, on the test rows and on every resample of them.

    Attributes:
        observed: of each method, shape (5,), in the order of `METRICS`; the mean over its seeds.
        resampled: of each method, shape (resamples, 5); row i is the same resample in all methods.
        confidence: share of the resamples inside an interval.
    """

    observed: Mapping[K, Floats]
    resampled: Mapping[K, Floats]
    confidence: float

    def scores(self, method: K) -> ScoreIntervals:
        """Scores of one method on all rows, with their percentile intervals."""
        return _intervals(self.observed[method], self.resampled[method], self.confidence)

    def versus(self, method: K, reference: K) -> ScoreIntervals:
        """The paired difference, method minus reference."""
        return _intervals(
            self.observed[method] - self.observed[reference],
            self.resampled[method] - self.resampled[reference],
            self.confidence,
        )

    def gain(self, method: K, reference: K) -> tuple[float, float]:
        """Difference in macro-F1, method minus reference, and its standard error."""
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
        predictions: method -> for each seed one prediction a test row, None where there is no
            prediction. A method that draws nothing has one seed, which stands for all.
        tail: tail classes, from `scoring.tail_classes`.
        resampling: how resamples are drawn.

    Raises:
        UserError: no tail class has a test row.
        ValueError: a method has not as many predictions as there are labels.
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
    # Drawn apart from the rows and from a range of its own, so that no method changes another one.
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
    """The method to beat: of the free ones the best by dev macro-F1, the earlier if two are equal."""
    return max(
        (method for method in FREE_METHODS if method in dev_scores),
        key=lambda method: dev_scores[method],
    )


def _stratified(truth: Codes, resamples: int, rng: np.random.Generator) -> Iterator[Floats]:
    """How often each row is drawn, one array a resample; each class is drawn to its size."""
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
