"""Stage balance: merge real rows and accepted samples into one train set.

python -m src.stages.balance
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from src.cli import stage
from src.config.data import DataParams
from src.config.load import load
from src.config.plan import PlanParams
from src.data.schema import load_splits
from src.files import write_csv
from src.paths import ACCEPTED, BALANCED, METRICS, PLAN
from src.planning.plan import read_plan
from src.records.json_files import write_record
from src.records.samples import read_screened
from src.reporting.tracking import track
from src.training.balance import balance_metrics, merge, staying, within_head_cap

log = logging.getLogger(__name__)


@stage
def main(
    accepted: Annotated[Path, typer.Option(help="samples that the gate accepted")] = ACCEPTED,
    plan: Annotated[Path, typer.Option(help="the plan written by analyze")] = PLAN,
    out: Annotated[Path, typer.Option(help="where the balanced train set goes")] = BALANCED,
    metrics: Annotated[Path, typer.Option(help="folder for balance.json")] = METRICS,
) -> None:
    """Write train_balanced.csv and metrics/balance.json."""
    data = load(DataParams)
    planning = load(PlanParams)
    classes = read_plan(plan).classes
    real = within_head_cap(load_splits(data).train, staying(classes), data.turn_separator)
    merged = merge(real, read_screened(accepted), classes, data)
    write_csv(out, merged)
    found = balance_metrics(merged, classes, data.label_name_column, planning)
    write_record(metrics / "balance.json", found)
    log.info(
        "balance: %d rows, %.1f %% synthetic; Gini %.3f -> %.3f; shortfall %d",
        *(found.rows, 100 * found.synthetic_share),
        *(found.gini.before, found.gini.after, found.shortfall),
    )
    if found.dropped:
        log.info("balance: plan.head_cap removed %d real rows", found.dropped)
    track("balance", metrics=metrics, train=out)


if __name__ == "__main__":
    typer.run(main)
