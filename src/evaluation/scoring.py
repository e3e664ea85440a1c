"""Scores of predictions against the true labels.

Definitions:

- Averages run over classes with test rows only: other classes can be neither right nor wrong.
- No row is dropped. A prediction that is missing (None, NaN, "") or is not a class with test rows
  is an error: a false negative for the true class.
- Macro-F1 is the mean of F1 = 2 TP / (2 TP + FP + FN) over those classes, 0 for a class without
  true positives. It equals `sklearn.metrics.f1_score(labels=classes with test rows,
  average="macro", zero_division=0)`.
- Tail recall is the mean recall over the tail classes with test rows: one test row of a class of
  three weighs as much as ten of a class of thirty, so read it together with the supports.

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
        truth: for each row, the index of its class in `classes`.
        predicted: for each row, the index of the predicted class; `len(classes)` if it is missing
            or not in `classes`.
    """

    classes: tuple[str, ...]
    truth: Codes
    predicted: Codes


def tail_classes(train_labels: Iterable[str], tail_max_support: int) -> frozenset[str]:
    """Return the classes with at most `tail_max_support` train rows, counted before balancing."""
    counts = pd.Series(list(train_labels), dtype=str).value_counts()
    return frozenset(counts.index[counts <= tail_max_support])


def score(
    truth: Sequence[str] | pd.Series[str],
    predicted: Sequence[str | None] | NDArray[np.str_],
    tail: AbstractSet[str],
) -> Scores:
    """Return the headline metrics, as defined in the module docstring.

    Raises:
        UserError: no tail class has a test row.
        ValueError: the numbers of predictions and labels differ.
    """
    coded = encode(truth, predicted)
    return Scores(*headline(coded, tail_mask(coded.classes, tail)).tolist())


def per_class(
    truth: Sequence[str] | pd.Series[str],
    predicted: Sequence[str | None] | NDArray[np.str_],
) -> pd.DataFrame:
    """Return one row per class with test rows, sorted: label, precision, recall, f1, support.

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
    """Return the confusion matrix: rows per true class (index) and predicted class (columns).

    Columns are the classes with test rows, then other predicted classes, then `(no prediction)` if
    a prediction is missing. Each matrix row sums to the support of its class.
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
    """Encode labels and predictions as integers, once for many calls of `headline`.

    Raises:
        ValueError: the numbers of predictions and labels differ, or a label is missing.
    """
    if len(truth) != len(predicted):
        raise ValueError(
            f"{len(predicted)} predictions for {len(truth)} rows; give one per row, None if missing"
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
    """Return which of the classes with test rows are tail classes.

    Raises:
        UserError: none is a tail class, so tail recall is undefined.
    """
    mask = np.array([label in tail for label in classes], dtype=bool)
    if not mask.any():
        raise UserError(
            f"params.yaml: none of the {len(classes)} classes with test rows is one of the "
            f"{len(tail)} tail classes; raise evaluate.tail_max_support, or add test rows of rare "
            "classes"
        )
    return mask


def headline(coded: Coded, tail: NDArray[np.bool_], weights: Floats | None = None) -> Floats:
    """Return the metrics in the order of `METRICS`, shape (5,); the inner loop of the bootstrap.

    Args:
        coded: labels and predictions.
        tail: from `tail_mask`.
        weights: how often each row counts; once if None. Classes whose rows all count 0 times are
            left out of the averages.
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
    """Return per class the weight of its rows, of its true positives, and of its predictions."""
    size = len(coded.classes)
    hit = coded.truth == coded.predicted
    support = _sums(coded.truth, weights, size)
    hits = _sums(coded.truth, weights * hit, size)
    claims = _sums(coded.predicted, weights, size + 1)[:size]
    return support, hits, claims


def _sums(codes: Codes, weights: Floats, size: int) -> Floats:
    return np.bincount(codes, weights, size).astype(np.float64, copy=False)
