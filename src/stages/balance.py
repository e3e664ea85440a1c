"""Stage balance: real rows and accepted samples as one train set.

python -m src.stages.balance
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from src.config import command, load_params
from src.data.io import read_jsonl, write_csv, write_json
from src.data.schema import load_splits
from src.planning.balance import balance_metrics, merge
from src.planning.plan import read_plan
from src.reporting.tracking import track
from src.stages.common import flat_numbers, settings
from src.stages.paths import ACCEPTED, BALANCED, METRICS, PLAN

log = logging.getLogger(__name__)


@command
def main(
    accepted: Annotated[Path, typer.Option(help="samples that the gate accepted")] = ACCEPTED,
    plan: Annotated[Path, typer.Option(help="the plan of analyze")] = PLAN,
    out: Annotated[Path, typer.Option(help="where the balanced train set goes")] = BALANCED,
    metrics: Annotated[Path, typer.Option(help="folder for balance.json")] = METRICS,
) -> None:
    """Write train_balanced.csv and metrics/balance.json."""
    params = load_params()
    train = load_splits(params.data).train
    classes = read_plan(plan).classes
    merged = merge(train, read_jsonl(accepted), classes, params.data)
    write_csv(out, merged)
    result = balance_metrics(merged, classes, params.data.label_name_column)
    write_json(metrics / "balance.json", result)
    log.info(
        "balance: %d rows, %.1f %% synthetic; Gini %.3f -> %.3f; shortfall %d",
        result["rows"],
        100 * result["synthetic_share"],
        result["gini"]["before"],
        result["gini"]["after"],
        result["shortfall"],
    )
    numbers = {k: v for k, v in flat_numbers(result).items() if not k.startswith("per_class")}
    track("balance", settings(params, ["plan"]), numbers, dataset=out)


if __name__ == "__main__":
    typer.run(main)
