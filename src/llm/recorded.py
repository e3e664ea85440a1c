"""Recorded responses in files: those that a run used, and those that ship with the project.

A run writes what it used as one JSON object a line (`response_store.write_used`), sorted by key; packed by
`src.commands.record` they are one of the compressed files that are looked up first.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import JsonValue

from src.errors import UserError
from src.files import read_jsonl
from src.llm.requests import Response, Seed
from src.records.json_files import as_json, fields_of

PACKED = Path("data/responses")


class Reuse(NamedTuple):
    """What a response can be found by when train rows have changed; empty if not known.

    Attributes:
        key: see `Request.reuse_key_for`.
        seeds: the train rows that it was written from.
    """

    key: str = ""
    seeds: tuple[Seed, ...] = ()


NO_REUSE = Reuse()


@dataclass(frozen=True)
class RecordedResponse:
    """A response, the key of its request, and what it can be reused by."""

    key: str
    response: Response
    reuse: Reuse = NO_REUSE

    def as_line(self) -> dict[str, JsonValue]:
        """As it stands in a file: flat; `reuse_key` and `seeds` only where they are known."""
        reuse = {"reuse_key": self.reuse.key, "seeds": as_json(self.reuse.seeds)}
        return {"key": self.key, **fields_of(self.response), **(reuse if self.reuse.key else {})}


REUSE = ("reuse_key", "seeds")
EARLIER = {"slot": "reuse_key"}  # names of fields in files of earlier versions
FIELDS = {"key", *(field.name for field in fields(Response)), *REUSE}
LATER = {  # responses were recorded before there were these
    *(field.name for field in fields(Response) if field.default is not MISSING),
    *REUSE,
}


def read_seeds(pairs: Iterable[tuple[str, str]]) -> tuple[Seed, ...]:
    """Seeds as JSON holds them: lists of two texts."""
    return tuple((str(row_id), str(text)) for row_id, text in pairs)


def merged(entries: Iterable[RecordedResponse]) -> dict[str, RecordedResponse]:
    """By key; of two records of a response the later one stays, with its reuse if either has it."""
    merged: dict[str, RecordedResponse] = {}
    for entry in entries:
        earlier = merged.get(entry.key)
        if earlier is not None and not entry.reuse.key:
            entry = RecordedResponse(entry.key, entry.response, earlier.reuse)
        merged[entry.key] = entry
    return merged


def read_packed(paths: Iterable[Path]) -> Iterator[RecordedResponse]:
    """Every response in the files, in order.

    Raises:
        UserError: a file is damaged.
    """
    for path in paths:
        try:
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                yield from (_recorded(dict(json.loads(line))) for line in lines)
        except (OSError, EOFError, zlib.error, ValueError, TypeError, LookupError) as error:
            raise UserError(
                f"{path}: damaged response file ({error}); restore it with git"
            ) from None


def write_packed(path: Path, entries: Iterable[RecordedResponse]) -> None:
    """Compress responses for shipping; the same ones give the same bytes."""
    lines = (json.dumps(e.as_line(), ensure_ascii=False, sort_keys=True) + "\n" for e in entries)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("".join(lines).encode(), compresslevel=9, mtime=0))


def read_used(path: Path) -> list[RecordedResponse]:
    """The responses that a run used, as `response_store.write_used` wrote them.

    Raises:
        UserError: the file is missing, or a line is not a response with its key, which could not be
            replayed.
    """
    entries = []
    for number, entry in enumerate(read_jsonl(path), 1):
        if not FIELDS - LATER <= {EARLIER.get(name, name) for name in entry} <= FIELDS:
            raise UserError(
                f"{path} line {number} has {', '.join(sorted(entry))} instead of "
                f"{', '.join(sorted(FIELDS))}; run `dvc repro generate` to write the file anew"
            )
        try:
            entries.append(_recorded(entry))
        except (TypeError, ValueError) as error:
            raise UserError(
                f"{path} line {number} is no response ({error}); run `dvc repro generate` to write the file anew"
            ) from None
    return entries


def _recorded(entry: Mapping[str, Any]) -> RecordedResponse:
    """A line of a file, unchecked."""
    entry = {EARLIER.get(name, name): value for name, value in entry.items()}
    response = {name: value for name, value in entry.items() if name not in ("key", *REUSE)}
    reuse = Reuse(str(entry.get("reuse_key", "")), read_seeds(entry.get("seeds", ())))
    return RecordedResponse(entry["key"], Response(**response), reuse)
