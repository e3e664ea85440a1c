"""Stage balance: real rows and accepted samples as one train set.

python -m src.stages.balance
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from src.cli import command
from src.config.embedding import EmbeddingParams
from src.config.params import load_params
from src.data.dialogue import plain
from src.data.schema import load_splits
from src.files import read_jsonl, write_csv, write_json
from src.paths import ACCEPTED, BALANCED, METRICS, PLAN
from src.planning.plan import read_plan
from src.reporting.tracking import track
from src.training.balance import balance_metrics, merge, staying

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
    real = within_head_cap(train, staying(classes), params.data.turn_separator)
    merged = merge(real, read_jsonl(accepted), classes, params.data)
    write_csv(out, merged)
    result = balance_metrics(merged, classes, params.data.label_name_column, params.plan)
    write_json(metrics / "balance.json", result)
    log.info(
        "balance: %d rows, %.1f %% synthetic; Gini %.3f -> %.3f; shortfall %d",
        result["rows"],
        100 * result["synthetic_share"],
        result["gini"]["before"],
        result["gini"]["after"],
        result["shortfall"],
    )
    if result["dropped"]:
        log.info("balance: plan.head_cap dropped %d real rows", result["dropped"])
    track("balance", metrics=metrics, train=out)


def within_head_cap(
    train: pd.DataFrame, staying: Mapping[str, int], separator: str | None
) -> pd.DataFrame:
    """The rows that stay, in their order: of a class with too many those that cover it best.

    Rows are compared by character n-grams, whatever `embedding` says, so that none of them leaves
    this machine to be dropped. 2,000 rows of 400 characters take some seconds; the similarity of
    all pairs is held in memory, 4 bytes each.

    Args:
        train: columns text and label.
        staying: how many rows of each class stay.
        separator: between turns of a text.
    """
    from src.gate.embedding import embed
    from src.gate.selection import select

    dropped: list[int] = []
    for label, rows in train.groupby("label", sort=False):
        size = staying[str(label)]
        if size < len(rows):
            texts = [plain(text, separator) for text in rows["text"]]
            vectors = embed(texts, EmbeddingParams())
            kept = select(vectors, np.zeros(len(rows)), size, trade=1.0)
            dropped += rows.index.delete(kept).tolist()
    return train.drop(index=dropped)


if __name__ == "__main__":
    typer.run(main)
