"""Files: equal content gives equal bytes, and a killed run leaves no partial file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from src.errors import UserError
from src.files import read_json, read_jsonl, write_json, write_jsonl, write_text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
RECORDS = st.lists(st.dictionaries(st.text(max_size=4), VALUES, max_size=4), max_size=4)
one_folder = settings(
    max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


def test_json_is_sorted_indented_and_rounded(tmp_path: Path) -> None:
    """Golden bytes; floats inside lists and objects are rounded too."""
    file = tmp_path / "deep" / "er" / "a.json"
    write_json(file, {"b": 1 / 3, "a": {"类": [0.1234567, (1e-9, 2)], "n": None}, "c": True})
    assert file.read_bytes().decode() == (
        "{\n"
        '  "a": {\n'
        '    "n": null,\n'
        '    "类": [\n'
        "      0.123457,\n"
        "      [\n"
        "        0.0,\n"
        "        2\n"
        "      ]\n"
        "    ]\n"
        "  },\n"
        '  "b": 0.333333,\n'
        '  "c": true\n'
        "}\n"
    )


def test_jsonl_is_one_sorted_object_per_line(tmp_path: Path) -> None:
    """Golden bytes; no records give an empty file."""
    file = tmp_path / "a.jsonl"
    write_jsonl(file, [{"b": 0.12345678, "a": "喂\n"}, {}])
    assert file.read_bytes().decode() == '{"a": "喂\\n", "b": 0.123457}\n{}\n'
    write_jsonl(file, [])
    assert file.read_bytes() == b""
    assert read_jsonl(file) == []


@one_folder
@given(records=RECORDS)
def test_records_round_trip(records: list[dict[str, Any]], tmp_path: Path) -> None:
    """With any characters."""
    write_jsonl(tmp_path / "a.jsonl", records)
    assert read_jsonl(tmp_path / "a.jsonl") == records
    write_json(tmp_path / "a.json", {"records": records})
    assert read_json(tmp_path / "a.json") == {"records": records}


def test_line_separators_inside_a_text_do_not_split_records(tmp_path: Path) -> None:
    """A model may write U+2028 or U+0085, which Python counts as line ends."""
    records = [{"text": "您好\u2028请讲\x85\x0c喂\r\n"}]
    write_jsonl(tmp_path / "a.jsonl", records)
    assert read_jsonl(tmp_path / "a.jsonl") == records


def test_a_failing_write_leaves_the_old_file(tmp_path: Path) -> None:
    """Records that fail half-way, and text that cannot be encoded."""
    file = tmp_path / "a.jsonl"
    write_jsonl(file, [{"a": 1}])

    def records() -> Iterator[dict[str, Any]]:
        yield {"a": 2}
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_jsonl(file, records())
    with pytest.raises(UnicodeEncodeError):
        write_text(file, "half of a pair: \ud800")
    assert read_jsonl(file) == [{"a": 1}]


def test_writes_are_atomic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run killed before the last step leaves the old file; the next run replaces it."""
    file = tmp_path / "a.json"
    write_json(file, {"a": 1})
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            write_json(file, {"a": 2})
    assert read_json(file) == {"a": 1}
    write_json(file, {"a": 3})
    assert read_json(file) == {"a": 3}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_files_of_other_tools_are_read(tmp_path: Path) -> None:
    """A byte order mark, Windows line ends and blank lines are accepted."""
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\r\n{"a": 2}')
    assert read_jsonl(file) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b'{"a": 1}\n{"a": \n', "line 2: not valid JSON (", id="broken-line"),
        pytest.param(b'{"a": 1}\n[1]\n', "line 2: expected a JSON object, got '[1]'", id="a-list"),
        pytest.param(b'[{"a": 1}]', "line 1: expected a JSON object, got", id="one-array"),
        pytest.param('{"a": "移动"}'.encode("gbk"), "is not UTF-8 (", id="not-utf-8"),
    ],
)
def test_a_broken_jsonl_is_named(content: bytes, expected: str, tmp_path: Path) -> None:
    """The error names file and line."""
    file = tmp_path / "a.jsonl"
    file.write_bytes(content)
    with pytest.raises(UserError) as error:
        read_jsonl(file)
    assert str(error.value).startswith(f"{file} {expected}")


def test_a_broken_json_is_named(tmp_path: Path) -> None:
    """The error names file, line and remedy."""
    file = tmp_path / "a.json"
    with pytest.raises(UserError, match=f"{file} not found; run `dvc repro`"):
        read_json(file)
    with pytest.raises(UserError, match=f"{file} not found; run `dvc repro`"):
        read_jsonl(file)
    file.write_text('{\n"a": }\n', encoding="utf-8")
    with pytest.raises(UserError, match=f"{file} line 2: not valid JSON"):
        read_json(file)
    file.write_bytes(json.dumps({"a": "移动"}, ensure_ascii=False).encode("gbk"))
    with pytest.raises(UserError, match=f"{file} is not UTF-8"):
        read_json(file)
