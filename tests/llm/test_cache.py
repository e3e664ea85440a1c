"""Answers are bought once: recordings first, then the cache, committed before they are read."""

from __future__ import annotations

import asyncio
import gzip
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from threading import Timer

import pytest

from src.errors import UserError
from src.llm import cache as cache_module
from src.llm.cache import AnswerStore, open_store
from src.llm.recordings import write_recording
from src.llm.requests import Answer, Request
from tests.llm.conftest import MakeRequest

GOOD = Answer("您好\n- 我要补卡\u2028", "stop", 11, 7, cached_tokens=5)
OTHER = Answer("销户", "length", 1, 2)
SOON_S = 20  # for what takes milliseconds
ENTRY = {  # as it was recorded before answers had cached_tokens
    "key": "k",
    "text": "喂",
    "finish_reason": "stop",
    "prompt_tokens": 1,
    "completion_tokens": 2,
}


def buy(store: AnswerStore, key: str, answer: Answer) -> None:
    """Put an answer and wait until it is committed."""
    store.put(key, answer).result(SOON_S)


@contextmanager
def locked(cache: Path) -> Iterator[Callable[[], object]]:
    """Writing to the cache waits, as for a slow disk, until what this yields is called."""
    with open_store(cache.parent / "none", cache):
        pass  # the file and its table are there
    connection = sqlite3.connect(cache, isolation_level=None, check_same_thread=False)
    with closing(connection):
        connection.execute("BEGIN IMMEDIATE")
        yield lambda: connection.execute("ROLLBACK")


