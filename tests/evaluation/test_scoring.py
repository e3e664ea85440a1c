"""Scores: hand-computed golden tables, and agreement with scikit-learn."""

from __future__ import annotations

from dataclasses import astuple
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support, recall_score

from src.errors import UserError
from src.evaluation.scoring import (
    METRICS,
    confusion,
    encode,
    headline,
    per_class,
    score,
    tail_classes,
    tail_mask,
)

TRUTH = ["a", "a", "a", "a", "b", "b", "c", "c", "c", "d"]


def approx(*values: str) -> object:
    """Hand-computed fractions as floats."""
    return pytest.approx([float(Fraction(value)) for value in values])


@pytest.mark.parametrize(
    ("predicted", "macro_f1", "tail_recall", "accuracy", "balanced_accuracy", "micro"),
    [
        pytest.param(TRUTH, "1", "1", "1", "1", "1", id="all-right"),
        # a 3/4 (tp 3, fp 1, fn 1); b 1/2 (1, 1, 1); c 4/7 (2, 2, 1); d 0 (0, 0, 1)
        # recalls 3/4, 1/2, 2/3, 0; one of the three rows of b and d is correct
        pytest.param(
            ["a", "a", "a", "b", "b", "c", "c", "c", "a", "c"],
            "51/112",
            "1/4",
            "3/5",
            "23/48",
            "1/3",
            id="mixed-up",
        ),
        # a 6/7 (3, 0, 1); b 1; c 1; d 1
        pytest.param(
            ["a", "a", "a", None, *TRUTH[4:]],
            *("27/28", "1", "9/10", "15/16", "1"),
            id="none-is-an-error",
        ),
        pytest.param(
            ["a", "a", "a", "", *TRUTH[4:]],
            *("27/28", "1", "9/10", "15/16", "1"),
            id="empty-is-an-error",
        ),
        pytest.param(
            ["a", "a", "a", float("nan"), *TRUTH[4:]],
            *("27/28", "1", "9/10", "15/16", "1"),
            id="nan-is-an-error",
        ),
        pytest.param(
            ["a", "a", "a", "z", *TRUTH[4:]],
            *("27/28", "1", "9/10", "15/16", "1"),
            id="unknown-class-is-an-error",
        ),
        # d is never correct: f1 0, tail recall (1 + 0) / 2, and two of the three tail rows
        pytest.param(
            [*TRUTH[:9], "z"], *("3/4", "1/2", "9/10", "3/4", "2/3"), id="last-tail-row-missed"
        ),
        pytest.param([None] * 10, "0", "0", "0", "0", "0", id="no-prediction-at-all"),
    ],
)
def test_golden_headline_metrics(
    predicted: list[str | None],
    macro_f1: str,
    tail_recall: str,
    accuracy: str,
    balanced_accuracy: str,
    micro: str,
) -> None:
    """Every row counts; the tail classes are b, d and one without test rows."""
    scores = score(TRUTH, predicted, frozenset({"b", "d", "unseen"}))
    assert list(astuple(scores)) == approx(
        macro_f1, tail_recall, accuracy, balanced_accuracy, micro
    )


def test_metric_names() -> None:
    """The names of the metrics, in the order of `headline`."""
    expected = "macro_f1 tail_recall accuracy balanced_accuracy tail_recall_micro"
    assert list(METRICS) == expected.split()


def test_absent_classes_are_not_averaged() -> None:
    """A class with train rows but without test rows does not affect the mean."""
    scores = score(["a", "b"], ["a", "b"], frozenset({"b", "unseen"}))
    assert (scores.macro_f1, scores.tail_recall) == (1, 1)


def test_golden_per_class() -> None:
    """One row per class with test rows; precision is 0 if the class is never predicted."""
    table = per_class(TRUTH, ["a", "a", "a", "b", "b", "c", "c", "c", "a", None])
    expected = pd.DataFrame(
        {
            "label": ["a", "b", "c", "d"],
            "precision": [3 / 4, 1 / 2, 2 / 3, 0],
            "recall": [3 / 4, 1 / 2, 2 / 3, 0],
            "f1": [3 / 4, 1 / 2, 2 / 3, 0],
            "support": [4, 2, 3, 1],
        }
    )
    pd.testing.assert_frame_equal(table, expected)


