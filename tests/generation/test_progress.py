"""Progress: log lines, a table on a terminal, nothing during a replay."""

from __future__ import annotations

import logging
import re
import sys

import pytest

from src.generation.failures import FailedRequest
from src.generation.progress import Progress, Status
from src.generation.quota import Attempt, ClassRun
from src.records.samples import Candidate

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
ERASE_LINE, SHOW_CURSOR = "\x1b[2K", "\x1b[?25h"
QUIET = Status(in_flight=0, failures=0, tokens=0, cost="")


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The clock of the progress."""
    return Clock()


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Log lines without a terminal."""
    caplog.set_level(logging.INFO, logger="src.generation.progress")
    return caplog


@pytest.fixture
def terminal(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],  # which replaces stderr, and again before the test
) -> pytest.MonkeyPatch:
    """A terminal with 24 lines, or with LINES."""
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda _: True)
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (("TERM", "xterm"), ("COLUMNS", "100"), ("LINES", "24")):
        monkeypatch.setenv(name, value)
    return monkeypatch


def show(clock: Clock, runs: list[ClassRun], status: Status = QUIET) -> None:
    """Report one response and these classes."""
    with Progress(sum(run.quota for run in runs), lambda: status, clock) as progress:
        progress.responded()
        clock.now += 30
        progress.changed(runs)


