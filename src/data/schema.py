"""Read splits and labels into frames with fixed column names, whatever the CSV calls them.

A split is a frame with the CSV's own columns, as unchanged strings, plus
    row_id  str  unique in the split
    text    str  not empty
    label   str  class name
CSV columns with one of these three names are renamed to "csv.<name>".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from src.config.data import DataParams
from src.data.dialogue import plain
from src.errors import UserError
from src.paths import STANDIN

CANONICAL = ("row_id", "text", "label")
RENAMED = {f"csv.{name}": name for name in CANONICAL}
# Columns of the balanced train set.
ORIGIN = "origin"  # real or synthetic
QUALITY = "label_score"  # how likely the class of a sample is; empty for real rows
WRITER = "written_by"  # the endpoint that wrote a sample; empty for real rows
FIRST_LINE = 2  # line of the first row, below the header


@dataclass(frozen=True)
class LabelInfo:
    """Description of a class by the user: id, definition, typical requests."""

    id: str
    name: str
    definition: str
    requests: tuple[str, ...]


def read_labels(path: Path) -> dict[str, LabelInfo]:
    """Read class descriptions by class name; empty if the file has no rows.

    Raises:
        UserError: the file is missing, lacks a column, or has a duplicate id or name.
    """
    frame = _read_csv(path)
    _require(frame, ["id", "name", "definition", "requests"], path, "labels")
    for column in ("id", "name"):
        _refuse_duplicates(frame, column, path, "give each class one row")
    return {
        row["name"]: LabelInfo(
            row["id"],
            row["name"],
            row["definition"],
            tuple(filter(None, row["requests"].split("；"))),
        )
        for row in frame.to_dict("records")
    }


def read_split(path: Path, data: DataParams, labels: dict[str, LabelInfo]) -> pd.DataFrame:
    """Read and validate one split.

    Raises:
        UserError: the file, a column or a value is missing, empty, duplicate or not in the labels;
            the message names the file, the line and the remedy.
    """
    frame = _read_csv(path)
    if frame.empty:
        raise UserError(f"{path} has no rows; add at least one row per class")
    columns = {
        "data.text_column": data.text_column,
        "data.label_column": data.label_column,
        "data.label_name_column": data.label_name_column,
    }
    if data.id_column is not None:
        columns["data.id_column"] = data.id_column
    for setting, column in columns.items():
        _require(frame, [column], path, setting)
    for column in columns.values():
        empty = frame[column].str.strip() == ""
        if empty.any():
            raise UserError(
                f"{path} line {_line(empty)}: {column} is empty; fill it in or remove the row"
            )
    if data.id_column is not None:
        _refuse_duplicates(
            frame, data.id_column, path, "make ids unique or set data.id_column: null"
        )
    _check_labels(frame, data, labels, path)
    ids = (
        frame[data.id_column]
        if data.id_column is not None
        else pd.Series([f"{path.stem}-{i}" for i in range(len(frame))], dtype=str)
    )
    own = frame.rename(columns={name: renamed for renamed, name in RENAMED.items()})
    return own.assign(row_id=ids, text=frame[data.text_column], label=frame[data.label_name_column])


def csv_columns(split: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a split with only the columns of its CSV, in original name and order."""
    return split.drop(columns=list(CANONICAL)).rename(columns=RENAMED)


def with_plain_text(frame: pd.DataFrame, data: DataParams) -> pd.DataFrame:
    """Return the rows with the turns of each text joined by spaces."""
    if frame.empty:
        return frame
    return frame.assign(text=[plain(text, data.turn_separator) for text in frame["text"]])


@dataclass(frozen=True)
class Splits:
    """The three splits and the descriptions of the classes."""

    train: pd.DataFrame
    dev: pd.DataFrame
    test: pd.DataFrame
    labels: dict[str, LabelInfo]