def run_python(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Another process."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_an_answer_is_found_again(tmp_path: Path) -> None:
    """In the same run and in the next; hits and misses are counted."""
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
from src.llm.cache import open_store

with open_store(Path("none"), Path(sys.argv[1])) as store:
    print(store.get("k").prompt_tokens)
"""


def test_an_answer_is_committed_once_its_future_is_done(tmp_path: Path) -> None:
    """Another process sees it while this one still runs."""
    cache = tmp_path / "llm.sqlite"
    with open_store(tmp_path, cache) as store:
        buy(store, "k", GOOD)
        process = run_python(READER, cache)
        assert process.communicate(timeout=60) == ("11\n", "")


KILLED = """
import os, sys
from pathlib import Path
from src.llm.cache import open_store
from src.llm.requests import Answer

with open_store(Path("none"), Path(sys.argv[1])) as store:
    store.put("k", Answer("x", "stop", 1, 2)).result()
    os._exit(9)
"""


def test_a_committed_answer_survives_the_process(tmp_path: Path) -> None:
    """What was paid for is on the disk: nothing is left to do when the run ends."""
    cache = tmp_path / "llm.sqlite"
    process = run_python(KILLED, cache)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 9
    with open_store(tmp_path, cache) as store:
        assert store.get("k") == Answer("x", "stop", 1, 2)


def test_answers_that_wait_share_a_transaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk holds up the first; the other 499 come to one more transaction, or to none."""
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
            futures = [store.put(f"k{n}", Answer("好", "stop", n, n)) for n in range(500)]
            assert not any(future.done() for future in futures)
            release()
            for future in futures:
                future.result(SOON_S)
            assert statements.count("COMMIT") in (1, 2)
            for n in range(500):
                assert store.get(f"k{n}") == Answer("好", "stop", n, n)


def test_closing_writes_what_is_queued(tmp_path: Path) -> None:
    """Nobody waited for these answers, and the disk takes them only after the end of the block."""
    cache = tmp_path / "llm.sqlite"
    with locked(cache) as release, open_store(tmp_path, cache) as store:
        futures = [store.put("k0", OTHER)]
        time.sleep(0.05)  # this one is being written, the others wait for their turn
        futures += [store.put(f"k{n}", OTHER) for n in range(1, 50)]
        timer = Timer(0.2, release)
        timer.start()
    timer.join()
    for future in futures:
        future.result(0)
    with open_store(tmp_path, cache) as store:
        assert all(store.get(f"k{n}") == OTHER for n in range(50))


def test_reading_does_not_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that is there is read while another one is being written."""
    cache = tmp_path / "llm.sqlite"
    with open_store(tmp_path, cache) as store:
        buy(store, "old", GOOD)
    monkeypatch.setattr(cache_module, "BUSY_S", 5)
    with locked(cache) as release, open_store(tmp_path, cache) as store:
        done = store.put("new", OTHER)
        assert store.get("old") == GOOD
        assert store.get("new") is None
        assert not done.done()
        release()
        done.result(SOON_S)
        assert store.get("new") == OTHER


def test_a_failed_write_reaches_every_future(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for ever for a disk that fails, and the next answer is written again."""
    cache = tmp_path / "llm.sqlite"
    monkeypatch.setattr(cache_module, "BUSY_S", 0.1)
    with locked(cache) as release, open_store(tmp_path, cache) as store:
        for future in [store.put(f"k{n}", OTHER) for n in range(20)]:
            with pytest.raises(sqlite3.OperationalError, match="database is locked"):
                future.result(SOON_S)
        release()
        buy(store, "k0", GOOD)
        assert store.get("k0") == GOOD
        assert store.get("k1") is None


def test_a_text_that_no_file_can_hold_reaches_its_future(tmp_path: Path) -> None:
    """Half of a surrogate pair is an error where it is waited for, not a wait without end."""
    with open_store(tmp_path, tmp_path / "llm.sqlite") as store:
        with pytest.raises(UnicodeEncodeError):
            store.put("k", Answer("\ud83d", "stop", 1, 2)).result(SOON_S)
        buy(store, "l", GOOD)
        assert store.get("k") is None


def test_who_leaves_stops_no_write(tmp_path: Path) -> None:
    """A request that is called off was paid for: its answer is kept, as those written with it."""
    cache = tmp_path / "llm.sqlite"
    with locked(cache) as release, open_store(tmp_path, cache) as store:
        futures = [store.put(f"k{n}", GOOD) for n in range(3)]
        futures[1].cancel()
        release()
        futures[2].result(SOON_S)
        assert [store.get(f"k{n}") for n in range(3)] == [GOOD] * 3


def test_the_first_answer_of_a_key_stays(tmp_path: Path) -> None:
    """Two processes may buy the same one; later runs agree on which counts."""
    cache = tmp_path / "llm.sqlite"
    with open_store(tmp_path, cache) as store, open_store(tmp_path, cache) as other:
        buy(store, "k", GOOD)
        buy(other, "k", OTHER)
    with open_store(tmp_path, cache) as store:
        assert store.get("k") == GOOD


def test_each_run_replays_the_answer_that_it_used(tmp_path: Path) -> None:
    """Of two that bought the same one at once, the later keeps its own in its cassette."""
    cache = tmp_path / "llm.sqlite"
    with open_store(tmp_path, cache) as store, open_store(tmp_path, cache) as other:
        buy(store, "k", GOOD)
        buy(other, "k", OTHER)
        assert list(store.used()) == [("k", GOOD)]
        assert list(other.used()) == [("k", OTHER)]
        assert list(other.cassette()) == [{"key": "k", **asdict(OTHER)}]


def test_a_run_that_fails_keeps_its_answers(tmp_path: Path) -> None:
    """What was bought before the error is there after it."""
    cache = tmp_path / "llm.sqlite"

    def fail() -> None:
        with open_store(tmp_path, cache) as store:
            store.put("k", GOOD)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with open_store(tmp_path, cache) as store:
        assert store.get("k") == GOOD


def test_a_cassette_replays(tmp_path: Path) -> None:
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
        cassette = list(store.cassette())
        assert (store.hits, store.misses) == (2, 1)
    assert [entry["key"] for entry in cassette] == ["a", "b"]
    write_recording(tmp_path / "recordings" / "r.jsonl.gz", cassette)
    with open_store(tmp_path / "recordings", tmp_path / "b.sqlite") as store:
        assert store.get("a") == OTHER
        assert store.get("b") == GOOD
        assert store.get("unused") is None
        assert list(store.cassette()) == cassette


def test_a_cassette_is_read_as_it_is_written(tmp_path: Path) -> None:
    """No copy of all answers is in memory: one is looked up when it is asked for."""
    with open_store(tmp_path, tmp_path / "a.sqlite") as store:
        buy(store, "a", GOOD)
        cassette = store.cassette()
        assert next(cassette) == {"key": "a", **asdict(GOOD)}
        assert next(cassette, None) is None


def test_a_recording_goes_before_the_cache(tmp_path: Path) -> None:
    """A shipped run replays the same for everybody, whatever they bought before."""
    with open_store(tmp_path, tmp_path / "c.sqlite") as store:
        store.put("k", GOOD)
    write_recording(tmp_path / "r.jsonl.gz", [ENTRY])
    with open_store(tmp_path, tmp_path / "c.sqlite") as store:
        assert store.get("k") == Answer("喂", "stop", 1, 2)
        assert list(store.used()) == [("k", Answer("喂", "stop", 1, 2))]


@pytest.mark.parametrize(
    ("extra", "cached"), [({}, 0), ({"cached_tokens": 1}, 1)], ids=["without", "with"]
)
def test_cached_tokens_may_be_missing(extra: dict[str, int], cached: int, tmp_path: Path) -> None:
    """Answers recorded or bought before endpoints' own caches were counted still replay: 0."""
    cache = tmp_path / "c.sqlite"
    write_recording(tmp_path / "r.jsonl.gz", [{**ENTRY, **extra}])
    with open_store(tmp_path, cache) as store:
        answer = store.get("k")
    assert answer == Answer("喂", "stop", 1, 2, cached)
    entry = {name: value for name, value in ENTRY.items() if name != "key"}
    with closing(sqlite3.connect(cache, isolation_level=None)) as connection:
        connection.execute(
            "INSERT INTO answers VALUES (?, ?)", ("old", json.dumps({**entry, **extra}))
        )
    with open_store(tmp_path, cache) as store:
        assert store.get("old") == answer


def test_recordings_are_the_same_bytes(tmp_path: Path) -> None:
    """The same entries give the same file, whenever it is written."""
    for name in ("a", "b"):
        write_recording(tmp_path / name, [ENTRY, dict(reversed(ENTRY.items()))])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"no gzip", id="no-gzip"),
        pytest.param(gzip.compress(b'{"key": "k"}\n'), id="no-answer"),
        pytest.param(gzip.compress(b'{"text": "k"}\n'), id="no-key"),
        pytest.param(gzip.compress(b"{\n"), id="no-json"),
        pytest.param(gzip.compress(b"[1]\n"), id="a-list"),
        pytest.param(gzip.compress(b"1\n"), id="a-number"),
        pytest.param(gzip.compress(b"\xff\n"), id="not-utf-8"),
        pytest.param(gzip.compress(bytes(range(200)) * 9)[:-20], id="cut-off"),
        pytest.param(gzip.compress(b"{}" * 99)[:12] + b"\xff" * 20, id="bytes-overwritten"),
    ],
)
def test_a_damaged_recording_is_named(content: bytes, tmp_path: Path) -> None:
    """File and remedy."""
    file = tmp_path / "r.jsonl.gz"
    file.write_bytes(content)
    with (
        pytest.raises(UserError, match=rf"{file}: damaged recording \(.*\); restore it with git"),
        open_store(tmp_path, tmp_path / "c.sqlite"),
    ):
        pass


