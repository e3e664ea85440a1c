"""SQLite files shared by several processes: recorded responses and text vectors.

with open_database(CACHE, TABLES) as database, transaction(database):
    database.execute("INSERT INTO responses VALUES (?, ?)", entry)
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from filelock import FileLock

from src.errors import UserError

BUSY_S = 60.0  # how long to wait for another process's write


@contextmanager
def open_database(
    path: Path, tables: Sequence[str], busy_s: float = BUSY_S
) -> Iterator[sqlite3.Connection]:
    """Open a connection for the duration of the block; any thread may use it, one at a time.

    Each statement outside `transaction` is committed at once. The journal is a write-ahead log, so
    a reader with its own connection does not wait for writers.

    Args:
        path: of the file; it and its folder are created if missing.
        tables: statements that create missing tables.
        busy_s: how long to wait for another connection's write, in seconds.

    Raises:
        UserError: the file is damaged, or another process writes to it for longer than `busy_s`,
            on opening or in the block.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(
            sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
        ) as database:
            # Switching to WAL does not wait for locks: one of two processes on a new file would fail.
            with FileLock(path.with_name(path.name + ".lock")):
                database.execute("PRAGMA journal_mode=WAL")
                database.execute("PRAGMA synchronous=FULL")  # what was paid for survives a crash
                for table in tables:
                    database.execute(table)
            yield database
    except sqlite3.DatabaseError as error:
        busy = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
        remedy = "end the process that writes to it" if busy else "move it away to start a new one"
        raise UserError(f"{path}: {error}; {remedy}") from None


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Commit all statements of the block or, if it raises, none of them."""
    with database:
        database.execute("BEGIN IMMEDIATE")
        yield
