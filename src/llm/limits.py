"""Limits of an endpoint: concurrency, circuit breaker, waiting times and error rate.

These classes get outcomes and the time and decide only; client.py waits and sends requests.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

FIRST_LIMIT = 16  # concurrent requests at the start: the most that a dead endpoint costs
GROWTH = 3  # added to the limit by each good response, until the endpoint first pushes back
REGROWTH = 1 / 32  # growth per round after that: 1 in 20 refused at random costs no speed
PUSHED_BACK = 0.2  # share of refusals in a round above which the fast growth ends
NOT_BY_CHANCE = 4  # minimum number of refusals for that

Signal = Literal["good", "congested", "other"]


@dataclass(frozen=True)
class Patience:
    """Waiting times in seconds.

    Attributes:
        first_wait_s: before a request's second try; doubles before each further try.
        longest_wait_s: maximum before any try, even if the server asks for more.
        first_pause_s: of an endpoint after repeated failures; doubles with each failed probe.
        longest_pause_s: maximum pause of an endpoint, even if it asks for more.
        grace_s: how long requests in flight may finish after an error, since they are paid for.
    """

    first_wait_s: float = 0.2
    longest_wait_s: float = 60.0
    first_pause_s: float = 1.0
    longest_pause_s: float = 60.0
    grace_s: float = 30.0

    def wait_s(self, retry_after_s: float | None, tries: int) -> float:
        """Return the wait before the next try: Retry-After, or exponential backoff with jitter.

        Args:
            retry_after_s: what the server asks for, or None.
            tries: number of tries so far, at least 1.
        """
        if retry_after_s is not None:
            return min(retry_after_s, self.longest_wait_s)
        wait = min(self.first_wait_s * 2.0 ** (tries - 1), self.longest_wait_s)
        # jitter: requests that failed together should not retry together
        return wait * random.uniform(0.5, 1)


PATIENCE = Patience()


class Concurrency:
    """Adaptive limit of concurrent requests: grows fast at first, then slowly; falls on refusals.

    After each round the limit is lowered by half the share of refused requests. A round has as many
    outcomes as the limit at its start. Halving the limit at each refusal, as TCP does, would leave
    a fifth of the speed at an endpoint that refuses 1 in 20 requests at any load. A cut in
    proportion to the share is as fast when all are refused (DCTCP, Alizadeh et al. 2010).
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.running = 0
        self.restart()

    def restart(self) -> None:
        """Start over, after the endpoint was down."""
        self.limit = float(min(FIRST_LIMIT, self.most))
        self._searching = True
        self._new_round()

    async def acquire(self) -> None:
        """Wait for a slot, in order of arrival."""
        if self.running < int(self.limit) and not self._waiting:
            self.running += 1
            return
        slot: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(slot)
        try:
            await slot
        except asyncio.CancelledError:
            if slot.done() and not slot.cancelled():  # it got the slot but cannot use it
                self._leave()
            raise

    def release(self, signal: Signal) -> None:
        """Return the slot and adapt the limit to the outcome."""
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
    """Circuit breaker: closed while an endpoint responds, open after repeated failures, then a probe."""

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
        """Whether all requests pass (closed), none (open) or one probe (half-open)."""
        if self._opens_at is None:
            return "closed"
        return "open" if self._clock() < self._opens_at else "half-open"

    @property
    def wait_s(self) -> float:
        """Seconds until a request may pass: 0 for now, infinite while a probe is in flight."""
        if self._opens_at is None:
            return 0.0
        if self._probing:
            return float("inf")
        return max(self._opens_at - self._clock(), 0.0)

    def enter(self) -> int | None:
        """Return a pass, or None if the request may not be sent.

        The pass counts how often the circuit has opened, so that outcomes of requests sent before
        the last opening can be recognised. The first request when half-open is the probe.
        """
        if self.wait_s > 0:
            return None
        self._probing = self._opens_at is not None
        return self._openings

    def good(self) -> bool:
        """Record a response; return whether it closes an open circuit."""
        closes = self._opens_at is not None
        self._in_a_row, self._opens_at, self._probing = 0, None, False
        self.failed_probes, self._pause = 0, self._patience.first_pause_s
        return closes

    def bad(self, entered: int, wait_s: float = 0.0, *, certain: bool = False) -> bool:
        """Record a failure; return whether it opens the circuit (again).

        Args:
            entered: the request's pass.
            wait_s: how long the endpoint asks to wait, which may exceed our own pause.
            certain: whether this failure alone opens the circuit (endpoint unreachable).
        """
        if entered < self._openings:
            return False  # it was in flight when the circuit opened
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
        """Record that a request ended without an outcome for the endpoint, such as a cancelled one."""
        if entered == self._openings:
            self._probing = False


class ErrorRate:
    """Share of failed requests among the last `window` finished ones."""

    def __init__(self, window: int) -> None:
        self._last: deque[bool] = deque(maxlen=window)
        self._window = window

    def note(self, failed: bool) -> None:
        """Record whether a finished request failed."""
        self._last.append(failed)

    @property
    def share(self) -> float | None:
        """The share, or None until the window is full, so that a bad start is not decisive."""
        return sum(self._last) / self._window if len(self._last) == self._window else None
