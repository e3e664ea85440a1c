"""Files of predictions: one CSV per method, columns split, row_id, seed_0, seed_1, ..."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from src.config.methods import Method
from src.data.schema import Splits
from src.errors import UserError
from src.files import write_csv

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Predictions = dict[Method, list[NDArray[np.str_]]]


def read_predictions(
    folder: Path, split: Literal["dev", "test"], rows: pd.DataFrame, methods: Sequence[Method]
) -> Predictions:
    """Read, for each method, one array of predicted classes per seed, in the order of the rows.

    Args:
        folder: folder of the files <method>.csv.
        split: the split to read.
        rows: rows of that split, with the column row_id.
        methods: methods to read.

    Raises:
        UserError: a method's file is missing, or was written for other rows.
    """
    found: Predictions = {}
    for method in methods:
        path = folder / f"{method}.csv"
        try:
            predicted = pd.read_csv(path, dtype=str, keep_default_na=False)
        except FileNotFoundError:
            raise UserError(f"{path} not found; run `dvc repro` to train the method") from None
        mine = predicted[predicted["split"] == split]
        if mine["row_id"].tolist() != rows["row_id"].tolist():
            raise UserError(f"{path} has other {split} rows; run `dvc repro` to train it again")
        seeds = [column for column in predicted.columns if column.startswith("seed_")]
        found[method] = [mine[seed].to_numpy(dtype=str) for seed in seeds]
    return found


def write_predictions(path: Path, splits: Splits, predictions: Sequence[NDArray[np.str_]]) -> None:
    """Write the predictions of one method.

    Args:
        path: the file <method>.csv.
        splits: dev and test rows that were classified.
        predictions: one array per seed, dev rows before test rows.
    """
    held_out = pd.concat(
        [splits.dev.assign(split="dev"), splits.test.assign(split="test")], ignore_index=True
    )
    seeds = {f"seed_{number}": classes for number, classes in enumerate(predictions)}
    write_csv(path, held_out[["split", "row_id"]].assign(**seeds))
