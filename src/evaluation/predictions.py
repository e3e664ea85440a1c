"""Predictions of the arms: one CSV an arm, columns split, row_id, and seed_0, seed_1 and so on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from src.config.arms import Arm
from src.data.schema import Splits
from src.errors import UserError
from src.files import write_csv

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Predictions = dict[Arm, list[NDArray[np.str_]]]


def read_predictions(
    folder: Path, split: Literal["dev", "test"], rows: pd.DataFrame, arms: Sequence[Arm]
) -> Predictions:
    """Of each arm one array of predicted classes a seed, in the order of the rows.

    Args:
        folder: of <arm>.csv.
        split: which of its rows.
        rows: of that split, column row_id.
        arms: to read.

    Raises:
        UserError: an arm's file is missing, or is of other rows.
    """
    found: Predictions = {}
    for arm in arms:
        path = folder / f"{arm}.csv"
        try:
            predicted = pd.read_csv(path, dtype=str, keep_default_na=False)
        except FileNotFoundError:
            raise UserError(f"{path} not found; run `dvc repro` to train the arm") from None
        mine = predicted[predicted["split"] == split]
        if mine["row_id"].tolist() != rows["row_id"].tolist():
            raise UserError(f"{path} is of other {split} rows; run `dvc repro` to train it anew")
        seeds = [column for column in predicted.columns if column.startswith("seed_")]
        found[arm] = [mine[seed].to_numpy(dtype=str) for seed in seeds]
    return found


def write_predictions(path: Path, splits: Splits, predictions: Sequence[NDArray[np.str_]]) -> None:
    """Write those of one arm.

    Args:
        path: <arm>.csv.
        splits: of which dev and test were predicted.
        predictions: one array a seed, the rows of dev before those of test.
    """
    held_out = pd.concat(
        [splits.dev.assign(split="dev"), splits.test.assign(split="test")], ignore_index=True
    )
    seeds = {f"seed_{number}": said for number, said in enumerate(predictions)}
    write_csv(path, held_out[["split", "row_id"]].assign(**seeds))
