"""An answer is found by its slot as well, while the rows that it was written from are there."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from src.llm.cache import AnswerStore, open_store
from src.llm.recordings import Place, RecordedAnswer, write_recording
from src.llm.requests import Answer, Request
from tests.llm.conftest import MakeRequest

GOOD = Answer("您好\n- 我要补卡", "stop", 11, 7, cached_tokens=5)
OTHER = Answer("销户", "length", 1, 2)
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
    write_recording(tmp_path / "r.jsonl.gz", [RecordedAnswer("k", OTHER, Place("s"))])
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
    entry = RecordedAnswer(recorded.key, OTHER, Place("s", SEEDS))
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
        cassette = list(store.cassette())
    expected = [
        RecordedAnswer(asked("old").key, GOOD, Place("s", SEEDS)),
        RecordedAnswer(moved.key, OTHER, Place("u", moved.seeds)),
    ]
    assert cassette == sorted(expected, key=lambda entry: entry.key)
    write_recording(tmp_path / "recordings" / "r.jsonl.gz", cassette)
    with open_store(tmp_path / "recordings", tmp_path / "b.sqlite") as store:
        assert [store.first([request], ROWS) for request in (asked("new"), moved)] == used
        assert list(store.cassette()) == cassette


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
        write_recording(tmp_path / "r.jsonl.gz", [RecordedAnswer(old.key, GOOD)])
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
    placed = RecordedAnswer(old.key, GOOD, Place("s", SEEDS))
    write_recording(tmp_path / "a.jsonl.gz", [placed])
    write_recording(tmp_path / "b.jsonl.gz", [replace(placed, place=Place())])
    with open_store(tmp_path, tmp_path / "c.sqlite") as store:
        assert store.first([asked("new")], ROWS) is not None
