"""Predictions of the methods: one CSV a method, columns split, row_id, and seed_0, seed_1 and so on."""

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
    """Of each method one array of predicted classes a seed, in the order of the rows.

    Args:
        folder: of <method>.csv.
        split: which of its rows.
        rows: of that split, column row_id.
        methods: to read.

    Raises:
        UserError: a method's file is missing, or is of other rows.
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
            raise UserError(f"{path} is of other {split} rows; run `dvc repro` to train it anew")
        seeds = [column for column in predicted.columns if column.startswith("seed_")]
        found[method] = [mine[seed].to_numpy(dtype=str) for seed in seeds]
    return found


def write_predictions(path: Path, splits: Splits, predictions: Sequence[NDArray[np.str_]]) -> None:
    """Write those of one method.

    Args:
        path: <method>.csv.
        splits: of which dev and test were predicted.
        predictions: one array a seed, the rows of dev before those of test.
    """
    held_out = pd.concat(
        [splits.dev.assign(split="dev"), splits.test.assign(split="test")], ignore_index=True
    )
    seeds = {f"seed_{number}": classes for number, classes in enumerate(predictions)}
    write_csv(path, held_out[["split", "row_id"]].assign(**seeds))
