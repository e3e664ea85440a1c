"""Recordings: answers that ship with the project, one a line of a compressed file."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from src.errors import UserError
from src.llm.requests import Answer, Seed

RECORDINGS = Path("data/recordings")


class Place(NamedTuple):
    """The slot of an answer and the train rows that it was written from; empty if not known."""

    slot: str = ""
    seeds: tuple[Seed, ...] = ()


NOWHERE = Place()


class Entry(NamedTuple):
    """An answer and its place."""

    answer: Answer
    place: Place


def read_seeds(pairs: Iterable[tuple[str, str]]) -> tuple[Seed, ...]:
    """Seeds as JSON holds them: lists of two texts."""
    return tuple((str(row_id), str(text)) for row_id, text in pairs)


def merged(entries: Iterable[tuple[str, Entry]]) -> dict[str, Entry]:
    """By key; of two recordings of an answer the later one stays, with a place if either has it."""
    merged: dict[str, Entry] = {}
    for key, entry in entries:
        earlier = merged.get(key)
        if earlier is not None and not entry.place.slot:
            entry = Entry(entry.answer, earlier.place)
        merged[key] = entry
    return merged


def read_recordings(paths: Iterable[Path]) -> Iterator[tuple[str, Entry]]:
    """Key and entry of every answer in the files.

    Raises:
        UserError: a file is damaged.
    """
    for path in paths:
        try:
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                for line in lines:
                    entry = dict(json.loads(line))
                    key = entry.pop("key")
                    place = Place(str(entry.pop("slot", "")), read_seeds(entry.pop("seeds", ())))
                    yield key, Entry(Answer(**entry), place)
        except (OSError, EOFError, zlib.error, ValueError, TypeError, LookupError) as error:
            raise UserError(f"{path}: damaged recording ({error}); restore it with git") from None


def write_recording(path: Path, entries: Iterable[dict[str, Any]]) -> None:
    """Compress a cassette for shipping; the same entries give the same bytes."""
    text = "".join(json.dumps(e, ensure_ascii=False, sort_keys=True) + "\n" for e in entries)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
