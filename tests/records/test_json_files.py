"""Records as JSON files: round trip, and errors that name the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.errors import UserError
from src.files import read_json
from src.records.interval import Interval
from src.records.json_files import as_json, read_record, write_record


@dataclass(frozen=True)
class Inner:
    """A nested record."""

    name: str
    interval: Interval


@dataclass(frozen=True)
class Outer:
    """A record with all kinds of fields."""

    count: int
    share: float | None
    inner: tuple[Inner, ...]
    by_name: dict[str, Interval] = field(default_factory=dict)
    rounds: int | None = None


numbers = st.floats(-1e6, 1e6).map(lambda value: round(value, 6))
intervals = st.builds(Interval, numbers, numbers, numbers)
inner = st.builds(Inner, st.text(), intervals)
outer = st.builds(
    Outer,
    st.integers(-(2**40), 2**40),
    st.none() | numbers,
    st.lists(inner, max_size=3).map(tuple),
    st.dictionaries(st.text(), intervals, max_size=3),
    st.none() | st.integers(0, 9),
)


@given(record=outer)
def test_records_round_trip(record: Outer, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nested records, tuples, mappings, None."""
    path = tmp_path_factory.mktemp("records") / "outer.json"
    write_record(path, record)
    assert read_record(path, Outer) == record


def test_none_by_default_is_left_out(tmp_path: Path) -> None:
    """A None without a None default is written as null."""
    path = tmp_path / "outer.json"
    write_record(path, Outer(1, None, ()))
    assert read_json(path) == {"count": 1, "share": None, "inner": [], "by_name": {}}


def test_unknown_fields_are_ignored(tmp_path: Path) -> None:
    """Older code can read a newer file."""
    path = tmp_path / "interval.json"
    path.write_text('{"value": 1, "low": 0, "high": 2, "seed": 7}', encoding="utf-8")
    assert read_record(path, Interval) == Interval(1.0, 0.0, 2.0)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(
            '{"value": 1, "low": 0}',
            "is invalid (high: Field required); run `dvc repro`",
            id="missing",
        ),
        pytest.param(
            '{"value": "much", "low": 0, "high": 2}',
            "is invalid (value: Input should be a valid number",
            id="of-another-kind",
        ),
        pytest.param("[1]", "is invalid (the whole file: ", id="a-list"),
        pytest.param('{"value": ', "line 1: not valid JSON", id="broken"),
    ],
)
def test_an_invalid_file_is_named(content: str, expected: str, tmp_path: Path) -> None:
    """The error names file, field and remedy in one line."""
    path = tmp_path / "interval.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError) as error:
        read_record(path, Interval)
    assert str(error.value).startswith(f"{path} {expected}")
    assert "\n" not in str(error.value)


def test_only_json_values_are_written() -> None:
    """A path, a set or a frame in a record is a programming error."""
    with pytest.raises(TypeError, match="has no form in JSON"):
        as_json({"path": Path("a")})