@pytest.mark.parametrize("content", [b"no database" * 99, None], ids=["garbage", "a-folder"])
def test_a_damaged_cache_is_named(content: bytes | None, tmp_path: Path) -> None:
    """File and remedy; the file itself is left alone."""
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
from src.llm.cache import open_store
from src.llm.requests import Answer

cache, who = Path(sys.argv[1]), sys.argv[2]
with open_store(cache.parent, cache) as store:
    for n in range(100):
        store.put(f"{who}-{n}", Answer(who, "stop", n, n))
        store.put(f"both-{n}", Answer(who, "stop", n, n))
"""


def test_two_processes_share_a_cache(tmp_path: Path) -> None:
    """They start on no file at once, and no answer of either is lost."""
    cache = tmp_path / "c.sqlite"
    processes = [run_python(WRITER, cache, who) for who in ("one", "two")]
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert errors == ["", ""]
    assert [process.returncode for process in processes] == [0, 0]
    with open_store(tmp_path, cache) as store:
        for n in range(100):
            for who in ("one", "two"):
                assert store.get(f"{who}-{n}") == Answer(who, "stop", n, n)
            assert store.get(f"both-{n}") is not None


def test_a_busy_cache_is_no_damaged_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading does not fail while another process writes; writing says who is in the way."""
    cache = tmp_path / "c.sqlite"
    with open_store(tmp_path, cache) as store:
        store.put("k", GOOD)
    with locked(cache):
        with open_store(tmp_path, cache) as store:
            assert store.get("k") == GOOD
        monkeypatch.setattr(cache_module, "BUSY_S", 0.1)
        expected = f"{cache}: database is locked; end the process that writes to it"
        with pytest.raises(UserError, match=expected), open_store(tmp_path, cache) as store:
            buy(store, "l", GOOD)


