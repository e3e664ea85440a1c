"""Scores of predictions against the true labels, and what counts how.

- Only classes with test rows are averaged: a class without them can be neither right nor wrong.
- Nothing is dropped. A missing prediction (None, NaN, "") or one that is no class with test rows
  is an error: a false negative for the true class.
- Macro-F1 is the mean F1 over those classes, with F1 = 2 TP / (2 TP + FP + FN), 0 for a class
  that is never hit; what `sklearn.metrics.f1_score(labels=classes with test rows,
  average="macro", zero_division=0)` gives.
- Tail recall is the mean recall over the tail classes with test rows: one test row of a class of
  three weighs as much as ten of a class of thirty, so read it beside the supports.

    tail = tail_classes(train["label"], params.evaluate.tail_max_support)
    score(test["label"], predicted, tail).macro_f1
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.errors import UserError
from src.records.scores import Scores

METRICS = tuple(field.name for field in fields(Scores))
NO_PREDICTION = "(no prediction)"

Codes = NDArray[np.intp]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Coded:
    """Labels and predictions as integers.

    Attributes:
        classes: names of the classes with test rows, sorted.
        truth: of each row, the index of its class in `classes`.
        predicted: the same of the prediction; `len(classes)` for everything else.
    """

    classes: tuple[str, ...]
    truth: Codes
    predicted: Codes


def tail_classes(train_labels: Iterable[str], tail_max_support: int) -> frozenset[str]:
    """Classes with at most `tail_max_support` train rows, counted before any balancing."""
    counts = pd.Series(list(train_labels), dtype=str).value_counts()
    return frozenset(counts.index[counts <= tail_max_support])


def score(
    truth: Sequence[str] | pd.Series[str],
    predicted: Sequence[str | None] | NDArray[np.str_],
    tail: AbstractSet[str],
) -> Scores:
    """The headline metrics (see the module for what counts how).

    Raises:
        UserError: no tail class has a test row.
        ValueError: there are not as many predictions as labels.
    """
    coded = encode(truth, predicted)
    return Scores(*headline(coded, tail_mask(coded.classes, tail)).tolist())


def per_class(
    truth: Sequence[str] | pd.Series[str],
    predicted: Sequence[str | None] | NDArray[np.str_],
) -> pd.DataFrame:
    """One row a class with test rows, sorted: label, precision, recall, f1, support.

    Precision is 0 where the class is never predicted. `support` is the number of test rows.
    """
    coded = encode(truth, predicted)
    support, hits, claims = _counts(coded, np.ones(len(coded.truth)))
    return pd.DataFrame(
        {
            "label": coded.classes,
            "precision": np.divide(hits, claims, out=np.zeros_like(hits), where=claims > 0),
            "recall": hits / support,
            "f1": 2 * hits / (support + claims),
            "support": support.astype(int),
        }
    )


def confusion(
    truth: Sequence[str] | pd.Series[str],
    predicted: Sequence[str | None] | NDArray[np.str_],
) -> pd.DataFrame:
    """Counts of rows, true class (index) by predicted class (columns); rows sum to the support.

    Columns are the classes with test rows, then whatever else was predicted, then
    `(no prediction)` if a prediction is missing.
    """
    classes = encode(truth, predicted).classes
    actual = pd.Series(list(truth), dtype=object)
    predictions = _given(predicted)
    predictions = predictions.mask(predictions.isna(), NO_PREDICTION)
    others = sorted(set(predictions) - set(classes) - {NO_PREDICTION})
    missing = [NO_PREDICTION] if (predictions == NO_PREDICTION).any() else []
    return (
        pd.crosstab(actual, predictions)
        .reindex(index=list(classes), columns=[*classes, *others, *missing], fill_value=0)
        .rename_axis(index="true", columns="predicted")
    )


def encode(
    truth: Sequence[str] | pd.Series[str],
    predicted: Sequence[str | None] | NDArray[np.str_],
) -> Coded:
    """Labels and predictions as integers, once, for many calls of `headline`.

    Raises:
        ValueError: there are not as many predictions as labels, or a label is missing.
    """
    if len(truth) != len(predicted):
        raise ValueError(
            f"{len(predicted)} predictions for {len(truth)} rows; give one a row, None if missing"
        )
    labels = pd.Series(list(truth), dtype=object)
    if labels.isna().any() or (labels == "").any():
        raise ValueError("a true label is missing; give every test row its class")
    classes = pd.Index(sorted(set(labels)), dtype=object)
    codes = classes.get_indexer(pd.Index(_given(predicted)))
    return Coded(
        classes=tuple(classes),
        truth=classes.get_indexer(pd.Index(labels)),
        predicted=np.where(codes < 0, len(classes), codes),
    )


def tail_mask(classes: Sequence[str], tail: AbstractSet[str]) -> NDArray[np.bool_]:
    """Which of the classes with test rows are tail classes.

    Raises:
        UserError: none is, so that tail recall would be the mean of nothing.
    """
    mask = np.array([label in tail for label in classes], dtype=bool)
    if not mask.any():
        raise UserError(
            f"params.yaml: none of the {len(classes)} classes with test rows is a tail class "
            f"({len(tail)} are); raise evaluate.tail_max_support or add test rows of rare classes"
        )
    return mask


def headline(coded: Coded, tail: NDArray[np.bool_], weights: Floats | None = None) -> Floats:
    """The metrics in the order of `METRICS`, shape (5,); the fast path of the bootstrap.

    Args:
        coded: labels and predictions.
        tail: from `tail_mask`.
        weights: how often each row counts, once if None. A class whose rows all count 0 is not
            averaged.
    """
    support, hits, claims = _counts(
        coded, np.ones(len(coded.truth)) if weights is None else weights
    )
    present = support > 0
    f1 = 2 * hits[present] / (support + claims)[present]
    in_tail = present & tail
    return np.array(
        [
            f1.mean(),
            (hits[in_tail] / support[in_tail]).mean(),
            hits.sum() / support.sum(),
            (hits[present] / support[present]).mean(),
            hits[in_tail].sum() / support[in_tail].sum(),
        ]
    )


def _given(predicted: Sequence[str | None] | NDArray[np.str_]) -> pd.Series[str]:
    predictions = pd.Series(list(predicted), dtype=object)
    return predictions.mask(predictions == "", None)


def _counts(coded: Coded, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Per class: weight of its rows, of its rows that are hit, of the rows that claim it."""
    size = len(coded.classes)
    hit = coded.truth == coded.predicted
    support = _sums(coded.truth, weights, size)
    hits = _sums(coded.truth, weights * hit, size)
    claims = _sums(coded.predicted, weights, size + 1)[:size]
    return support, hits, claims


def _sums(codes: Codes, weights: Floats, size: int) -> Floats:
    return np.bincount(codes, weights, size).astype(np.float64, copy=False)
