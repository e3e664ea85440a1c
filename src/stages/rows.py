"""What the stages after `balance` train on."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from src.config import DataParams
from src.data.dialogue import plain
from src.data.io import read_json
from src.data.schema import ORIGIN, read_labels, read_split
from src.modeling.arms import Choice


def read_choice(metrics: Path) -> Choice:
    """What the stage `choose` found."""
    found = read_json(metrics / "choose.json")["chosen"]
    return Choice(found["samples_per_class"], found["class_weight"], found["sample_weight"])


def train_rows(path: Path, data: DataParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The real and the generated rows of the balanced train set, texts without separators."""
    rows = with_plain_text(read_split(path, data, read_labels(data.labels)), data)
    return rows[rows[ORIGIN] == "real"], rows[rows[ORIGIN] == "synthetic"]


def with_plain_text(frame: pd.DataFrame, data: DataParams) -> pd.DataFrame:
    """The rows with the turns of each text joined by spaces."""
    if frame.empty:
        return frame
    return frame.assign(text=[plain(text, data.turn_separator) for text in frame["text"]])