def test_golden_confusion() -> None:
    """Rows sum to the support; other classes and missing predictions have their own columns."""
    table = confusion(["b", "a", "a", "b"], ["a", "a", "z", None])
    assert table.index.tolist() == ["a", "b"]
    assert table.columns.tolist() == ["a", "b", "z", "(no prediction)"]
    assert table.to_numpy().tolist() == [[1, 0, 1, 0], [1, 0, 0, 1]]
    assert (table.index.name, table.columns.name) == ("true", "predicted")


def test_confusion_of_correct_predictions_is_square() -> None:
    """There are no columns for other classes or missing predictions."""
    table = confusion(["b", "a"], np.array(["b", "a"]))
    assert table.columns.tolist() == ["a", "b"]
    assert table.to_numpy().tolist() == [[1, 0], [0, 1]]


def test_tail_classes_are_counted_in_train() -> None:
    """Classes with at most the given number of train rows."""
    assert tail_classes(["a"] * 3 + ["b"] * 2 + ["c"], 2) == {"b", "c"}


def test_a_tail_without_test_rows_is_an_error() -> None:
    """The error names the setting."""
    with pytest.raises(UserError, match=r"none of the 1 classes .* evaluate\.tail_max_support"):
        score(["a"], ["a"], frozenset({"unseen"}))


@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        pytest.param(["a", "b"], ["a"], "1 predictions for 2 rows", id="too-few"),
        pytest.param(["a", ""], ["a", "a"], "true label is missing", id="no-label"),
    ],
)
def test_unequal_lengths_are_an_error(truth: list[str], predicted: list[str], message: str) -> None:
    """Rows are never dropped to make lengths equal."""
    with pytest.raises(ValueError, match=message):
        encode(truth, predicted)


def test_encode_gives_other_predictions_the_last_code() -> None:
    """Classes are sorted; predictions that are none of them share one code."""
    coded = encode(["b", "a", "b"], ["a", "z", None])
    assert coded.classes == ("a", "b")
    assert coded.truth.tolist() == [1, 0, 1]
    assert coded.predicted.tolist() == [0, 2, 2]


LABELS = st.sampled_from("abcd")
PAIRS = st.lists(st.tuples(LABELS, st.sampled_from([*"abcdez", "", None])), min_size=1, max_size=40)


@settings(deadline=None)
@given(PAIRS)
def test_scores_agree_with_scikit_learn(pairs: list[tuple[str, str | None]]) -> None:
    """With a placeholder for missing predictions, and `labels=` the classes with test rows."""
    truth, predicted = zip(*pairs, strict=True)
    classes = sorted(set(truth))
    tail = sorted({"a", "b"} & set(truth))
    assume(tail)
    predictions = [prediction or "missing" for prediction in predicted]
    scores = score(truth, predicted, frozenset("ab"))
    macro = {"average": "macro", "zero_division": 0}
    assert scores.macro_f1 == pytest.approx(f1_score(truth, predictions, labels=classes, **macro))
    assert scores.tail_recall == pytest.approx(
        recall_score(truth, predictions, labels=tail, **macro)
    )
    assert scores.accuracy == pytest.approx(accuracy_score(truth, predictions))
    recalls = recall_score(truth, predictions, labels=classes, **macro)
    assert scores.balanced_accuracy == pytest.approx(recalls)
    micro = recall_score(truth, predictions, labels=tail, average="micro", zero_division=0)
    assert scores.tail_recall_micro == pytest.approx(micro)
    table = per_class(truth, predicted)[["precision", "recall", "f1", "support"]]
    expected = precision_recall_fscore_support(truth, predictions, labels=classes, zero_division=0)
    np.testing.assert_allclose(table.to_numpy().T, np.array(expected))
    assert confusion(truth, predicted).sum(axis=1).tolist() == table["support"].tolist()


@settings(deadline=None)
@given(PAIRS, st.data())
def test_a_weight_equals_repeated_rows(
    pairs: list[tuple[str, str | None]], data: st.DataObject
) -> None:
    """Weighted scores equal those of repeated rows; classes of weight 0 are left out."""
    weights = data.draw(st.lists(st.integers(0, 3), min_size=len(pairs), max_size=len(pairs)))
    written_out = [pair for pair, times in zip(pairs, weights, strict=True) for _ in range(times)]
    assume(any(label == "a" for label, _ in written_out))
    coded, plain = (encode(*map(list, zip(*rows, strict=True))) for rows in (pairs, written_out))
    weighted = headline(coded, tail_mask(coded.classes, {"a"}), np.array(weights, dtype=float))
    np.testing.assert_allclose(weighted, headline(plain, tail_mask(plain.classes, {"a"})))
