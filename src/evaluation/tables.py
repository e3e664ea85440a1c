"""Tables of an evaluation for metrics/plots/*.csv and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import pandas as pd

from src.evaluation.scoring import per_class
from src.records.metrics.balance import ClassBalance
from src.records.metrics.choose import Tried

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DIGITS = 6
SHOWN: tuple[Literal["macro_f1", "tail_recall"], ...] = ("macro_f1", "tail_recall")


def class_table(
    truth: pd.Series[str],
    before: NDArray[np.str_],
    after: NDArray[np.str_],
    counts: Mapping[str, ClassBalance],
) -> pd.DataFrame:
    """Return one row per class with test rows, largest train class first.

    Args:
        truth: class of each test row.
        before: predictions of the method `original`.
        after: predictions of ours.
        counts: rows of each class, from metrics/balance.json.

    Returns:
        columns label, support (test rows), train_rows, synthetic_rows, recall_before, recall_after,
        f1_before, f1_after.
    """
    old, new = (per_class(truth, predicted).set_index("label") for predicted in (before, after))
    table = old[["support"]].assign(
        train_rows=[counts[label].real for label in old.index],
        synthetic_rows=[counts[label].synthetic for label in old.index],
        recall_before=old["recall"],
        recall_after=new["recall"],
        f1_before=old["f1"],
        f1_after=new["f1"],
    )
    return table.reset_index().sort_values(
        ["train_rows", "label"], ascending=[False, True], ignore_index=True
    )


def class_counts(table: pd.DataFrame) -> pd.DataFrame:
    """Return the train rows of each class: label, before (real rows), after (with samples).

    Args:
        table: from `class_table`.
    """
    after = table["train_rows"] + table["synthetic_rows"]
    return table[["label"]].assign(before=table["train_rows"], after=after)


def pairs(truth: pd.Series[str], predicted: NDArray[np.str_]) -> pd.DataFrame:
    """Return the actual and the predicted class of each test row."""
    return pd.DataFrame({"actual": truth.to_numpy(), "predicted": predicted})


def plot_tables(
    truth: pd.Series[str],
    before: NDArray[np.str_],
    after: NDArray[np.str_],
    counts: Mapping[str, ClassBalance],
) -> dict[str, pd.DataFrame]:
    """Return name -> table for metrics/plots; arguments as in `class_table`."""
    table = class_table(truth, before, after, counts)
    return {
        "class_counts": class_counts(table),
        "recall": table.round(DIGITS),
        "confusion_before": pairs(truth, before),
        "confusion_after": pairs(truth, after),
    }


def learning_curve(curve: Sequence[Tried]) -> pd.DataFrame:
    """Return one row per choice that was tried on dev, in order.

    Columns samples_per_class, class_weight, sample_weight, by_quality, and value, low and high of
    macro_f1 and tail_recall (macro_f1, macro_f1_low, macro_f1_high, ...).
    """
    return pd.DataFrame(
        [
            {
                "samples_per_class": one.samples_per_class,
                "class_weight": one.class_weight,
                "sample_weight": one.sample_weight,
                "by_quality": one.by_quality,
                **{
                    f"{metric}{end}": round(value, DIGITS)
                    for metric in SHOWN
                    for interval in [getattr(one, metric)]
                    for end, value in (
                        ("", interval.value),
                        ("_low", interval.low),
                        ("_high", interval.high),
                    )
                },
            }
            for one in curve
        ]
    )
