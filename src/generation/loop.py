"""The loop between generation and the gate: ask until each class has its quota.

Nothing waits for the slowest of a batch: as many requests are out as samples are missing, and for
each that brings none, or one that the gate drops, another goes out. Verdicts are given in the order
of the requests, and a class ends at the first one that completes its quota, or with which its
attempts are used up or too few of its samples are accepted. So where it ends depends on the
responses alone and not on when they came, and a replay ends at the same request.
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

JUDGE_TOGETHER = 8  # requests of a class, while it has more to ask for anyway
AskModel = Callable[[Ask], Awaitable[Received | Failure | OutOfBudget]]
Accepts = Callable[[Sequence[Candidate]], Sequence[bool]]  # each candidate of a class


class QuotaLoop:
    """Asks for all classes at once."""

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
            quotas: accepted samples wanted, by class; classes with 0 are left out.
            writer: writes the n-th request of a class.
            ask_model: gets a response, from the store or from an endpoint.
            accepts: which candidates of a class the gate lets pass; runs in a thread, one at a time.
                A verdict may depend on candidates before, not on those after.
            params: limits on attempts and acceptance.
            separator: between the turns of a row.
            most_at_once: requests that may be out, all classes together.
            on_change: told after each response and each verdict, for progress.
        """
        self.runs = [ClassRun(label, quota) for label, quota in quotas.items() if quota > 0]
        self._turn = deque(self.runs)
        self._writer, self._ask_model, self._accepts = writer, ask_model, accepts
        self._params, self._separator = params, separator
        self._most_at_once, self._on_change = most_at_once, on_change
        self._judging = False
        self._budget_spent = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._finished: asyncio.Queue[asyncio.Task[None]] = asyncio.Queue()

    async def run(self) -> Generated:
        """Ask until every class has its quota or is given up.

        Raises:
            UserError: whatever `ask_model` raises; the other requests are called off.
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
        """Start what can be started now; False when nothing is left to wait for."""
        for run, ask in self._next():
            run.ask()
            self._task(self._answer(run, ask))
        ready = [run for run in self.runs if self._may_screen(run)]
        if ready and not self._judging:
            self._judging = True
            self._task(self._verdicts(ready))
        return bool(self._tasks)

    def _task(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished.put_nowait)

    def _next(self) -> Iterator[tuple[ClassRun, Ask]]:
        """The requests to go out now: a class's group of one prompt, then the next class's.

        A server that keeps what it has read of the last prompt then reads each prompt once.
        """
        passed = 0
        while sum(run.out for run in self.runs) < self._most_at_once and passed < len(self._turn):
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
        if self._budget_spent or not run.wants(self._params):
            return False
        attempt = len(run.attempts)
        if self._writer.needs_screened(attempt) > run.screened:
            return False
        return self._writer.needs_written(run.label, attempt) <= run.back()

    def _may_screen(self, run: ClassRun) -> bool:
        """Whether enough of a class wait for a verdict: the gate has its price too.

        No fewer than are still out, and several, unless nothing more is asked without a verdict.
        """
        if run.done or not run.new or run.new < run.out:
            return False
        return run.new >= JUDGE_TOGETHER or not self._may_ask(run)

    async def _answer(self, run: ClassRun, ask: Ask) -> None:
        reply = await self._ask_model(ask)
        if isinstance(reply, OutOfBudget):
            self._budget_spent = True
            run.take(ask.attempt, Attempt())
        else:
            run.take(ask.attempt, self._read(ask, reply))

    def _read(self, ask: Ask, reply: Received | Failure) -> Attempt:
        """The samples of a reply and, where something went wrong, an entry of the ledger."""
        endpoint, cost = reply.request.endpoint, Decimal(0)
        candidates: tuple[Candidate, ...] = ()
        kind: str | None = "no_response"
        if isinstance(reply, Received):
            read = read_samples(reply.response, reply.request, ask.opening, self._separator)
            kind = read.problem or (RECOVERED if reply.tries else None)
            texts = enumerate(read.samples)
            candidates = tuple(_candidate(ask, reply, number, text) for number, text in texts)
            cost = spent_on(reply.response, endpoint.price).cost
        failure = None
        if kind is not None:
            key = reply.request.response_key
            failure = FailedRequest(ask.label, ask.attempt, key, endpoint.name, kind, reply.tries)
        draws = max(len(candidates), 1)
        return Attempt(candidates, failure, draws, endpoint=endpoint.name, cost=cost)

    async def _verdicts(self, runs: list[ClassRun]) -> None:
        for run in runs:
            candidates = run.candidates()
            verdicts = await asyncio.to_thread(self._accepts, candidates)
            pairs = zip(candidates, verdicts, strict=True)
            run.count({candidate.id: verdict for candidate, verdict in pairs}, self._params)
        self._judging = False


def _candidate(ask: Ask, reply: Received, number: int, text: str) -> Candidate:
    request = reply.request
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
