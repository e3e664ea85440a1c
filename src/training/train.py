"""Train the classifier of one method: tune it on dev, then train it once per seed.

    trained = train(method, rows, dev, texts, params.baseline, seeds=5, tail=tail)
    trained.model, trained.predictions[0]

All methods use the same settings and the same search.
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

WORKERS = 2  # seeds trained in parallel
STRENGTHS = (0.02, 0.05, 0.1, 0.2, 0.4)  # strengths of logit adjustment tried on dev


@dataclass(frozen=True)
class Trained:
    """The trained classifier of a method.

    Attributes:
        model: model of the first seed.
        c: regularisation parameter C, the same for all seeds.
        rows: number of training rows of the first seed.
        predictions: one array per seed with one class per text.
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
    """Train a method and predict the class of each text.

    Args:
        method: the method.
        rows: real rows, samples and candidates.
        dev: dev rows (text, label), texts without turn separators.
        texts: texts to classify, without turn separators.
        baseline: settings of the classifier.
        seeds: number of seeds; a method without random draws is trained once.
        tail: tail classes.
        choice: the choice of the method `chosen`; no samples if None.

    Raises:
        UserError: see `classifier.fit`; or no tail class has a dev row.
    """
    first = rows_for(method, rows, 0, choice)
    best = tuned(baseline, first, dev, tail)
    c = float(best["classifier"].C)
    if method == "logit_adjustment":
        best = _adjusted(best, first, dev, tail)
    drawn = seeds if draws_something(method, rows.samples, choice) else 1
    # Processes, not threads: all threads of a process share liblinear's random number stream.
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
    """Return the dev predictions of a method's first seed; arguments as in `train`."""
    model = tuned(baseline, rows_for(method, rows, 0, choice), dev, tail)
    predicted: list[str] = predict(model, dev["text"].tolist()).tolist()
    return predicted


def _adjusted(
    model: Pipeline, data: MethodData, dev: pd.DataFrame, tail: frozenset[str]
) -> Pipeline:
    """Return the model adjusted with the strength that has the best dev macro-F1."""
    labels, texts = data.frame["label"].tolist(), dev["text"].tolist()
    tried = [adjusted(model, labels, strength) for strength in STRENGTHS]
    return max(tried, key=lambda one: score(dev["label"], predict(one, texts), tail).macro_f1)
