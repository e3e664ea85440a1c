"""Responses are paid for once: packed files, then the cache, committed before use."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Timer

import pytest

from src.errors import UserError
from src.llm.recorded import RecordedResponse, Reuse, write_packed
from src.llm.requests import Response
from src.llm.response_store import ResponseStore, open_store, write_used

GOOD = Response("您好\n- 我要补卡\u2028", "stop", 11, 7, cached_tokens=5)
OTHER = Response("销户", "length", 1, 2)
SOON_S = 20  # for what takes milliseconds


def buy(store: ResponseStore, key: str, response: Response) -> None:
    """Put a response and wait until it is committed."""
    store.put(key, response).result(SOON_S)


@contextmanager
def locked(cache: Path) -> Iterator[Callable[[], object]]:
    """Block writes to the cache, as a slow disk would, until the yielded function is called."""
    with open_store(cache.parent / "none", cache):
        pass  # create the file and its tables
    connection = sqlite3.connect(cache, isolation_level=None, check_same_thread=False)
    with closing(connection):
        connection.execute("BEGIN IMMEDIATE")
        yield lambda: connection.execute("ROLLBACK")


def run_python(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Run code in another process."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_response_is_found_again(tmp_path: Path) -> None:
    """In the same run and in the next one; hits and misses are counted."""
    cache = tmp_path / "deep" / "llm.sqlite"
    with open_store(tmp_path, cache) as store:
        assert store.get("k") is None
        buy(store, "k", GOOD)
        assert store.get("k") == GOOD
        assert (store.hits, store.misses) == (1, 1)
    with open_store(tmp_path, cache) as store:
        assert store.get("k") == GOOD
        assert (store.hits, store.misses) == (1, 0)


READER = """
import sys
from pathlib import Path
from src.llm.response_store import open_store

with open_store(Path("none"), Path(sys.argv[1])) as store:
    print(store.get("k").prompt_tokens)
"""


def test_a_response_is_committed_once_its_future_is_done(tmp_path: Path) -> None:
    """Another process sees it while this one is still running."""
    cache = tmp_path / "llm.sqlite"
    with open_store(tmp_path, cache) as store:
        buy(store, "k", GOOD)
        process = run_python(READER, cache)
        assert process.communicate(timeout=60) == ("11\n", "")


KILLED = """
import os, sys
from pathlib import Path
from src.llm.response_store import open_store
from src.llm.requests import Response

with open_store(Path("none"), Path(sys.argv[1])) as store:
    store.put("k", Response("x", "stop", 1, 2)).result()
    os._exit(9)
"""


def test_a_committed_response_survives_the_process(tmp_path: Path) -> None:
    """It is on disk: nothing is left to do when the run ends."""
    cache = tmp_path / "llm.sqlite"
    process = run_python(KILLED, cache)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 9
    with open_store(tmp_path, cache) as store:
        assert store.get("k") == Response("x", "stop", 1, 2)


def test_responses_that_wait_share_a_transaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one waits for the disk; the other 499 need at most one more transaction."""
    cache = tmp_path / "llm.sqlite"
    statements: list[str] = []
    connect = sqlite3.connect

    def traced(*args: object, **settings: object) -> sqlite3.Connection:
        connection = connect(*args, **settings)
        connection.set_trace_callback(statements.append)
        return connection

    with locked(cache) as release:
        monkeypatch.setattr(sqlite3, "connect", traced)
        with open_store(tmp_path, cache) as store:
            futures = [store.put(f"k{n}", Response("好", "stop", n, n)) for n in range(500)]
            assert not any(future.done() for future in futures)
            release()
            for future in futures:
                future.result(SOON_S)
            assert statements.count("COMMIT") in (1, 2)
            for n in range(500):
                assert store.get(f"k{n}") == Response("好", "stop", n, n)


