"""SQLite files shared by threads and processes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest

from src.errors import UserError
from src.llm.sqlite import open_database, transaction

TABLES = ("CREATE TABLE IF NOT EXISTS numbers (n INTEGER PRIMARY KEY)",)


def numbers(path: Path) -> list[int]:
    """Rows that another connection sees."""
    with closing(sqlite3.connect(path)) as other:
        return [n for (n,) in other.execute("SELECT n FROM numbers ORDER BY n")]


def test_what_is_written_is_there_at_once(tmp_path: Path) -> None:
    """In a new folder, from any thread, and again in an existing file."""
    path = tmp_path / "deep" / "n.sqlite"
    with open_database(path, TABLES) as database:
        writer = Thread(target=database.execute, args=("INSERT INTO numbers VALUES (1)",))
        writer.start()
        writer.join()
        assert numbers(path) == [1]
    with open_database(path, TABLES) as database:
        assert database.execute("SELECT n FROM numbers").fetchall() == [(1,)]
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    """No reader sees half of it, and an error leaves nothing of it."""
    path = tmp_path / "n.sqlite"
    with open_database(path, TABLES) as database:
        with transaction(database):
            database.execute("INSERT INTO numbers VALUES (1)")
            assert numbers(path) == []
            database.execute("INSERT INTO numbers VALUES (2)")
        assert numbers(path) == [1, 2]

        def fail() -> None:
            with transaction(database):
                database.execute("INSERT INTO numbers VALUES (3)")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        assert numbers(path) == [1, 2]


def test_an_open_file_is_read_while_another_writes(tmp_path: Path) -> None:
    """It can also be opened; a second writer gets an error with the remedy."""
    path = tmp_path / "n.sqlite"
    with open_database(path, TABLES) as writer, transaction(writer):
        writer.execute("INSERT INTO numbers VALUES (1)")
        with open_database(path, TABLES, busy_s=0.1) as reader:
            assert reader.execute("SELECT n FROM numbers").fetchall() == []
        expected = f"^{path}: database is locked; end the process that writes to it"
        with (
            pytest.raises(UserError, match=expected),
            open_database(path, TABLES, busy_s=0.1) as other,
            transaction(other),
        ):
            pass


@pytest.mark.parametrize("content", [b"no database" * 99, None], ids=["garbage", "a-folder"])
def test_a_damaged_file_is_named(content: bytes | None, tmp_path: Path) -> None:
    """The error has file and remedy; the file is not touched."""
    path = tmp_path / "n.sqlite"
    path.mkdir() if content is None else path.write_bytes(content)
    with (
        pytest.raises(UserError, match=f"^{path}: .*; move it away to start a new one"),
        open_database(path, TABLES),
    ):
        pass
    assert path.is_dir() if content is None else path.read_bytes() == content
