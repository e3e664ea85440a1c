"""Frozen dataclasses written to, and read from, JSON files.

    write_record(METRICS / "choose.json", found)
    read_record(METRICS / "choose.json", ChooseMetrics).chosen.why

A record is a JSON object of its fields, nested records included; floats have 6 digits (`files`). A
field whose default is None is left out of the file when it is None; any other None is written as
null. Unknown keys in a file are ignored, so that older code can read a newer file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import JsonValue, TypeAdapter, ValidationError

from src.errors import UserError
from src.files import read_json, write_json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


def as_json(value: object) -> JsonValue:
    """Convert a record, or a value inside one, to JSON values.

    Raises:
        TypeError: the value is neither a record nor a JSON value.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return fields_of(value)
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise TypeError(f"{value!r} has no form in JSON; put a number, a text or a record there")


def fields_of(record: DataclassInstance) -> dict[str, JsonValue]:
    """Return field name -> JSON value, without the fields whose default and value are None."""
    return {
        field.name: as_json(value)
        for field in fields(record)
        if (value := getattr(record, field.name)) is not None or field.default is not None
    }


def write_record(path: Path, record: DataclassInstance) -> None:
    """Write one record as sorted, indented JSON."""
    write_json(path, fields_of(record))


def read_record(path: Path, kind: type[T]) -> T:
    """Read a record that `write_record` wrote.

    Raises:
        UserError: the file is missing or broken, or lacks a field, which the message names.
    """
    try:
        return TypeAdapter(kind).validate_python(read_json(path))
    except ValidationError as error:
        raise UserError(
            f"{path} {explained(error)}; run `dvc repro` to rewrite it, or restore it with git"
        ) from None


def explained(error: ValidationError) -> str:
    """Describe the first invalid field: `is invalid (evaluate.ours: Field required)`."""
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"])) or "the whole file"
    return f"is invalid ({field}: {first['msg']})"
