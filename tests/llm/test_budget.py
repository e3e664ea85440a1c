"""A run's spending: exact, bounded from above, and never over a limit."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from random import Random

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from src.config.generate import BudgetParams
from src.config.llm import PriceParams
from src.llm.budget import TEMPLATE_TOKENS, Budget, Spend, most_spent_on, spent_on
from src.llm.requests import Response
from tests.llm.conftest import MakeRequest

AT_ONCE = 64
PRICES = st.decimals(0, 100, places=3).map(float)


def spend(tokens: int, cost: str = "0") -> Spend:
    """Tokens and their cost."""
    return Spend(tokens, Decimal(cost))


def limited(tokens: int | None = None, cost: float | None = None) -> Budget:
    """A budget with nothing spent; None means no limit."""
    return Budget(BudgetParams(tokens=tokens, cost=cost))


async def rest() -> None:
    """Run all tasks until they wait."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("price", "tokens", "cost"),
    [
        pytest.param((0.0, None, 0.0), (1000, 0, 100), "0", id="free"),
        pytest.param((2.0, None, 8.0), (1000, 0, 100), "0.0028", id="prompt and completion"),
        pytest.param((2.0, None, 8.0), (1000, 400, 100), "0.0028", id="cached at prompt price"),
        pytest.param((2.0, 0.5, 8.0), (1000, 400, 100), "0.0022", id="cached at its own price"),
        pytest.param((2.0, 0.0, 8.0), (1000, 400, 100), "0.002", id="cached for nothing"),
        pytest.param((2.0, 0.5, 8.0), (10, 50, 0), "0.000005", id="more cached than prompt"),
        pytest.param((0.1, None, 0.2), (1, 0, 1), "0.0000003", id="not a sum of floats"),
        pytest.param((1e-7, None, 0.0), (3, 0, 0), "0.0000000000003", id="a tiny price"),
        pytest.param((2.0, 0.5, 8.0), (0, 0, 0), "0", id="no usage reported"),
    ],
)
def test_what_a_response_cost(
    price: tuple[float, float | None, float], tokens: tuple[int, int, int], cost: str
) -> None:
    """Exact decimals, e.g. (600 x 2 + 400 x 0.5 + 100 x 8) / 1,000,000 = 0.0022."""
    prompt, cached, completion = tokens
    prices = PriceParams(prompt=price[0], cached_prompt=price[1], completion=price[2])
    spent = spent_on(Response("", "stop", prompt, completion, cached), prices)
    assert spent == Spend(prompt + completion, Decimal(cost))


@pytest.mark.parametrize(
    ("prompt", "tokens"),
    [
        pytest.param("", 0 + 64 + 72, id="empty"),
        pytest.param("call", 4 + 64 + 72, id="one byte per letter"),
        pytest.param("é", 2 + 64 + 72, id="two bytes"),
        pytest.param("我要补卡", 12 + 64 + 72, id="three bytes per Chinese character"),
        pytest.param("𠮷", 4 + 64 + 72, id="four bytes"),
    ],
)
@pytest.mark.parametrize("api", ["chat", "completions"])
def test_upper_bound_of_a_request(
    prompt: str, tokens: int, api: str, make_request: MakeRequest
) -> None:
    """Prompt bytes + 64 for a template + 72 completion tokens, at 2 and 8 per million."""
    price = PriceParams(prompt=2.0, completion=8.0)
    request = make_request(prompt, api=api, price=price, max_tokens=72)
    cost = Decimal((tokens - 72) * 2 + 72 * 8) / 1_000_000
    assert most_spent_on(request) == Spend(tokens, cost)


