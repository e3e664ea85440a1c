"""Progress: a line now and then, a bar on a terminal, nothing while answers are replayed."""

from __future__ import annotations

import logging
import sys
import time

import pytest

from src.llm.progress import Progress
from src.llm.quota import ClassRun


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that progress looks at."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def test_a_line_every_half_minute(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """By hand: 10 answers in 30 s are 20 a minute; 2 of 42 accepted before, 12 after a minute."""
    caplog.set_level(logging.INFO, logger="src.llm.progress")
    with Progress({"a": 40, "b": 2}) as progress:
        progress.round([ClassRun("a", 40, accepted=0), ClassRun("b", 2, accepted=5)])
        assert caplog.messages == []
        progress.answered()
        for _ in range(9):
            clock.now += 30 / 9
            progress.answered()
        progress.round([ClassRun("a", 40, accepted=10), ClassRun("b", 2, accepted=5)])
        clock.now += 30
        progress.answered()
    assert caplog.messages == [
        "generate: 2 of 42 accepted, 20 answers a minute, about 2 min left if all are accepted",
        "generate: 12 of 42 accepted, 11 answers a minute, about 3 min left",
    ]


def test_a_replay_says_nothing(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """No answer is waited for, so there is no progress to show."""
    caplog.set_level(logging.INFO, logger="src.llm.progress")
    with Progress({"a": 40}) as progress:
        progress.round([ClassRun("a", 40, accepted=40)])
    assert caplog.messages == []
    assert capsys.readouterr() == ("", "")


def test_a_terminal_has_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr, so that stdout stays clean."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Progress({"a": 4}) as progress:
        progress.answered()
        progress.round([ClassRun("a", 4, accepted=1)])
        progress.answered()
    captured = capsys.readouterr()
    assert "1 of 4 accepted" in captured.err
    assert captured.out == ""
