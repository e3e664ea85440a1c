"""A cassette becomes a recording that answers the same requests."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from src.commands.record import main
from src.files import write_jsonl
from src.llm.cache import open_store, write_used
from src.llm.requests import Answer

ANSWER = {
    "text": "喂你好",
    "finish_reason": "stop",
    "prompt_tokens": 9,
    "completion_tokens": 3,
    "cached_tokens": 4,
}
OLD = {name: value for name, value in ANSWER.items() if name != "cached_tokens"}


def test_a_cassette_is_packed_as_it_is_written(tmp_path: Path) -> None:
    """What a run bought answers a later one without its cache."""
    bought = Answer("您好\n- 补卡\u2028", "stop", 9, 3, cached_tokens=4)
    with open_store(tmp_path / "none", tmp_path / "bought.sqlite") as store:
        store.put("k1", bought).result(20)
        write_used(store, tmp_path / "cassette.jsonl")
    main([tmp_path / "cassette.jsonl"], tmp_path / "recordings/one.jsonl.gz")
    with open_store(tmp_path / "recordings", tmp_path / "empty.sqlite") as store:
        assert store.get("k1") == bought


@pytest.mark.parametrize(
    ("answer", "cached"),
    [pytest.param(ANSWER, 4, id="now"), pytest.param(OLD, 0, id="before cached_tokens")],
)
def test_a_packed_cassette_is_read_before_anything_is_asked(
    answer: dict[str, object], cached: int, tmp_path: Path
) -> None:
    """The answer comes back by its key, and packing it again gives the same bytes."""
    cassette, recording = tmp_path / "cassette.jsonl", tmp_path / "recordings/one.jsonl.gz"
    cassette.write_text(json.dumps({"key": "k1", **answer}) + "\n", encoding="utf-8")
    main([cassette], recording)
    first = recording.read_bytes()
    main([cassette], recording)
    assert recording.read_bytes() == first
    with open_store(recording.parent, tmp_path / "cache.sqlite") as store:
        assert store.get("k1") == Answer(
            text="喂你好",
            finish_reason="stop",
            prompt_tokens=9,
            completion_tokens=3,
            cached_tokens=cached,
        )


def test_what_could_not_be_replayed_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A recording is in git: a broken one would stop everybody's runs."""
    cassette, recording = tmp_path / "cassette.jsonl", tmp_path / "recordings/one.jsonl.gz"
    write_jsonl(cassette, [{"key": "k", **ANSWER}, ANSWER])
    with pytest.raises(SystemExit, match="2"):
        main([cassette], recording)
    assert capsys.readouterr().err.startswith(f"error: {cassette} line 2 has cached_tokens")
    assert not recording.exists()


def test_slot_and_rows_are_packed_too(tmp_path: Path) -> None:
    """By them the answer is found when rows have come; an answer without them is packed as well."""
    placed = {"key": "k1", **ANSWER, "slot": "s", "seeds": [["r0", "aa"]]}
    write_jsonl(tmp_path / "one.jsonl", [placed, {"key": "k2", **ANSWER}])
    main([tmp_path / "one.jsonl"], tmp_path / "recordings/one.jsonl.gz")
    lines = gzip.decompress((tmp_path / "recordings/one.jsonl.gz").read_bytes()).splitlines()
    assert [json.loads(line) for line in lines] == [placed, {"key": "k2", **ANSWER}]


def test_several_cassettes_are_packed_together(tmp_path: Path) -> None:
    """Those of generation and of judges; one of them may be empty, but not all."""
    one, none = tmp_path / "one.jsonl", tmp_path / "none.jsonl"
    one.write_text(json.dumps({"key": "k1", **ANSWER}) + "\n", encoding="utf-8")
    none.write_text("", encoding="utf-8")
    main([none, one], tmp_path / "recordings/all.jsonl.gz")
    with open_store(tmp_path / "recordings", tmp_path / "cache.sqlite") as store:
        assert store.get("k1") is not None
    with pytest.raises(SystemExit, match="2"):
        main([none], tmp_path / "recordings/nothing.jsonl.gz")


def test_a_refused_cassette_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and no recording."""
    with pytest.raises(SystemExit, match="2"):
        main([tmp_path / "none.jsonl"], tmp_path / "out.jsonl.gz")
    assert capsys.readouterr().err.startswith("error: ")
    assert list(tmp_path.iterdir()) == []
