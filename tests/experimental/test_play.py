"""Rounds in a small project with a model behind a real server: what is kept, when they stop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from src import paths
from src.commands import rounds
from src.experimental.play import retired
from src.experimental.rounds import read_rounds, write_round
from src.records.interval import Interval
from src.records.rounds import Round
from src.records.samples import Candidate, Fault, Screened
from src.stages import analyze, balance, generate, score
from src.stages import filter as filter_stage
from tests.stages.small_project import Model, Project, endpoint

FOLDER = paths.ROUNDS
EMPTY = Round(
    number=1,
    kept=True,
    real={},
    samples={},
    ids=(),
    new_real=0,
    added=0,
    retired={},
    macro_f1=Interval(0, 0, 0),
    tail_recall=Interval(0, 0, 0),
    difference=Interval(0, 0, 0),
    predictions=(),
)


@pytest.fixture
def here(project: Project, model: Model, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project with an error-driven plan, as the working directory."""
    project.settings(endpoint(model.url))

    def by_errors(values: dict[str, Any]) -> None:
        values["plan"] |= {"policy": "error_driven", "round_samples": 15, "patience": 0}
        values["generate"] |= {"contrast": 1, "surplus": 0.0}
        values["filter"]["label_check"]["enabled"] = False

    project.settings(by_errors)
    monkeypatch.chdir(project.path)
    monkeypatch.setenv("MLFLOW_TRACKING", "off")
    return project.path


def play(capsys: pytest.CaptureFixture[str]) -> tuple[list[Round], str]:
    """Run the pipeline up to the balanced set, then a round; return all rounds and the output."""
    for stage in (analyze, generate, score, filter_stage, balance):
        stage.main()
    rounds.main(repro=False)
    return read_rounds(FOLDER), capsys.readouterr().out


def samples() -> int:
    """Number of samples in the balanced set."""
    return int((pd.read_csv(paths.BALANCED)["origin"] == "synthetic").sum())


def test_a_round_builds_on_the_last_kept_one(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """15 samples, then 15 more; the first 15 are not requested again."""
    played, printed = play(capsys)
    (first,) = played
    assert samples() == len(first.ids) == first.added == 15
    assert "| 1 | 162 | 15 | 15 | 0 |" in printed
    # Kept regardless of the dev score: this test is about the plan.
    write_round(FOLDER, replace(first, kept=True))
    (_, second), _ = play(capsys)
    assert samples() == 30
    assert set(first.ids) <= set(second.ids)
    assert (second.added, second.retired, second.new_real) == (15, {}, 0)


def test_a_round_that_is_no_better_is_the_last(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its samples leave the set, and further rounds do nothing until there are new real rows."""
    (first,), _ = play(capsys)
    write_round(FOLDER, replace(first, kept=True))
    (_, second), _ = play(capsys)
    write_round(FOLDER, replace(second, kept=False))
    played, printed = play(capsys)
    assert len(played) == 2
    assert samples() == 15
    assert "| 2 | 162 | 30 | 15 | 0 |" in printed
    assert printed.rstrip().endswith("| no |")


def test_with_patience_the_next_round_takes_a_larger_step(
    here: Path, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """After one miss its samples and as many more are added; the second miss ends the rounds."""
    project.settings(lambda values: values["plan"].update(patience=1))
    (first,), _ = play(capsys)
    write_round(FOLDER, replace(first, kept=True))
    (_, second), _ = play(capsys)
    write_round(FOLDER, replace(second, kept=False))
    (*_, third), _ = play(capsys)
    assert samples() == len(third.ids) == 45
    assert set(second.ids) <= set(third.ids)
    assert third.added == 30  # compared with the last kept round
    write_round(FOLDER, replace(third, kept=False))
    played, _ = play(capsys)
    assert (len(played), samples()) == (3, 15)


def test_new_real_rows_start_the_rounds_again(
    here: Path, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a stop, appended rows are counted and a new round is played."""
    (first,), _ = play(capsys)
    write_round(FOLDER, replace(first, kept=False))
    assert play(capsys)[0] == read_rounds(FOLDER)[:1]
    project.frame(
        "train",
        lambda frame: pd.concat(
            [
                frame,
                frame.tail(2).assign(
                    call_id=["n1", "n2"], sentence_sep=["新的一句话在这", "又一句新话说说"]
                ),
            ]
        ),
    )
    (_, second), _ = play(capsys)
    assert second.new_real == 2
    assert sum(second.real.values()) == 164


def dropped(name: str, rule: str) -> Screened:
    """A sample rejected by a rule."""
    return Screened(Candidate(name, "a", "text"), "text", fault=Fault(rule, ""))


def test_retired_samples_are_counted_by_reason() -> None:
    """By the rejecting rule; the others were not needed."""
    last = replace(EMPTY, ids=("a", "b", "c", "d"))
    rejected = [dropped("b", "contradiction"), dropped("x", "length")]
    assert retired(last, ["a"], rejected) == {"contradiction": 1, "not needed": 2}
    assert retired(None, ["a"], rejected) == {}
