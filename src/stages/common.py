"""What several stages share: the rows to train on, and what goes to MLflow and the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.config import DataParams, Params
from src.data.dialogue import plain
from src.data.schema import ORIGIN, read_labels, read_split

if TYPE_CHECKING:
    import pandas as pd


def flat_numbers(value: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers of a nested metrics file, keys joined by dots."""
    numbers: dict[str, float] = {}
    for key, item in value.items():
        name = f"{prefix}{key}"
        if isinstance(item, Mapping):
            numbers.update(flat_numbers(item, f"{name}."))
        elif isinstance(item, int | float):
            numbers[name] = float(item)
    return numbers


def settings(params: Params, sections: Iterable[str]) -> dict[str, Any]:
    """Sections of params.yaml as they were read, for MLflow and the report."""
    every = params.model_dump(mode="json")
    return {section: every[section] for section in sections}


def train_rows(path: Path, data: DataParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The real and the generated rows of the balanced train set, texts without separators."""
    rows = with_plain_text(read_split(path, data, read_labels(data.labels)), data)
    return rows[rows[ORIGIN] == "real"], rows[rows[ORIGIN] == "synthetic"]


def with_plain_text(frame: pd.DataFrame, data: DataParams) -> pd.DataFrame:
    """The rows with the turns of each text joined by spaces."""
    if frame.empty:
        return frame
    return frame.assign(text=[plain(text, data.turn_separator) for text in frame["text"]])
