"""One server: its limits, its key, and what it has taught us so far."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from src.config.llm import EndpointParams
from src.config.runtime import RuntimeParams
from src.errors import UserError
from src.llm.limits import PATIENCE, Breaker, Concurrency, Patience
from src.llm.requests import Request
from src.paths import ROOT

if TYPE_CHECKING:
    from aiolimiter import AsyncLimiter


class Endpoint:
    """One server: its limits, and what it has taught us so far."""

    def __init__(
        self, params: EndpointParams, runtime: RuntimeParams, patience: Patience = PATIENCE
    ) -> None:
        self.params = params
        self.breaker = Breaker(runtime.breaker_failures, time.monotonic, patience)
        self.places = Concurrency(params.concurrency or runtime.concurrency)
        self.takes_schema = True
        self.answered = False
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


def api_key(endpoint: EndpointParams, root: Path = ROOT) -> str:
    """The endpoint's key from the environment or a file; a placeholder if it needs none.

    Args:
        endpoint: names the variable.
        root: folder of the file .env.

    Raises:
        UserError: the variable that the endpoint names is not set.
    """
    from dotenv import dotenv_values

    if endpoint.api_key_env is None:
        return "none"
    key = os.environ.get(endpoint.api_key_env) or dotenv_values(root / ".env").get(
        endpoint.api_key_env
    )
    key = (key or "").strip()
    if not key:
        raise UserError(
            f"endpoint {endpoint.name!r} needs the key in {endpoint.api_key_env}, which is not "
            "set; export it or write it into .env"
        )
    if not (key.isascii() and key.isprintable()):  # it would be refused with the key in the error
        raise UserError(
            f"endpoint {endpoint.name!r}: {endpoint.api_key_env} holds characters that no key "
            "has; copy the key anew"
        )
    return key
