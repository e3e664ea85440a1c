"""Paired tests of two classifiers on the same rows.

    mcnemar(test["label"], ours, best_free)
    # McNemar(only_ours_right=91, only_theirs_right=54, p=0.0027)
    changes = class_changes(test["label"], before=best_free, after=ours)
    head_class_regressions(changes, tail)  # ("办理变更",)

Rows that both classify correctly, or both wrongly, say nothing about the difference. If both were
equally good, each of the other rows would be a fair coin toss (McNemar, Note on the sampling error
of the difference between correlated proportions, Psychometrika 1947), and the binomial distribution
gives the exact p.

The tests compare two sets of predictions; a method with several seeds enters with one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.evaluation.scoring import Floats, encode
from src.records.metrics.evaluate import McNemar

if TYPE_CHECKING:
    Labels = Sequence[str] | pd.Series[str]
    Predictions = Sequence[str | None] | NDArray[np.str_]

ALPHA = 0.05
MIN_ROWS = 5  # test rows of a class


def mcnemar(
    truth: Labels, ours: Predictions, theirs: Predictions, *, mid_p: bool = False
) -> McNemar:
    """Run McNemar's exact test, two-sided.

    Args:
        truth: class of each row.
        ours: one prediction per row; a missing one is wrong.
        theirs: predictions of the other classifier, in the same order.
        mid_p: subtract half the probability of the observed outcome on each side. This makes the
            test less conservative, but it no longer guarantees its level (Fagerland, Lydersen and
            Laake, The McNemar test for binary matched-pairs data: mid-p and asymptotic are better
            than exact conditional, 2013).

    Raises:
        ValueError: the numbers of predictions and labels differ.
    """
    ours_right, theirs_right = _right(truth, ours), _right(truth, theirs)
    mine = int((ours_right & ~theirs_right).sum())
    others = int((theirs_right & ~ours_right).sum())
    return McNemar(mine, others, binomial_p(mine, others, mid_p=mid_p))


def binomial_p(one: int, other: int, *, mid_p: bool = False) -> float:
    """Return the two-sided p of a split of `one + other` fair coin tosses; 1 without a toss."""
    from scipy.stats import binom

    fewer, tosses = min(one, other), one + other
    observed = float(binom.pmf(fewer, tosses, 0.5))
    exact = min(1.0, 2 * float(binom.cdf(fewer, tosses, 0.5)))
    if not mid_p or tosses == 0:
        return exact
    return exact - (observed / 2 if one == other else observed)


def class_changes(truth: Labels, before: Predictions, after: Predictions) -> pd.DataFrame:
    """Test per class whether recall changed by more than chance, with McNemar's exact test.

    Columns, one row per class with test rows, sorted by label:
        label, support (test rows), recall_before, recall_after;
        gained, lost: rows that only `after`, or only `before`, predicts correctly;
        p: p-value of the class alone;
        measurable: the class has at least `MIN_ROWS` test rows, and p would be below `ALPHA` if
            all of them changed; with five rows not even that is significant (p = 0.0625);
        p_adjusted: p after Holm's correction over the measurable classes, which are determined by
            the number of rows and not by the outcome; 1 for other classes, about which no claim is
            made.

    Raises:
        ValueError: the numbers of predictions and labels differ.
    """
    coded = encode(truth, before)
    old, new = coded.truth == coded.predicted, _right(truth, after)
    size = len(coded.classes)

    def count(rows: NDArray[np.bool_]) -> NDArray[np.intp]:
        return np.bincount(coded.truth[rows], minlength=size)

    support, gained, lost = count(np.ones_like(old)), count(new & ~old), count(old & ~new)
    p = np.array([binomial_p(int(g), int(n)) for g, n in zip(gained, lost, strict=True)])
    measurable = np.array([n >= MIN_ROWS and binomial_p(int(n), 0) < ALPHA for n in support])
    adjusted = np.ones(size)
    adjusted[measurable] = holm(p[measurable])
    return pd.DataFrame(
        {
            "label": coded.classes,
            "support": support,
            "recall_before": count(old) / support,
            "recall_after": count(new) / support,
            "gained": gained,
            "lost": lost,
            "p": p,
            "measurable": measurable,
            "p_adjusted": adjusted,
        }
    )


def holm(p: Floats) -> Floats:
    """Return the Holm-adjusted p-values of a family of tests, in the same order, shape (tests,).

    The smallest p is multiplied by the number of tests, the next by one less, and so on. No
    adjusted p is below the one before it (Holm, A simple sequentially rejective multiple test
    procedure, 1979). The chance of any false alarm among those below 0.05 is at most 0.05.
    """
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1.0, steps)
    return adjusted


def head_class_regressions(
    changes: pd.DataFrame, tail: AbstractSet[str], alpha: float = ALPHA
) -> tuple[str, ...]:
    """Return the classes outside the tail whose recall fell by more than chance, sorted.

    Args:
        changes: from `class_changes`.
        tail: tail classes, from `scoring.tail_classes`.
        alpha: a change is more than chance if its adjusted p is below this.
    """
    fell = changes["recall_after"] < changes["recall_before"]
    sure = fell & (changes["p_adjusted"] < alpha) & ~changes["label"].isin(tail)
    return tuple(changes.loc[sure, "label"])


def tail_false_positives(truth: Labels, predicted: Predictions, tail: AbstractSet[str]) -> int:
    """Count rows for which a tail class is predicted although they are of another class.

    The true class may be a tail class, too. Predicting a tail class without test rows also counts.

    Raises:
        ValueError: the numbers of predictions and labels differ.
    """
    claims = pd.Series(list(predicted), dtype=object).isin(tail).to_numpy()
    return int((claims & ~_right(truth, predicted)).sum())


def _right(truth: Labels, predicted: Predictions) -> NDArray[np.bool_]:
    coded = encode(truth, predicted)
    right: NDArray[np.bool_] = coded.truth == coded.predicted
    return right