@pytest.mark.parametrize("prompt", ["call", "我要补卡", "𠮷" * 100])
def test_a_chat_template_is_within_the_bound(prompt: str, make_request: MakeRequest) -> None:
    """ChatML with one token per byte: 3 marks, `user`, `assistant`, 3 line ends = 19."""
    around = 3 + len(b"user\n") + len(b"\n") + len(b"assistant\n")
    response = Response("", "length", len(prompt.encode()) + around, 72)
    request = make_request(prompt, api="chat", max_tokens=72)
    assert around == 19 < TEMPLATE_TOKENS
    assert spent_on(response, PriceParams()).tokens <= most_spent_on(request).tokens


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    prompt=st.text(max_size=200),
    prices=st.tuples(PRICES, st.none() | PRICES, PRICES),
    max_tokens=st.integers(1, 2000),
    shares=st.tuples(*[st.floats(0, 1)] * 3),
)
@example(prompt="我", prices=(1.0, 5.0, 0.0), max_tokens=1, shares=(1.0, 1.0, 1.0)).via(
    "cached tokens that cost more than others"
)
def test_no_response_exceeds_the_bound(
    prompt: str,
    prices: tuple[float, float | None, float],
    max_tokens: int,
    shares: tuple[float, float, float],
    make_request: MakeRequest,
) -> None:
    """In tokens and in money, whatever share is cached at whatever price."""
    price = PriceParams(prompt=prices[0], cached_prompt=prices[1], completion=prices[2])
    request = make_request(prompt, api="chat", price=price, max_tokens=max_tokens)
    prompt_tokens = int(shares[0] * (len(prompt.encode()) + TEMPLATE_TOKENS))
    cached, completion = int(shares[1] * prompt_tokens), int(shares[2] * max_tokens)
    spent = spent_on(Response("", "stop", prompt_tokens, completion, cached), price)
    most = most_spent_on(request)
    assert spent.tokens <= most.tokens
    assert spent.cost <= most.cost


@pytest.mark.parametrize(
    ("tokens", "cost", "passed"),
    [
        pytest.param(None, None, 12, id="no limit"),
        pytest.param(1000, None, 10, id="tokens, reached exactly"),
        pytest.param(999, None, 9, id="tokens, one short"),
        pytest.param(None, 0.3, 3, id="cost, reached exactly"),
        pytest.param(None, 0.29, 2, id="cost, a cent short"),
        pytest.param(200, 0.3, 2, id="both, tokens first"),
        pytest.param(1000, 0.3, 3, id="both, cost first"),
        pytest.param(None, 0.0, 0, id="a limit of nothing"),
    ],
)
def test_a_limit_may_be_reached_but_not_exceeded(
    tokens: int | None, cost: float | None, passed: int
) -> None:
    """Of 12 requests of 100 tokens at 0.1, a limit of 0.3 allows three, unlike with floats."""

    async def run() -> list[bool]:
        budget = limited(tokens, cost)
        each = spend(100, "0.1")
        let_in = []
        for _ in range(12):
            let_in.append(await budget.reserve(each))
            if let_in[-1]:
                budget.settle(each, each)
        assert budget.spent == Spend(100 * passed, Decimal("0.1") * passed)
        return let_in

    assert asyncio.run(run()) == [True] * passed + [False] * (12 - passed)


def test_free_requests_pass_a_cost_limit_of_0() -> None:
    """A local model with a cost limit of 0."""
    assert asyncio.run(limited(cost=0.0).reserve(spend(100)))


@pytest.mark.parametrize(
    ("recorded", "fits"), [(0, True), (40, True), (41, False), (100, False), (500, False)]
)
def test_recorded_responses_count(recorded: int, fits: bool) -> None:
    """They leave less for new ones; exceeding the limit with them is not an error."""
    budget = limited(tokens=100)
    budget.add(spend(recorded, "0.5"))
    budget.add(spend(0, "0.25"))
    assert budget.spent == spend(recorded, "0.75")
    assert asyncio.run(budget.reserve(spend(60))) is fits


@pytest.mark.parametrize(
    ("first", "second", "third_passes"),
    [
        pytest.param(0, 0, True, id="both cost nothing"),
        pytest.param(40, 0, True, id="just enough is left"),
        pytest.param(41, 0, False, id="one too little"),
        pytest.param(50, 50, False, id="all was spent"),
    ],
)
def test_a_request_waits_for_those_in_flight(first: int, second: int, third_passes: bool) -> None:
    """Limit 100, two reservations of 50: a third of 60 waits until both have settled."""

    async def run() -> bool:
        budget, held = limited(tokens=100), spend(50)
        assert await budget.reserve(held)
        assert await budget.reserve(held)
        third = asyncio.create_task(budget.reserve(spend(60)))
        await rest()
        assert not third.done()
        budget.settle(held, spend(first))
        await rest()
        assert not third.done()
        budget.settle(held, spend(second))
        return await third

    assert asyncio.run(asyncio.wait_for(run(), 5)) is third_passes


