"""Answers are bought once: recordings first, then the cache, committed at once."""

from __future__ import annotations

import gzip
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from src.config import UserError
from src.llm import cache as cache_module
from src.llm.cache import open_store, write_recording
from src.llm.requests import Answer

GOOD = Answer("您好\n- 我要补卡\u2028", "stop", 11, 7)
OTHER = Answer("销户", "length", 1, 2)
ENTRY = {
    "key": "k",
    "text": "喂",
    "finish_reason": "stop",
    "prompt_tokens": 1,
    "completion_tokens": 2,
}


def test_an_answer_is_found_again(tmp_path: Path) -> None:
    """In the same run and in the next; hits and misses are counted."""
    cache = tmp_path / "deep" / "llm.sqlite"
    with open_store(tmp_path, cache) as store:
        assert store.get("k") is None
        store.put("k", GOOD)
        assert store.get("k") == GOOD
        assert (store.hits, store.misses) == (1, 1)
    with open_store(tmp_path, cache) as store:
        assert store.get("k") == GOOD
        assert (store.hits, store.misses) == (1, 0)


def test_an_answer_is_committed_at_once(tmp_path: Path) -> None:
    """Another process sees it while this one still runs."""
    cache = tmp_path / "llm.sqlite"
    with open_store(tmp_path, cache) as store, open_store(tmp_path, cache) as other:
        store.put("k", GOOD)
        assert other.get("k") == GOOD


def test_the_first_answer_of_a_key_stays(tmp_path: Path) -> None:
    """Two processes may buy the same one; later runs agree on which counts."""
    cache = tmp_path / "llm.sqlite"
    with open_store(tmp_path, cache) as store, open_store(tmp_path, cache) as other:
        store.put("k", GOOD)
        other.put("k", OTHER)
    with open_store(tmp_path, cache) as store:
        assert store.get("k") == GOOD


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
        cassette = store.cassette()
    assert [entry["key"] for entry in cassette] == ["a", "b"]
    write_recording(tmp_path / "recordings" / "r.jsonl.gz", cassette)
    with open_store(tmp_path / "recordings", tmp_path / "b.sqlite") as store:
        assert store.get("a") == OTHER
        assert store.get("b") == GOOD
        assert store.get("unused") is None
        assert store.cassette() == cassette


def test_a_recording_goes_before_the_cache(tmp_path: Path) -> None:
    """A shipped run replays the same for everybody, whatever they bought before."""
    with open_store(tmp_path, tmp_path / "c.sqlite") as store:
        store.put("k", GOOD)
    write_recording(tmp_path / "r.jsonl.gz", [ENTRY])
    with open_store(tmp_path, tmp_path / "c.sqlite") as store:
        assert store.get("k") == Answer("喂", "stop", 1, 2)


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
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(cache), who], stderr=subprocess.PIPE, text=True
        )
        for who in ("one", "two")
    ]
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert errors == ["", ""]
    assert [process.returncode for process in processes] == [0, 0]
    with open_store(tmp_path, cache) as store:
        for n in range(100):
            for who in ("one", "two"):
                assert store.get(f"{who}-{n}") == Answer(who, "stop", n, n)
            assert store.get(f"both-{n}") is not None


def test_a_busy_cache_is_no_damaged_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading does not fail while another process writes."""
    cache = tmp_path / "c.sqlite"
    with open_store(tmp_path, cache) as store:
        store.put("k", GOOD)
    writing = sqlite3.connect(cache, isolation_level=None)
    writing.execute("BEGIN IMMEDIATE")
    try:
        with open_store(tmp_path, cache) as store:
            assert store.get("k") == GOOD
        monkeypatch.setattr(cache_module, "BUSY_S", 0.1)
        expected = f"{cache}: database is locked; end the process that writes to it"
        with pytest.raises(UserError, match=expected), open_store(tmp_path, cache) as store:
            store.put("l", GOOD)
    finally:
        writing.execute("ROLLBACK")
        writing.close()
