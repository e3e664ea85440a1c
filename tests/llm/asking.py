"""Requests that are made at the same time, and what they come to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from src.config.generate import BudgetParams
from src.config.runtime import RuntimeParams
from src.llm.budget import Budget
from src.llm.client import Client, Failure, OutOfBudget, Reply
from src.llm.limits import Patience
from src.llm.requests import Answer, Request
from tests.llm.conftest import HASTY, only

UNLIMITED = BudgetParams(cost=None, tokens=None)
Outcome = Reply | Failure | OutOfBudget


@dataclass
class Run:
    """What requests came to, what was stored, what was spent."""

    outcomes: list[Outcome]
    stored: list[tuple[Request, Answer]]
    budget: Budget

    @property
    def answers(self) -> list[Answer]:
        """Of requests that all got one."""
        assert all(isinstance(outcome, Reply) for outcome in self.outcomes), self.outcomes
        return [outcome.answer for outcome in self.outcomes if isinstance(outcome, Reply)]


def ask_any(
    runtime: RuntimeParams,
    asks: Sequence[Sequence[Request]],
    limits_: BudgetParams = UNLIMITED,
    patience: Patience = HASTY,
) -> Run:
    """What the asks, made at the same time, come to; each is a list of ways to ask."""
    endpoints = {request.endpoint.name: request.endpoint for ways in asks for request in ways}
    llm = only(*endpoints.values())
    result = Run([], [], Budget(limits_))

    async def commit(request: Request, answer: Answer) -> None:
        await asyncio.sleep(0)
        result.stored.append((request, answer))

    async def run() -> None:
        async with Client(llm, runtime, result.budget, patience=patience) as client:
            result.outcomes += await asyncio.gather(*(client.ask(ways, commit) for ways in asks))

    asyncio.run(run())
    return result


def ask(runtime: RuntimeParams, *requests: Request) -> list[Answer | Failure]:
    """What the requests, made at the same time, come to."""
    outcomes = ask_any(runtime, [[request] for request in requests]).outcomes
    assert not any(isinstance(outcome, OutOfBudget) for outcome in outcomes)
    return [
        outcome.answer if isinstance(outcome, Reply) else outcome
        for outcome in outcomes
        if not isinstance(outcome, OutOfBudget)
    ]


async def commit_nothing(_: Request, __: Answer) -> None:
    """An answer that nobody keeps."""
