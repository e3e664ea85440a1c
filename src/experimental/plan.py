"""The plan by dev errors, for `plan.policy: error_driven`.

    plan = follow(plan, train, dev, read_rounds(ROUNDS), params.plan, params.baseline, tail)

This is experimental and not better than the uniform plan beyond noise, see `errors`.
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
from src.planning.strategies import bounds_of
from src.records.rounds import Round
from src.training.rows import TrainingRows
from src.training.train import dev_predictions

log = logging.getLogger(__name__)

LARGEST = 2  # a class is filled up to at most this many times target_per_class


def follow(
    plan: Plan,
    train: pd.DataFrame,
    dev: pd.DataFrame,
    rounds: Sequence[Round],
    params: PlanParams,
    baseline: BaselineParams,
    tail: frozenset[str],
) -> Plan:
    """Return the plan and its neighbours by dev errors, of the last kept round or of real rows.

    Args:
        plan: plan by class size, from `planning.analysis.make_plan`.
        train: train rows (text, label), texts without turn separators.
        dev: dev rows, the same columns.
        rounds: earlier rounds, oldest first.
        params: settings of the plan.
        baseline: settings of the classifier whose errors count.
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
    # After a miss the budget grows: the samples of that round exist already, and more of them may
    # show a difference that fewer did not.
    budget = 0 if stopped else step * (1 + misses(rounds, real))
    if stopped:
        log.info("analyze: round %d was no better on dev; keeping the last kept round", len(rounds))
    followed = follow_errors(
        plan.classes,
        bounds_of(counts, params),
        recalls[-1],
        budget=budget,
        largest=LARGEST * params.target_per_class,
        before=kept[-1].samples if kept else {},
        gained=gained,
    )
    return Plan.of(followed, plan.keywords, taken_for(truth, predictions[-1], plan.neighbours))
