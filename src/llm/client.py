"""Send requests to endpoints: as many at once as each endpoint takes, with fallbacks.

    async with Client(llm, runtime, budget) as client:
        result = await client.ask(ask.requests, store.commit)

The result is Received (a response and its request), a Failure after the last try, or OutOfBudget.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from src.config.llm import LlmParams
from src.config.runtime import RuntimeParams
from src.errors import UserError
from src.llm.budget import Budget, Spend, most_spent_on, spent_on
from src.llm.call_errors import CallError
from src.llm.connections import Connections
from src.llm.endpoint import Endpoint
from src.llm.limits import PATIENCE, ErrorRate, Patience, Signal
from src.llm.requests import Request, Response

log = logging.getLogger(__name__)
SECONDS_BETWEEN_LINES = 30.0  # between two progress lines in the log
REFUSALS_PER_TRY = 10  # "try again later" responses per request, for each of runtime.tries
GIVE_UP_PROBES = 8  # failed probes after which an endpoint that has responded before is dropped
KEPT = "paid responses are kept"
Commit = Callable[[Request, Response], Awaitable[None]]


@dataclass(frozen=True)
class Received:
    """A response, its request, and the tries that failed before it."""

    request: Request
    response: Response
    tries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """A request without a response, and why each try failed."""

    request: Request
    tries: tuple[str, ...]


@dataclass(frozen=True)
class OutOfBudget:
    """A request that was not sent, because it could have exceeded the budget."""


class Client:
    """Send requests to all endpoints; start the embedded model when it is first needed."""

    def __init__(
        self,
        llm: LlmParams,
        runtime: RuntimeParams,
        budget: Budget,
        *,
        patience: Patience = PATIENCE,
        reuse_prefix: bool = True,
    ) -> None:
        """Set up; no request is sent yet.

        Args:
            llm: the endpoints.
            runtime: concurrency, tries, time-outs and error limits.
            budget: counts what is spent.
            patience: waiting times.
            reuse_prefix: whether the embedded model reads a shared prompt prefix only once.
        """
        self._runtime, self._budget, self._patience = runtime, budget, patience
        self._endpoints = {e.name: Endpoint(e, runtime, patience) for e in llm.endpoints}
        self._connections = Connections(runtime, reuse_prefix=reuse_prefix)
        self._errors = ErrorRate(runtime.error_window)
        self._kinds: Counter[str] = Counter()
        self._in_flight: set[asyncio.Task[Response | CallError]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._in_flight and isinstance(error, UserError):
            await asyncio.wait(self._in_flight, timeout=self._patience.grace_s)
        for call in self._in_flight:
            call.cancel()
        await asyncio.gather(*self._in_flight, return_exceptions=True)
        await self._connections.close()

    @property
    def most_waiting(self) -> int:
        """The useful number of concurrent `ask` calls.

        Twice the concurrency of all endpoints, because some requests wait before their next try.
        """
        return 2 * sum(endpoint.slots.most for endpoint in self._endpoints.values())

    @property
    def running(self) -> int:
        """Number of requests in flight."""
        return sum(endpoint.slots.running for endpoint in self._endpoints.values())

    @property
    def failures(self) -> int:
        """Number of requests without a response after their last try."""
        return self._kinds.total()

    async def ask(
        self, requests: Sequence[Request], commit: Commit
    ) -> Received | Failure | OutOfBudget:
        """Send the first of the requests whose endpoint is available; retry if it fails.

        Args:
            requests: equivalent requests, best first, see `prompts.Ask`.
            commit: stores a response before it is returned.

        Raises:
            UserError: no endpoint is left (each one is down, refuses the key or does not know the
                model), or too many requests fail.
        """
        tries: list[str] = []
        failed = 0
        while True:
            request, endpoint = await self._choose(requests)
            result = await self._try(request, endpoint, commit)
            if isinstance(result, Response):
                self._count(None)
                return Received(request, result, tuple(tries))
            if isinstance(result, OutOfBudget):
                return result
            if result is None:
                continue
            tries.append(f"{endpoint.params.name}: {result.what}")
            failed += result.counts
            most = self._runtime.tries
            if result.final or failed >= most or len(tries) >= REFUSALS_PER_TRY * most:
                self._count(result.what)
                return Failure(request, tuple(tries))
            if endpoint.given_up is None and not result.no_schema:
                await asyncio.sleep(self._patience.wait_s(result.retry_after_s, len(tries)))

    async def _try(
        self, request: Request, endpoint: Endpoint, commit: Commit
    ) -> Response | CallError | OutOfBudget | None:
        """One try; None if the endpoint became unusable while the request waited for a slot."""
        signal: Signal = "other"
        await endpoint.slots.acquire()
        try:
            entered = endpoint.breaker.enter() if endpoint.takes(request) else None
            if entered is None:
                return None
            try:
                result = await self._pay_for(request, endpoint, commit)
            except BaseException:
                endpoint.breaker.left(entered)
                raise
            if isinstance(result, OutOfBudget):
                endpoint.breaker.left(entered)
            else:
                signal = self._learn(endpoint, entered, result)
            return result
        finally:
            endpoint.slots.release(signal)

    async def _pay_for(
        self, request: Request, endpoint: Endpoint, commit: Commit
    ) -> Response | CallError | OutOfBudget:
        """One call within the rate limits and the budget.

        If the awaiting task is cancelled, because another request failed, the call itself
        continues until the client is closed.
        """
        most = most_spent_on(request)
        await endpoint.wait_for_rate(most.tokens)
        if not await self._budget.reserve(most):
            return OutOfBudget()
        call = asyncio.create_task(self._buy(request, most, commit))
        self._in_flight.add(call)
        call.add_done_callback(self._in_flight.discard)
        return await asyncio.shield(call)

    async def _buy(self, request: Request, most: Spend, commit: Commit) -> Response | CallError:
        """One call with its budget reserved; a response is stored before it is returned."""
        spent = most  # the endpoint may charge in full for a call that is cancelled
        try:
            result = await self._connections.call(request)
            if isinstance(result, Response):
                # an endpoint that reports no usage is not a free one
                counted = result.prompt_tokens or result.completion_tokens
                spent = spent_on(result, request.endpoint.price) if counted else most
            elif not result.perhaps_paid:
                spent = Spend()
        finally:
            self._budget.settle(most, spent)
        if isinstance(result, Response):
            await commit(request, result)
        return result

    def _learn(self, endpoint: Endpoint, entered: int, result: Response | CallError) -> Signal:
        """Update the endpoint's state from the result of a try."""
        name = endpoint.params.name
        if isinstance(result, Response):
            endpoint.responded = True
            if endpoint.breaker.good():
                log.info("endpoint %s responds again", name)
                endpoint.slots.restart()
            return "good"
        if result.no_schema:
            endpoint.takes_schema = False
            endpoint.breaker.left(entered)
            log.info("endpoint %s does not support JSON schemas; asking for plain text", name)
        elif result.remedy:
            self._give_up(endpoint, f"responds with {result.what}; {result.remedy}")
        elif result.final:  # the request is at fault, not the endpoint
            endpoint.breaker.left(entered)
        elif endpoint.breaker.bad(entered, result.retry_after_s or 0.0, certain=result.unreachable):
            patient = endpoint.responded or result.signal == "congested"
            if endpoint.breaker.failed_probes >= (
                GIVE_UP_PROBES if patient else self._runtime.tries
            ):
                remedy = "start it, or correct llm.endpoints in params.yaml"
                self._give_up(endpoint, f"does not respond ({result.what}); {remedy}")
            else:
                pause = endpoint.breaker.wait_s
                log.warning("endpoint %s: %s; paused for %.0f s", name, result.what, pause)
        return result.signal

    def _give_up(self, endpoint: Endpoint, why: str) -> None:
        if endpoint.given_up is None:
            where = f"endpoint {endpoint.params.name!r} at {endpoint.params.base_url}"
            endpoint.given_up = f"{where} {why}; {KEPT}"
            if len(self._endpoints) > 1:  # with one endpoint the run ends with this message
                log.warning("%s", endpoint.given_up)

    def _count(self, failure: str | None) -> None:
        """Record how a request ended; raise if too many of the last requests failed."""
        self._errors.note(failure is not None)
        if failure is not None:
            self._kinds[failure] += 1
        share, most = self._errors.share, self._runtime.max_error_rate
        if share is not None and share > most:
            kinds = ", ".join(f"{count} x {kind}" for kind, count in self._kinds.most_common(3))
            raise UserError(
                f"{share:.0%} of the last {self._runtime.error_window} requests failed ({kinds}), "
                f"more than runtime.max_error_rate {most:g}; fix the endpoint or raise the limit; "
                f"{KEPT}"
            )

    async def _choose(self, requests: Sequence[Request]) -> tuple[Request, Endpoint]:
        """Return the first request whose endpoint is available; wait until there is one."""
        while True:
            usable = self._usable(requests)
            for request, endpoint in usable:
                if endpoint.breaker.wait_s == 0:
                    return request, endpoint
            pause = min(endpoint.breaker.wait_s for _, endpoint in usable)
            await asyncio.sleep(min(pause, 0.2))  # a probe in flight may close the circuit

    def _usable(self, requests: Sequence[Request]) -> list[tuple[Request, Endpoint]]:
        pairs = [(request, self._endpoints[request.endpoint.name]) for request in requests]
        usable = [(request, endpoint) for request, endpoint in pairs if endpoint.takes(request)]
        if not usable:
            raise UserError("; ".join(dict.fromkeys(e.given_up or "" for _, e in pairs)))
        return usable
