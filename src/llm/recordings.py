"""Recorded answers in files: those that a run used, and those that ship with the project.

A run writes what it used as one JSON object a line (`cache.write_used`), sorted by key; packed by
`src.commands.record` it is a recording, one of the compressed files that are looked up first.
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
from src.llm.requests import Answer, Seed
from src.records.json_files import as_json, fields_of

RECORDINGS = Path("data/recordings")


class Place(NamedTuple):
    """The slot of an answer and the train rows that it was written from; empty if not known."""

    slot: str = ""
    seeds: tuple[Seed, ...] = ()


NOWHERE = Place()


@dataclass(frozen=True)
class RecordedAnswer:
    """An answer, the key of its request, and its place."""

    key: str
    answer: Answer
    place: Place = NOWHERE

    def as_line(self) -> dict[str, JsonValue]:
        """As it stands in a file: flat, and without a place where none is known."""
        place = {"slot": self.place.slot, "seeds": as_json(self.place.seeds)}
        return {"key": self.key, **fields_of(self.answer), **(place if self.place.slot else {})}


FIELDS = {"key", *(field.name for field in fields(Answer)), *Place._fields}
LATER = {  # answers were recorded before there were these
    *(field.name for field in fields(Answer) if field.default is not MISSING),
    *Place._fields,
}


def read_seeds(pairs: Iterable[tuple[str, str]]) -> tuple[Seed, ...]:
    """Seeds as JSON holds them: lists of two texts."""
    return tuple((str(row_id), str(text)) for row_id, text in pairs)


def merged(entries: Iterable[RecordedAnswer]) -> dict[str, RecordedAnswer]:
    """By key; of two recordings of an answer the later one stays, with a place if either has it."""
    merged: dict[str, RecordedAnswer] = {}
    for entry in entries:
        earlier = merged.get(entry.key)
        if earlier is not None and not entry.place.slot:
            entry = RecordedAnswer(entry.key, entry.answer, earlier.place)
        merged[entry.key] = entry
    return merged


def read_recordings(paths: Iterable[Path]) -> Iterator[RecordedAnswer]:
    """Every answer in the files, in order.

    Raises:
        UserError: a file is damaged.
    """
    for path in paths:
        try:
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                yield from (_recorded(dict(json.loads(line))) for line in lines)
        except (OSError, EOFError, zlib.error, ValueError, TypeError, LookupError) as error:
            raise UserError(f"{path}: damaged recording ({error}); restore it with git") from None


def write_recording(path: Path, entries: Iterable[RecordedAnswer]) -> None:
    """Compress answers for shipping; the same ones give the same bytes."""
    lines = (json.dumps(e.as_line(), ensure_ascii=False, sort_keys=True) + "\n" for e in entries)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("".join(lines).encode(), compresslevel=9, mtime=0))


def read_used(path: Path) -> list[RecordedAnswer]:
    """The answers that a run used, as `cache.write_used` wrote them.

    Raises:
        UserError: the file is missing, or a line is not an answer with its key, which could not be
            replayed.
    """
    entries = []
    for number, entry in enumerate(read_jsonl(path), 1):
        if not FIELDS - LATER <= entry.keys() <= FIELDS:
            raise UserError(
                f"{path} line {number} has {', '.join(sorted(entry))} instead of "
                f"{', '.join(sorted(FIELDS))}; run `dvc repro generate` to write the file anew"
            )
        try:
            entries.append(_recorded(entry))
        except (TypeError, ValueError) as error:
            raise UserError(
                f"{path} line {number} is no answer ({error}); run `dvc repro generate` to write the file anew"
            ) from None
    return entries


def _recorded(entry: Mapping[str, Any]) -> RecordedAnswer:
    """A line of a file, unchecked."""
    answer = {name: value for name, value in entry.items() if name not in ("key", *Place._fields)}
    place = Place(str(entry.get("slot", "")), read_seeds(entry.get("seeds", ())))
    return RecordedAnswer(entry["key"], Answer(**answer), place)
