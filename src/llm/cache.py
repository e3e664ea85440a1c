"""Answers that were bought once: shipped recordings, then the local cache.

Look-up order: `data/recordings/*.jsonl.gz` (in git, read only), then SQLite in
`$DVC_ROOT/.cache/` - outside DVC's outs, which DVC deletes before a stage runs, and outside the
temporary workspaces of queued experiments. What is not found there is asked of the endpoint, and
the answer is committed before anything reads it.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock

from src.config import ROOT, UserError
from src.llm.requests import Answer

RECORDINGS = Path("data/recordings")
CACHE = ROOT / ".cache" / "llm.sqlite"
BUSY_S = 60.0  # how long another process's write is waited for

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, entry TEXT NOT NULL) WITHOUT ROWID"
)


class AnswerStore:
    """Answers by request key. Several processes may share one cache file."""

    def __init__(self, recorded: dict[str, Answer], connection: sqlite3.Connection) -> None:
        self._recorded = recorded
        self._connection = connection
        self.used: dict[str, Answer] = {}
        self.hits = self.misses = 0

    def get(self, key: str) -> Answer | None:
        """The answer if it was bought before."""
        answer = self._recorded.get(key)
        if answer is None:
            row = self._connection.execute(
                "SELECT entry FROM answers WHERE key = ?", (key,)
            ).fetchone()
            answer = Answer(**json.loads(row[0])) if row else None
        if answer is None:
            self.misses += 1
            return None
        self.hits += 1
        self.used[key] = answer
        return answer

    def put(self, key: str, answer: Answer) -> None:
        """Commit an answer; the first one bought for a key stays."""
        self._connection.execute(
            "INSERT OR IGNORE INTO answers VALUES (?, ?)",
            (key, json.dumps(asdict(answer), ensure_ascii=False)),
        )
        self.used[key] = answer

    def cassette(self) -> list[dict[str, Any]]:
        """The entries that this run used, sorted by key: enough to replay it without a model."""
        return [{"key": key, **asdict(self.used[key])} for key in sorted(self.used)]


@contextmanager
def open_store(recordings: Path = RECORDINGS, cache: Path = CACHE) -> Iterator[AnswerStore]:
    """The store while the block runs.

    Raises:
        UserError: a recording or the cache file is damaged.
    """
    recorded = dict(_read_recordings(sorted(recordings.glob("*.jsonl.gz"))))
    cache.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(sqlite3.connect(cache, timeout=BUSY_S, isolation_level=None)) as connection:
            # The change to WAL does not wait: of two processes on a new file one would fail.
            with FileLock(cache.with_name(cache.name + ".lock")):
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=FULL")  # what was paid for survives a crash
                connection.execute(SCHEMA)
            yield AnswerStore(recorded, connection)
    except sqlite3.DatabaseError as error:
        busy = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
        remedy = "end the process that writes to it" if busy else "move it away to start a new one"
        raise UserError(f"{cache}: {error}; {remedy}") from None


def _read_recordings(paths: Iterable[Path]) -> Iterator[tuple[str, Answer]]:
    for path in paths:
        try:
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                for line in lines:
                    entry = dict(json.loads(line))
                    yield entry.pop("key"), Answer(**entry)
        except (OSError, EOFError, zlib.error, ValueError, TypeError, LookupError) as error:
            raise UserError(f"{path}: damaged recording ({error}); restore it with git") from None


def write_recording(path: Path, entries: Iterable[dict[str, Any]]) -> None:
    """Compress a cassette for shipping; the same entries give the same bytes."""
    text = "".join(json.dumps(e, ensure_ascii=False, sort_keys=True) + "\n" for e in entries)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
