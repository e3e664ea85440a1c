"""Tables of metrics/plots, computed by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from src.evaluation.tables import learning_curve, plot_tables
from src.records.interval import Interval
from src.records.metrics.balance import ClassBalance
from src.records.metrics.choose import Tried

TRUTH = pd.Series(["rare", "b", "b", "a", "a", "a"])
BEFORE = np.array(["b", "b", "b", "a", "a", "a"])
AFTER = np.array(["rare", "b", "b", "rare", "a", "a"])
COUNTS = {
    "rare": ClassBalance(real=1, dropped=0, synthetic=9, target=10, shortfall=0),
    "a": ClassBalance(real=30, dropped=5, synthetic=0, target=30, shortfall=0),
    "b": ClassBalance(real=30, dropped=0, synthetic=2, target=40, shortfall=8),
    "unseen": ClassBalance(real=2, dropped=0, synthetic=8, target=10, shortfall=0),
}


def test_plots_have_one_row_per_class_with_test_rows() -> None:
    """Largest train class first, then by name; recall and F1 before and after."""
    tables = plot_tables(TRUTH, BEFORE, AFTER, COUNTS)
    assert list(tables) == ["class_counts", "recall", "confusion_before", "confusion_after"]
    assert tables["class_counts"].to_csv(index=False, lineterminator="\n") == (
        "label,before,after\na,30,30\nb,30,32\nrare,1,10\n"
    )
    assert tables["recall"].to_csv(index=False, lineterminator="\n") == (
        "label,support,train_rows,synthetic_rows,recall_before,recall_after,f1_before,f1_after\n"
        "a,3,30,0,1.0,0.666667,1.0,0.8\n"
        "b,2,30,2,1.0,1.0,0.8,1.0\n"
        "rare,1,1,9,0.0,1.0,0.0,0.666667\n"
    )
    for name, predicted in (("before", BEFORE), ("after", AFTER)):
        pairs = tables[f"confusion_{name}"]
        assert pairs["actual"].tolist() == TRUTH.tolist()
        assert pairs["predicted"].tolist() == predicted.tolist()


def test_the_learning_curve_has_one_row_per_choice() -> None:
    """In order, with both metrics and their intervals, rounded to six digits."""
    tried = Tried(5, True, 0.5, False, Interval(1 / 3, 0.25, 0.5), Interval(0.5, 0.0, 2 / 3))
    assert learning_curve([tried, tried]).to_csv(index=False, lineterminator="\n") == (
        "samples_per_class,class_weight,sample_weight,by_quality,macro_f1,macro_f1_low,"
        "macro_f1_high,tail_recall,tail_recall_low,tail_recall_high\n"
        + 2
        * "5,True,0.5,False,0.333333,0.25,0.5,0.5,0.0,0.666667\n"
    )
