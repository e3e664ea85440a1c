"""How many requests are sent to an endpoint at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from random import Random
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.llm.limits import FIRST_LIMIT, Concurrency, Signal

MOST = 64
SIGNALS: dict[str, Signal] = {"+": "good", "-": "congested", "o": "other"}


def feed(slots: Concurrency, signals: Iterable[Signal]) -> list[float]:
    """The limit after each of these results, one request at a time."""

    async def run() -> list[float]:
        limits = []
        for signal in signals:
            await slots.acquire()
            slots.release(signal)
            limits.append(slots.limit)
        return limits

    return asyncio.run(asyncio.wait_for(run(), 10))


def read(results: str) -> list[Signal]:
    """Outcomes by their signs."""
    return [SIGNALS[sign] for sign in results]


def found_at(limit: int, most: int = MOST) -> Concurrency:
    """Slots after the fast growth has ended, with this limit, at the start of a round."""
    slots = Concurrency(most)
    feed(slots, read("-" * (16 + 8 + 4 + 2)))
    for size in range(1, limit):
        feed(slots, read("+" * size))
    assert slots.limit == limit
    return slots


async def rest() -> None:
    """Run all tasks until they wait."""
    for _ in range(5):
        await asyncio.sleep(0)


class Crowd:
    """Requests that each take a slot, numbered in order."""

    def __init__(self, slots: Concurrency) -> None:
        self.slots = slots
        self.tasks: list[asyncio.Task[None]] = []
        self.order: list[int] = []
        self.holders: list[int] = []

    @property
    def waiting(self) -> list[asyncio.Task[None]]:
        """Requests without a slot that have not been cancelled."""
        return [task for task in self.tasks if not task.done()]

    async def ask(self) -> None:
        """Add one request, which waits if there is no slot."""

        async def take(number: int) -> None:
            await self.slots.acquire()
            self.order.append(number)
            self.holders.append(number)

        self.tasks.append(asyncio.create_task(take(len(self.tasks))))
        await asyncio.sleep(0)

    def release(self, which: int, signal: Signal) -> None:
        """End a request that has a slot."""
        if self.holders:
            self.holders.pop(which % len(self.holders))
            self.slots.release(signal)

    def restart(self, which: int) -> None:
        """End a request that shows that the endpoint is up again."""
        if self.holders:
            self.slots.restart()
            self.release(which, "good")

    def call_off(self, which: int) -> None:
        """Cancel a waiting request."""
        if self.waiting:
            self.waiting[which % len(self.waiting)].cancel()


@pytest.mark.parametrize(("most", "first"), [(1, 1), (5, 5), (16, 16), (64, 16)])
def test_at_most_sixteen_requests_at_first(most: int, first: int) -> None:
    """This limits the cost of a dead endpoint; a lower cap gives fewer."""

    async def run() -> Crowd:
        crowd = Crowd(Concurrency(most))
        for _ in range(20):
            await crowd.ask()
        for task in crowd.waiting:
            task.cancel()
        await rest()
        return crowd

    crowd = asyncio.run(run())
    assert FIRST_LIMIT == 16
    assert crowd.order == list(range(first))
    assert crowd.slots.running == first


def test_first_come_first_served() -> None:
    """Waiting requests get slots in turn; a later one does not overtake."""

    async def run() -> list[list[int]]:
        crowd = Crowd(Concurrency(2))
        for _ in range(5):
            await crowd.ask()
        seen = [list(crowd.order)]
        crowd.release(0, "other")
        await crowd.ask()
        await rest()
        seen.append(list(crowd.order))
        while crowd.holders:
            crowd.release(0, "other")
            await rest()
        return [*seen, crowd.order]

    assert asyncio.run(run()) == [[0, 1], [0, 1, 2], [0, 1, 2, 3, 4, 5]]


def test_it_grows_to_the_cap_while_all_is_good() -> None:
    """16 + 3 per success: 61 after 15, the cap of 64 after 16, and no further."""
    limits = feed(Concurrency(MOST), read("+" * 300))
    assert limits[:3] == [19, 22, 25]
    assert limits[14:] == [61] + [64] * 285


def test_a_round_keeps_the_size_that_it_began_with() -> None:
    """16 results, though the limit grows to 16 + 12 x 3 = 52; the next round has 45.

    4 of 16 refused: 52 x 0.875 = 45.5; none of 45 refused: 45.5 x 33/32 = 46.921875.
    """
    limits = feed(Concurrency(MOST), read("+" * 12 + "-" * 4 + "+" * 45))
    assert limits[11:15] == [52] * 4
    assert limits[15:] == [45.5] * 45 + [46.921875]


def test_a_higher_limit_starts_waiting_requests_at_once() -> None:
    """16 run, one succeeds, 19 may run: 4 more start without waiting for another end."""

    async def run() -> list[int]:
        crowd = Crowd(Concurrency(MOST))
        for _ in range(22):
            await crowd.ask()
        before = crowd.slots.running
        crowd.release(0, "good")
        after = crowd.slots.running
        while crowd.holders:
            crowd.release(0, "good")
            await rest()
        return [before, after, crowd.slots.running]

    assert asyncio.run(run()) == [16, 19, 0]


def test_a_lower_limit_takes_no_slot_away() -> None:
    """19 run, a restart allows 16; no waiting request starts until 15 run."""

    async def run() -> list[tuple[int, int]]:
        crowd = Crowd(Concurrency(MOST))
        for _ in range(20):
            await crowd.ask()
        crowd.release(0, "good")
        crowd.slots.restart()
        for _ in range(3):
            await crowd.ask()
        seen = []
        for _ in range(5):
            seen.append((crowd.slots.running, len(crowd.order)))
            crowd.release(0, "other")
            await rest()
        for task in crowd.waiting:
            task.cancel()
        await rest()
        return seen

    assert asyncio.run(run()) == [(19, 20), (18, 20), (17, 20), (16, 20), (16, 21)]


@pytest.mark.parametrize(
    ("results", "limit"),
    [
        pytest.param("-" * 15, 16, id="a round is not over"),
        pytest.param("-" * 16, 8, id="all refused"),
        pytest.param("-" * 24, 4, id="all refused twice"),
        pytest.param("-" * 28, 2, id="all refused three times"),
        pytest.param("-" * 30, 1, id="all refused four times"),
        pytest.param("-" * 99, 1, id="never below one"),
        pytest.param("-" * 8 + "o" * 8, 12, id="half refused: down by a quarter"),
        pytest.param("-" * 4 + "o" * 12, 14, id="a quarter refused: down by an eighth"),
        pytest.param("-" * 2 + "o" * 14, 15, id="an eighth refused: down by a sixteenth"),
        pytest.param("o" * 99, 16, id="other failures do not depend on the load"),
        pytest.param("+" + "-" + "o" * 14, 18.40625, id="one good before: 19 x 31/32, no more"),
    ],
)
def test_it_falls_by_half_the_share_refused(results: str, limit: float) -> None:
    """From the first limit of 16: limit x (1 - share / 2) per round."""
    assert feed(Concurrency(MOST), read(results))[-1] == limit


def at_random(seed: int, count: int) -> list[Signal]:
    """Successes, with 1 in 20 refused at any load."""
    rng = Random(seed)
    return read("".join("-" if rng.random() < 0.05 else "+" for _ in range(count)))


@pytest.mark.parametrize("seed", range(5))
def test_a_few_refusals_at_random_cost_little(seed: int) -> None:
    """5 % refused at any load: above 80 % of the cap once it is reached."""
    limits = feed(Concurrency(MOST), at_random(seed, 10_000))
    there = limits.index(MOST)
    assert there < 40
    assert min(limits[there:]) > 0.8 * MOST
    assert min(limits[there:]) < MOST


@pytest.mark.parametrize("seed", range(5))
def test_a_few_refusals_at_random_cost_little_after_a_push_back(seed: int) -> None:
    """Starting from 1 again: in the long run it stays above 80 % of the cap.

    A round gains 1/32 and loses 1/40; with a gain of one per round it would end at 40 of 64.
    """
    limits = feed(found_at(1), at_random(seed, 40_000))[20_000:]
    assert min(limits) > 0.8 * MOST
    assert max(limits) == MOST


def test_it_recovers_by_one_per_round() -> None:
    """Starting from 1, +1 per round of the limit's size; never +3 again."""
    limits = feed(found_at(1), read("+" * (1 + 2 + 3 + 4)))
    assert limits == [2, 2, 3, 3, 3, 4, 4, 4, 4, 5]


