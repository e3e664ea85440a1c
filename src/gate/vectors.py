"""A cache of embedding vectors by the key of their text, in a file that is no DVC output.

with open_vectors() as vectors:
    vectors.keep([(key, vector)])
    vectors.find(key)
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from src.llm.sqlite import open_database, transaction
from src.paths import ROOT

CACHE = ROOT / ".cache" / "embeddings.sqlite"
SCHEMA = ("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL)",)


class VectorStore:
    """Vectors by key; any thread may write."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database, self._lock = database, Lock()

    def find(self, key: bytes) -> NDArray[np.float32] | None:
        """Return the cached vector, or None."""
        query = "SELECT vector FROM vectors WHERE key = ?"
        row = self._database.execute(query, (key,)).fetchone()
        return np.frombuffer(row[0], np.float32) if row else None

    def keep(self, vectors: Iterable[tuple[bytes, NDArray[np.float32]]]) -> None:
        """Store keys and vectors in one transaction."""
        rows = [(key, vector.tobytes()) for key, vector in vectors]
        with self._lock, transaction(self._database):
            self._database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)


@contextmanager
def open_vectors(cache: Path = CACHE) -> Iterator[VectorStore]:
    """Open the store for a `with` block.

    Raises:
        UserError: the file is damaged.
    """
    with open_database(cache, SCHEMA) as database:
        yield VectorStore(database)
