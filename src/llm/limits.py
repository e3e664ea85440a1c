"""When an endpoint may be asked: how many requests at once, whether it is alive, and when again.

Pure rules, told of outcomes and of the time; client.py waits and asks.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

FIRST_LIMIT = 16  # requests at once before anything is known: a dead endpoint costs no more
GROWTH = 3  # a good response raises the limit by this much, until the endpoint first pushes back
REGROWTH = 1 / 32  # a round's growth after that: a twentieth refused at random costs no speed
PUSHED_BACK = 0.2  # share of refusals in a round over which the limit has been found
NOT_BY_CHANCE = 4  # refusals in a round, at least, for that

Signal = Literal["good", "congested", "other"]


@dataclass(frozen=True)
class Patience:
    """How long is waited, in seconds.

    Attributes:
        first_wait_s: before a request's second try; twice as long before each further one.
        longest_wait_s: before any try, whatever the server asks for.
        first_pause_s: of an endpoint that fails in a row; twice as long at each failed probe.
        longest_pause_s: of an endpoint, whatever it asks for.
        grace_s: at an error, for the responses that are under way: they are paid for.
    """

    first_wait_s: float = 0.2
    longest_wait_s: float = 60.0
    first_pause_s: float = 1.0
    longest_pause_s: float = 60.0
    grace_s: float = 30.0

    def wait_s(self, retry_after_s: float | None, tries: int) -> float:
        """Before the next try: what the server says, or twice as long each time, spread out.

        Args:
            retry_after_s: what the server says; None where it says nothing.
            tries: those made, 1 or more.
        """
        if retry_after_s is not None:
            return min(retry_after_s, self.longest_wait_s)
        wait = min(self.first_wait_s * 2.0 ** (tries - 1), self.longest_wait_s)
        # spread, so that requests that failed together do not come back together
        return wait * random.uniform(0.5, 1)


PATIENCE = Patience()


class Concurrency:
    """Requests at once: up quickly at first, then slowly; down by half the share refused.

    A round is as many outcomes as the limit allowed requests when it began. Halving the limit at
    each refusal, as TCP does, would leave a fifth of the speed at an endpoint that refuses one
    request in twenty whatever the load; in proportion to the share it falls as fast where all are
    refused (DCTCP, Alizadeh et al. 2010).
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.running = 0
        self.restart()

    def restart(self) -> None:
        """Know nothing: after the endpoint was away."""
        self.limit = float(min(FIRST_LIMIT, self.most))
        self._searching = True
        self._new_round()

    async def acquire(self) -> None:
        """Wait for a slot, first come first served."""
        if self.running < int(self.limit) and not self._waiting:
            self.running += 1
            return
        slot: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(slot)
        try:
            await slot
        except asyncio.CancelledError:
            if slot.done() and not slot.cancelled():  # it got the slot and can't use it
                self._leave()
            raise

    def release(self, signal: Signal) -> None:
        """Give the slot back and learn from how it went."""
        self._round[signal] += 1
        if signal == "good" and self._searching:
            self._set(self.limit + GROWTH)
        if self._round.total() >= self._round_size:
            share = self._round["congested"] / self._round.total()
            if share > PUSHED_BACK and self._round["congested"] >= NOT_BY_CHANCE:
                self._searching = False
            elif not self._searching and self._round["good"]:
                self._set(self.limit + max(1.0, self.limit * REGROWTH))
            self._set(self.limit * (1 - share / 2))
            self._new_round()
        self._leave()

    def _new_round(self) -> None:
        self._round: Counter[Signal] = Counter()
        self._round_size = int(self.limit)

    def _set(self, limit: float) -> None:
        self.limit = min(max(limit, 1.0), float(self.most))

    def _leave(self) -> None:
        self.running -= 1
        while self._waiting and self.running < int(self.limit):
            slot = self._waiting.popleft()
            if not slot.done():
                self.running += 1
                slot.set_result(None)


class Breaker:
    """Closed while an endpoint responds; open for a pause once it fails in a row; then one probe."""

    def __init__(
        self, failures: int, clock: Callable[[], float], patience: Patience = PATIENCE
    ) -> None:
        self._allowed, self._clock, self._patience = failures, clock, patience
        self._in_a_row = 0
        self._pause = patience.first_pause_s
        self._opens_at: float | None = None
        self._probing = False
        self._openings = 0
        self.failed_probes = 0

    @property
    def state(self) -> Literal["closed", "open", "half-open"]:
        """Whether requests pass: all, none, or one to see."""
        if self._opens_at is None:
            return "closed"
        return "open" if self._clock() < self._opens_at else "half-open"

    @property
    def wait_s(self) -> float:
        """Seconds until a request may pass; 0 if one may now; infinite while a probe is out."""
        if self._opens_at is None:
            return 0.0
        if self._probing:
            return float("inf")
        return max(self._opens_at - self._clock(), 0.0)

    def enter(self) -> int | None:
        """A pass, None where the request may not go out; the first when half-open is the probe.

        It tells the requests since the circuit last opened from those that were under way then.
        """
        if self.wait_s > 0:
            return None
        self._probing = self._opens_at is not None
        return self._openings

    def good(self) -> bool:
        """It responded. True where that closes an open circuit."""
        closes = self._opens_at is not None
        self._in_a_row, self._opens_at, self._probing = 0, None, False
        self.failed_probes, self._pause = 0, self._patience.first_pause_s
        return closes

    def bad(self, entered: int, wait_s: float = 0.0, *, certain: bool = False) -> bool:
        """It failed. True where that opens the circuit, anew or for the first time.

        Args:
            entered: the request's pass.
            wait_s: how long the endpoint says to wait, which may be longer than our own pause.
            certain: one failure is enough, since nobody is there.
        """
        if entered < self._openings:
            return False  # it was under way when the circuit opened
        self._in_a_row += 1
        if self._opens_at is None and self._in_a_row < self._allowed and not certain:
            return False
        self.failed_probes += self._probing
        self._probing = False
        self._openings += 1
        longest = self._patience.longest_pause_s
        self._opens_at = self._clock() + max(self._pause, min(wait_s, longest))
        self._pause = min(2 * self._pause, longest)
        return True

    def left(self, entered: int) -> None:
        """A request ended without an outcome: it was called off."""
        if entered == self._openings:
            self._probing = False


class ErrorRate:
    """Share of failed requests among the last `window` finished ones."""

    def __init__(self, window: int) -> None:
        self._last: deque[bool] = deque(maxlen=window)
        self._window = window

    def note(self, failed: bool) -> None:
        """One more request has ended."""
        self._last.append(failed)

    @property
    def share(self) -> float | None:
        """The share, or None before the window is full: a bad start decides nothing."""
        return sum(self._last) / self._window if len(self._last) == self._window else None
