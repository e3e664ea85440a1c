"""Stage analyze: how unequal the classes are, what each needs, which words mark it.

python -m src.stages.analyze
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from src.cli import command
from src.config.params import Params, load_params
from src.data.schema import load_splits
from src.experimental.errors import follow_errors, recall_by_class, taken_for
from src.experimental.rounds import Round, has_stopped, misses, read_rounds
from src.files import write_csv, write_json
from src.paths import METRICS, PLAN, ROUNDS
from src.planning.imbalance import measure
from src.planning.keywords import mine_keywords
from src.planning.neighbours import nearest_classes
from src.planning.plan import KEYWORD_JOINER
from src.planning.strategies import gini_goal, plan_classes, room_of
from src.stages.rows import dev_predictions, with_plain_text

log = logging.getLogger(__name__)

LARGEST = 2  # times target_per_class: no class is filled up further, however much it errs


@command
def main(
    out: Annotated[Path, typer.Option(help="the plan, one row a class")] = PLAN,
    metrics: Annotated[Path, typer.Option(help="folder for analyze.json")] = METRICS,
    rounds: Annotated[Path, typer.Option(help="what earlier rounds came to")] = ROUNDS,
) -> None:
    """Write the plan and metrics/analyze.json."""
    params = load_params()
    splits = load_splits(params.data)
    train = with_plain_text(splits.train, params.data)
    plan = plan_classes(train["label"], params.plan)
    words = mine_keywords(
        train["text"], train["label"], params.data.language, params.plan.keywords_per_class
    )
    near = nearest_classes(train["text"], train["label"])
    if params.plan.policy == "error_driven":
        dev = with_plain_text(splits.dev, params.data)
        plan, near = _follow_errors(plan, near, train, dev, read_rounds(rounds), params)
    plan = plan.assign(
        keywords=[KEYWORD_JOINER.join(words[label]) for label in plan["label"]],
        neighbours=[json.dumps(near[label], ensure_ascii=False) for label in plan["label"]],
    )
    write_csv(out, plan)
    imbalance = measure(train["label"])
    goal = gini_goal(plan, params.plan)
    write_json(
        metrics / "analyze.json",
        {
            **imbalance.as_dict(),
            "minority_classes": int((plan["tier"] != "majority").sum()),
            "ultra_minority_classes": int((plan["tier"] == "ultra").sum()),
            "needed": int(plan["needed"].sum()),
            **({"target_gini": asdict(goal)} if goal else {}),
        },
    )
    log.info(
        "analyze: %d rows in %d classes, Gini %.3f; %d samples needed",
        imbalance.rows,
        imbalance.classes,
        imbalance.gini,
        plan["needed"].sum(),
    )
    if goal and goal.missed:
        log.warning(
            "analyze: plan.target_gini %g cannot be reached: %.4f is the lowest that "
            "max_synthetic_share, max_synthetic_total and overrides allow, and is planned; "
            "raise one of them or target_gini",
            goal.wanted,
            goal.reachable,
        )


def _follow_errors(
    plan: pd.DataFrame,
    near: dict[str, tuple[str, ...]],
    train: pd.DataFrame,
    dev: pd.DataFrame,
    rounds: list[Round],
    params: Params,
) -> tuple[pd.DataFrame, dict[str, tuple[str, ...]]]:
    """The plan and the neighbours by the errors on dev, of the last round or of real rows alone."""
    counts = plan.set_index("label")["support"]
    truth, classes = dev["label"].tolist(), counts.index.tolist()
    kept = [one for one in rounds if one.kept]
    real_alone = dev_predictions("class_weight", train, pd.DataFrame(), dev, params)
    said = [real_alone, *(one.said_on(truth) for one in kept)]
    recalls = [recall_by_class(classes, truth, one) for one in said]
    before = kept[-1].samples if kept else {}
    gained = {c: recalls[-1][c] - recalls[-2][c] for c in classes} if kept else None
    real = {str(label): int(rows) for label, rows in counts.items()}
    stopped = has_stopped(rounds, real, params.plan.patience)
    step = params.plan.round_samples or int(plan["needed"].sum())
    # The samples of a round that was no better are there: twice as many may show what half did not.
    budget = 0 if stopped else step * (1 + misses(rounds, real))
    if stopped:
        log.info("analyze: round %d was no better on dev: the last kept one stays", len(rounds))
    plan = follow_errors(
        plan,
        room_of(counts, params.plan),
        recalls[-1],
        budget=budget,
        largest=LARGEST * params.plan.target_per_class,
        before=before,
        gained=gained,
    )
    return plan, taken_for(truth, said[-1], near)


if __name__ == "__main__":
    typer.run(main)
