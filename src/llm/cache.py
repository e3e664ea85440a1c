"""Answers that were bought once: shipped recordings, then the local cache.

Look-up order: `data/recordings/*.jsonl.gz` (in git, read only), then SQLite in
`$DVC_ROOT/.cache/` - outside DVC's outs, which DVC deletes before a stage runs, and outside the
temporary workspaces of queued experiments. What is not found there is asked of the endpoint, and
the answer is committed before anything reads it.

An answer is found by the key of its request. Where train rows have come or gone that key is
another one, and the answer is found by its slot (`requests.Request.slot_of`), as long as the rows
that it was written from are still there.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from filelock import FileLock

from src.errors import UserError
from src.files import write_jsonl
from src.llm.recordings import (
    NOWHERE,
    RECORDINGS,
    Entry,
    Place,
    merged,
    read_recordings,
    read_seeds,
)
from src.llm.requests import Answer, Request, Seed
from src.paths import ROOT

CACHE = ROOT / ".cache" / "llm.sqlite"
BUSY_S = 60.0  # how long another process's write is waited for
SCHEMA = (  # slots stand apart, so that a cache from before there were any needs no change
    "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, entry TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS slots (slot TEXT, key TEXT, seeds TEXT NOT NULL, "
    "PRIMARY KEY (slot, key)) WITHOUT ROWID",
)


class Waiting(NamedTuple):
    """What is to be written: an answer, or only the place of one that is there."""

    key: str
    answer: Answer | None
    place: Place
    done: Future[None]


class AnswerStore:
    """Answers by request key and by slot. Several processes may share one cache file."""

    def __init__(
        self, recorded: dict[str, Entry], read: sqlite3.Connection, write: sqlite3.Connection
    ) -> None:
        self._recorded = recorded
        self._in_slot: dict[str, list[str]] = {}
        for key, entry in recorded.items():
            self._in_slot.setdefault(entry.place.slot, []).append(key)
        self._read, self._write_to = read, write  # a reader must not wait for the writer's disk
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="answers")
        self._queue: list[Waiting] = []
        self._lock = Lock()
        self._used: dict[str, Place] = {}
        self._late: dict[str, Answer] = {}  # this run used its own, another one stays
        self.hits = self.misses = 0
        self.reused = 0  # of the hits: found by the slot

    def get(self, key: str) -> Answer | None:
        """The answer if it was bought before."""
        answer = self._find(key)
        if answer is None:
            self.misses += 1
        else:
            self.hits += 1
            self._used.setdefault(key, NOWHERE)
        return answer

    def first(
        self, requests: Sequence[Request], rows: Mapping[str, str] | None = None
    ) -> tuple[Request, Answer] | None:
        """The first of several ways to ask the same whose answer was bought, and that answer.

        Where none was, the first one whose slot has an answer that was written from rows that are
        still there; of several answers the recorded ones go first, then the smallest key. The
        request then names that answer's key and seeds.

        Args:
            requests: ways to ask the same, best first.
            rows: the train rows of the class, id -> digest of the text; without them no slot is
                looked up.
        """
        found = self._by_key(requests) or self._by_slot(requests, rows)
        if found is None:
            self.misses += 1
            return None
        request, _ = found
        self.hits += 1
        self.reused += bool(request.reused_key)
        self._used[request.answer_key] = Place(request.slot, request.seeds)
        return found

    async def commit(self, request: Request, answer: Answer) -> None:
        """`put`, and wait until it is on the disk."""
        place = Place(request.slot, request.seeds)
        await asyncio.wrap_future(self.put(request.key, answer, place))

    def put(self, key: str, answer: Answer, place: Place = NOWHERE) -> Future[None]:
        """Commit an answer; the first one bought for a key stays. Done when it is on the disk.

        A thread writes, and all that waits by then in one transaction: to wait for the disk once
        an answer would hold up every other request.
        """
        self._used[key] = place
        return self._submit(key, answer, place)

    def used(self) -> Iterator[tuple[str, Answer]]:
        """Keys, sorted, and answers that this run used."""
        for key in sorted(self._used):
            answer = self._late.get(key) or self._find(key)
            assert answer is not None, key
            yield key, answer

    def cassette(self) -> Iterator[dict[str, Any]]:
        """The entries that this run used: enough to replay it without a model."""
        for key, answer in self.used():
            place = self._used[key]
            yield {"key": key, **asdict(answer), **(place._asdict() if place.slot else {})}

    def close(self) -> None:
        """Write what is left."""
        self._writer.shutdown()

    def _by_key(self, requests: Sequence[Request]) -> tuple[Request, Answer] | None:
        for request in requests:
            answer = self._find(request.key)
            if answer is not None:
                place = Place(request.slot, request.seeds)
                if place.slot and place != self._place(request.key, place.slot):
                    self._submit(request.key, None, place)  # to be found when rows change
                return request, answer
        return None

    def _by_slot(
        self, requests: Sequence[Request], rows: Mapping[str, str] | None
    ) -> tuple[Request, Answer] | None:
        if not rows:
            return None
        for request in requests:
            keys = self._keys(request.slot) if request.slot else []
            for key in sorted(keys, key=lambda key: (key not in self._recorded, key)):
                place, answer = self._place(key, request.slot), self._find(key)
                if answer is not None and _still_there(place.seeds, rows):
                    return replace(request, reused_key=key, seeds=place.seeds), answer
        return None

    def _keys(self, slot: str) -> set[str]:
        """Keys of the answers in a slot."""
        cached = self._read.execute("SELECT key FROM slots WHERE slot = ?", (slot,))
        return {*self._in_slot.get(slot, ()), *(key for (key,) in cached)}

    def _place(self, key: str, slot: str) -> Place:
        """The place of an answer in that slot, if it is known to stand there."""
        recorded = self._recorded.get(key)
        if recorded is not None and recorded.place.slot == slot:
            return recorded.place
        found = self._read.execute(
            "SELECT seeds FROM slots WHERE slot = ? AND key = ?", (slot, key)
        ).fetchone()
        return Place(slot, read_seeds(json.loads(found[0]))) if found else NOWHERE

    def _submit(self, key: str, answer: Answer | None, place: Place) -> Future[None]:
        done: Future[None] = Future()
        done.set_running_or_notify_cancel()  # whoever waits may leave; what was paid for is written
        with self._lock:
            self._queue.append(Waiting(key, answer, place, done))
        self._writer.submit(self._write)
        return done

    def _find(self, key: str) -> Answer | None:
        recorded = self._recorded.get(key)
        if recorded is not None:
            return recorded.answer
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
                for item in waiting:
                    self._insert(item)
        except (sqlite3.Error, UnicodeError) as error:
            for item in waiting:
                item.done.set_exception(error)
            return
        for item in waiting:
            item.done.set_result(None)

    def _insert(self, item: Waiting) -> None:
        """Write one; of an answer that is not the first of its key a copy is kept for this run."""
        if item.answer is not None:
            entry = (item.key, json.dumps(asdict(item.answer), ensure_ascii=False))
            cursor = self._write_to.execute("INSERT OR IGNORE INTO answers VALUES (?, ?)", entry)
            if cursor.rowcount != 1:
                self._late[item.key] = item.answer
        if item.place.slot:
            seeds = json.dumps(item.place.seeds, ensure_ascii=False)
            place = (item.place.slot, item.key, seeds)  # rows may be numbered anew
            self._write_to.execute("INSERT OR REPLACE INTO slots VALUES (?, ?, ?)", place)


@contextmanager
def open_store(recordings: Path = RECORDINGS, cache: Path = CACHE) -> Iterator[AnswerStore]:
    """The store while the block runs.

    Raises:
        UserError: a recording or the cache file is damaged.
    """
    recorded = merged(read_recordings(sorted(recordings.glob("*.jsonl.gz"))))
    cache.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(_connect(cache)) as write, closing(_connect(cache)) as read:
            # The change to WAL does not wait: of two processes on a new file one would fail.
            with FileLock(cache.with_name(cache.name + ".lock")):
                write.execute("PRAGMA journal_mode=WAL")
                write.execute("PRAGMA synchronous=FULL")  # what was paid for survives a crash
                for table in SCHEMA:
                    write.execute(table)
            store = AnswerStore(recorded, read, write)
            try:
                yield store
            finally:
                store.close()
    except sqlite3.DatabaseError as error:
        busy = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
        remedy = "end the process that writes to it" if busy else "move it away to start a new one"
        raise UserError(f"{cache}: {error}; {remedy}") from None


def write_used(store: AnswerStore, path: Path) -> None:
    """The answers that a run used, sorted by key, one JSON object a line."""
    write_jsonl(path, store.cassette())


def _connect(cache: Path) -> sqlite3.Connection:
    """A connection that any thread may use."""
    return sqlite3.connect(cache, timeout=BUSY_S, isolation_level=None, check_same_thread=False)


def _still_there(seeds: tuple[Seed, ...], rows: Mapping[str, str]) -> bool:
    return bool(seeds) and all(rows.get(row_id) == text for row_id, text in seeds)
