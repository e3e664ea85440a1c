"""The loop between generation and the gate: ask until each class has its quota.

Each round asks, for every class that lacks accepted samples, for as many as its acceptance so far
says are needed; the gate judges; the next round tops up what is missing. A class ends when its
quota is met, when its attempts are used up, or when too few of its samples are accepted. Rounds
depend on the answers alone, so a replay asks the same requests in the same order.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

from src.config import GenerateParams, UserError
from src.data.io import Record
from src.llm.client import Failure
from src.llm.prompts import Ask, PromptWriter
from src.llm.requests import Answer

JUDGE_ACCEPTANCE_AFTER = 40  # draws of a class; before that a bad start decides nothing
FIRST_GUESS = 0.8  # acceptance assumed before anything was seen
MAX_PER_ROUND = 32  # attempts of a class a round, so that scarce classes do not wait for rich ones

AskModel = Callable[[Ask], Coroutine[Any, Any, Answer | Failure]]
CountAccepted = Callable[[list[Record]], int]


@dataclass
class ClassRun:
    """How far one class has come."""

    label: str
    quota: int
    attempts: int = 0
    blanks: int = 0
    accepted: int = 0
    candidates: list[Record] = field(default_factory=list)
    stopped: str | None = None

    @property
    def draws(self) -> int:
        """Candidates, and attempts that brought none; a reply may hold several candidates."""
        return len(self.candidates) + self.blanks

    @property
    def acceptance(self) -> float:
        """Accepted share of the draws; a request without a usable answer accepts nothing."""
        return self.accepted / self.draws if self.draws else FIRST_GUESS

    def next_attempts(self, params: GenerateParams) -> range:
        """The attempts of the coming round; empty when the class is done."""
        missing = self.quota - self.accepted
        left = params.max_attempts_per_class - self.attempts
        if self.stopped or missing <= 0 or left <= 0:
            return range(0)
        rate = max(self.acceptance, params.min_acceptance, 0.05)
        per_reply = self.draws / self.attempts if self.attempts else params.samples_per_request
        wanted = math.ceil(missing / rate / per_reply)
        return range(self.attempts, self.attempts + min(wanted, left, MAX_PER_ROUND))

    def judge(self, params: GenerateParams) -> None:
        """Note why the class stops, if it does without its quota."""
        if self.accepted >= self.quota:
            return
        if self.attempts >= params.max_attempts_per_class:
            self.stopped = "max_attempts_per_class"
        elif self.draws >= JUDGE_ACCEPTANCE_AFTER and self.acceptance < params.min_acceptance:
            self.stopped = "min_acceptance"


@dataclass(frozen=True)
class Outcome:
    """All candidates, all failures, and each class's run."""

    classes: tuple[ClassRun, ...]
    failures: tuple[Record, ...]

    @property
    def candidates(self) -> list[Record]:
        """Candidates class by class, in the order in which they were asked for."""
        return [record for run in self.classes for record in run.candidates]

    def failure_counts(self) -> dict[str, int]:
        """Failures by kind."""
        return dict(Counter(str(failure["kind"]) for failure in self.failures))


async def fill_quotas(
    quotas: dict[str, int],
    writer: PromptWriter,
    ask_model: AskModel,
    count_accepted: CountAccepted,
    params: GenerateParams,
    on_round: Callable[[list[ClassRun]], None] = lambda _: None,
) -> Outcome:
    """Ask until every class has its quota or is given up.

    Args:
        quotas: accepted samples wanted, by class; classes with 0 are left out.
        writer: writes the n-th request of a class.
        ask_model: gets an answer, from the store or from an endpoint.
        count_accepted: how many of a class's candidates the gate lets pass.
        params: limits on attempts and acceptance.
        on_round: told after each round, for progress.
    """
    runs = [ClassRun(label, quota) for label, quota in quotas.items() if quota > 0]
    failures: list[Record] = []
    while True:
        asks = [
            writer.ask(run.label, attempt) for run in runs for attempt in run.next_attempts(params)
        ]
        if not asks:
            return Outcome(tuple(runs), tuple(failures))
        replies = await _gather(ask_model(ask) for ask in asks)
        by_label = {run.label: run for run in runs}
        for ask, reply in zip(asks, replies, strict=True):
            run = by_label[ask.label]
            run.attempts += 1
            failure = _failure(ask, reply)
            if failure:
                failures.append(failure)
            texts = writer.samples(ask, reply) if isinstance(reply, Answer) else []
            run.candidates += [_candidate(ask, n, text) for n, text in enumerate(texts)]
            run.blanks += not texts
        for label in dict.fromkeys(ask.label for ask in asks):
            run = by_label[label]
            run.accepted = count_accepted(run.candidates)
            run.judge(params)
        on_round(runs)


async def _gather(
    calls: Iterable[Coroutine[Any, Any, Answer | Failure]],
) -> list[Answer | Failure]:
    """All results in order; the first error cancels the rest, so that no call is left behind."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except* UserError as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


def _failure(ask: Ask, reply: Answer | Failure) -> Record | None:
    kind = "no_answer" if isinstance(reply, Failure) else reply.problem
    if kind is None:
        return None
    return {
        "label": ask.label,
        "attempt": ask.attempt,
        "request_key": ask.request.key,
        "endpoint": ask.request.endpoint.name,
        "kind": kind,
        "tries": list(reply.tries) if isinstance(reply, Failure) else [],
    }


def _candidate(ask: Ask, number: int, text: str) -> Record:
    return {
        "id": f"{ask.request.key[:16]}-{number}",
        "label": ask.label,
        "text": text,
        "request_key": ask.request.key,
        "endpoint": ask.request.endpoint.name,
        "model": ask.request.endpoint.model,
        "attempt": ask.attempt,
        "seed_ids": list(ask.seed_ids),
        "prompt_version": ask.prompt_version,
    }
