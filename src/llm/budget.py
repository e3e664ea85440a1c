"""A run's spending: reserved before each request and settled after it, so no limit is exceeded.

    budget = Budget(params.budget)
    await budget.reserve(most)      # False: over the limit, even with nothing in flight
    budget.settle(most, spent)

A request in flight reserves the most that it can cost; settling replaces that by the real cost.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal

from src.config.generate import BudgetParams
from src.config.llm import PriceParams
from src.llm.requests import Request, Response

MILLION = Decimal(1_000_000)
TEMPLATE_TOKENS = 64  # what a chat template adds to the prompt, at most


@dataclass(frozen=True)
class Spend:
    """Tokens, and their cost in the currency of the prices."""

    tokens: int = 0
    cost: Decimal = Decimal(0)

    def __add__(self, other: Spend) -> Spend:
        return Spend(self.tokens + other.tokens, self.cost + other.cost)

    def __sub__(self, other: Spend) -> Spend:
        return Spend(self.tokens - other.tokens, self.cost - other.cost)


def spent_on(response: Response, price: PriceParams) -> Spend:
    """Return what a response cost, by the endpoint's own token counts."""
    cached = min(response.cached_tokens, response.prompt_tokens)
    cost = _cost(price, response.prompt_tokens - cached, cached, response.completion_tokens)
    return Spend(response.prompt_tokens + response.completion_tokens, cost)


def most_spent_on(request: Request) -> Spend:
    """Return an upper bound of what a request can cost.

    No token of a byte-level vocabulary is shorter than a byte, so for any model the prompt has at
    most as many tokens as bytes; and the server stops at max_tokens.
    """
    price = request.endpoint.price
    prompt = len(request.prompt.encode()) + TEMPLATE_TOKENS
    completion = request.sampling.max_tokens
    costs = (_cost(price, prompt - cached, cached, completion) for cached in (0, prompt))
    return Spend(prompt + completion, max(costs))


def _cost(price: PriceParams, prompt: int, cached: int, completion: int) -> Decimal:
    cached_price = price.prompt if price.cached_prompt is None else price.cached_prompt
    counts = ((prompt, price.prompt), (cached, cached_price), (completion, price.completion))
    return sum((count * Decimal(str(each)) / MILLION for count, each in counts), Decimal(0))


class Budget:
    """What was spent, what is reserved for requests in flight, and the limits on the sum."""

    def __init__(self, limits: BudgetParams) -> None:
        self._tokens = limits.tokens
        self._cost = None if limits.cost is None else Decimal(str(limits.cost))
        self.spent = Spend()
        self._reserved = Spend()
        self._in_flight = 0
        self._settled = asyncio.Event()

    def add(self, spend: Spend) -> None:
        """Count a recorded response that is used now."""
        self.spent += spend

    async def reserve(self, most: Spend) -> bool:
        """Reserve the upper bound of a request; return False if that would exceed the limit.

        Waits for requests in flight to settle first, since they may free enough of their
        reservations.
        """
        while not self._fits(most):
            if not self._in_flight:
                return False
            self._settled.clear()
            await self._settled.wait()
        self._reserved += most
        self._in_flight += 1
        return True

    def settle(self, most: Spend, spent: Spend) -> None:
        """Release the reservation and count what the request really cost."""
        self._reserved -= most
        self._in_flight -= 1
        self.spent += spent
        self._settled.set()

    def _fits(self, most: Spend) -> bool:
        after = self.spent + self._reserved + most
        tokens_fit = self._tokens is None or after.tokens <= self._tokens
        return tokens_fit and (self._cost is None or after.cost <= self._cost)