def test_it_recovers_by_a_thirty_second_where_that_is_more() -> None:
    """32 + 1, then 33 x 33/32 = 34.03125, then x 33/32 = 35.0947265625."""
    limits = feed(found_at(32), read("+" * (32 + 33 + 34)))
    assert limits == [32] * 31 + [33] * 33 + [34.03125] * 34 + [35.0947265625]


@pytest.mark.parametrize(
    ("begin", "results", "limit"),
    [
        pytest.param(10, "+" * 10, 11, id="none refused"),
        pytest.param(10, "-" + "+" * 9, 10.45, id="a tenth: 11 x 0.95"),
        pytest.param(10, "-" * 3 + "+" * 7, 9.35, id="three may be chance: 11 x 0.85"),
        pytest.param(10, "-" * 4 + "+" * 6, 8, id="four of ten: 10 x 0.8, no growth"),
        pytest.param(20, "-" * 4 + "+" * 16, 18.9, id="a fifth: 21 x 0.9"),
        pytest.param(20, "-" * 5 + "+" * 15, 17.5, id="over a fifth: 20 x 0.875, no growth"),
        pytest.param(10, "o" * 10, 10, id="nothing good, nothing refused: no growth"),
        pytest.param(10, "-" * 2 + "o" * 8, 9, id="nothing good: 10 x 0.9, no growth"),
        pytest.param(10, "+" + "o" * 9, 11, id="one good response is enough"),
    ],
)
def test_a_round_once_the_limit_was_found(begin: int, results: str, limit: float) -> None:
    """Growth if there was a success and no push-back, then the reduction."""
    assert feed(found_at(begin), read(results))[-1] == pytest.approx(limit)


