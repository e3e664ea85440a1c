"""How far generation is: a bar on a terminal, a line now and then elsewhere.

Nothing is shown while answers come from the store; the bar starts with the first one that is
waited for.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from src.llm.quota import ClassRun

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 30.0


class Progress:
    """Counts answers that a model gave in this run and samples that the gate accepts."""

    def __init__(self, quotas: Mapping[str, int]) -> None:
        self._quota = sum(quotas.values())
        self._accepted_before = 0
        self._accepted = 0
        self._answers = 0
        self._started: float | None = None
        self._last_line = 0.0
        self._bar = None if not sys.stderr.isatty() else _bar()
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None and self._started is not None:
            self._bar.stop()

    def answered(self) -> None:
        """One more answer came from an endpoint."""
        now = time.monotonic()
        if self._started is None:
            self._started = self._last_line = now
            self._accepted_before = self._accepted
            if self._bar is not None:
                self._bar.start()
                self._task = self._bar.add_task("generate", total=self._quota)
        self._answers += 1
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._accepted, description=self._text(now))
        elif now - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = now
            log.info("generate: %s", self._text(now))

    def round(self, runs: list[ClassRun]) -> None:
        """The gate judged a round."""
        self._accepted = sum(min(run.accepted, run.quota) for run in runs)

    def _text(self, now: float) -> str:
        assert self._started is not None
        minutes = max((now - self._started) / 60, 1e-9)
        rate = self._answers / minutes
        text = f"{self._accepted} of {self._quota} accepted, {rate:.0f} answers a minute"
        gained = self._accepted - self._accepted_before
        if gained > 0:
            left = (self._quota - self._accepted) * minutes / gained
            text += f", about {left:.0f} min left"
        elif self._answers >= 10:
            left = (self._quota - self._accepted) / rate
            text += f", about {left:.0f} min left if all are accepted"
        return text


def _bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), TextColumn("{task.description}"))
    return Bar(*columns, console=Console(stderr=True))