def load_splits(data: DataParams) -> Splits:
    """Read the files set in params.yaml; every class of dev, test and labels needs a train row.

    Raises:
        UserError: see `read_split`; or a class has no train row; or train already has a column of
            the balanced train set.
    """
    labels = read_labels(data.labels)
    train, dev, test = (
        read_split(path, data, labels) for path in (data.train, data.dev, data.test)
    )
    for column in (ORIGIN, QUALITY, WRITER):
        if column in train.columns:
            raise UserError(
                f"{data.train} has a column {column!r}, which is reserved for the balanced train "
                "set; rename it, or correct data.train"
            )
    known = set(train["label"])
    for path, frame in ((data.dev, dev), (data.test, test)):
        unknown = ~frame["label"].isin(known)
        if unknown.any():
            label = frame.loc[unknown, "label"].iloc[0]
            raise UserError(
                f"{path} line {_line(unknown)}: class {label!r} has no row in {data.train}; "
                "add a train row of that class or remove its rows here"
            )
    lost = sorted(set(labels) - known)
    if lost:
        raise UserError(
            f"{data.train}: class {lost[0]!r} of {data.labels} has no train row; "
            f"add one, or remove the class from {data.labels}"
        )
    return Splits(train, dev, test, labels)


def _check_labels(
    frame: pd.DataFrame, data: DataParams, labels: dict[str, LabelInfo], path: Path
) -> None:
    ids, names = frame[data.label_column], frame[data.label_name_column]
    if labels and data.label_column != data.label_name_column:
        known = {info.id for info in labels.values()}
        unknown = ~ids.isin(known)
        if unknown.any():
            raise UserError(
                f"{path} line {_line(unknown)}: class id {ids[unknown].iloc[0]} is not in "
                f"{data.labels}; correct the row or add the class there"
            )
    if labels:
        unknown = ~names.isin(set(labels))
        if unknown.any():
            raise UserError(
                f"{path} line {_line(unknown)}: class {names[unknown].iloc[0]!r} is not in "
                f"{data.labels}; correct the row or add the class there"
            )
    first_name = names.groupby(ids).transform("first")
    first_id = ids.groupby(names).transform("first")
    _refuse_disagreement((names != first_name) | (ids != first_id), frame, data, path, "elsewhere")
    if labels and data.label_column != data.label_name_column:
        listed = names.map({name: info.id for name, info in labels.items()})
        _refuse_disagreement(ids != listed, frame, data, path, f"in {data.labels}")


def _refuse_disagreement(
    differs: pd.Series, frame: pd.DataFrame, data: DataParams, path: Path, where: str
) -> None:
    if differs.any():
        row = frame.loc[differs].iloc[0]
        raise UserError(
            f"{path} line {_line(differs)}: {data.label_column} {row[data.label_column]!r} has "
            f"{data.label_name_column} {row[data.label_name_column]!r} here and another "
            f"{where}; make id and name agree"
        )


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError:
        remedy = "correct the path in params.yaml (data.*)"
        if path.parent == STANDIN:
            remedy = f"run `dvc repro corpus` to make it, or {remedy}"
        raise UserError(f"{path} not found; {remedy}") from None
    except pd.errors.EmptyDataError:
        raise UserError(f"{path} is empty; it needs a header line and rows") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise UserError(f"{path} is not a UTF-8 CSV ({reason}); save it as one") from None
    if not isinstance(frame.index, pd.RangeIndex):  # pandas used the first column as the index
        raise UserError(
            f"{path} line {FIRST_LINE}: more values than columns in the header; put quotation "
            "marks around values with commas, or name every column"
        )
    return frame


def _require(frame: pd.DataFrame, columns: list[str], path: Path, setting: str) -> None:
    for column in columns:
        if column not in frame.columns:
            raise UserError(
                f"{path} has no column {column!r} ({setting}); its columns are "
                f"{', '.join(frame.columns)}"
            )


def _refuse_duplicates(frame: pd.DataFrame, column: str, path: Path, remedy: str) -> None:
    again = frame[column].duplicated()
    if again.any():
        value = frame.loc[again, column].iloc[0]
        raise UserError(f"{path} line {_line(again)}: {column} {value!r} is a duplicate; {remedy}")


def _line(mask: pd.Series) -> int:
    """Return the line number of the first marked row, assuming no cell has a line break."""
    return int(mask.to_numpy().argmax()) + FIRST_LINE
