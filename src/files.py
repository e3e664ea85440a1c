"""JSON, JSONL and CSV files: UTF-8, sorted keys, rounded floats, written atomically."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.errors import UserError

if TYPE_CHECKING:
    import pandas as pd
    from pydantic import JsonValue

JsonObject = dict[str, "JsonValue"]


def _rounded(value: Any) -> Any:  # noqa: ANN401  (any JSON value)
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, Mapping):
        return {str(key): _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value


def write_text(path: Path, text: str) -> None:
    """Write through a temporary file, so that a killed run leaves no partial file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8", newline="\n")
    partial.replace(path)


def write_json(path: Path, value: Mapping[str, JsonValue]) -> None:
    """Write JSON with sorted keys and indentation; floats are rounded to 6 digits."""
    text = json.dumps(_rounded(value), ensure_ascii=False, sort_keys=True, indent=2)
    write_text(path, text + "\n")


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path} not found; run `dvc repro`, or give the file's path") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 ({error}); save it as UTF-8") from None


def read_json(path: Path) -> JsonObject:
    """Read one JSON object.

    Raises:
        UserError: the file is missing or is not valid JSON.
    """
    try:
        value: JsonObject = json.loads(_read_text(path))
    except json.JSONDecodeError as error:
        raise UserError(f"{path} line {error.lineno}: not valid JSON ({error.msg})") from None
    return value


def write_csv(path: Path, frame: pd.DataFrame, *, for_excel: bool = False) -> None:
    """Write a frame without its index; with a byte order mark if Excel or WPS must read it."""
    mark = "\ufeff" if for_excel else ""
    write_text(path, mark + frame.to_csv(index=False, lineterminator="\n"))


def read_rows(path: Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Return the rows of a CSV, each with the number of its last line; missing cells are empty.

    Raises:
        UserError: the file is not UTF-8, is not a CSV, or lacks one of the columns.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            rows = [(reader.line_num, row) for row in reader]
            found = reader.fieldnames or []
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 ({error}); save it as UTF-8 CSV") from None
    except csv.Error as error:
        raise UserError(f"{path} is not a CSV ({error}); restore it with git") from None
    for column in columns:
        if column not in found:
            raise UserError(
                f"{path} line 1 has no column {column!r}; it has {', '.join(found) or 'none'}; "
                "restore the original column names"
            )
    return rows


def write_jsonl(path: Path, records: Iterable[Mapping[str, JsonValue]]) -> None:
    """Write one JSON object per line."""
    lines = (json.dumps(_rounded(r), ensure_ascii=False, sort_keys=True) for r in records)
    write_text(path, "".join(line + "\n" for line in lines))


def read_jsonl(path: Path) -> list[JsonObject]:
    """Read a file with one JSON object per line; blank lines are skipped.

    Raises:
        UserError: the file is missing, or a line is not a JSON object.
    """
    records: list[JsonObject] = []
    # Not splitlines(): it also splits at characters such as U+2028 inside a text.
    for number, line in enumerate(_read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(f"{path} line {number}: not valid JSON ({error.msg})") from None
        if not isinstance(record, dict):
            raise UserError(f"{path} line {number}: expected a JSON object, got {line[:40]!r}")
        records.append(record)
    return records