def rows(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Lines of the terminal without colours, with single spaces; checks that stdout is empty."""
    captured = capsys.readouterr()
    assert captured.out == ""
    text = ESCAPE.sub("", captured.err.replace("\r", "\n"))
    return [" ".join(line.split()) for line in text.split("\n") if line.strip()]


def busy(count: int) -> list[ClassRun]:
    """Classes with a quota of 4, 1 accepted, 2 draws and 3 requests."""
    return [ClassRun(f"c{n:02}", 4, attempts=[None] * 3, draws=2, accepted=1) for n in range(count)]


def test_a_line_every_half_minute(clock: Clock, lines: pytest.LogCaptureFixture) -> None:
    """10 responses in 30 s are 20 per minute. Of a quota of 62, 12 are accepted before and 22 then,
    so 40 are left at 20 per minute. After a minute 42 are accepted with 15 responses, and 20 are
    left at 30 per minute. Samples beyond the quota of a class do not count.
    """
    status = QUIET
    with Progress(62, lambda: status, clock) as progress:
        progress.changed([ClassRun("a", 50, accepted=0), ClassRun("b", 12, accepted=15)])
        clock.now += 100
        progress.responded()
        for _ in range(9):
            clock.now += 3
            progress.responded()
        clock.now += 2.5
        progress.changed([ClassRun("a", 50, accepted=9), ClassRun("b", 12, accepted=15)])
        assert lines.messages == []
        clock.now += 0.5
        status = Status(in_flight=3, failures=0, tokens=12345, cost="")
        progress.changed([ClassRun("a", 50, accepted=10), ClassRun("b", 12, accepted=15)])
        for _ in range(5):
            clock.now += 5
            progress.responded()
            progress.changed([ClassRun("a", 50, accepted=20), ClassRun("b", 12, accepted=15)])
        clock.now += 5
        status = Status(in_flight=2, failures=1, tokens=1234567, cost="0.0123 CNY")
        progress.changed([ClassRun("a", 50, accepted=30), ClassRun("b", 12, accepted=15)])
    assert lines.messages == [
        "generate: 22 of 62 accepted, 20 responses per minute, 3 in flight, 12,345 tokens, "
        "about 2 min left",
        "generate: 42 of 62 accepted, 15 responses per minute, 2 in flight, 1,234,567 tokens, "
        "0.0123 CNY, 1 failed, about 1 min left",
    ]


def test_no_time_is_estimated_before_anything_is_accepted(
    clock: Clock, lines: pytest.LogCaptureFixture
) -> None:
    """One response in half a minute, and nothing of it accepted."""
    show(clock, [ClassRun("a", 40)])
    assert lines.messages == [
        "generate: 0 of 40 accepted, 2 responses per minute, 0 in flight, 0 tokens"
    ]


def replay(clock: Clock) -> None:
    """All responses come from the store, with delays."""
    with Progress(40, lambda: QUIET, clock) as progress:
        for accepted in (0, 20, 40):
            clock.now += 100
            progress.changed([ClassRun("a", 40, accepted=accepted)])


def test_a_replay_says_nothing(
    clock: Clock, lines: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is no response to wait for, so no progress is shown."""
    replay(clock)
    assert lines.messages == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("terminal")
def test_a_replay_shows_no_table(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """On a terminal not even the cursor is touched."""
    replay(clock)
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("terminal")
def test_a_terminal_has_a_table(
    clock: Clock, lines: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr: one row per unfinished class, the number of finished ones, and the totals.

    1 of 4 accepted is 5 of 20 blocks, 1 of 2 draws is 50 %; 1 + 0 + 2 + 1 of 16 accepted.
    """
    runs = [
        ClassRun("补卡", 4, attempts=[None] * 3, draws=2, accepted=1),
        ClassRun("销户", 5, attempts=[None]),
        ClassRun("改号", 2, draws=2, accepted=2),
        ClassRun("投诉", 5, draws=40, accepted=1, stopped="min_acceptance"),
    ]
    show(clock, runs, Status(in_flight=3, failures=1, tokens=12345, cost="0.0123 CNY"))
    shown = rows(capsys)
    assert shown[:4] == [
        "class accepted wanted requests acceptance",
        "补卡 1 4 3 50% █████",
        "销户 0 5 1",
        "2 classes done",
    ]
    totals = (
        "4 of 16 accepted, 2 responses per minute, 3 in flight, 12,345 tokens, 0.0123 CNY, 1 failed, "
        "about 2 min left"  # 12 more at 8 per minute
    )
    assert " ".join(shown[4:]).startswith(totals)
    assert not any("改号" in line or "投诉" in line for line in shown)
    assert lines.messages == []


@pytest.mark.usefixtures("terminal")
def test_a_table_is_drawn_four_times_a_second_at_most(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of ten responses in a second, those at 0.3, 0.6 and 0.9 s redraw it."""
    drawn = []
    with Progress(4, lambda: QUIET, clock) as progress:
        progress.responded()
        for _ in range(10):
            clock.now += 0.1
            progress.changed(busy(1))
            drawn.append("c00 1 4" in " ".join(rows(capsys)))
    assert drawn == [False, False, True] * 3 + [False]


@pytest.mark.parametrize(
    ("height", "shown"),
    [("24", 17), ("200", 30), ("5", 1)],
    ids=["small screen", "large screen", "no room"],
)
def test_totals_stay_on_the_screen(
    height: str,
    shown: int,
    clock: Clock,
    terminal: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Seven lines are reserved around the classes; at most 30 classes are shown."""
    terminal.setenv("LINES", height)
    show(clock, [*busy(40), ClassRun("done", 1, accepted=1)])
    text = " ".join(rows(capsys))
    assert len(set(re.findall(r"c\d\d 1 4 3 50%", text))) == shown
    assert f"1 classes done, {40 - shown} more in progress 41 of 161 accepted" in text


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("label", ["refund [bold]", "a[/b]", ":smile:", "[#fff]报停"])
def test_a_label_is_shown_as_it_is(
    label: str, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Markup and emoji codes are shown as plain text."""
    show(clock, [ClassRun(label, 4)])
    assert rows(capsys)[1] == f"{label} 0 4 0"


@pytest.mark.usefixtures("terminal")
def test_a_warning_is_not_erased_with_the_table(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is above the table, which is redrawn below it; afterwards logging is as before."""
    handler = logging.StreamHandler(sys.stderr)
    logging.getLogger().addHandler(handler)
    try:
        with Progress(4, lambda: QUIET, clock) as progress:
            progress.responded()
            clock.now += 1
            progress.changed(busy(1))
            logging.getLogger("client").warning("endpoint a is down")
            clock.now += 1
            progress.changed(busy(1))
        assert handler.stream is sys.stderr
    finally:
        logging.getLogger().removeHandler(handler)
    after = capsys.readouterr().err.partition("endpoint a is down\n")[2]
    assert "c00" in after.partition(ERASE_LINE)[0]


@pytest.mark.usefixtures("terminal")
def test_an_error_leaves_the_terminal_as_it_was(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """The cursor is visible, stderr is restored, and the error is raised."""
    stderr = sys.stderr

    def fail() -> None:
        with Progress(4, lambda: QUIET, clock) as progress:
            progress.responded()
            clock.now += 1
            progress.changed(busy(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert sys.stderr is stderr
    assert SHOW_CURSOR in capsys.readouterr().err


@pytest.mark.parametrize("tty", [False, True], ids=["lines", "table"])
def test_only_counts_are_shown(
    tty: bool, clock: Clock, lines: pytest.LogCaptureFixture, request: pytest.FixtureRequest
) -> None:
    """Texts and keys of requests stay out of logs and off screens."""
    if tty:
        request.getfixturevalue("terminal")
    capsys = request.getfixturevalue("capsys")
    attempt = Attempt(
        (Candidate("f00d-0", "a", "我的号码是幺三八"),),
        FailedRequest("a", 0, "f00d", "e", "recovered", ("e: x",)),
        1,
    )
    show(clock, [ClassRun("a", 4, attempts=[attempt], screened=1, draws=1, accepted=1)])
    text = "\n".join([*rows(capsys), *lines.messages])
    assert "1 of 4 accepted" in text
    assert not re.search("号码|f00d|e: x", text)
