"""The state of one endpoint: its limits, and what its responses have shown so far."""

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
    """The state of one endpoint: its limits, and what its responses have shown so far."""

    def __init__(
        self, params: EndpointParams, runtime: RuntimeParams, patience: Patience = PATIENCE
    ) -> None:
        self.params = params
        self.breaker = Breaker(runtime.breaker_failures, time.monotonic, patience)
        self.slots = Concurrency(params.concurrency or runtime.concurrency)
        self.takes_schema = True
        self.responded = False
        self.given_up: str | None = None  # the reason
        self._rates = _rates(params)

    def takes(self, request: Request) -> bool:
        """Whether this request can be sent to the endpoint."""
        return self.given_up is None and (self.takes_schema or not request.as_json)

    async def wait_for_rate(self, tokens: int) -> None:
        """Wait until the endpoint's limits of requests and tokens per minute allow a request."""
        requests, tokens_per_minute = self._rates
        if requests is not None:
            await requests.acquire()
        if tokens_per_minute is not None:
            await tokens_per_minute.acquire(min(tokens, tokens_per_minute.max_rate))


def _rates(params: EndpointParams) -> tuple[AsyncLimiter | None, AsyncLimiter | None]:
    """Return rate limiters of requests and of tokens.

    A limiter allows bursts of a full period. The period is one request, and one minute of tokens,
    since it must hold the largest single request.
    """
    if params.requests_per_minute is None and params.tokens_per_minute is None:
        return None, None
    from aiolimiter import AsyncLimiter

    requests, tokens = params.requests_per_minute, params.tokens_per_minute
    return (
        AsyncLimiter(1, 60 / requests) if requests else None,
        AsyncLimiter(tokens, 60) if tokens else None,
    )