def test_closing_writes_what_is_queued(tmp_path: Path) -> None:
    """Nothing awaited these responses, and they reach the disk after the end of the block."""
    cache = tmp_path / "llm.sqlite"
    with locked(cache) as release, open_store(tmp_path, cache) as store:
        futures = [store.put("k0", OTHER)]
        time.sleep(0.05)  # the first is being written, the others are queued
        futures += [store.put(f"k{n}", OTHER) for n in range(1, 50)]
        timer = Timer(0.2, release)
        timer.start()
    timer.join()
    for future in futures:
        future.result(0)
    with open_store(tmp_path, cache) as store:
        assert all(store.get(f"k{n}") == OTHER for n in range(50))


def test_reading_does_not_wait_for_the_disk(tmp_path: Path) -> None:
    """A stored response is read while another one is being written."""
    cache = tmp_path / "llm.sqlite"
    with open_store(tmp_path, cache) as store:
        buy(store, "old", GOOD)
    with locked(cache) as release, open_store(tmp_path, cache, busy_s=5) as store:
        done = store.put("new", OTHER)
        assert store.get("old") == GOOD
        assert store.get("new") is None
        assert not done.done()
        release()
        done.result(SOON_S)
        assert store.get("new") == OTHER


def test_a_failed_write_reaches_every_future(tmp_path: Path) -> None:
    """No future stays pending when the disk fails, and the next response is written again."""
    cache = tmp_path / "llm.sqlite"
    with locked(cache) as release, open_store(tmp_path, cache, busy_s=0.1) as store:
        for future in [store.put(f"k{n}", OTHER) for n in range(20)]:
            with pytest.raises(sqlite3.OperationalError, match="database is locked"):
                future.result(SOON_S)
        release()
        buy(store, "k0", GOOD)
        assert store.get("k0") == GOOD
        assert store.get("k1") is None


def test_a_text_that_no_file_can_hold_reaches_its_future(tmp_path: Path) -> None:
    """A lone surrogate raises an error in its future instead of an endless wait."""
    with open_store(tmp_path, tmp_path / "llm.sqlite") as store:
        with pytest.raises(UnicodeEncodeError):
            store.put("k", Response("\ud83d", "stop", 1, 2)).result(SOON_S)
        buy(store, "l", GOOD)
        assert store.get("k") is None


def test_a_cancelled_waiter_stops_no_write(tmp_path: Path) -> None:
    """A cancelled request was paid for: its response is stored, as are those queued with it."""
    cache = tmp_path / "llm.sqlite"
    with locked(cache) as release, open_store(tmp_path, cache) as store:
        futures = [store.put(f"k{n}", GOOD) for n in range(3)]
        futures[1].cancel()
        release()
        futures[2].result(SOON_S)
        assert [store.get(f"k{n}") for n in range(3)] == [GOOD] * 3


def test_the_first_response_of_a_key_stays(tmp_path: Path) -> None:
    """Two processes may buy the same one; later runs agree on which one counts."""
    cache = tmp_path / "llm.sqlite"
    with open_store(tmp_path, cache) as store, open_store(tmp_path, cache) as other:
        buy(store, "k", GOOD)
        buy(other, "k", OTHER)
    with open_store(tmp_path, cache) as store:
        assert store.get("k") == GOOD


def test_each_run_replays_the_response_that_it_used(tmp_path: Path) -> None:
    """If two runs bought the same one at once, the later run keeps its own."""
    cache = tmp_path / "llm.sqlite"
    with open_store(tmp_path, cache) as store, open_store(tmp_path, cache) as other:
        buy(store, "k", GOOD)
        buy(other, "k", OTHER)
        assert list(store.used()) == [("k", GOOD)]
        assert list(other.used()) == [("k", OTHER)]
        assert list(other.recorded()) == [RecordedResponse("k", OTHER)]


