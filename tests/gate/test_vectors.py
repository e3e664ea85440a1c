"""Vectors are cached for the next run, from any thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from src.errors import UserError
from src.gate.vectors import open_vectors


def test_a_vector_is_found_again(tmp_path: Path) -> None:
    """Cached vectors are bit-identical in this run and the next; others are not found."""
    cache = tmp_path / ".cache" / "v.sqlite"
    vector = np.array([0.1, -2.5, 3.0], dtype=np.float32)
    with open_vectors(cache) as store:
        assert store.find(b"a") is None
        store.keep([(b"a", vector)])
        assert store.find(b"a") == pytest.approx(vector, abs=0)
    with open_vectors(cache) as store:
        assert store.find(b"a") == pytest.approx(vector, abs=0)
        assert store.find(b"b") is None


def test_threads_may_keep_vectors_at_once(tmp_path: Path) -> None:
    """No vector is lost."""
    with open_vectors(tmp_path / "v.sqlite") as store, ThreadPoolExecutor(8) as pool:
        batches = [
            [(bytes([n, m]), np.full(2, n, np.float32)) for m in range(20)] for n in range(40)
        ]
        list(pool.map(store.keep, batches))
        for batch in batches:
            for key, vector in batch:
                assert store.find(key) == pytest.approx(vector, abs=0)


def test_a_damaged_file_is_reported(tmp_path: Path) -> None:
    """The error names the file and the remedy."""
    cache = tmp_path / "v.sqlite"
    cache.write_bytes(b"no database" * 100)
    with (
        pytest.raises(UserError, match=rf"^{cache}: .*; move it away to start a new one"),
        open_vectors(cache),
    ):
        pass
