"""Files of recorded responses: written files can be read, unusable ones are refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from src.errors import UserError
from src.llm.recorded import (
    RecordedResponse,
    Reuse,
    read_packed,
    read_used,
    write_packed,
)
from src.llm.requests import Response
from src.llm.response_store import open_store

OLD = {  # as recorded before there was cached_tokens
    "key": "k",
    "text": "喂",
    "finish_reason": "stop",
    "prompt_tokens": 1,
    "completion_tokens": 2,
}
UNNAMED = {name: value for name, value in OLD.items() if name != "key"}
WITH_SEEDS = {**OLD, "cached_tokens": 1, "reuse_key": "s", "seeds": [["r0", "aa"]]}
LINES = [
    pytest.param(OLD, RecordedResponse("k", Response("喂", "stop", 1, 2, 0)), id="old"),
    pytest.param(
        {**OLD, "cached_tokens": 1},
        RecordedResponse("k", Response("喂", "stop", 1, 2, 1)),
        id="no-reuse-key",
    ),
    pytest.param(
        WITH_SEEDS,
        RecordedResponse("k", Response("喂", "stop", 1, 2, 1), Reuse("s", (("r0", "aa"),))),
        id="with-seeds",
    ),
    pytest.param(
        {**OLD, "cached_tokens": 1, "slot": "s", "seeds": [["r0", "aa"]]},
        RecordedResponse("k", Response("喂", "stop", 1, 2, 1), Reuse("s", (("r0", "aa"),))),
        id="reuse-key-under-its-earlier-name",
    ),
]


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_a_packed_file_is_read(
    line: dict[str, object], expected: RecordedResponse, tmp_path: Path
) -> None:
    """Fields added later may be missing: older recorded responses still replay."""
    file = tmp_path / "r.jsonl.gz"
    file.write_bytes(gzip.compress(json.dumps(line).encode() + b"\n"))
    assert list(read_packed([file])) == [expected]


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_the_responses_of_a_run_are_read(
    line: dict[str, object], expected: RecordedResponse, tmp_path: Path
) -> None:
    """In order, without empty lines."""
    file = tmp_path / "used.jsonl"
    file.write_text(f"{json.dumps(WITH_SEEDS)}\n\n{json.dumps(line)}\n", encoding="utf-8")
    assert read_used(file)[1:] == [expected]


def test_a_packed_file_has_one_sorted_object_per_line(tmp_path: Path) -> None:
    """It is in git: equal responses give equal bytes, whenever they are written."""
    entries = [
        RecordedResponse("k", Response("喂\u2028", "stop", 1, 2)),
        RecordedResponse("j", Response("", "length", 1, 2, 1), Reuse("s", (("r0", "aa"),))),
    ]
    for name in ("a", "b"):
        write_packed(tmp_path / "deep" / name, entries)
    packed = (tmp_path / "deep" / "a").read_bytes()
    assert packed == (tmp_path / "deep" / "b").read_bytes()
    assert gzip.decompress(packed).decode() == (
        '{"cached_tokens": 0, "completion_tokens": 2, "finish_reason": "stop", "key": "k", '
        '"prompt_tokens": 1, "text": "喂\u2028"}\n'
        '{"cached_tokens": 1, "completion_tokens": 2, "finish_reason": "length", "key": "j", '
        '"prompt_tokens": 1, "reuse_key": "s", "seeds": [["r0", "aa"]], "text": ""}\n'
    )
    assert list(read_packed([tmp_path / "deep" / "a"])) == entries


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"no gzip", id="no-gzip"),
        pytest.param(gzip.compress(b'{"key": "k"}\n'), id="no-response"),
        pytest.param(gzip.compress(b'{"text": "k"}\n'), id="no-key"),
        pytest.param(gzip.compress(b"{\n"), id="no-json"),
        pytest.param(gzip.compress(b"[1]\n"), id="a-list"),
        pytest.param(gzip.compress(b"1\n"), id="a-number"),
        pytest.param(gzip.compress(b"\xff\n"), id="not-utf-8"),
        pytest.param(gzip.compress(bytes(range(200)) * 9)[:-20], id="cut-off"),
        pytest.param(gzip.compress(b"{}" * 99)[:12] + b"\xff" * 20, id="bytes-overwritten"),
    ],
)
def test_a_damaged_packed_file_is_named(content: bytes, tmp_path: Path) -> None:
    """The error has file and remedy."""
    file = tmp_path / "r.jsonl.gz"
    file.write_bytes(content)
    with (
        pytest.raises(
            UserError, match=rf"{file}: damaged response file \(.*\); restore it with git"
        ),
        open_store(tmp_path, tmp_path / "c.sqlite"),
    ):
        pass


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        pytest.param([OLD, {**UNNAMED, "cached_tokens": 1}], "line 2 has cached_", id="no key"),
        pytest.param([OLD, UNNAMED], "line 2 has completion_tokens", id="old, no key"),
        pytest.param([OLD, {**OLD, "model": "m"}], "line 2 has", id="unknown field"),
        pytest.param([{"key": "k", "text": "喂"}], "line 1 has key, text instead", id="no tokens"),
        pytest.param(
            [{**WITH_SEEDS, "seeds": 3}], r"line 1 is not a response \(.*\)", id="malformed seeds"
        ),
    ],
)
def test_what_could_not_be_replayed_is_refused(
    lines: list[dict[str, object]], says: str, tmp_path: Path
) -> None:
    """The error has file, line, and the command that writes the file again."""
    file = tmp_path / "used.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    with pytest.raises(UserError, match=rf"^{file} {says}.*; run `dvc repro generate` to write"):
        read_used(file)
