"""The ledger of what went wrong: data/interim/failures.jsonl, one request a line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from src.files import write_jsonl
from src.records.json_files import fields_of

RECOVERED = "recovered"


@dataclass(frozen=True)
class FailedRequest:
    """A request without a usable response, or one that got it only after tries that failed.

    Attributes:
        label: the class that it was for.
        attempt: its number among those of the class.
        request_key: of the response, or of the last way to ask for it.
        endpoint: that responded, or failed last.
        kind: no_response, empty, refused, truncated, unreadable, or recovered.
        tries: what happened at each try that failed.
    """

    label: str
    attempt: int
    request_key: str
    endpoint: str
    kind: str
    tries: tuple[str, ...]


def write_failures(path: Path, failures: Iterable[FailedRequest]) -> None:
    """One request a line."""
    write_jsonl(path, map(fields_of, failures))
