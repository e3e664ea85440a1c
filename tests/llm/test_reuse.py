"""A response is also found by its reuse key, while its seeds are in train."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from src.llm.recorded import RecordedResponse, Reuse, write_packed
from src.llm.requests import Request, Response
from src.llm.response_store import ResponseStore, open_store
from tests.llm.conftest import MakeRequest

GOOD = Response("您好\n- 我要补卡", "stop", 11, 7, cached_tokens=5)
OTHER = Response("销户", "length", 1, 2)
ROWS = {"r0": "aa", "r1": "bb", "r2": "cc"}  # id -> digest of the text
SEEDS = (("r0", "aa"), ("r1", "bb"))


@pytest.fixture
def asked(make_request: MakeRequest) -> Callable[..., Request]:
    """A request with a reuse key; new rows change its prompt."""

    def ask(
        prompt: str, reuse_key: str = "s", seeds: tuple[tuple[str, str], ...] = SEEDS
    ) -> Request:
        return replace(make_request(prompt), reuse_key=reuse_key, seeds=seeds)

    return ask


Asked = Callable[..., Request]


def commit(store: ResponseStore, request: Request, response: Response) -> None:
    """Store the response of a request."""
    asyncio.run(store.commit(request, response))


def test_a_response_is_found_by_its_reuse_key(asked: Asked, tmp_path: Path) -> None:
    """With its own key and seeds, in this run and in the next one."""
    old, new = asked("old"), asked("new", seeds=(("r2", "cc"),))
    with open_store(tmp_path, tmp_path / "c.sqlite") as store:
        commit(store, old, GOOD)
    for _ in range(2):
        with open_store(tmp_path, tmp_path / "c.sqlite") as store:
            assert store.first([new]) is None
            found = store.first([new], ROWS)
            assert found == (replace(new, earlier_key=old.key, seeds=SEEDS), GOOD)
            assert found[0].response_key == old.key != found[0].key == new.key
            assert (store.hits, store.misses, store.reused) == (1, 1, 1)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param({"r0": "aa"}, id="a row is gone, or of another class"),
        pytest.param({**ROWS, "r1": "dd"}, id="its words have changed"),
        pytest.param({}, id="no reuse"),
    ],
)
def test_a_response_whose_rows_are_gone_is_not_used(
    rows: dict[str, str], asked: Asked, tmp_path: Path
) -> None:
    """Its own key still finds it, whatever rows there are."""
    with open_store(tmp_path, tmp_path / "c.sqlite") as store:
        commit(store, asked("old"), GOOD)
        assert store.first([asked("new")], rows) is None
        assert store.first([asked("old")], rows) == (asked("old"), GOOD)
        assert store.first([asked("new", reuse_key="t")], ROWS) is None


def test_a_response_without_seeds_is_not_reused(asked: Asked, tmp_path: Path) -> None:
    """A packed file may have been edited."""
    write_packed(tmp_path / "r.jsonl.gz", [RecordedResponse("k", OTHER, Reuse("s"))])
    with open_store(tmp_path, tmp_path / "c.sqlite") as store:
        assert store.first([asked("new")], ROWS) is None


def test_the_choice_among_several_responses_is_fixed(asked: Asked, tmp_path: Path) -> None:
    """Keys before reuse keys, earlier requests before later ones, packed files before the
    cache, then the smaller key.
    """
    versions = sorted((asked(name) for name in "abcdef"), key=lambda request: request.key)
    *cached, recorded = versions
    entry = RecordedResponse(recorded.key, OTHER, Reuse("s", SEEDS))
    with open_store(tmp_path / "none", tmp_path / "c.sqlite") as store:
        for request in reversed(cached):
            commit(store, request, replace(GOOD, text=request.prompt))
        commit(store, asked("other way", reuse_key="t"), OTHER)
        first = store.first([asked("new")], ROWS)
        assert first is not None
        assert first[0].response_key == versions[0].key
        ways = [asked("new", reuse_key="none"), asked("newer", reuse_key="t"), asked("new")]
        assert store.first(ways, ROWS) == (
            replace(ways[1], earlier_key=asked("other way").key),
            OTHER,
        )
        assert store.first([asked("new"), versions[3]], ROWS) == (
            versions[3],
            replace(GOOD, text=versions[3].prompt),
        )
    write_packed(tmp_path / "r.jsonl.gz", [entry])
    with open_store(tmp_path, tmp_path / "c.sqlite") as store:
        first = store.first([asked("new")], ROWS)
        assert first is not None
        assert first[0].response_key == recorded.key


def test_used_responses_replay_by_reuse_key(asked: Asked, tmp_path: Path) -> None:
    """It has the reuse key and the seeds; the current request's own if the key was found."""
    with open_store(tmp_path / "none", tmp_path / "a.sqlite") as store:
        commit(store, asked("old"), GOOD)
        commit(store, asked("same", reuse_key="t"), OTHER)
    moved = asked("same", reuse_key="u", seeds=(("r9", "aa"),))
    with open_store(tmp_path / "none", tmp_path / "a.sqlite") as store:
        used = [store.first([request], ROWS) for request in (asked("new"), moved)]
        responses = list(store.recorded())
    expected = [
        RecordedResponse(asked("old").key, GOOD, Reuse("s", SEEDS)),
        RecordedResponse(moved.key, OTHER, Reuse("u", moved.seeds)),
    ]
    assert responses == sorted(expected, key=lambda entry: entry.key)
    write_packed(tmp_path / "packed" / "r.jsonl.gz", responses)
    with open_store(tmp_path / "packed", tmp_path / "b.sqlite") as store:
        assert [store.first([request], ROWS) for request in (asked("new"), moved)] == used
        assert list(store.recorded()) == responses


@pytest.mark.parametrize("where", ["cache", "packed"])
def test_a_replay_gives_an_older_response_its_reuse_key(
    where: str, asked: Asked, tmp_path: Path
) -> None:
    """An older cache file without reuse keys is kept; its responses can be reused after one run
    with the same rows.
    """
    cache, old = tmp_path / "c.sqlite", asked("old")
    with closing(sqlite3.connect(cache, isolation_level=None)) as connection:
        connection.execute(
            "CREATE TABLE responses (key TEXT PRIMARY KEY, entry TEXT NOT NULL) WITHOUT ROWID"
        )
        if where == "cache":
            entry = json.dumps(asdict(GOOD))
            connection.execute("INSERT INTO responses VALUES (?, ?)", (old.key, entry))
    if where == "packed":
        write_packed(tmp_path / "r.jsonl.gz", [RecordedResponse(old.key, GOOD)])
    with open_store(tmp_path, cache) as store:
        assert store.first([asked("new")], ROWS) is None
        assert store.first([old], ROWS) == (old, GOOD)
    with open_store(tmp_path, cache) as store:
        found = store.first([asked("new")], ROWS)
        assert found is not None
        assert found[0].response_key == old.key


def test_any_record_of_a_response_may_give_its_reuse_key(asked: Asked, tmp_path: Path) -> None:
    """An older record that comes later does not hide the reuse key."""
    old = asked("old")
    recorded = RecordedResponse(old.key, GOOD, Reuse("s", SEEDS))
    write_packed(tmp_path / "a.jsonl.gz", [recorded])
    write_packed(tmp_path / "b.jsonl.gz", [replace(recorded, reuse=Reuse())])
    with open_store(tmp_path, tmp_path / "c.sqlite") as store:
        assert store.first([asked("new")], ROWS) is not None
