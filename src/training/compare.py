"""Every method on dev and test, and whether ours beats the best one that needs no samples.

    answers = read_answers(PREDICTIONS, splits, params.evaluate)
    compare(answers, balance.per_class, found, params.evaluate, leakage, signature).versus_best_free

Dev decides which methods are compared (`free`, `ours`); test says how they do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from src.config.arms import FREE_ARMS, OUR_ARMS, Arm
from src.config.evaluate import EvaluateParams
from src.data.schema import Splits
from src.evaluation.paired import class_changes, heads_lost, mcnemar, tail_false_positives
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
class Answers:
    """What every method says of dev and test.

    Attributes:
        dev: class of each dev row.
        test: class of each test row.
        on_dev: of each method one array of predictions a seed.
        on_test: the same of test.
        tail: tail classes.
    """

    dev: pd.Series[str]
    test: pd.Series[str]
    on_dev: Predictions
    on_test: Predictions
    tail: frozenset[str]

    @cached_property
    def dev_scores(self) -> dict[Arm, Scores]:
        """The mean over the seeds."""
        return {arm: mean_scores(self.dev, said, self.tail) for arm, said in self.on_dev.items()}

    @property
    def free(self) -> Arm:
        """The method to beat, by dev macro-F1."""
        return best_free({arm: scores.macro_f1 for arm, scores in self.dev_scores.items()})

    @property
    def ours(self) -> Arm:
        """The method with samples that stands for them, by dev macro-F1."""
        scored = (arm for arm in OUR_ARMS if arm in self.on_test)
        return max(scored, key=lambda arm: self.dev_scores[arm].macro_f1)

    def first(self, arm: Arm) -> NDArray[np.str_]:
        """Test predictions of a method's first seed."""
        return self.on_test[arm][0]


def read_answers(folder: Path, splits: Splits, evaluate: EvaluateParams) -> Answers:
    """The predictions of all methods that are compared.

    Raises:
        UserError: see `read_predictions`.
    """
    return Answers(
        dev=splits.dev["label"],
        test=splits.test["label"],
        on_dev=read_predictions(folder, "dev", splits.dev, evaluate.arms),
        on_test=read_predictions(folder, "test", splits.test, evaluate.arms),
        tail=tail_classes(splits.train["label"], evaluate.tail_max_support),
    )


def mean_scores(
    truth: pd.Series[str], seeds: Sequence[NDArray[np.str_]], tail: frozenset[str]
) -> Scores:
    """Each metric's mean over the seeds."""
    scores = [astuple(score(truth, said, tail)) for said in seeds]
    return Scores(*(sum(values) / len(scores) for values in zip(*scores, strict=True)))


def compare(
    answers: Answers,
    counts: Mapping[str, ClassBalance],
    found: ChooseMetrics,
    evaluate: EvaluateParams,
    leakage: LeakageFigures,
    signature: str,
) -> EvaluateMetrics:
    """The evaluation, without what may be missing: giveaway, second classifier and rounds.

    Args:
        answers: of all methods in `evaluate.arms`.
        counts: rows of each class, from metrics/balance.json.
        found: of `choose`.
        evaluate: how intervals are made.
        leakage: of the samples.
        signature: of `evaluation.signature`.

    Raises:
        UserError: no tail class has a dev or test row.
    """
    truth, tail, free, ours = answers.test, answers.tail, answers.free, answers.ours
    draws = bootstrap(truth, answers.on_test, tail, resampling(evaluate))
    mine, theirs = answers.first(ours), answers.first(free)
    changes = class_changes(truth, theirs, mine)
    lost = heads_lost(changes, tail)
    return EvaluateMetrics(
        chosen=found.chosen,
        recommended=found.recommended,
        curve=found.curve,
        per_model=found.per_model,
        arms={arm: draws.scores(arm) for arm in evaluate.arms},
        versus_original={
            arm: draws.versus(arm, "original") for arm in evaluate.arms if arm != "original"
        },
        versus_best_free={
            arm: draws.versus(arm, free) for arm in evaluate.arms if arm not in FREE_ARMS
        },
        best_free=free,
        ours=ours,
        dev=answers.dev_scores,
        tail=Tail(classes=len(tail), test_rows=int(truth.isin(tail).sum())),
        test_rows=len(truth),
        mcnemar=McNemarAgainst(**asdict(mcnemar(truth, mine, theirs)), against=free),
        per_class=_per_class(changes, counts),
        heads_lost=lost,
        heads_lost_count=len(lost),
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
