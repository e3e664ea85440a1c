"""A run's spending: reserved before a request, settled after it, so that it never passes a limit.

    budget = Budget(params.budget)
    await budget.reserve(most)      # False: the limit is reached, nothing is in flight to wait for
    budget.settle(most, spent)

Requests in flight hold the most that they can come to, and each settles at what it came to.
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
    """Tokens, and what they cost in the currency of the prices."""

    tokens: int = 0
    cost: Decimal = Decimal(0)

    def __add__(self, other: Spend) -> Spend:
        return Spend(self.tokens + other.tokens, self.cost + other.cost)

    def __sub__(self, other: Spend) -> Spend:
        return Spend(self.tokens - other.tokens, self.cost - other.cost)


def spent_on(response: Response, price: PriceParams) -> Spend:
    """What a response came to, by the endpoint's own count of tokens."""
    cached = min(response.cached_tokens, response.prompt_tokens)
    cost = _cost(price, response.prompt_tokens - cached, cached, response.completion_tokens)
    return Spend(response.prompt_tokens + response.completion_tokens, cost)


def most_for(request: Request) -> Spend:
    """The most that a request can come to.

    No token of a byte-level vocabulary is shorter than a byte, so the prompt has no more tokens
    than bytes, whatever the model; and a server stops at max_tokens.
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
    """What was spent, what requests in flight may still come to, and the limits on both."""

    def __init__(self, limits: BudgetParams) -> None:
        self._tokens = limits.tokens
        self._cost = None if limits.cost is None else Decimal(str(limits.cost))
        self.spent = Spend()
        self._held = Spend()
        self._in_flight = 0
        self._settled = asyncio.Event()

    def add(self, spend: Spend) -> None:
        """Count a response that was bought before and is used now."""
        self.spent += spend

    async def reserve(self, most: Spend) -> bool:
        """Hold the most that a request can come to.

        Waits for requests in flight to settle where they alone stand in the way. False if the
        limit would be passed even so.
        """
        while not self._fits(most):
            if not self._in_flight:
                return False
            self._settled.clear()
            await self._settled.wait()
        self._held += most
        self._in_flight += 1
        return True

    def settle(self, most: Spend, spent: Spend) -> None:
        """Release what was held and count what the request came to."""
        self._held -= most
        self._in_flight -= 1
        self.spent += spent
        self._settled.set()

    def _fits(self, most: Spend) -> bool:
        after = self.spent + self._held + most
        tokens_fit = self._tokens is None or after.tokens <= self._tokens
        return tokens_fit and (self._cost is None or after.cost <= self._cost)
