"""Failed requests in data/interim/failures.jsonl, one JSON object per line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from src.files import write_jsonl
from src.records.json_files import fields_of

RECOVERED = "recovered"


@dataclass(frozen=True)
class FailedRequest:
    """A request without a usable response, or with one only after failed tries.

    Attributes:
        label: the class.
        attempt: number of the request within the class, from 0.
        request_key: key of the request that got the response, or that failed last.
        endpoint: the one that responded, or that failed last.
        kind: no_response, empty, refused, truncated, unreadable, or recovered.
        tries: why each failed try failed.
    """

    label: str
    attempt: int
    request_key: str
    endpoint: str
    kind: str
    tries: tuple[str, ...]


def write_failures(path: Path, failures: Iterable[FailedRequest]) -> None:
    """Write failed requests as JSONL."""
    write_jsonl(path, map(fields_of, failures))
