"""Stage analyze: class imbalance, the samples that each class needs, and its keywords.

python -m src.stages.analyze
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from src.cli import stage
from src.config.baseline import BaselineParams
from src.config.data import DataParams
from src.config.evaluate import EvaluateParams
from src.config.load import load
from src.config.plan import PlanParams
from src.data.schema import load_splits, with_plain_text
from src.evaluation.scoring import tail_classes
from src.experimental.plan import follow
from src.experimental.rounds import read_rounds
from src.paths import METRICS, PLAN, ROUNDS
from src.planning.analysis import analyze_metrics, make_plan
from src.planning.plan import write_plan
from src.records.json_files import write_record

log = logging.getLogger(__name__)


@stage
def main(
    out: Annotated[Path, typer.Option(help="where the plan goes, one row per class")] = PLAN,
    metrics: Annotated[Path, typer.Option(help="folder for analyze.json")] = METRICS,
    rounds: Annotated[Path, typer.Option(help="folder of earlier rounds")] = ROUNDS,
) -> None:
    """Write the plan and metrics/analyze.json."""
    data = load(DataParams)
    planning = load(PlanParams)
    splits = load_splits(data)
    train = with_plain_text(splits.train, data)
    plan = make_plan(train, planning, data.language)
    if planning.policy == "error_driven":
        baseline = load(BaselineParams)
        evaluate = load(EvaluateParams)
        tail = tail_classes(train["label"], evaluate.tail_max_support)
        dev = with_plain_text(splits.dev, data)
        plan = follow(plan, train, dev, read_rounds(rounds), planning, baseline, tail)
    write_plan(out, plan)
    found = analyze_metrics(train["label"], plan, planning)
    write_record(metrics / "analyze.json", found)
    log.info(
        "analyze: %d rows in %d classes, Gini %.3f; %d samples needed",
        *(found.rows, found.classes, found.gini, found.needed),
    )
    if found.target_gini and found.target_gini.missed:
        log.warning(
            "analyze: plan.target_gini is %g, but max_synthetic_share, max_synthetic_total and "
            "overrides allow no less than %.4f, which is planned instead; raise one of them or "
            "target_gini",
            *(found.target_gini.wanted, found.target_gini.reachable),
        )


if __name__ == "__main__":
    typer.run(main)
