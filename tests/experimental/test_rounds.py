"""Files of rounds: written, read, and checked for damage."""

from dataclasses import replace
from pathlib import Path

import pytest

from src.errors import UserError
from src.experimental.rounds import (
    has_stopped,
    last_kept,
    misses,
    read_rounds,
    summaries,
    write_round,
)
from src.records.interval import Interval
from src.records.json_files import fields_of
from src.records.rounds import Round

FIRST = Round(
    number=1,
    kept=True,
    real={"b": 3, "a": 5},
    samples={"b": 2},
    ids=("x-0", "y-0"),
    new_real=0,
    added=2,
    retired={},
    macro_f1=Interval(0.5, 0.4, 0.6),
    tail_recall=Interval(0.5, 0.4, 0.6),
    difference=Interval(0.1, 0.05, 0.15),
    predictions=(0, 1, 1),
)


def test_rounds_round_trip(tmp_path: Path) -> None:
    """In the order of their numbers, also beyond nine."""
    rounds = [replace(FIRST, number=number, kept=number < 11) for number in range(1, 12)]
    for one in reversed(rounds):
        write_round(tmp_path, one)
    assert read_rounds(tmp_path) == rounds
    assert last_kept(rounds) == rounds[9]


@pytest.mark.parametrize(
    ("kept", "count"),
    [
        pytest.param("", 0, id="none"),
        pytest.param("y", 0, id="kept"),
        pytest.param("n", 1, id="missed"),
        pytest.param("ynn", 2, id="two-in-a-row"),
        pytest.param("nny", 0, id="the-last-was-kept"),
        pytest.param("nyn", 1, id="those-before-a-kept-one-are-over"),
    ],
)
def test_rounds_stop_after_more_misses_than_patience(kept: str, count: int) -> None:
    """Only the latest consecutive misses count, and only those on the current real rows."""
    rounds = [replace(FIRST, number=n, kept=one == "y") for n, one in enumerate(kept, 1)]
    assert misses(rounds, FIRST.real) == count
    assert [has_stopped(rounds, FIRST.real, patience) for patience in range(3)] == [
        count > patience for patience in range(3)
    ]
    assert misses(rounds, {**FIRST.real, "a": 6}) == 0


def test_no_rounds(tmp_path: Path) -> None:
    """An empty and a missing folder both have no rounds."""
    assert read_rounds(tmp_path) == read_rounds(tmp_path / "none") == []
    assert last_kept([]) is None


def test_predictions_are_named_by_sorted_class() -> None:
    """Indices refer to the sorted class names; another number of dev rows is an error."""
    assert FIRST.predictions_on(["a", "a", "b"]) == ["a", "b", "b"]
    with pytest.raises(UserError, match="round 1 was scored on 3 dev rows, but there are 2"):
        FIRST.predictions_on(["a", "b"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("{", "1.json", id="no-json"),
        pytest.param('{"number": 1}', "1.json is not a round", id="fields-missing"),
    ],
)
def test_a_damaged_round_is_named(content: str, message: str, tmp_path: Path) -> None:
    """The error names the file and the remedy."""
    (tmp_path / "1.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        read_rounds(tmp_path)


def test_a_missing_round_is_named(tmp_path: Path) -> None:
    """Round 2 without round 1 is an error."""
    write_round(tmp_path, replace(FIRST, number=2))
    with pytest.raises(UserError, match="no round 1 but has round 2"):
        read_rounds(tmp_path)


def test_golden_round(tmp_path: Path) -> None:
    """Golden file: one field per line, in order."""
    write_round(tmp_path, replace(FIRST, retired={"review": 1}))
    assert (tmp_path / "1.json").read_text(encoding="utf-8") == (
        "{\n"
        '  "number": 1,\n'
        '  "kept": true,\n'
        '  "real": {"a": 5, "b": 3},\n'
        '  "samples": {"b": 2},\n'
        '  "ids": ["x-0", "y-0"],\n'
        '  "new_real": 0,\n'
        '  "added": 2,\n'
        '  "retired": {"review": 1},\n'
        '  "macro_f1": {"high": 0.6, "low": 0.4, "value": 0.5},\n'
        '  "tail_recall": {"high": 0.6, "low": 0.4, "value": 0.5},\n'
        '  "difference": {"high": 0.15, "low": 0.05, "value": 0.1},\n'
        '  "predictions": [0, 1, 1]\n'
        "}\n"
    )


def test_a_summary_has_counts_instead_of_lists() -> None:
    """Rows and samples over all classes; no ids and no predictions."""
    (summary,) = (fields_of(one) for one in summaries([FIRST]).values())
    assert (summary["real"], summary["samples"]) == (8, 2)
    assert not {"ids", "predictions", "number"} & summary.keys()
