"""Compare all methods on dev and test, and ours with the best free method.

    predictions = read_method_predictions(PREDICTIONS, splits, params.evaluate)
    compare(predictions, balance.per_class, found, params.evaluate, leakage, signature).ours

Dev decides which two methods are compared (`free`, `ours`); test gives their scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from src.config.evaluate import EvaluateParams
from src.config.methods import FREE_METHODS, OUR_METHODS, Method
from src.data.schema import Splits
from src.evaluation.paired import (
    class_changes,
    head_class_regressions,
    mcnemar,
    tail_false_positives,
)
from src.evaluation.predictions import read_predictions
from src.evaluation.scoring import score, tail_classes
from src.evaluation.significance import best_free, bootstrap, resampling
from src.records.metrics.balance import ClassBalance
from src.records.metrics.choose import ChooseMetrics
from src.records.metrics.evaluate import (
    ClassChange,
    EvaluateMetrics,
    FalsePositives,
    LeakageFigures,
    McNemarAgainst,
    Tail,
)
from src.records.scores import Scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from src.evaluation.predictions import Predictions


@dataclass(frozen=True)
class MethodPredictions:
    """Predictions of all methods on dev and test.

    Attributes:
        dev: class of each dev row.
        test: class of each test row.
        on_dev: method -> one array of dev predictions per seed.
        on_test: method -> one array of test predictions per seed.
        tail: tail classes.
    """

    dev: pd.Series[str]
    test: pd.Series[str]
    on_dev: Predictions
    on_test: Predictions
    tail: frozenset[str]

    @cached_property
    def dev_scores(self) -> dict[Method, Scores]:
        """Dev scores of each method, mean over its seeds."""
        return {
            method: mean_scores(self.dev, predicted, self.tail)
            for method, predicted in self.on_dev.items()
        }

    @property
    def free(self) -> Method:
        """The best free method, by dev macro-F1."""
        return best_free({method: scores.macro_f1 for method, scores in self.dev_scores.items()})

    @property
    def ours(self) -> Method:
        """The best method with samples, by dev macro-F1."""
        scored = (method for method in OUR_METHODS if method in self.on_test)
        return max(scored, key=lambda method: self.dev_scores[method].macro_f1)

    def first(self, method: Method) -> NDArray[np.str_]:
        """Return the test predictions of a method's first seed."""
        return self.on_test[method][0]


def read_method_predictions(
    folder: Path, splits: Splits, evaluate: EvaluateParams
) -> MethodPredictions:
    """Read the predictions of all methods in `evaluate.methods`.

    Raises:
        UserError: see `read_predictions`.
    """
    return MethodPredictions(
        dev=splits.dev["label"],
        test=splits.test["label"],
        on_dev=read_predictions(folder, "dev", splits.dev, evaluate.methods),
        on_test=read_predictions(folder, "test", splits.test, evaluate.methods),
        tail=tail_classes(splits.train["label"], evaluate.tail_max_support),
    )


def mean_scores(
    truth: pd.Series[str], seeds: Sequence[NDArray[np.str_]], tail: frozenset[str]
) -> Scores:
    """Return the mean of each metric over the seeds."""
    scores = [astuple(score(truth, predicted, tail)) for predicted in seeds]
    return Scores(*(sum(values) / len(scores) for values in zip(*scores, strict=True)))


def compare(
    predictions: MethodPredictions,
    counts: Mapping[str, ClassBalance],
    found: ChooseMetrics,
    evaluate: EvaluateParams,
    leakage: LeakageFigures,
    signature: str,
) -> EvaluateMetrics:
    """Return the evaluation without its optional parts: detectability, second classifier, rounds.

    Args:
        predictions: predictions of all methods in `evaluate.methods`.
        counts: rows of each class, from metrics/balance.json.
        found: metrics of the stage `choose`.
        evaluate: settings of the intervals.
        leakage: counts of the leakage check.
        signature: from `evaluation.signature`.

    Raises:
        UserError: no tail class has a dev or test row.
    """
    truth, tail, free, ours = predictions.test, predictions.tail, predictions.free, predictions.ours
    draws = bootstrap(truth, predictions.on_test, tail, resampling(evaluate))
    mine, theirs = predictions.first(ours), predictions.first(free)
    changes = class_changes(truth, theirs, mine)
    regressions = head_class_regressions(changes, tail)
    return EvaluateMetrics(
        chosen=found.chosen,
        recommended=found.recommended,
        curve=found.curve,
        per_model=found.per_model,
        methods={method: draws.scores(method) for method in evaluate.methods},
        versus_original={
            method: draws.versus(method, "original")
            for method in evaluate.methods
            if method != "original"
        },
        versus_best_free={
            method: draws.versus(method, free)
            for method in evaluate.methods
            if method not in FREE_METHODS
        },
        best_free=free,
        ours=ours,
        dev=predictions.dev_scores,
        tail=Tail(classes=len(tail), test_rows=int(truth.isin(tail).sum())),
        test_rows=len(truth),
        mcnemar=McNemarAgainst(**asdict(mcnemar(truth, mine, theirs)), against=free),
        per_class=_per_class(changes, counts),
        head_class_regressions=regressions,
        head_class_regressions_count=len(regressions),
        tail_false_positives=FalsePositives(
            ours=tail_false_positives(truth, mine, tail),
            best_free=tail_false_positives(truth, theirs, tail),
        ),
        leakage=leakage,
        signature=signature,
    )


def _per_class(changes: pd.DataFrame, counts: Mapping[str, ClassBalance]) -> dict[str, ClassChange]:
    return {
        row["label"]: ClassChange(
            support=int(row["support"]),
            train_rows=counts[row["label"]].real,
            synthetic_rows=counts[row["label"]].synthetic,
            recall_before=float(row["recall_before"]),
            recall_after=float(row["recall_after"]),
            p=float(row["p"]),
            p_adjusted=float(row["p_adjusted"]),
            measurable=bool(row["measurable"]),
        )
        for row in changes.to_dict("records")
    }
