"""One server: its limits, and what it has taught us so far."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from src.config.llm import EndpointParams
from src.config.runtime import RuntimeParams
from src.llm.limits import PATIENCE, Breaker, Concurrency, Patience
from src.llm.requests import Request

if TYPE_CHECKING:
    from aiolimiter import AsyncLimiter


class Endpoint:
    """One server: its limits, and what it has taught us so far."""

    def __init__(
        self, params: EndpointParams, runtime: RuntimeParams, patience: Patience = PATIENCE
    ) -> None:
        self.params = params
        self.breaker = Breaker(runtime.breaker_failures, time.monotonic, patience)
        self.slots = Concurrency(params.concurrency or runtime.concurrency)
        self.takes_schema = True
        self.responded = False
        self.given_up: str | None = None  # why
        self._rates = _rates(params)

    def takes(self, request: Request) -> bool:
        """Whether it is of any use to ask this."""
        return self.given_up is None and (self.takes_schema or not request.as_json)

    async def wait_for_rate(self, tokens: int) -> None:
        """Wait for the requests and tokens a minute that the endpoint allows."""
        requests, tokens_a_minute = self._rates
        if requests is not None:
            await requests.acquire()
        if tokens_a_minute is not None:
            await tokens_a_minute.acquire(min(tokens, tokens_a_minute.max_rate))


def _rates(params: EndpointParams) -> tuple[AsyncLimiter | None, AsyncLimiter | None]:
    """Limiters of requests and of tokens.

    A limiter lets a full period's worth out at once: one request; of tokens a minute's worth,
    since the period must hold the largest single request.
    """
    if params.requests_per_minute is None and params.tokens_per_minute is None:
        return None, None
    from aiolimiter import AsyncLimiter

    requests, tokens = params.requests_per_minute, params.tokens_per_minute
    return (
        AsyncLimiter(1, 60 / requests) if requests else None,
        AsyncLimiter(tokens, 60) if tokens else None,
    )
