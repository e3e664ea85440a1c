"""Files of recorded responses: those that a run used, and those in `data/responses`.

A run writes the responses that it used as JSONL, sorted by key (`response_store.write_used`).
`src.commands.record` packs them: it compresses them into a file in `data/responses`, where the
response store looks first.
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
    """How to find a response after train rows have changed; empty if unknown.

    Attributes:
        key: the reuse key, see `Request.reuse_key_for`.
        seeds: the train rows (seed examples) that the prompt showed.
    """

    key: str = ""
    seeds: tuple[Seed, ...] = ()


NO_REUSE = Reuse()


@dataclass(frozen=True)
class RecordedResponse:
    """A response with the key of its request, its reuse key and its seeds."""

    key: str
    response: Response
    reuse: Reuse = NO_REUSE

    def as_line(self) -> dict[str, JsonValue]:
        """Return the flat JSON object of a file line; `reuse_key` and `seeds` only if known."""
        reuse = {"reuse_key": self.reuse.key, "seeds": as_json(self.reuse.seeds)}
        return {"key": self.key, **fields_of(self.response), **(reuse if self.reuse.key else {})}


REUSE = ("reuse_key", "seeds")
EARLIER = {"slot": "reuse_key"}  # old field name -> new one, for files of earlier versions
FIELDS = {"key", *(field.name for field in fields(Response)), *REUSE}
LATER = {  # fields added later: missing in files of earlier versions
    *(field.name for field in fields(Response) if field.default is not MISSING),
    *REUSE,
}


def read_seeds(pairs: Iterable[tuple[str, str]]) -> tuple[Seed, ...]:
    """Convert seeds from JSON: lists of row id and digest."""
    return tuple((str(row_id), str(text)) for row_id, text in pairs)


def merged(entries: Iterable[RecordedResponse]) -> dict[str, RecordedResponse]:
    """Index by key; the last entry wins, with the earlier reuse key if it has none itself."""
    merged: dict[str, RecordedResponse] = {}
    for entry in entries:
        earlier = merged.get(entry.key)
        if earlier is not None and not entry.reuse.key:
            entry = RecordedResponse(entry.key, entry.response, earlier.reuse)
        merged[entry.key] = entry
    return merged


def read_packed(paths: Iterable[Path]) -> Iterator[RecordedResponse]:
    """Yield the responses of all packed files, in order.

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
    """Write a packed file; equal responses give equal bytes."""
    lines = (json.dumps(e.as_line(), ensure_ascii=False, sort_keys=True) + "\n" for e in entries)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("".join(lines).encode(), compresslevel=9, mtime=0))


def read_used(path: Path) -> list[RecordedResponse]:
    """Read the responses that a run used, as written by `response_store.write_used`.

    Raises:
        UserError: the file is missing, or a line is not a response with its key.
    """
    entries = []
    for number, entry in enumerate(read_jsonl(path), 1):
        if not FIELDS - LATER <= {EARLIER.get(name, name) for name in entry} <= FIELDS:
            raise UserError(
                f"{path} line {number} has {', '.join(sorted(entry))} instead of "
                f"{', '.join(sorted(FIELDS))}; run `dvc repro generate` to write the file again"
            )
        try:
            entries.append(_recorded(entry))
        except (TypeError, ValueError) as error:
            raise UserError(
                f"{path} line {number} is not a response ({error}); "
                "run `dvc repro generate` to write the file again"
            ) from None
    return entries


def _recorded(entry: Mapping[str, Any]) -> RecordedResponse:
    """Convert a line of a file; its fields are not checked."""
    entry = {EARLIER.get(name, name): value for name, value in entry.items()}
    response = {name: value for name, value in entry.items() if name not in ("key", *REUSE)}
    reuse = Reuse(str(entry.get("reuse_key", "")), read_seeds(entry.get("seeds", ())))
    return RecordedResponse(entry["key"], Response(**response), reuse)
