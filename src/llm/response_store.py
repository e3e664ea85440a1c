"""The response store: packed files in git, then a local SQLite cache.

Look-up order: `data/responses/*.jsonl.gz` (in git, read only), then SQLite in
`$DVC_ROOT/.cache/` - outside DVC's outs, which DVC deletes before a stage runs, and outside the
temporary workspaces of queued experiments. On a cache miss the endpoint is called, and the response
is committed before anything reads it.

A response is found by the key of its request. That key changes when train rows are added or
removed. Then the response is found by its reuse key (`requests.Request.reuse_key_for`), as long as
its seeds, the rows that its prompt showed, are still in train.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from src.files import write_jsonl
from src.llm.recorded import (
    NO_REUSE,
    PACKED,
    RecordedResponse,
    Reuse,
    merged,
    read_packed,
    read_seeds,
)
from src.llm.requests import Request, Response, Seed
from src.llm.sqlite import BUSY_S, open_database, transaction
from src.paths import ROOT

CACHE = ROOT / ".cache" / "llm.sqlite"
SCHEMA = (  # a separate table of reuse keys: older caches need no change
    "CREATE TABLE IF NOT EXISTS responses (key TEXT PRIMARY KEY, entry TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS reuse (reuse_key TEXT, key TEXT, seeds TEXT NOT NULL, "
    "PRIMARY KEY (reuse_key, key)) WITHOUT ROWID",
)


EARLIER = {  # tables of earlier versions, and the statements that move their rows
    "answers": "INSERT OR IGNORE INTO responses SELECT key, entry FROM answers",
    "slots": "INSERT OR IGNORE INTO reuse SELECT slot, key, seeds FROM slots",
}


class Waiting(NamedTuple):
    """A queued write: a response, or only the reuse key of a response that is stored already."""

    key: str
    response: Response | None
    reuse: Reuse
    done: Future[None]


class ResponseStore:
    """Responses by request key and by reuse key. Several processes may share one cache file."""

    def __init__(
        self,
        recorded: Mapping[str, RecordedResponse],
        read: sqlite3.Connection,
        write: sqlite3.Connection,
    ) -> None:
        self._recorded = recorded
        self._by_reuse_key: dict[str, list[str]] = {}
        for key, entry in recorded.items():
            self._by_reuse_key.setdefault(entry.reuse.key, []).append(key)
        self._read, self._write_to = read, write  # reads must not wait for a commit
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="responses")
        self._queue: list[Waiting] = []
        self._lock = Lock()
        self._used: dict[str, Reuse] = {}
        self._late: dict[str, Response] = {}  # used here, but another process stored its own first
        self.hits = self.misses = 0
        self.reused = 0  # hits by reuse key

    def get(self, key: str) -> Response | None:
        """Return the response recorded under a request key, or None."""
        response = self._find(key)
        if response is None:
            self.misses += 1
        else:
            self.hits += 1
            self._used.setdefault(key, NO_REUSE)
        return response

    def first(
        self, requests: Sequence[Request], rows: Mapping[str, str] | None = None
    ) -> tuple[Request, Response] | None:
        """Return the first request with a recorded response, and that response.

        If no request key is found, reuse keys are looked up: the response's seeds must still be in
        train. Of several responses, those in packed files come first, then the smallest key. The
        returned request then carries that response's key and seeds.

        Args:
            requests: equivalent requests, best first.
            rows: the train rows of the class, id -> digest of the text; without them reuse keys
                are not looked up.
        """
        found = self._by_key(requests) or self._reusable(requests, rows)
        if found is None:
            self.misses += 1
            return None
        request, _ = found
        self.hits += 1
        self.reused += bool(request.earlier_key)
        self._used[request.response_key] = Reuse(request.reuse_key, request.seeds)
        return found

    async def commit(self, request: Request, response: Response) -> None:
        """`put` a response and wait until it is on disk."""
        reuse = Reuse(request.reuse_key, request.seeds)
        await asyncio.wrap_future(self.put(request.key, response, reuse))

    def put(self, key: str, response: Response, reuse: Reuse = NO_REUSE) -> Future[None]:
        """Queue a response for writing; the future is done when it is on disk.

        The first response stored under a key stays. A thread writes everything queued in one
        transaction, since one disk flush per response would delay all other requests.
        """
        self._used[key] = reuse
        return self._submit(key, response, reuse)

    def used(self) -> Iterator[tuple[str, Response]]:
        """Yield key and response of everything that this run used, sorted by key."""
        for key in sorted(self._used):
            response = self._late.get(key) or self._find(key)
            assert response is not None, key
            yield key, response

    def recorded(self) -> Iterator[RecordedResponse]:
        """Yield what this run used, sorted by key: enough to replay it without a model."""
        for key, response in self.used():
            yield RecordedResponse(key, response, self._used[key])

    def close(self) -> None:
        """Write what is still queued."""
        self._writer.shutdown()

    def _by_key(self, requests: Sequence[Request]) -> tuple[Request, Response] | None:
        for request in requests:
            response = self._find(request.key)
            if response is not None:
                reuse = Reuse(request.reuse_key, request.seeds)
                if reuse.key and reuse != self._reuse(request.key, reuse.key):
                    self._submit(request.key, None, reuse)  # so that it is found when rows change
                return request, response
        return None

    def _reusable(
        self, requests: Sequence[Request], rows: Mapping[str, str] | None
    ) -> tuple[Request, Response] | None:
        if not rows:
            return None
        for request in requests:
            keys = self._keys(request.reuse_key) if request.reuse_key else []
            for key in sorted(keys, key=lambda key: (key not in self._recorded, key)):
                reuse, response = self._reuse(key, request.reuse_key), self._find(key)
                if response is not None and _still_there(reuse.seeds, rows):
                    return replace(request, earlier_key=key, seeds=reuse.seeds), response
        return None

    def _keys(self, reuse_key: str) -> set[str]:
        """Return the keys of all responses with this reuse key."""
        cached = self._read.execute("SELECT key FROM reuse WHERE reuse_key = ?", (reuse_key,))
        return {*self._by_reuse_key.get(reuse_key, ()), *(key for (key,) in cached)}

    def _reuse(self, key: str, reuse_key: str) -> Reuse:
        """Return reuse key and seeds of a response, or NO_REUSE if it has another reuse key."""
        recorded = self._recorded.get(key)
        if recorded is not None and recorded.reuse.key == reuse_key:
            return recorded.reuse
        found = self._read.execute(
            "SELECT seeds FROM reuse WHERE reuse_key = ? AND key = ?", (reuse_key, key)
        ).fetchone()
        return Reuse(reuse_key, read_seeds(json.loads(found[0]))) if found else NO_REUSE

    def _submit(self, key: str, response: Response | None, reuse: Reuse) -> Future[None]:
        done: Future[None] = Future()
        done.set_running_or_notify_cancel()  # a cancelled waiter must not stop the write
        with self._lock:
            self._queue.append(Waiting(key, response, reuse, done))
        self._writer.submit(self._write)
        return done

    def _find(self, key: str) -> Response | None:
        recorded = self._recorded.get(key)
        if recorded is not None:
            return recorded.response
        row = self._read.execute("SELECT entry FROM responses WHERE key = ?", (key,)).fetchone()
        return Response(**json.loads(row[0])) if row else None

    def _write(self) -> None:
        with self._lock:
            waiting, self._queue = self._queue, []
        if not waiting:
            return
        try:
            with transaction(self._write_to):
                for item in waiting:
                    self._insert(item)
        except (sqlite3.Error, UnicodeError) as error:
            for item in waiting:
                item.done.set_exception(error)
            return
        for item in waiting:
            item.done.set_result(None)

    def _insert(self, item: Waiting) -> None:
        """Write one item; keep a response in memory if its key already has another one."""
        if item.response is not None:
            entry = (item.key, json.dumps(asdict(item.response), ensure_ascii=False))
            cursor = self._write_to.execute("INSERT OR IGNORE INTO responses VALUES (?, ?)", entry)
            if cursor.rowcount != 1:
                self._late[item.key] = item.response
        if item.reuse.key:
            seeds = json.dumps(item.reuse.seeds, ensure_ascii=False)
            reuse = (item.reuse.key, item.key, seeds)  # row ids may have changed
            self._write_to.execute("INSERT OR REPLACE INTO reuse VALUES (?, ?, ?)", reuse)


@contextmanager
def open_store(
    packed: Path = PACKED, cache: Path = CACHE, busy_s: float = BUSY_S
) -> Iterator[ResponseStore]:
    """Open the store for the duration of the block.

    Args:
        packed: folder of packed files (`*.jsonl.gz`); may be missing.
        cache: SQLite file of the local cache.
        busy_s: how long to wait for another process's write, in seconds.

    Raises:
        UserError: a packed file or the cache file is damaged.
    """
    recorded = merged(read_packed(sorted(packed.glob("*.jsonl.gz"))))
    with (
        open_database(cache, SCHEMA, busy_s) as write,
        open_database(cache, SCHEMA, busy_s) as read,
    ):
        _move_earlier_rows(write)
        store = ResponseStore(recorded, read, write)
        try:
            yield store
        finally:
            store.close()


def write_used(store: ResponseStore, path: Path) -> None:
    """Write the responses that this run used as JSONL, sorted by key."""
    write_jsonl(path, (entry.as_line() for entry in store.recorded()))


def _move_earlier_rows(database: sqlite3.Connection) -> None:
    if not _earlier_tables(database):  # the usual case: take no write lock
        return
    with transaction(database):
        for table in _earlier_tables(database):  # again, since another process may have moved them
            database.execute(EARLIER[table])
            database.execute(f"DROP TABLE {table}")


def _earlier_tables(database: sqlite3.Connection) -> set[str]:
    found = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return EARLIER.keys() & {name for (name,) in found}


def _still_there(seeds: tuple[Seed, ...], rows: Mapping[str, str]) -> bool:
    return bool(seeds) and all(rows.get(row_id) == text for row_id, text in seeds)
