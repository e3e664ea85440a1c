"""Answers that were bought once: shipped recordings, then the local cache.

Look-up order: `data/recordings/*.jsonl.gz` (in git, read only), then SQLite in
`$DVC_ROOT/.cache/` - outside DVC's outs, which DVC deletes before a stage runs, and outside the
temporary workspaces of queued experiments. What is not found there is asked of the endpoint, and
the answer is committed before anything reads it.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Any

from filelock import FileLock

from src.config import ROOT, UserError
from src.llm.requests import Answer, Request

RECORDINGS = Path("data/recordings")
CACHE = ROOT / ".cache" / "llm.sqlite"
BUSY_S = 60.0  # how long another process's write is waited for

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, entry TEXT NOT NULL) WITHOUT ROWID"
)


class AnswerStore:
    """Answers by request key. Several processes may share one cache file."""

    def __init__(
        self, recorded: dict[str, Answer], read: sqlite3.Connection, write: sqlite3.Connection
    ) -> None:
        self._recorded = recorded
        self._read, self._write_to = read, write  # a reader must not wait for the writer's disk
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="answers")
        self._queue: list[tuple[str, Answer, Future[None]]] = []
        self._lock = Lock()
        self._used: set[str] = set()
        self._late: dict[str, Answer] = {}  # this run used its own, another one stays
        self.hits = self.misses = 0

    def get(self, key: str) -> Answer | None:
        """The answer if it was bought before."""
        answer = self._find(key)
        if answer is None:
            self.misses += 1
        else:
            self.hits += 1
            self._used.add(key)
        return answer

    def first(self, requests: Sequence[Request]) -> tuple[Request, Answer] | None:
        """The first of several ways to ask the same whose answer was bought, and that answer."""
        for request in requests:
            answer = self.get(request.key)
            if answer is not None:
                return request, answer
        return None

    async def commit(self, request: Request, answer: Answer) -> None:
        """`put`, and wait until it is on the disk."""
        await asyncio.wrap_future(self.put(request.key, answer))

    def put(self, key: str, answer: Answer) -> Future[None]:
        """Commit an answer; the first one bought for a key stays. Done when it is on the disk.

        A thread writes, and all that waits by then in one transaction: to wait for the disk once
        an answer would hold up every other request.
        """
        done: Future[None] = Future()
        done.set_running_or_notify_cancel()  # whoever waits may leave; what was paid for is written
        with self._lock:
            self._queue.append((key, answer, done))
        self._writer.submit(self._write)
        self._used.add(key)
        return done

    def used(self) -> Iterator[tuple[str, Answer]]:
        """Keys, sorted, and answers that this run used."""
        for key in sorted(self._used):
            answer = self._late.get(key) or self._find(key)
            assert answer is not None, key
            yield key, answer

    def cassette(self) -> Iterator[dict[str, Any]]:
        """The entries that this run used: enough to replay it without a model."""
        return ({"key": key, **asdict(answer)} for key, answer in self.used())

    def close(self) -> None:
        """Write what is left."""
        self._writer.shutdown()

    def _find(self, key: str) -> Answer | None:
        answer = self._recorded.get(key)
        if answer is not None:
            return answer
        row = self._read.execute("SELECT entry FROM answers WHERE key = ?", (key,)).fetchone()
        return Answer(**json.loads(row[0])) if row else None

    def _write(self) -> None:
        with self._lock:
            waiting, self._queue = self._queue, []
        if not waiting:
            return
        try:
            with self._write_to:
                self._write_to.execute("BEGIN IMMEDIATE")
                for key, answer, _ in waiting:
                    if not self._insert(key, answer):
                        self._late[key] = answer
        except (sqlite3.Error, UnicodeError) as error:
            for _, _, done in waiting:
                done.set_exception(error)
            return
        for _, _, done in waiting:
            done.set_result(None)

    def _insert(self, key: str, answer: Answer) -> bool:
        """Whether the answer is the first one of its key."""
        entry = json.dumps(asdict(answer), ensure_ascii=False)
        cursor = self._write_to.execute("INSERT OR IGNORE INTO answers VALUES (?, ?)", (key, entry))
        return cursor.rowcount == 1


@contextmanager
def open_store(recordings: Path = RECORDINGS, cache: Path = CACHE) -> Iterator[AnswerStore]:
    """The store while the block runs.

    Raises:
        UserError: a recording or the cache file is damaged.
    """
    recorded = dict(_read_recordings(sorted(recordings.glob("*.jsonl.gz"))))
    cache.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(_connect(cache)) as write, closing(_connect(cache)) as read:
            # The change to WAL does not wait: of two processes on a new file one would fail.
            with FileLock(cache.with_name(cache.name + ".lock")):
                write.execute("PRAGMA journal_mode=WAL")
                write.execute("PRAGMA synchronous=FULL")  # what was paid for survives a crash
                write.execute(SCHEMA)
            store = AnswerStore(recorded, read, write)
            try:
                yield store
            finally:
                store.close()
    except sqlite3.DatabaseError as error:
        busy = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
        remedy = "end the process that writes to it" if busy else "move it away to start a new one"
        raise UserError(f"{cache}: {error}; {remedy}") from None


def _connect(cache: Path) -> sqlite3.Connection:
    """A connection that any thread may use."""
    return sqlite3.connect(cache, timeout=BUSY_S, isolation_level=None, check_same_thread=False)


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
