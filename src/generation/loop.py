"""The loop between generation and the gate: request samples until each class has its quota.

Requests are not sent in batches: the number in flight follows the number of missing samples, and
each request that returns no sample, or one that the gate rejects, is followed by another.

Verdicts are counted in the order of the requests. A class ends at the first request that completes
its quota, reaches its maximum of attempts, or brings its acceptance rate below the minimum. So the
end depends on the responses only, not on their timing, and a replay ends at the same request.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from src.config.generate import GenerateParams
from src.generation.failures import RECOVERED, FailedRequest
from src.generation.prompts import Ask, PromptWriter
from src.generation.quota import Attempt, ClassRun, Generated
from src.generation.replies import read_samples
from src.llm.budget import spent_on
from src.llm.client import Failure, OutOfBudget, Received
from src.records.samples import Candidate

SCREEN_TOGETHER = 8  # requests to screen at once, while the class has more to send anyway
AskModel = Callable[[Ask], Awaitable[Received | Failure | OutOfBudget]]
Accepts = Callable[[Sequence[Candidate]], Sequence[bool]]  # candidates of a class -> verdicts


class QuotaLoop:
    """Requests samples of all classes concurrently."""

    def __init__(
        self,
        quotas: Mapping[str, int],
        writer: PromptWriter,
        ask_model: AskModel,
        accepts: Accepts,
        params: GenerateParams,
        separator: str | None,
        most_at_once: int,
        on_change: Callable[[Sequence[ClassRun]], None] = lambda _: None,
    ) -> None:
        """Set up.

        Args:
            quotas: class -> accepted samples needed; classes with 0 are left out.
            writer: writes the n-th request of a class.
            ask_model: gets a response from the store or from an endpoint.
            accepts: the gate's verdicts on candidates of one class; runs in a thread, one call at
                a time. A verdict may depend on earlier candidates, not on later ones.
            params: limits on attempts and acceptance.
            separator: between the turns of a row.
            most_at_once: maximum number of requests in flight, over all classes.
            on_change: called after each response and each verdict, to show progress.
        """
        self.runs = [ClassRun(label, quota) for label, quota in quotas.items() if quota > 0]
        self._turn = deque(self.runs)
        self._writer, self._ask_model, self._accepts = writer, ask_model, accepts
        self._params, self._separator = params, separator
        self._most_at_once, self._on_change = most_at_once, on_change
        self._screening = False
        self._budget_spent = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._finished: asyncio.Queue[asyncio.Task[None]] = asyncio.Queue()

    async def run(self) -> Generated:
        """Request samples until every class has its quota or has stopped early.

        Raises:
            UserError: raised by `ask_model`; the other requests are cancelled.
        """
        try:
            while self._start():
                self._finish(await self._finished.get())
                while not self._finished.empty():
                    self._finish(self._finished.get_nowait())
                self._on_change(self.runs)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        for run in self.runs:
            if not run.done:
                run.stopped = "budget"
        return Generated(tuple(self.runs))

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        task.result()

    def _start(self) -> bool:
        """Start requests and screening; return False if nothing is running any more."""
        for run, ask in self._next():
            run.ask()
            self._task(self._request(run, ask))
        ready = [run for run in self.runs if self._may_screen(run)]
        if ready and not self._screening:
            self._screening = True
            self._task(self._verdicts(ready))
        return bool(self._tasks)

    def _task(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished.put_nowait)

    def _next(self) -> Iterator[tuple[ClassRun, Ask]]:
        """Yield the requests to send now: a group with one prompt, then a group of the next class.

        A server that caches the last prompt then reads each prompt only once.
        """
        passed = 0
        while sum(run.in_flight for run in self.runs) < self._most_at_once and passed < len(
            self._turn
        ):
            run = self._turn[0]
            if self._may_ask(run):
                attempt = len(run.attempts)
                known = self._writer.needs_written(run.label, attempt)
                written = [candidate.text for candidate in run.candidates(known)]
                past = run.observations(self._writer.needs_screened(attempt))
                yield run, self._writer.ask(run.label, attempt, written, past)
                passed = 0
                if (attempt + 1) % self._params.requests_per_prompt:
                    continue
            else:
                passed += 1
            self._turn.rotate(-1)

    def _may_ask(self, run: ClassRun) -> bool:
        if self._budget_spent or not run.requests_needed(self._params):
            return False
        attempt = len(run.attempts)
        if self._writer.needs_screened(attempt) > run.screened:
            return False
        return self._writer.needs_written(run.label, attempt) <= run.returned()

    def _may_screen(self, run: ClassRun) -> bool:
        """Whether enough requests of a class wait for verdicts to be worth a run of the gate.

        At least as many as are in flight, and at least `SCREEN_TOGETHER` unless the class can send
        nothing more before it has verdicts.
        """
        if run.done or not run.unscreened or run.unscreened < run.in_flight:
            return False
        return run.unscreened >= SCREEN_TOGETHER or not self._may_ask(run)

    async def _request(self, run: ClassRun, ask: Ask) -> None:
        result = await self._ask_model(ask)
        if isinstance(result, OutOfBudget):
            self._budget_spent = True
            run.add_result(ask.attempt, Attempt())
        else:
            run.add_result(ask.attempt, self._read(ask, result))

    def _read(self, ask: Ask, result: Received | Failure) -> Attempt:
        """Read the samples of a reply; add a failure entry if anything went wrong."""
        endpoint, cost = result.request.endpoint, Decimal(0)
        candidates: tuple[Candidate, ...] = ()
        kind: str | None = "no_response"
        if isinstance(result, Received):
            read = read_samples(result.response, result.request, ask.opening, self._separator)
            kind = read.problem or (RECOVERED if result.tries else None)
            texts = enumerate(read.samples)
            candidates = tuple(_candidate(ask, result, number, text) for number, text in texts)
            cost = spent_on(result.response, endpoint.price).cost
        failure = None
        if kind is not None:
            key = result.request.response_key
            failure = FailedRequest(ask.label, ask.attempt, key, endpoint.name, kind, result.tries)
        draws = max(len(candidates), 1)
        return Attempt(candidates, failure, draws, endpoint=endpoint.name, cost=cost)

    async def _verdicts(self, runs: list[ClassRun]) -> None:
        for run in runs:
            candidates = run.candidates()
            verdicts = await asyncio.to_thread(self._accepts, candidates)
            pairs = zip(candidates, verdicts, strict=True)
            run.add_verdicts({candidate.id: verdict for candidate, verdict in pairs}, self._params)
        self._screening = False


def _candidate(ask: Ask, received: Received, number: int, text: str) -> Candidate:
    request = received.request
    seed_ids = tuple(row_id for row_id, _ in request.seeds) if request.earlier_key else ask.seed_ids
    return Candidate(
        id=f"{request.response_key[:16]}-{number}",
        label=ask.label,
        text=text,
        endpoint=request.endpoint.name,
        model=request.endpoint.model,
        request_key=request.response_key,
        attempt=ask.attempt,
        seed_ids=seed_ids,
        attributes=ask.attributes if request.endpoint.api == "chat" else {},
        prompt_version=request.prompt_version,
    )
