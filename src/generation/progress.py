"""Progress of generation: a live table on a terminal, otherwise a log line from time to time.

Nothing is shown until an endpoint returns a first response; replays from the store are quiet. Only
counts are shown, never a prompt, a response or a key.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from src.generation.quota import ClassRun
from src.llm.client import SECONDS_BETWEEN_LINES

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

log = logging.getLogger(__name__)

SECONDS_BETWEEN_TABLES = 0.25
MOST_ROWS = 30  # of the table; finished classes are only counted
OTHER_LINES = 7  # of the screen, around these rows


@dataclass(frozen=True)
class Status:
    """Figures of the client and the budget."""

    in_flight: int
    failures: int
    tokens: int
    cost: str  # with its currency; empty if nothing has been charged


class Progress:
    """Shows accepted samples, and the rate of responses from endpoints in this run."""

    def __init__(
        self,
        quota: int,
        status: Callable[[], Status],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set up.

        Args:
            quota: accepted samples needed, over all classes.
            status: returns the current figures of the client and the budget.
            clock: returns seconds.
        """
        self._quota, self._status, self._clock = quota, status, clock
        self._runs: Sequence[ClassRun] = ()
        self._accepted_before = 0
        self._responses = 0
        self._started: float | None = None
        self._shown = 0.0
        self._live = _live() if sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None and self._started is not None:
            proxy = sys.stderr
            self._live.stop()
            _redirect(proxy, sys.stderr)

    def responded(self) -> None:
        """Count a response from an endpoint."""
        if self._started is None:
            self._started = self._shown = self._clock()
            self._accepted_before = self._accepted
            if self._live is not None:
                stderr = sys.stderr
                self._live.start()
                _redirect(stderr, sys.stderr)
        self._responses += 1

    def changed(self, runs: Sequence[ClassRun]) -> None:
        """Update the display after a response or a verdict."""
        self._runs = runs
        if self._started is None:
            return
        now = self._clock()
        pause = SECONDS_BETWEEN_LINES if self._live is None else SECONDS_BETWEEN_TABLES
        if now - self._shown < pause:
            return
        self._shown = now
        if self._live is None:
            log.info("generate: %s", self._text(now))
        else:
            rows = min(MOST_ROWS, self._live.console.height - OTHER_LINES)
            self._live.update(self._table(now, max(rows, 1)), refresh=True)

    @property
    def _accepted(self) -> int:
        return sum(min(run.accepted, run.quota) for run in self._runs)

    def _text(self, now: float) -> str:
        assert self._started is not None
        minutes = max((now - self._started) / 60, 1e-9)
        rate = self._responses / minutes
        status = self._status()
        parts = [
            f"{self._accepted} of {self._quota} accepted",
            f"{rate:.0f} responses per minute",
            f"{status.in_flight} in flight",
            f"{status.tokens:,} tokens",
        ]
        if status.cost:
            parts.append(status.cost)
        if status.failures:
            parts.append(f"{status.failures} failed")
        gained = self._accepted - self._accepted_before
        if gained > 0:
            left = (self._quota - self._accepted) * minutes / gained
            parts.append(f"about {left:.0f} min left")
        return ", ".join(parts)

    def _table(self, now: float, rows: int) -> Table:
        from rich.table import Table

        table = Table(box=None, caption=self._text(now), caption_justify="left")
        table.add_column("class")
        for name in ("accepted", "wanted", "requests", "acceptance"):
            table.add_column(name, justify="right")
        table.add_column("")
        busy = [run for run in self._runs if not run.done]
        for run in busy[:rows]:
            counts = (run.accepted, run.quota, len(run.attempts))
            share = f"{run.acceptance:.0%}" if run.draws else ""
            bar = "█" * round(20 * min(run.accepted / run.quota, 1))
            table.add_row(run.label, *map(str, counts), share, bar)
        done = len(self._runs) - len(busy)
        hidden = max(len(busy) - rows, 0)
        more = f", {hidden} more in progress" if hidden else ""
        table.add_row(f"{done} classes done{more}", *[""] * 5, style="dim")
        return table


def _live() -> Live:
    from rich.console import Console
    from rich.live import Live

    # a class name may look like markup or an emoji: "[bold]", ":smile:"
    console = Console(stderr=True, markup=False, emoji=False)
    return Live(console=console, auto_refresh=False, transient=True)


def _redirect(before: TextIO, after: TextIO) -> None:
    """Move log handlers to another stream, since lines that bypass the table are erased with it."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is before:
            handler.setStream(after)