def test_a_run_that_fails_keeps_its_responses(tmp_path: Path) -> None:
    """Responses paid for before the error are in the next run's store."""
    cache = tmp_path / "llm.sqlite"

    def fail() -> None:
        with open_store(tmp_path, cache) as store:
            store.put("k", GOOD)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with open_store(tmp_path, cache) as store:
        assert store.get("k") == GOOD


def test_a_run_replays_from_its_responses(tmp_path: Path) -> None:
    """What a run used, sorted by key, is enough for a run with an empty cache."""
    with open_store(tmp_path / "none", tmp_path / "a.sqlite") as store:
        store.put("b", GOOD)
        store.put("unused", OTHER)
        store.put("a", OTHER)
    with open_store(tmp_path / "none", tmp_path / "a.sqlite") as store:
        store.get("b")
        store.get("a")
        store.get("not bought")
        assert list(store.used()) == [("a", OTHER), ("b", GOOD)]
        responses = list(store.recorded())
        assert (store.hits, store.misses) == (2, 1)
    assert [entry.key for entry in responses] == ["a", "b"]
    write_packed(tmp_path / "packed" / "r.jsonl.gz", responses)
    with open_store(tmp_path / "packed", tmp_path / "b.sqlite") as store:
        assert store.get("a") == OTHER
        assert store.get("b") == GOOD
        assert store.get("unused") is None
        assert list(store.recorded()) == responses


def test_used_responses_are_read_as_they_are_written(tmp_path: Path) -> None:
    """Responses are looked up one at a time, not all held in memory."""
    with open_store(tmp_path, tmp_path / "a.sqlite") as store:
        buy(store, "a", GOOD)
        responses = store.recorded()
        assert next(responses) == RecordedResponse("a", GOOD)
        assert next(responses, None) is None


def test_a_packed_file_goes_before_the_cache(tmp_path: Path) -> None:
    """Packed responses replay the same for everyone, whatever is in their cache."""
    with open_store(tmp_path, tmp_path / "c.sqlite") as store:
        store.put("k", GOOD)
    write_packed(tmp_path / "r.jsonl.gz", [RecordedResponse("k", OTHER)])
    with open_store(tmp_path, tmp_path / "c.sqlite") as store:
        assert store.get("k") == OTHER
        assert list(store.used()) == [("k", OTHER)]


def test_used_responses_are_written_as_jsonl(tmp_path: Path) -> None:
    """Sorted by key and field, with reuse key and seeds if known: DVC hashes the file."""
    with open_store(tmp_path, tmp_path / "c.sqlite") as store:
        store.put("b", OTHER, Reuse("s", (("r0", "aa"), ("r1", "bb"))))
        buy(store, "a", GOOD)
        write_used(store, tmp_path / "used.jsonl")
    assert (tmp_path / "used.jsonl").read_text(encoding="utf-8") == (
        '{"cached_tokens": 5, "completion_tokens": 7, "finish_reason": "stop", "key": "a", '
        '"prompt_tokens": 11, "text": "您好\\n- 我要补卡\u2028"}\n'
        '{"cached_tokens": 0, "completion_tokens": 2, "finish_reason": "length", "key": "b", '
        '"prompt_tokens": 1, "reuse_key": "s", "seeds": [["r0", "aa"], ["r1", "bb"]], "text": "销户"}\n'
    )


