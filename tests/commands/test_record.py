"""Responses of a run become a packed file that replays them for the same requests."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from src.commands.record import main
from src.files import write_jsonl
from src.llm.requests import Response
from src.llm.response_store import open_store, write_used

RESPONSE = {
    "text": "喂你好",
    "finish_reason": "stop",
    "prompt_tokens": 9,
    "completion_tokens": 3,
    "cached_tokens": 4,
}
OLD = {name: value for name, value in RESPONSE.items() if name != "cached_tokens"}


def test_responses_of_a_run_can_be_packed(tmp_path: Path) -> None:
    """A later run without the cache finds them in the packed file."""
    bought = Response("您好\n- 补卡\u2028", "stop", 9, 3, cached_tokens=4)
    with open_store(tmp_path / "none", tmp_path / "bought.sqlite") as store:
        store.put("k1", bought).result(20)
        write_used(store, tmp_path / "responses.jsonl")
    main([tmp_path / "responses.jsonl"], tmp_path / "packed/one.jsonl.gz")
    with open_store(tmp_path / "packed", tmp_path / "empty.sqlite") as store:
        assert store.get("k1") == bought


@pytest.mark.parametrize(
    ("response", "cached"),
    [pytest.param(RESPONSE, 4, id="now"), pytest.param(OLD, 0, id="before cached_tokens")],
)
def test_a_packed_response_is_found_by_its_key(
    response: dict[str, object], cached: int, tmp_path: Path
) -> None:
    """Packing it again gives the same bytes."""
    responses, packed = tmp_path / "responses.jsonl", tmp_path / "packed/one.jsonl.gz"
    responses.write_text(json.dumps({"key": "k1", **response}) + "\n", encoding="utf-8")
    main([responses], packed)
    first = packed.read_bytes()
    main([responses], packed)
    assert packed.read_bytes() == first
    with open_store(packed.parent, tmp_path / "cache.sqlite") as store:
        assert store.get("k1") == Response(
            text="喂你好",
            finish_reason="stop",
            prompt_tokens=9,
            completion_tokens=3,
            cached_tokens=cached,
        )


def test_a_response_without_a_key_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A packed file is in git: a broken one would break the runs of all users."""
    responses, packed = tmp_path / "responses.jsonl", tmp_path / "packed/one.jsonl.gz"
    write_jsonl(responses, [{"key": "k", **RESPONSE}, RESPONSE])
    with pytest.raises(SystemExit, match="2"):
        main([responses], packed)
    assert capsys.readouterr().err.startswith(f"error: {responses} line 2 has cached_tokens")
    assert not packed.exists()


def test_reuse_key_and_seeds_are_packed_too(tmp_path: Path) -> None:
    """They find the response after train rows changed; responses without them are packed too."""
    placed = {"key": "k1", **RESPONSE, "reuse_key": "s", "seeds": [["r0", "aa"]]}
    write_jsonl(tmp_path / "one.jsonl", [placed, {"key": "k2", **RESPONSE}])
    main([tmp_path / "one.jsonl"], tmp_path / "packed/one.jsonl.gz")
    lines = gzip.decompress((tmp_path / "packed/one.jsonl.gz").read_bytes()).splitlines()
    assert [json.loads(line) for line in lines] == [placed, {"key": "k2", **RESPONSE}]


def test_several_responses_are_packed_together(tmp_path: Path) -> None:
    """Files of generation and of judges; some of them may be empty, but not all."""
    one, none = tmp_path / "one.jsonl", tmp_path / "none.jsonl"
    one.write_text(json.dumps({"key": "k1", **RESPONSE}) + "\n", encoding="utf-8")
    none.write_text("", encoding="utf-8")
    main([none, one], tmp_path / "packed/all.jsonl.gz")
    with open_store(tmp_path / "packed", tmp_path / "cache.sqlite") as store:
        assert store.get("k1") is not None
    with pytest.raises(SystemExit, match="2"):
        main([none], tmp_path / "packed/nothing.jsonl.gz")


def test_an_error_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and no packed file."""
    with pytest.raises(SystemExit, match="2"):
        main([tmp_path / "none.jsonl"], tmp_path / "out.jsonl.gz")
    assert capsys.readouterr().err.startswith("error: ")
    assert list(tmp_path.iterdir()) == []
