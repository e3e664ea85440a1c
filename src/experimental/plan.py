"""The plan by the errors on dev, for `plan.policy: error_driven`.

    plan = follow(plan, train, dev, read_rounds(ROUNDS), params.plan, params.baseline, tail)

An experiment that brings nothing beyond noise, see `errors`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pandas as pd

from src.config.baseline import BaselineParams
from src.config.plan import PlanParams
from src.experimental.errors import follow_errors, recall_by_class, taken_for
from src.experimental.rounds import has_stopped, misses
from src.planning.plan import Plan
from src.planning.strategies import room_of
from src.records.rounds import Round
from src.training.rows import TrainingRows
from src.training.train import dev_predictions

log = logging.getLogger(__name__)

LARGEST = 2  # times target_per_class: no class is filled up further, however much it errs


def follow(
    plan: Plan,
    train: pd.DataFrame,
    dev: pd.DataFrame,
    rounds: Sequence[Round],
    params: PlanParams,
    baseline: BaselineParams,
    tail: frozenset[str],
) -> Plan:
    """The plan and its neighbours by the errors on dev, of the last round or of real rows alone.

    Args:
        plan: by size alone, from `planning.analysis.make_plan`.
        train: rows (text, label), texts without turn separators.
        dev: the same of dev.
        rounds: that were played, the first one first.
        params: the settings of the plan.
        baseline: the classifier that errs.
        tail: tail classes.

    Raises:
        UserError: a round was scored on other dev rows.
    """
    counts = plan.classes.set_index("label")["support"]
    truth, classes = dev["label"].tolist(), counts.index.tolist()
    kept = [one for one in rounds if one.kept]
    real_alone = dev_predictions("class_weight", TrainingRows(train, train), dev, baseline, tail)
    predictions = [real_alone, *(one.predictions_on(truth) for one in kept)]
    recalls = [recall_by_class(classes, truth, one) for one in predictions]
    gained = {c: recalls[-1][c] - recalls[-2][c] for c in classes} if kept else None
    real = {str(label): int(rows) for label, rows in counts.items()}
    stopped = has_stopped(rounds, real, params.patience)
    step = params.round_samples or int(plan.classes["needed"].sum())
    # The samples of a round that was no better are there: twice as many may show what half did not.
    budget = 0 if stopped else step * (1 + misses(rounds, real))
    if stopped:
        log.info("analyze: round %d was no better on dev: the last kept one stays", len(rounds))
    followed = follow_errors(
        plan.classes,
        room_of(counts, params),
        recalls[-1],
        budget=budget,
        largest=LARGEST * params.target_per_class,
        before=kept[-1].samples if kept else {},
        gained=gained,
    )
    return Plan.of(followed, plan.keywords, taken_for(truth, predictions[-1], plan.neighbours))
