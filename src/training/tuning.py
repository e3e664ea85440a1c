"""Tune the regularisation of each method on dev, among the values of `baseline.c`.

    model = tuned(params.baseline, data, dev, tail)
    other = fit_method(params.baseline, redrawn, model["classifier"].C, seed=1)

All methods, including the free ones, are tuned by the same rule: one fixed value would favour the
method that it happens to suit. The rule takes the strongest regularisation within one standard
error of the best (Breiman et al., Classification and Regression Trees, 1984, 3.4.3): dev
differences between two values are mostly chance, and the simpler model generalises better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from sklearn.pipeline import Pipeline

from src.config.baseline import BaselineParams
from src.evaluation.significance import Predictions, Resampling, bootstrap
from src.training.classifier import build, fit, fit_each
from src.training.methods import MethodData

RESAMPLING = Resampling(resamples=300, confidence=0.95, seed=0)


def tuned(
    baseline: BaselineParams, data: MethodData, dev: pd.DataFrame, tail: frozenset[str]
) -> Pipeline:
    """Return the method's classifier of the first seed, with the tuned value.

    Args:
        baseline: settings of the classifier, and the values to try.
        data: training data of the method.
        dev: dev rows (text, label), texts without turn separators.
        tail: tail classes.
    """
    unfitted = [build(baseline, data.class_weight, c) for c in baseline.c]
    models = dict(zip(baseline.c, fit_each(unfitted, data.frame, data.smote), strict=True))
    terms = models[baseline.c[0]]["tfidf"].transform(dev["text"].tolist())
    predicted = {c: [model["classifier"].predict(terms)] for c, model in models.items()}
    return models[strongest(dev["label"], predicted, tail)]


def strongest(
    truth: Sequence[str] | pd.Series[str],
    predicted: Mapping[float, Sequence[Predictions]],
    tail: frozenset[str],
) -> float:
    """Return the smallest value whose dev macro-F1 is within one standard error of the best.

    Args:
        truth: class of each dev row.
        predicted: value -> dev predictions, one array per draw.
        tail: tail classes.
    """
    if len(predicted) == 1:
        return next(iter(predicted))
    draws = bootstrap(truth, predicted, tail, RESAMPLING)
    best = max(predicted, key=lambda c: draws.observed[c][0])

    def is_near(c: float) -> bool:
        lost, error = draws.gain(best, c)
        return lost <= error

    return min(c for c in predicted if is_near(c))


def fit_method(baseline: BaselineParams, data: MethodData, c: float, seed: int) -> Pipeline:
    """Return the method's classifier, fitted with this value and seed."""
    seeded = baseline.model_copy(update={"seed": baseline.seed + seed})
    return fit(build(seeded, data.class_weight, c), data.frame, data.smote, seed)