def test_a_settled_request_lets_all_pass_that_fit() -> None:
    """Limit 100, 90 settle at 10: of five requests of 40, two pass and three wait."""

    async def run() -> list[bool]:
        budget, held, each = limited(tokens=100), spend(90), spend(40)
        assert await budget.reserve(held)
        waiting = [asyncio.create_task(budget.reserve(each)) for _ in range(5)]
        await rest()
        assert not any(task.done() for task in waiting)
        budget.settle(held, spend(10))
        await rest()
        assert [task.done() for task in waiting] == [True, True, False, False, False]
        budget.settle(each, each)
        budget.settle(each, each)
        return await asyncio.gather(*waiting)

    assert asyncio.run(asyncio.wait_for(run(), 5)) == [True, True, False, False, False]


def test_a_cancelled_waiter_reserves_nothing() -> None:
    """Even if it is cancelled when there is room; the next one gets all of it."""

    async def run() -> tuple[bool, bool]:
        budget, held = limited(tokens=100), spend(100)
        assert await budget.reserve(held)
        called_off = asyncio.create_task(budget.reserve(held))
        await rest()
        budget.settle(held, spend(0))
        called_off.cancel()
        await rest()
        return called_off.cancelled(), await budget.reserve(held)

    assert asyncio.run(run()) == (True, True)


class Ledger:
    """Reservations and spending of a run, kept apart from the budget's own figures."""

    def __init__(self, tokens: int | None, cost: float | None) -> None:
        self.budget = limited(tokens, cost)
        self._tokens = tokens
        self._cost = None if cost is None else Decimal(str(cost))
        self.held = Spend()
        self.spent = Spend()
        self.in_flight = 0
        self.most_in_flight = 0

    def passes(self, spend: Spend) -> bool:
        """Whether this exceeds a limit."""
        return (self._tokens is not None and spend.tokens > self._tokens) or (
            self._cost is not None and spend.cost > self._cost
        )

    def change(self, held: Spend, spent: Spend, in_flight: int) -> None:
        """Record a change and check that no limit is exceeded."""
        self.held += held
        self.spent += spent
        self.in_flight += in_flight
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        assert self.budget.spent == self.spent
        assert not self.passes(self.spent + self.held)


def draw_request(rng: Random) -> tuple[Spend, Spend]:
    """Draw the upper bound of a request and its cost: often all of it, or nothing."""
    tokens, mills = rng.randint(1, 400), rng.randint(0, 400)
    share = rng.choice((0.0, 1.0, rng.random()))
    return (
        Spend(tokens, Decimal(mills) / 1000),
        Spend(int(share * tokens), Decimal(int(share * mills)) / 1000),
    )


async def spend_all(ledger: Ledger, rng: Random, requests: int) -> int:
    """Run the requests, 64 at once, and return how many were allowed."""
    drawn = iter([draw_request(rng) for _ in range(requests)])
    let_in = 0

    async def work() -> None:
        nonlocal let_in
        for most, spent in drawn:
            if not await ledger.budget.reserve(most):
                assert ledger.in_flight == 0
                assert ledger.passes(ledger.spent + most)
                continue
            let_in += 1
            ledger.change(most, Spend(), 1)
            for _ in range(rng.randrange(6)):
                await asyncio.sleep(0)
            ledger.budget.settle(most, spent)
            ledger.change(Spend() - most, spent, -1)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(work())
    return let_in


@settings(deadline=None, max_examples=150)
@given(
    tokens=st.none() | st.integers(1, 30_000),
    cost=st.none() | st.integers(0, 30_000).map(lambda mills: mills / 1000),
    seed=st.integers(0, 2**32),
)
@example(tokens=None, cost=None, seed=0)
@example(tokens=400, cost=None, seed=0)
@example(tokens=8000, cost=8.0, seed=0)
def test_no_limit_is_ever_exceeded(tokens: int | None, cost: float | None, seed: int) -> None:
    """With 64 requests in flight, reserved + spent never exceeds a limit."""
    ledger = Ledger(tokens, cost)
    let_in = asyncio.run(
        asyncio.wait_for(spend_all(ledger, Random(seed), requests=200), timeout=30)
    )
    assert (ledger.in_flight, ledger.held) == (0, Spend())
    assert ledger.budget.spent == ledger.spent
    if tokens is None and cost is None:
        assert (let_in, ledger.most_in_flight) == (200, AT_ONCE)
