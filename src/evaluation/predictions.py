"""Predictions of the arms: one CSV an arm, columns split, row_id, and seed_0, seed_1 and so on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from src.config.arms import Arm
from src.errors import UserError

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
