"""Vectors that a model was asked for once, by the key of their text, in a file outside DVC's outs.

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
        """The vector if it was kept before."""
        query = "SELECT vector FROM vectors WHERE key = ?"
        row = self._database.execute(query, (key,)).fetchone()
        return np.frombuffer(row[0], np.float32) if row else None

    def keep(self, vectors: Iterable[tuple[bytes, NDArray[np.float32]]]) -> None:
        """Commit keys and vectors, all at once."""
        rows = [(key, vector.tobytes()) for key, vector in vectors]
        with self._lock, transaction(self._database):
            self._database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)


@contextmanager
def open_vectors(cache: Path = CACHE) -> Iterator[VectorStore]:
    """The store while the block runs.

    Raises:
        UserError: the file is damaged.
    """
    with open_database(cache, SCHEMA) as database:
        yield VectorStore(database)