ROWS = {"r0": "aa", "r1": "bb", "r2": "cc"}  # id -> digest of the text
SEEDS = (("r0", "aa"), ("r1", "bb"))


@pytest.fixture
def asked(make_request: MakeRequest) -> Callable[..., Request]:
    """A request in a slot; the prompt is what new rows change."""

    def ask(prompt: str, slot: str = "s", seeds: tuple[tuple[str, str], ...] = SEEDS) -> Request:
        return replace(make_request(prompt), slot=slot, seeds=seeds)

    return ask


Asked = Callable[..., Request]


def commit(store: AnswerStore, request: Request, answer: Answer) -> None:
    """Buy the answer of a request."""
    asyncio.run(store.commit(request, answer))


def test_an_answer_is_found_by_its_slot(asked: Asked, tmp_path: Path) -> None:
    """With the key and the seeds that it was written from, in this run and in the next."""
    old, new = asked("old"), asked("new", seeds=(("r2", "cc"),))
    with open_store(tmp_path, tmp_path / "c.sqlite") as store:
        commit(store, old, GOOD)
    for _ in range(2):
        with open_store(tmp_path, tmp_path / "c.sqlite") as store:
            assert store.first([new]) is None
            found = store.first([new], ROWS)
            assert found == (replace(new, reused_key=old.key, seeds=SEEDS), GOOD)
            assert found[0].answer_key == old.key != found[0].key == new.key
            assert (store.hits, store.misses, store.reused) == (1, 1, 1)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param({"r0": "aa"}, id="a row is gone, or of another class"),
        pytest.param({**ROWS, "r1": "dd"}, id="its words have changed"),
        pytest.param({}, id="no reuse"),
    ],
)
def test_an_answer_whose_rows_are_gone_is_not_used(
    rows: dict[str, str], asked: Asked, tmp_path: Path
) -> None:
    """By its own key it is, whatever rows there are."""
    with open_store(tmp_path, tmp_path / "c.sqlite") as store:
        commit(store, asked("old"), GOOD)
        assert store.first([asked("new")], rows) is None
        assert store.first([asked("old")], rows) == (asked("old"), GOOD)
        assert store.first([asked("new", slot="t")], ROWS) is None


def test_an_answer_of_nobody_knows_which_rows_is_not_used(asked: Asked, tmp_path: Path) -> None:
    """A recording may have been written by hand."""
    write_recording(tmp_path / "r.jsonl.gz", [{**ENTRY, "slot": "s"}])
    with open_store(tmp_path, tmp_path / "c.sqlite") as store:
        assert store.first([asked("new")], ROWS) is None


