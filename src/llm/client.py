"""Asks models: as many requests at once as each endpoint takes, and another one where it is dead.

    async with Client(llm, runtime, budget) as client:
        reply = await client.ask(ask.requests, store.commit)

The reply is an Answer with the request that got it, a Failure after the last try, or OutOfBudget.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from src.config.llm import EndpointParams, LlmParams
from src.config.runtime import RuntimeParams
from src.errors import UserError
from src.llm import embedded
from src.llm.budget import Budget, Spend, most_for, spent_on
from src.llm.endpoint import Endpoint, api_key
from src.llm.limits import ErrorRate, Signal
from src.llm.requests import Answer, Request
from src.llm.troubles import BadReplyError, Trouble, no_reply, read_answer, refusal

if TYPE_CHECKING:
    import openai

log = logging.getLogger(__name__)
FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 60.0
REFUSALS_A_TRY = 10  # how often a request may be told to wait, for each of runtime.tries
GIVE_UP_PROBES = 8  # failed probes after which an endpoint that once answered is given up
KEPT = "what was bought is kept"
SECONDS_BETWEEN_LINES = 30.0  # of the log, while answers are waited for
GRACE_S = 30  # so long an error waits for the answers that are under way: they are paid for
Commit = Callable[[Request, Answer], Awaitable[None]]


@dataclass(frozen=True)
class Reply:
    """An answer, the request that got it, and what failed before."""

    request: Request
    answer: Answer
    tries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """A request that got no answer, and what happened at each try."""

    request: Request
    tries: tuple[str, ...]


@dataclass(frozen=True)
class OutOfBudget:
    """A request that was not made: it could have passed the limit."""


class Client:
    """Talks to every endpoint; starts the embedded model when it is first needed."""

    def __init__(self, llm: LlmParams, runtime: RuntimeParams, budget: Budget) -> None:
        self._runtime, self._budget = runtime, budget
        self._endpoints = {e.name: Endpoint(e, runtime) for e in llm.endpoints}
        self._clients: dict[str, openai.AsyncOpenAI] = {}
        self._engines = ExitStack()
        self._errors = ErrorRate(runtime.error_window)
        self._kinds: Counter[str] = Counter()
        self._under_way: set[asyncio.Task[Answer | Trouble]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._under_way and isinstance(error, UserError):
            await asyncio.wait(self._under_way, timeout=GRACE_S)
        for call in self._under_way:
            call.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        for client in self._clients.values():
            await client.close()
        self._engines.close()

    @property
    def most_waiting(self) -> int:
        """Requests worth handing over at once.

        Twice what all endpoints together may be asked, because some wait before they are made
        again.
        """
        return 2 * sum(endpoint.places.most for endpoint in self._endpoints.values())

    @property
    def running(self) -> int:
        """Requests under way."""
        return sum(endpoint.places.running for endpoint in self._endpoints.values())

    @property
    def failures(self) -> int:
        """Requests that got no answer after their last try."""
        return self._kinds.total()

    async def ask(
        self, requests: Sequence[Request], commit: Commit
    ) -> Reply | Failure | OutOfBudget:
        """The answer to the first of the requests that can be had.

        Args:
            requests: ways to ask the same, best first, see `prompts.Ask`.
            commit: stores an answer; nothing reads it before.

        Raises:
            UserError: no endpoint is left: each is down, refuses the key, or does not know the
                model; or too many requests fail.
        """
        tries: list[str] = []
        failed = 0
        while True:
            request, endpoint = await self._choose(requests)
            outcome = await self._try(request, endpoint, commit)
            if isinstance(outcome, Answer):
                self._count(None)
                return Reply(request, outcome, tuple(tries))
            if isinstance(outcome, OutOfBudget):
                return outcome
            if outcome is None:
                continue
            tries.append(f"{endpoint.params.name}: {outcome.what}")
            failed += outcome.counts
            most = self._runtime.tries
            if outcome.final or failed >= most or len(tries) >= REFUSALS_A_TRY * most:
                self._count(outcome.what)
                return Failure(request, tuple(tries))
            if endpoint.given_up is None and not outcome.no_schema:
                await asyncio.sleep(_wait_s(outcome.retry_after_s, len(tries)))

    async def _try(
        self, request: Request, endpoint: Endpoint, commit: Commit
    ) -> Answer | Trouble | OutOfBudget | None:
        """One try; None where the endpoint became of no use while the request waited for it."""
        signal: Signal = "other"
        await endpoint.places.acquire()
        try:
            entered = endpoint.breaker.enter() if endpoint.takes(request) else None
            if entered is None:
                return None
            try:
                outcome = await self._pay_for(request, endpoint, commit)
            except BaseException:
                endpoint.breaker.left(entered)
                raise
            if isinstance(outcome, OutOfBudget):
                endpoint.breaker.left(entered)
            else:
                signal = self._learn(endpoint, entered, outcome)
            return outcome
        finally:
            endpoint.places.release(signal)

    async def _pay_for(
        self, request: Request, endpoint: Endpoint, commit: Commit
    ) -> Answer | Trouble | OutOfBudget:
        """One call within the rates and the budget.

        Who waits for it may be called off by another request's error; the call itself goes on until
        the client is closed.
        """
        most = most_for(request)
        await endpoint.wait_for_rate(most.tokens)
        if not await self._budget.reserve(most):
            return OutOfBudget()
        call = asyncio.create_task(self._buy(request, endpoint, most, commit))
        self._under_way.add(call)
        call.add_done_callback(self._under_way.discard)
        return await asyncio.shield(call)

    async def _buy(
        self, request: Request, endpoint: Endpoint, most: Spend, commit: Commit
    ) -> Answer | Trouble:
        """One call that the budget has room for; an answer is stored before it is returned."""
        spent = most  # of a call that is called off the endpoint may have done all
        try:
            outcome = await self._call(request, endpoint)
            if isinstance(outcome, Answer):
                # an endpoint that counts no tokens must not pass for a free one
                counted = outcome.prompt_tokens or outcome.completion_tokens
                spent = spent_on(outcome, request.endpoint.price) if counted else most
            elif not outcome.perhaps_paid:
                spent = Spend()
        finally:
            self._budget.settle(most, spent)
        if isinstance(outcome, Answer):
            await commit(request, outcome)
        return outcome

    def _learn(self, endpoint: Endpoint, entered: int, outcome: Answer | Trouble) -> Signal:
        """What the outcome says of the endpoint."""
        name = endpoint.params.name
        if isinstance(outcome, Answer):
            endpoint.answered = True
            if endpoint.breaker.good():
                log.info("endpoint %s answers again", name)
                endpoint.places.restart()
            return "good"
        if outcome.no_schema:
            endpoint.takes_schema = False
            endpoint.breaker.left(entered)
            log.info("endpoint %s takes no JSON schema; asking for text", name)
        elif outcome.remedy:
            self._give_up(endpoint, f"answers {outcome.what}; {outcome.remedy}")
        elif outcome.final:  # the request is at fault, not the endpoint
            endpoint.breaker.left(entered)
        elif endpoint.breaker.bad(
            entered, outcome.retry_after_s or 0.0, certain=outcome.unreachable
        ):
            patient = endpoint.answered or outcome.signal == "congested"
            if endpoint.breaker.failed_probes >= (
                GIVE_UP_PROBES if patient else self._runtime.tries
            ):
                remedy = "start it, or correct llm.endpoints in params.yaml"
                self._give_up(endpoint, f"does not answer ({outcome.what}); {remedy}")
            else:
                pause = endpoint.breaker.wait_s
                log.warning("endpoint %s: %s; not asked for %.0f s", name, outcome.what, pause)
        return outcome.signal

    def _give_up(self, endpoint: Endpoint, why: str) -> None:
        if endpoint.given_up is None:
            where = f"endpoint {endpoint.params.name!r} at {endpoint.params.base_url}"
            endpoint.given_up = f"{where} {why}; {KEPT}"
            if len(self._endpoints) > 1:  # else the run ends with this very line
                log.warning("%s", endpoint.given_up)

    def _count(self, failure: str | None) -> None:
        """Note how a request ended; too many failures among the last ones end the run."""
        self._errors.note(failure is not None)
        if failure is not None:
            self._kinds[failure] += 1
        share, most = self._errors.share, self._runtime.max_error_rate
        if share is not None and share > most:
            kinds = ", ".join(f"{count} x {kind}" for kind, count in self._kinds.most_common(3))
            raise UserError(
                f"{share:.0%} of the last {self._runtime.error_window} requests failed ({kinds}), "
                f"more than runtime.max_error_rate {most:g}; mend the endpoint or raise the limit; "
                f"{KEPT}"
            )

    async def _choose(self, requests: Sequence[Request]) -> tuple[Request, Endpoint]:
        """The first request whose endpoint may be asked now; waits where none may."""
        while True:
            usable = self._usable(requests)
            for request, endpoint in usable:
                if endpoint.breaker.wait_s == 0:
                    return request, endpoint
            pause = min(endpoint.breaker.wait_s for _, endpoint in usable)
            await asyncio.sleep(min(pause, 0.2))  # a probe that is out may close the circuit

    def _usable(self, requests: Sequence[Request]) -> list[tuple[Request, Endpoint]]:
        pairs = [(request, self._endpoints[request.endpoint.name]) for request in requests]
        usable = [(request, endpoint) for request, endpoint in pairs if endpoint.takes(request)]
        if not usable:
            raise UserError("; ".join(dict.fromkeys(e.given_up or "" for _, e in pairs)))
        return usable

    async def _call(self, request: Request, endpoint: Endpoint) -> Answer | Trouble:
        """One call, whatever comes of it."""
        import openai

        client, model = self._client(endpoint.params), endpoint.params.model
        parameters: dict[str, Any] = dict(request.parameters)
        # for servers and proxies that know it: the same request is not to be done twice
        parameters["extra_headers"] = {"Idempotency-Key": request.key}
        if endpoint.params.embedded:
            parameters["seed"] = int(request.key[:8], 16) >> 1
        try:
            if endpoint.params.api == "chat":
                reply: Any = await client.chat.completions.create(
                    model=model,
                    messages=[{"role": "user", "content": request.prompt}],
                    **parameters,
                )
            else:
                reply = await client.completions.create(
                    model=model, prompt=request.prompt, **parameters
                )
            return read_answer(reply, endpoint.params)
        except openai.APIStatusError as error:
            return refusal(error, request)
        except openai.APIConnectionError as error:  # time-outs as well
            return no_reply(error)
        except BadReplyError as error:
            return Trouble(str(error), perhaps_paid=True)
        except (openai.OpenAIError, ValueError):
            return Trouble("the body is not JSON", perhaps_paid=True)

    def _client(self, endpoint: EndpointParams) -> openai.AsyncOpenAI:
        import openai

        if endpoint.name not in self._clients:
            base_url = endpoint.base_url
            if endpoint.embedded:
                path = embedded.model_path(endpoint.model)
                base_url = self._engines.enter_context(embedded.serve(path, self._runtime.engine))
            self._clients[endpoint.name] = openai.AsyncOpenAI(
                base_url=base_url,
                api_key=api_key(endpoint),
                timeout=self._runtime.timeout_s,
                max_retries=0,  # ours are enough; the two would multiply
                # half the processor time of the default one, whose pool looks through all
                # connections at every request (docs/benchmarks.md)
                http_client=openai.DefaultAioHttpClient(),
            )
        return self._clients[endpoint.name]


def _wait_s(retry_after_s: float | None, tries: int) -> float:
    """Seconds before the next try: what the server says, or twice as long each time, spread out."""
    if retry_after_s is not None:
        return min(retry_after_s, LONGEST_WAIT_S)
    # spread, so that requests that failed together do not come back together
    return min(FIRST_WAIT_S * 2.0 ** (tries - 1), LONGEST_WAIT_S) * random.uniform(0.5, 1)