def test_a_response_bought_by_an_earlier_version_is_found(tmp_path: Path) -> None:
    """In a file with the old tables; one response is older than cached_tokens."""
    cache = tmp_path / "c.sqlite"
    with closing(sqlite3.connect(cache, isolation_level=None)) as connection:
        connection.execute(
            "CREATE TABLE answers (key TEXT PRIMARY KEY, entry TEXT NOT NULL) WITHOUT ROWID"
        )
        entry = {"text": "喂", "finish_reason": "stop", "prompt_tokens": 1, "completion_tokens": 2}
        for key, extra in (("old", {}), ("new", {"cached_tokens": 1})):
            connection.execute(
                "INSERT INTO answers VALUES (?, ?)", (key, json.dumps({**entry, **extra}))
            )
        connection.execute("CREATE TABLE slots (slot TEXT, key TEXT, seeds TEXT NOT NULL)")
        connection.execute("INSERT INTO slots VALUES ('s', 'old', '[[\"r0\", \"aa\"]]')")
    with open_store(tmp_path, cache) as store:
        assert store.get("old") == Response("喂", "stop", 1, 2, cached_tokens=0)
        assert store.get("new") == Response("喂", "stop", 1, 2, cached_tokens=1)
    with closing(sqlite3.connect(cache)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
        reuse = connection.execute("SELECT reuse_key, key, seeds FROM reuse").fetchall()
    assert sorted(name for (name,) in tables) == ["responses", "reuse"]
    assert reuse == [("s", "old", '[["r0", "aa"]]')]


def test_the_schema_of_the_cache_is_stable(tmp_path: Path) -> None:
    """Later versions must find these tables and columns."""
    with open_store(tmp_path, tmp_path / "c.sqlite") as store:
        store.put("k", GOOD, Reuse("s", (("r0", "aa"),)))
    with closing(sqlite3.connect(tmp_path / "c.sqlite")) as connection:
        responses = connection.execute("SELECT key, entry FROM responses").fetchall()
        reuse = connection.execute("SELECT reuse_key, key, seeds FROM reuse").fetchall()
    entry = (
        '{"text": "您好\\n- 我要补卡\u2028", "finish_reason": "stop", "prompt_tokens": 11, '
        '"completion_tokens": 7, "cached_tokens": 5}'
    )
    assert responses == [("k", entry)]
    assert reuse == [("s", "k", '[["r0", "aa"]]')]


@pytest.mark.parametrize("content", [b"no database" * 99, None], ids=["garbage", "a-folder"])
def test_a_damaged_cache_is_named(content: bytes | None, tmp_path: Path) -> None:
    """The error has file and remedy; the file is not touched."""
    cache = tmp_path / "c.sqlite"
    cache.mkdir() if content is None else cache.write_bytes(content)
    with (
        pytest.raises(UserError, match=rf"{cache}: .*; move it away to start a new one"),
        open_store(tmp_path, cache),
    ):
        pass
    assert cache.is_dir() if content is None else cache.read_bytes() == content


WRITER = """
import sys
from pathlib import Path
from src.llm.response_store import open_store
from src.llm.requests import Response

cache, who = Path(sys.argv[1]), sys.argv[2]
with open_store(cache.parent, cache) as store:
    for n in range(100):
        store.put(f"{who}-{n}", Response(who, "stop", n, n))
        store.put(f"both-{n}", Response(who, "stop", n, n))
"""


def test_two_processes_share_a_cache(tmp_path: Path) -> None:
    """Both start without a file at the same time, and no response is lost."""
    cache = tmp_path / "c.sqlite"
    processes = [run_python(WRITER, cache, who) for who in ("one", "two")]
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert errors == ["", ""]
    assert [process.returncode for process in processes] == [0, 0]
    with open_store(tmp_path, cache) as store:
        for n in range(100):
            for who in ("one", "two"):
                assert store.get(f"{who}-{n}") == Response(who, "stop", n, n)
            assert store.get(f"both-{n}") is not None


def test_a_busy_cache_is_no_damaged_one(tmp_path: Path) -> None:
    """Reading works while another process writes; a write error names the cause."""
    cache = tmp_path / "c.sqlite"
    with open_store(tmp_path, cache) as store:
        store.put("k", GOOD)
    with locked(cache):
        with open_store(tmp_path, cache) as store:
            assert store.get("k") == GOOD
        expected = f"{cache}: database is locked; end the process that writes to it"
        with (
            pytest.raises(UserError, match=expected),
            open_store(tmp_path, cache, busy_s=0.1) as store,
        ):
            buy(store, "l", GOOD)