def test_of_several_answers_in_a_slot_everybody_takes_the_same(
    asked: Asked, tmp_path: Path
) -> None:
    """A key goes before a slot, a way before the next, a recording before the cache, and then the
    smaller key.
    """
    versions = sorted((asked(name) for name in "abcdef"), key=lambda request: request.key)
    *cached, recorded = versions
    entry = {**ENTRY, "key": recorded.key, "slot": "s", "seeds": SEEDS}
    with open_store(tmp_path / "none", tmp_path / "c.sqlite") as store:
        for request in reversed(cached):
            commit(store, request, replace(GOOD, text=request.prompt))
        commit(store, asked("other way", slot="t"), OTHER)
        first = store.first([asked("new")], ROWS)
        assert first is not None
        assert first[0].answer_key == versions[0].key
        ways = [asked("new", slot="none"), asked("newer", slot="t"), asked("new")]
        assert store.first(ways, ROWS) == (
            replace(ways[1], reused_key=asked("other way").key),
            OTHER,
        )
        assert store.first([asked("new"), versions[3]], ROWS) == (
            versions[3],
            replace(GOOD, text=versions[3].prompt),
        )
    write_recording(tmp_path / "r.jsonl.gz", [entry])
    with open_store(tmp_path, tmp_path / "c.sqlite") as store:
        first = store.first([asked("new")], ROWS)
        assert first is not None
        assert first[0].answer_key == recorded.key


def test_a_cassette_replays_by_slot(asked: Asked, tmp_path: Path) -> None:
    """It names the slot and the rows; those of the present request where the key was found."""
    with open_store(tmp_path / "none", tmp_path / "a.sqlite") as store:
        commit(store, asked("old"), GOOD)
        commit(store, asked("same", slot="t"), OTHER)
    moved = asked("same", slot="u", seeds=(("r9", "aa"),))
    with open_store(tmp_path / "none", tmp_path / "a.sqlite") as store:
        used = [store.first([request], ROWS) for request in (asked("new"), moved)]
        cassette = {entry["key"]: entry for entry in store.cassette()}
    assert cassette == {
        asked("old").key: {"key": asked("old").key, **asdict(GOOD), "slot": "s", "seeds": SEEDS},
        moved.key: {"key": moved.key, **asdict(OTHER), "slot": "u", "seeds": moved.seeds},
    }
    write_recording(tmp_path / "recordings" / "r.jsonl.gz", cassette.values())
    with open_store(tmp_path / "recordings", tmp_path / "b.sqlite") as store:
        assert [store.first([request], ROWS) for request in (asked("new"), moved)] == used
        assert {entry["key"]: entry for entry in store.cassette()} == cassette


@pytest.mark.parametrize("where", ["cache", "recording"])
def test_a_replay_gives_an_older_answer_its_slot(where: str, asked: Asked, tmp_path: Path) -> None:
    """A cache file from before there were slots stays, and what was paid for is reused after one
    run with the same rows.
    """
    cache, old = tmp_path / "c.sqlite", asked("old")
    with closing(sqlite3.connect(cache, isolation_level=None)) as connection:
        connection.execute(
            "CREATE TABLE answers (key TEXT PRIMARY KEY, entry TEXT NOT NULL) WITHOUT ROWID"
        )
        if where == "cache":
            entry = json.dumps(asdict(GOOD))
            connection.execute("INSERT INTO answers VALUES (?, ?)", (old.key, entry))
    if where == "recording":
        write_recording(tmp_path / "r.jsonl.gz", [{"key": old.key, **asdict(GOOD)}])
    with open_store(tmp_path, cache) as store:
        assert store.first([asked("new")], ROWS) is None
        assert store.first([old], ROWS) == (old, GOOD)
    with open_store(tmp_path, cache) as store:
        found = store.first([asked("new")], ROWS)
        assert found is not None
        assert found[0].answer_key == old.key


def test_of_two_recordings_of_an_answer_either_may_know_its_slot(
    asked: Asked, tmp_path: Path
) -> None:
    """An older one that comes later does not hide it."""
    old = asked("old")
    bare = {"key": old.key, **asdict(GOOD)}
    write_recording(tmp_path / "a.jsonl.gz", [{**bare, "slot": "s", "seeds": SEEDS}])
    write_recording(tmp_path / "b.jsonl.gz", [bare])
    with open_store(tmp_path, tmp_path / "c.sqlite") as store:
        assert store.first([asked("new")], ROWS) is not None
