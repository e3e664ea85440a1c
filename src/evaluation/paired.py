"""Two classifiers on the same rows: which of them is right where the other is wrong.

    mcnemar(test["label"], ours, best_free)      # McNemar(only_ours_right=91, only_theirs_right=54, p=0.0027)
    changes = class_changes(test["label"], before=best_free, after=ours)
    head_class_regressions(changes, tail)                    # ("办理变更",)

Rows that both hit or both miss say nothing of the difference. Were the two equally good, each of
the other rows would go to either like the toss of a coin (McNemar, Note on the sampling error of
the difference between correlated proportions, Psychometrika 1947), and the binomial distribution
gives the exact p.

This is about two sets of predictions as they are: a method with several seeds enters with one.
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
MIN_ROWS = 5  # of a class


def mcnemar(
    truth: Labels, ours: Predictions, theirs: Predictions, *, mid_p: bool = False
) -> McNemar:
    """McNemar's exact test, two-sided.

    Args:
        truth: class of each row.
        ours: one prediction a row; a missing one is wrong.
        theirs: the same of the other classifier.
        mid_p: half the probability of what was observed is left out on each side, which makes up
            for the exact test's caution, at the price of no guarantee (Fagerland, Lydersen and
            Laake, The McNemar test for binary matched-pairs data: mid-p and asymptotic are better
            than exact conditional, 2013).

    Raises:
        ValueError: there are not as many predictions as labels.
    """
    ours_right, theirs_right = _right(truth, ours), _right(truth, theirs)
    mine = int((ours_right & ~theirs_right).sum())
    others = int((theirs_right & ~ours_right).sum())
    return McNemar(mine, others, binomial_p(mine, others, mid_p=mid_p))


def binomial_p(one: int, other: int, *, mid_p: bool = False) -> float:
    """Two-sided p of so uneven a split of `one + other` tosses of a coin; 1 without a toss."""
    from scipy.stats import binom

    fewer, tosses = min(one, other), one + other
    observed = float(binom.pmf(fewer, tosses, 0.5))
    exact = min(1.0, 2 * float(binom.cdf(fewer, tosses, 0.5)))
    if not mid_p or tosses == 0:
        return exact
    return exact - (observed / 2 if one == other else observed)


def class_changes(truth: Labels, before: Predictions, after: Predictions) -> pd.DataFrame:
    """Whether the recall of each class changed by more than chance: McNemar's exact test a class.

    Columns, one row a class with test rows, sorted by label:
        label, support (test rows), recall_before, recall_after;
        gained, lost: rows that only `after`, or only `before`, has right;
        p: of the class alone;
        measurable: the class has `MIN_ROWS` test rows, and p would be below `ALPHA` if all of
            them changed; of few rows not even that proves anything (five: p = 0.0625);
        p_adjusted: by Holm over the measurable classes, which their number of rows decides and
            not the outcome; 1 for the others, of which nothing is claimed.

    Raises:
        ValueError: there are not as many predictions as labels.
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
    """P values of a family of tests, adjusted, in the order given, shape (tests,).

    The smallest is multiplied by the number of tests, the next by one less, and none may come out
    below one before it (Holm, A simple sequentially rejective multiple test procedure, 1979): the
    chance that any of those below 0.05 is a false alarm is at most 0.05.
    """
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1.0, steps)
    return adjusted


def head_class_regressions(
    changes: pd.DataFrame, tail: AbstractSet[str], alpha: float = ALPHA
) -> tuple[str, ...]:
    """Classes outside the tail whose recall fell by more than chance, sorted.

    Args:
        changes: from `class_changes`.
        tail: tail classes, from `scoring.tail_classes`.
        alpha: adjusted p below which a change is more than chance.
    """
    fell = changes["recall_after"] < changes["recall_before"]
    sure = fell & (changes["p_adjusted"] < alpha) & ~changes["label"].isin(tail)
    return tuple(changes.loc[sure, "label"])


def tail_false_positives(truth: Labels, predicted: Predictions, tail: AbstractSet[str]) -> int:
    """Rows that are called a tail class and are of another class, of the tail or not.

    Tail classes without test rows count as well: calling one is always wrong.

    Raises:
        ValueError: there are not as many predictions as labels.
    """
    claims = pd.Series(list(predicted), dtype=object).isin(tail).to_numpy()
    return int((claims & ~_right(truth, predicted)).sum())


def _right(truth: Labels, predicted: Predictions) -> NDArray[np.bool_]:
    coded = encode(truth, predicted)
    right: NDArray[np.bool_] = coded.truth == coded.predicted
    return right
