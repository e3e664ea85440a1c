"""Send requests concurrently and collect their results."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from src.config.generate import BudgetParams
from src.config.runtime import RuntimeParams
from src.llm.budget import Budget
from src.llm.client import Client, Failure, OutOfBudget, Received
from src.llm.limits import Patience
from src.llm.requests import Request, Response
from tests.llm.conftest import HASTY, only

UNLIMITED = BudgetParams(cost=None, tokens=None)
Result = Received | Failure | OutOfBudget


@dataclass
class Run:
    """Results of requests, stored responses and spending."""

    results: list[Result]
    stored: list[tuple[Request, Response]]
    budget: Budget

    @property
    def responses(self) -> list[Response]:
        """Responses of all requests, if every request has one."""
        assert all(isinstance(result, Received) for result in self.results), self.results
        return [result.response for result in self.results if isinstance(result, Received)]


def ask_any(
    runtime: RuntimeParams,
    asks: Sequence[Sequence[Request]],
    limits_: BudgetParams = UNLIMITED,
    patience: Patience = HASTY,
) -> Run:
    """Send requests concurrently; each element is a list of equivalent requests."""
    endpoints = {request.endpoint.name: request.endpoint for ways in asks for request in ways}
    llm = only(*endpoints.values())
    result = Run([], [], Budget(limits_))

    async def commit(request: Request, response: Response) -> None:
        await asyncio.sleep(0)
        result.stored.append((request, response))

    async def run() -> None:
        async with Client(llm, runtime, result.budget, patience=patience) as client:
            result.results += await asyncio.gather(*(client.ask(ways, commit) for ways in asks))

    asyncio.run(run())
    return result


def ask(runtime: RuntimeParams, *requests: Request) -> list[Response | Failure]:
    """Send requests concurrently."""
    results = ask_any(runtime, [[request] for request in requests]).results
    assert not any(isinstance(result, OutOfBudget) for result in results)
    return [
        result.response if isinstance(result, Received) else result
        for result in results
        if not isinstance(result, OutOfBudget)
    ]


async def commit_nothing(_: Request, __: Response) -> None:
    """Discard a response."""