@pytest.mark.parametrize(
    ("most", "results", "limits"),
    [
        pytest.param(10, "+" * 8 + "-" * 2, [9, 10], id="a fifth of ten: it goes on"),
        pytest.param(10, "+" * 7 + "-" * 3, [8.5, 10], id="three of ten may be chance: it goes on"),
        pytest.param(10, "+" * 6 + "-" * 4, [8, 8], id="four of ten: it is over"),
        pytest.param(20, "+" * 32 + "-" * 4, [18, 20], id="four of twenty: it goes on"),
        pytest.param(20, "+" * 31 + "-" * 5, [17.5, 17.5], id="five of twenty: it is over"),
    ],
)
def test_the_search_ends_where_many_are_refused(
    most: int, results: str, limits: list[float]
) -> None:
    """More than a fifth of a round and at least four; otherwise +3 per success up to the cap.

    Checked: the limit after the round and after one more success. With a cap of 20, a
    successful round of 16 comes first.
    """
    assert feed(Concurrency(most), read(results + "+"))[-2:] == pytest.approx(limits)


def test_it_recovers_to_the_cap() -> None:
    """And no further."""
    limits = feed(found_at(7, most=8), read("+" * 50))
    assert limits[6:] == [8] * 44


def test_it_settles_a_little_above_what_an_endpoint_takes() -> None:
    """20 at once: at 22 the loss per round, (limit - 20) / 2 = 1, equals the gain."""
    slots = Concurrency(MOST)
    sizes = []
    for _ in range(100):
        size = int(slots.limit)
        sizes.append(size)
        good = min(size, 20)
        feed(slots, read("+" * good + "-" * (size - good)))
    assert max(sizes) > 40
    assert set(sizes[-50:]) <= {21, 22, 23}


def test_a_restart_knows_nothing() -> None:
    """First limit, an empty round, fast growth."""
    slots = found_at(1)
    slots.restart()
    assert slots.limit == FIRST_LIMIT
    assert feed(slots, read("-" * 15)) == [16] * 15
    slots.restart()
    assert feed(slots, read("-" * 15)) == [16] * 15
    assert feed(slots, read("-")) == [8]
    slots.restart()
    assert feed(slots, read("+")) == [19]


def test_nobody_overtakes_after_a_restart() -> None:
    """16 may run instead of 1, but a new request queues behind a waiting one."""
    slots = found_at(1)

    async def run() -> list[list[int]]:
        crowd = Crowd(slots)
        await crowd.ask()
        await crowd.ask()
        slots.restart()
        await crowd.ask()
        await rest()
        seen = [list(crowd.order)]
        crowd.release(0, "other")
        await rest()
        return [*seen, crowd.order]

    assert asyncio.run(run()) == [[0], [0, 1, 2]]


def test_a_slot_granted_to_a_cancelled_request_goes_to_the_next() -> None:
    """Cancelled at the very moment when it got its slot."""

    async def run() -> tuple[list[int], int]:
        crowd = Crowd(Concurrency(1))
        for _ in range(3):
            await crowd.ask()
        crowd.release(0, "good")
        crowd.tasks[1].cancel()
        await rest()
        crowd.release(0, "good")
        await rest()
        return crowd.order, crowd.slots.running

    assert asyncio.run(run()) == ([0, 2], 0)


STEPS = st.tuples(
    st.sampled_from(["ask", "ask", "release", "release", "call off", "rest", "restart"]),
    st.integers(0, 99),
    st.sampled_from(get_args(Signal)),
)


@settings(deadline=None, max_examples=300)
@given(most=st.integers(1, 12), steps=st.lists(STEPS, max_size=120))
def test_slots_are_neither_lost_nor_created(
    most: int, steps: list[tuple[str, int, Signal]]
) -> None:
    """With random cancellations: never above the limit, no idle slot, none left over."""
    slots = Concurrency(most)

    async def run() -> Crowd:
        crowd = Crowd(slots)
        limits, served = (
            [most],
            0,
        )  # limits since the last rest; requests served by then
        for step, which, signal in steps:
            running, ends = slots.running, bool(crowd.holders) and step in ("release", "restart")
            match step:
                case "ask":
                    await crowd.ask()
                case "release":
                    crowd.release(which, signal)
                case "restart":
                    crowd.restart(which)
                case "call off":
                    crowd.call_off(which)
                case "rest":
                    await rest()
                    assert slots.running == len(crowd.holders)
                    assert not crowd.waiting or slots.running >= int(slots.limit)
                    assert len(crowd.order) == served or slots.running <= max(limits)
                    limits, served = [], len(crowd.order)
            assert slots.running <= max(int(slots.limit), running - ends)
            limits.append(int(slots.limit))
        for _ in range(len(steps) + 1):
            await rest()
            crowd.release(0, "good")
        return crowd

    crowd = asyncio.run(run())
    assert crowd.order == sorted(crowd.order)
    assert all(task.done() for task in crowd.tasks)
    assert slots.running == 0
    served = [n for n, task in enumerate(crowd.tasks) if not task.cancelled()]
    assert crowd.order == served
