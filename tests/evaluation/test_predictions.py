"""Files of predictions: written per method, and read for the same rows only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from src.data.schema import Splits
from src.errors import UserError
from src.evaluation.predictions import read_predictions, write_predictions

TRAIN = pd.DataFrame({"row_id": ["r1"], "label": ["a"]})
DEV = pd.DataFrame({"row_id": ["001", "d2"], "label": ["a", "b"]})
TEST = pd.DataFrame({"row_id": ["t1"], "label": ["b"]})
SPLITS = Splits(TRAIN, DEV, TEST, {})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Predictions of one method with two seeds."""
    seeds = [np.array(["a", "NA", "b"]), np.array(["b", "b", "a"])]
    write_predictions(tmp_path / "eda.csv", SPLITS, seeds)
    return tmp_path


def test_predictions_round_trip_per_split(folder: Path) -> None:
    """Ids and class names stay text; one array per seed, in the order of the rows."""
    on_dev = read_predictions(folder, "dev", DEV, ["eda"])
    on_test = read_predictions(folder, "test", TEST, ["eda"])
    assert [predicted.tolist() for predicted in on_dev["eda"]] == [["a", "NA"], ["b", "b"]]
    assert [predicted.tolist() for predicted in on_test["eda"]] == [["b"], ["a"]]
    assert (folder / "eda.csv").read_text(encoding="utf-8") == (
        "split,row_id,seed_0,seed_1\ndev,001,a,b\ndev,d2,NA,b\ntest,t1,b,a\n"
    )


def test_predictions_of_other_rows_are_refused(folder: Path) -> None:
    """Predictions of other rows and missing files are errors."""
    with pytest.raises(UserError, match=r"eda\.csv has other dev rows; run `dvc repro`"):
        read_predictions(folder, "dev", DEV.iloc[::-1], ["eda"])
    with pytest.raises(
        UserError, match=r"smote\.csv not found; run `dvc repro` to train the method"
    ):
        read_predictions(folder, "dev", DEV, ["smote"])
