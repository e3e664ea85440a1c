"""The classifier of one method: regularisation found on dev, then every seed of what it draws.

    trained = train(method, rows, dev, texts, params.baseline, seeds=5, tail=tail)
    trained.model, trained.predictions[0]

All methods have the same settings and the same search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from src.config.baseline import BaselineParams
from src.config.methods import Method
from src.evaluation.scoring import score
from src.records.metrics.choose import Choice
from src.training.classifier import adjusted, predict
from src.training.methods import MethodData, draws_something
from src.training.rows import TrainingRows, rows_for
from src.training.tuning import fit_method, tuned

WORKERS = 2  # seeds at once
STRENGTHS = (0.02, 0.05, 0.1, 0.2, 0.4)  # of logit adjustment; the best on dev is taken


@dataclass(frozen=True)
class Trained:
    """A method's classifier.

    Attributes:
        model: of the first seed.
        c: its regularisation, which all seeds have.
        rows: how many the first seed learned from.
        predictions: one array a seed, one class a text.
    """

    model: Pipeline
    c: float
    rows: int
    predictions: tuple[NDArray[np.str_], ...]


def train(
    method: Method,
    rows: TrainingRows,
    dev: pd.DataFrame,
    texts: Sequence[str],
    baseline: BaselineParams,
    seeds: int,
    tail: frozenset[str],
    choice: Choice | None = None,
) -> Trained:
    """Train a method and ask it for the class of each text.

    Args:
        method: which of the methods.
        rows: what there is to learn from.
        dev: rows (text, label), texts without turn separators.
        texts: to predict, without turn separators.
        baseline: the classifier.
        seeds: how many; a method that draws nothing is trained once.
        tail: tail classes.
        choice: what `chosen` uses.

    Raises:
        UserError: see `classifier.fit`; or no tail class has a dev row.
    """
    first = rows_for(method, rows, 0, choice)
    best = tuned(baseline, first, dev, tail)
    c = float(best["classifier"].C)
    if method == "logit_adjustment":
        best = _adjusted(best, first, dev, tail)
    drawn = seeds if draws_something(method, rows.samples, choice) else 1
    # Processes: liblinear's random numbers are one stream for all threads of a process.
    others = Parallel(n_jobs=min(WORKERS, drawn))(
        delayed(fit_method)(baseline, rows_for(method, rows, seed, choice), c, seed)
        for seed in range(1, drawn)
    )
    predictions = tuple(predict(model, texts) for model in (best, *others))
    return Trained(best, c, len(first.frame), predictions)


def dev_predictions(
    method: Method,
    rows: TrainingRows,
    dev: pd.DataFrame,
    baseline: BaselineParams,
    tail: frozenset[str],
    choice: Choice | None = None,
) -> list[str]:
    """What the first seed of a method says of each dev row; see `train`."""
    model = tuned(baseline, rows_for(method, rows, 0, choice), dev, tail)
    predicted: list[str] = predict(model, dev["text"].tolist()).tolist()
    return predicted


def _adjusted(
    model: Pipeline, data: MethodData, dev: pd.DataFrame, tail: frozenset[str]
) -> Pipeline:
    """With the strength that is best on dev."""
    labels, texts = data.frame["label"].tolist(), dev["text"].tolist()
    tried = [adjusted(model, labels, strength) for strength in STRENGTHS]
    return max(tried, key=lambda one: score(dev["label"], predict(one, texts), tail).macro_f1)
