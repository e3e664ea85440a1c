"""When an endpoint is asked: places, the circuit, the share of failures."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from random import Random
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.llm.limits import (
    FIRST_LIMIT,
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    Breaker,
    Concurrency,
    ErrorRate,
    Signal,
)

MOST = 64
SIGNALS: dict[str, Signal] = {"+": "good", "-": "congested", "o": "other"}


def feed(places: Concurrency, signals: Iterable[Signal]) -> list[float]:
    """The limit after each of these outcomes, one request at a time."""

    async def run() -> list[float]:
        limits = []
        for signal in signals:
            await places.acquire()
            places.release(signal)
            limits.append(places.limit)
        return limits

    return asyncio.run(asyncio.wait_for(run(), 10))


def read(outcomes: str) -> list[Signal]:
    """Outcomes by their signs."""
    return [SIGNALS[sign] for sign in outcomes]


def found_at(limit: int, most: int = MOST) -> Concurrency:
    """Places whose search ended; 8, 4, 2, 1 by refusals and then up, all by whole rounds."""
    places = Concurrency(most)
    feed(places, read("-" * (8 + 4 + 2)))
    for size in range(1, limit):
        feed(places, read("+" * size))
    assert places.limit == limit
    return places


async def rest() -> None:
    """Let every task run until it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


class Watched(Concurrency):
    """Notes how many run and how many may, each time that a place is granted."""

    def __init__(self, most: int) -> None:
        self.granted: list[tuple[int, int]] = []
        self._count = 0
        super().__init__(most)

    @property
    def running(self) -> int:
        """Requests at once."""
        return self._count

    @running.setter
    def running(self, count: int) -> None:
        if count > self._count:
            self.granted.append((count, int(self.limit)))
        self._count = count


class Crowd:
    """Requests that take a place each, in the order of their numbers."""

    def __init__(self, places: Concurrency) -> None:
        self.places = places
        self.tasks: list[asyncio.Task[None]] = []
        self.order: list[int] = []
        self.holders: list[int] = []

    @property
    def waiting(self) -> list[asyncio.Task[None]]:
        """Those that have neither a place nor been called off."""
        return [task for task in self.tasks if not task.done()]

    async def ask(self) -> None:
        """One more, which waits where there is no place."""

        async def take(number: int) -> None:
            await self.places.acquire()
            self.order.append(number)
            self.holders.append(number)

        self.tasks.append(asyncio.create_task(take(len(self.tasks))))
        await asyncio.sleep(0)

    def release(self, which: int, signal: Signal) -> None:
        """One of those that have a place ends."""
        if self.holders:
            self.holders.pop(which % len(self.holders))
            self.places.release(signal)

    def restart(self, which: int) -> None:
        """One that ends shows that the endpoint is back."""
        if self.holders:
            self.places.restart()
            self.release(which, "good")

    def call_off(self, which: int) -> None:
        """One of those that wait is called off."""
        if self.waiting:
            self.waiting[which % len(self.waiting)].cancel()


@pytest.mark.parametrize(("most", "first"), [(1, 1), (5, 5), (8, 8), (64, 8)])
def test_no_more_than_eight_are_asked_at_first(most: int, first: int) -> None:
    """So that a dead endpoint costs no more; fewer where the cap is lower."""

    async def run() -> Crowd:
        crowd = Crowd(Concurrency(most))
        for _ in range(20):
            await crowd.ask()
        for task in crowd.waiting:
            task.cancel()
        await rest()
        return crowd

    crowd = asyncio.run(run())
    assert FIRST_LIMIT == 8
    assert crowd.order == list(range(first))
    assert crowd.places.running == first


def test_first_come_first_served() -> None:
    """Those that wait get the places in turn; one that comes later does not slip in."""

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
    """By hand: 8, and 3 a good answer: 62 after 18, the cap of 64 after 19, and no further."""
    limits = feed(Concurrency(MOST), read("+" * 300))
    assert limits[:3] == [11, 14, 17]
    assert limits[17:] == [62] + [64] * 282


def test_a_higher_limit_lets_those_that_wait_go_at_once() -> None:
    """By hand: 8 run, one ends well, 11 may run: 4 more go without waiting for another end."""

    async def run() -> list[int]:
        crowd = Crowd(Concurrency(MOST))
        for _ in range(14):
            await crowd.ask()
        before = crowd.places.running
        crowd.release(0, "good")
        after = crowd.places.running
        while crowd.holders:
            crowd.release(0, "good")
            await rest()
        return [before, after, crowd.places.running]

    assert asyncio.run(run()) == [8, 11, 0]


def test_a_lower_limit_takes_no_place_away() -> None:
    """By hand: 11 run, a restart lets 8; of those that wait none goes until 7 run."""

    async def run() -> list[tuple[int, int]]:
        crowd = Crowd(Concurrency(MOST))
        for _ in range(12):
            await crowd.ask()
        crowd.release(0, "good")
        crowd.places.restart()
        for _ in range(3):
            await crowd.ask()
        seen = []
        for _ in range(5):
            seen.append((crowd.places.running, len(crowd.order)))
            crowd.release(0, "other")
            await rest()
        for task in crowd.waiting:
            task.cancel()
        await rest()
        return seen

    assert asyncio.run(run()) == [(11, 12), (10, 12), (9, 12), (8, 12), (8, 13)]


@pytest.mark.parametrize(
    ("outcomes", "limit"),
    [
        pytest.param("-" * 7, 8, id="a round is not over"),
        pytest.param("-" * 8, 4, id="all refused"),
        pytest.param("-" * 12, 2, id="all refused twice"),
        pytest.param("-" * 14, 1, id="all refused three times"),
        pytest.param("-" * 99, 1, id="never below one"),
        pytest.param("-" * 4 + "o" * 4, 6, id="half refused: down by a quarter"),
        pytest.param("-" * 2 + "o" * 6, 7, id="a quarter refused: down by an eighth"),
        pytest.param("-" + "o" * 7, 7.5, id="an eighth refused: down by a sixteenth"),
        pytest.param("o" * 99, 8, id="other failures say nothing of the load"),
    ],
)
def test_it_falls_by_half_the_share_refused(outcomes: str, limit: float) -> None:
    """By hand, from the first limit of 8: limit x (1 - share / 2) a round."""
    assert feed(Concurrency(MOST), read(outcomes))[-1] == limit


@pytest.mark.parametrize("seed", range(5))
def test_a_few_refusals_at_random_cost_little(seed: int) -> None:
    """5 % refused whatever the load: above 80 % of the cap once it is reached."""
    rng = Random(seed)
    outcomes = read("".join("-" if rng.random() < 0.05 else "+" for _ in range(10_000)))
    limits = feed(Concurrency(MOST), outcomes)
    there = limits.index(MOST)
    assert there < 40
    assert min(limits[there:]) > 0.8 * MOST
    assert min(limits[there:]) < MOST


def test_it_recovers_by_one_a_round() -> None:
    """By hand: from 1 up, a round of each limit's size; never by three again."""
    places = found_at(1)
    limits = feed(places, read("+" * (1 + 2 + 3 + 4)))
    assert limits == [2, 2, 3, 3, 3, 4, 4, 4, 4, 5]


@pytest.mark.parametrize(
    ("outcomes", "limit"),
    [
        pytest.param("+" * 10, 11, id="none refused"),
        pytest.param("-" + "+" * 9, 10.5, id="a tenth: 10 x 0.95 + 1"),
        pytest.param("-" * 2 + "+" * 8, 10, id="a fifth: 10 x 0.9 + 1"),
        pytest.param("-" * 3 + "+" * 7, 8.5, id="more: 10 x 0.85, no growth"),
    ],
)
def test_a_round_once_the_limit_was_found(outcomes: str, limit: float) -> None:
    """By hand, from 10: the reduction, and one more unless over a fifth was refused."""
    assert feed(found_at(10), read(outcomes))[-1] == pytest.approx(limit)


@pytest.mark.parametrize(
    ("refused", "limits"),
    [
        pytest.param(2, [9, 10], id="a fifth: the search goes on, by 3 up to the cap"),
        pytest.param(3, [8.5, 8.5], id="more: it is over, by one a round"),
    ],
)
def test_the_search_ends_where_over_a_fifth_is_refused(refused: int, limits: list[float]) -> None:
    """By hand, at a cap of 10: the limit after that round, and after one more good answer."""
    outcomes = read("+" * (10 - refused) + "-" * refused + "+")
    assert feed(Concurrency(10), outcomes)[9:] == pytest.approx(limits)


def test_it_recovers_to_the_cap() -> None:
    """And no further."""
    limits = feed(found_at(7, most=8), read("+" * 50))
    assert limits[6:] == [8] * 44


def test_it_settles_a_little_above_what_an_endpoint_takes() -> None:
    """Of 20 at once; by hand: (limit - 20) / 2 = 1 more is lost a round as is won, at 22."""
    places = Concurrency(MOST)
    sizes = []
    for _ in range(100):
        size = int(places.limit)
        sizes.append(size)
        good = min(size, 20)
        feed(places, read("+" * good + "-" * (size - good)))
    assert max(sizes) > 40
    assert set(sizes[-50:]) <= {21, 22, 23}


def test_a_restart_knows_nothing() -> None:
    """First limit, an empty round, quick growth."""
    places = found_at(1)
    places.restart()
    assert places.limit == FIRST_LIMIT
    feed(places, read("-" * 7))
    places.restart()
    assert feed(places, read("-" * 7)) == [8] * 7
    assert feed(places, read("-")) == [4]
    places.restart()
    assert feed(places, read("+")) == [11]


def test_nobody_overtakes_after_a_restart() -> None:
    """8 may run instead of 1, but one that comes now waits behind the one that waited before."""
    places = found_at(1)

    async def run() -> list[list[int]]:
        crowd = Crowd(places)
        await crowd.ask()
        await crowd.ask()
        places.restart()
        await crowd.ask()
        await rest()
        seen = [list(crowd.order)]
        crowd.release(0, "other")
        await rest()
        return [*seen, crowd.order]

    assert asyncio.run(run()) == [[0], [0, 1, 2]]


def test_a_place_that_is_granted_and_called_off_goes_to_the_next() -> None:
    """Called off in the very moment in which its place came."""

    async def run() -> tuple[list[int], int]:
        crowd = Crowd(Concurrency(1))
        for _ in range(3):
            await crowd.ask()
        crowd.release(0, "good")
        crowd.tasks[1].cancel()
        await rest()
        crowd.release(0, "good")
        await rest()
        return crowd.order, crowd.places.running

    assert asyncio.run(run()) == ([0, 2], 0)


STEPS = st.tuples(
    st.sampled_from(["ask", "ask", "release", "release", "call off", "rest", "restart"]),
    st.integers(0, 99),
    st.sampled_from(get_args(Signal)),
)


@settings(deadline=None, max_examples=300)
@given(most=st.integers(1, 12), steps=st.lists(STEPS, max_size=120))
def test_places_are_neither_lost_nor_made(most: int, steps: list[tuple[str, int, Signal]]) -> None:
    """Whoever is called off: never more than may run when one is let in, none idle, none left."""
    places = Watched(most)

    async def run() -> Crowd:
        crowd = Crowd(places)
        for step, which, signal in steps:
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
                    assert places.running == len(crowd.holders)
                    assert not crowd.waiting or places.running >= int(places.limit)
        for _ in range(len(steps) + 1):
            await rest()
            crowd.release(0, "good")
        return crowd

    crowd = asyncio.run(run())
    assert all(running <= limit for running, limit in places.granted)
    assert crowd.order == sorted(crowd.order)
    assert all(task.done() for task in crowd.tasks)
    assert places.running == 0
    served = [n for n, task in enumerate(crowd.tasks) if not task.cancelled()]
    assert crowd.order == served


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """It stands at 1000 s."""
    return Clock()


@pytest.fixture
def opened(clock: Clock) -> Breaker:
    """A circuit that three failures in a row have just opened for 1 s."""
    breaker = Breaker(3, clock)
    for _ in range(3):
        assert breaker.enter()
    assert [breaker.bad() for _ in range(3)] == [False, False, True]
    return breaker


@pytest.fixture
def probed(opened: Breaker, clock: Clock) -> Breaker:
    """The same 1 s later, with a probe out."""
    clock.now += FIRST_PAUSE_S
    assert opened.enter()
    return opened


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        pytest.param("", "closed", id="at first"),
        pytest.param("--", "closed", id="one short"),
        pytest.param("---", "open", id="three in a row"),
        pytest.param("--+--", "closed", id="a good one between"),
        pytest.param("-+-+-+-+", "closed", id="every other one fails"),
        pytest.param("--+---", "open", id="three in a row later"),
    ],
)
def test_failures_in_a_row_open_the_circuit(outcomes: str, state: str, clock: Clock) -> None:
    """Three here; a good one starts the count anew, and says that nothing was closed."""
    breaker = Breaker(3, clock)
    for sign in outcomes:
        assert breaker.enter()
        if sign == "+":
            assert breaker.good() is False
        else:
            breaker.bad()
    assert breaker.state == state
    assert breaker.failed_probes == 0


def test_one_failure_opens_the_circuit_where_nobody_is_there(clock: Clock) -> None:
    """No more are spent on it; more of the kind change nothing; any bad probe opens it anew."""
    breaker = Breaker(9, clock)
    assert breaker.bad(certain=True) is True
    assert (breaker.state, breaker.wait_s) == ("open", FIRST_PAUSE_S)
    assert breaker.bad(certain=True) is False
    assert (breaker.wait_s, breaker.failed_probes) == (FIRST_PAUSE_S, 0)
    clock.now += FIRST_PAUSE_S
    assert breaker.enter()
    assert breaker.good() is True
    assert [breaker.bad(), breaker.bad(certain=True)] == [False, True]
    clock.now += FIRST_PAUSE_S
    assert breaker.enter()
    assert breaker.bad() is True
    assert (breaker.wait_s, breaker.failed_probes) == (2 * FIRST_PAUSE_S, 1)


def test_an_open_circuit_lets_nothing_pass_until_its_pause_is_over(
    opened: Breaker, clock: Clock
) -> None:
    """Then it is half-open, to the moment."""
    assert (opened.state, opened.wait_s, opened.enter()) == ("open", 1.0, False)
    clock.now += 0.75
    assert (opened.state, opened.wait_s, opened.enter()) == ("open", 0.25, False)
    clock.now += 0.25
    assert (opened.state, opened.wait_s) == ("half-open", 0.0)


def test_a_half_open_circuit_lets_one_pass(probed: Breaker, clock: Clock) -> None:
    """However long the probe takes."""
    assert not probed.enter()
    clock.now += 600
    assert not probed.enter()
    assert (probed.state, probed.wait_s) == ("half-open", float("inf"))


def test_a_good_probe_closes_the_circuit(probed: Breaker) -> None:
    """It says so; everything passes, and it takes three failures again to open it for 1 s."""
    assert probed.good() is True
    assert (probed.state, probed.wait_s) == ("closed", 0.0)
    assert all(probed.enter() for _ in range(5))
    assert [probed.bad() for _ in range(3)] == [False, False, True]
    assert probed.wait_s == FIRST_PAUSE_S


def test_each_bad_probe_doubles_the_pause(opened: Breaker, clock: Clock) -> None:
    """By hand: 1, 2, 4 ... 32 s, then 60 s; the failed probes are counted; a good one ends both."""
    pauses = [opened.wait_s]
    for count in range(1, 9):
        clock.now += opened.wait_s
        assert opened.enter()
        assert opened.bad() is True
        assert opened.state == "open"
        assert opened.failed_probes == count
        pauses.append(opened.wait_s)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    clock.now += LONGEST_PAUSE_S
    assert opened.enter()
    opened.good()
    assert opened.failed_probes == 0
    assert [opened.bad() for _ in range(3)] == [False, False, True]
    assert (opened.wait_s, opened.failed_probes) == (FIRST_PAUSE_S, 0)


@pytest.mark.parametrize(
    ("asked_s", "first_s", "second_s"),
    [
        pytest.param(0.0, 1, 2, id="no header"),
        pytest.param(0.5, 1, 2, id="shorter than our own"),
        pytest.param(1.5, 1.5, 2, id="longer than the first"),
        pytest.param(20.0, 20, 20, id="longer than both"),
        pytest.param(3600.0, 60, 60, id="an hour is cut"),
    ],
)
def test_the_endpoint_may_ask_for_a_longer_pause(
    asked_s: float, first_s: float, second_s: float, clock: Clock
) -> None:
    """The longer of its pause and ours, at most 60 s; ours doubles as ever."""
    breaker = Breaker(1, clock)
    assert breaker.bad(asked_s)
    assert breaker.wait_s == first_s
    clock.now += first_s
    assert breaker.enter()
    assert breaker.bad(asked_s)
    assert breaker.wait_s == second_s


@pytest.mark.parametrize("later_s", [0.5, FIRST_PAUSE_S], ids=["open", "half-open"])
def test_late_failures_change_nothing(opened: Breaker, clock: Clock, later_s: float) -> None:
    """Of requests that were under way when it opened: no longer pause, no failed probe."""
    clock.now += later_s
    before = (opened.state, opened.wait_s)
    assert not any(opened.bad(30.0) for _ in range(20))
    assert (opened.state, opened.wait_s, opened.failed_probes) == (*before, 0)
    clock.now += FIRST_PAUSE_S - later_s
    assert opened.enter()
    assert opened.bad()
    assert opened.wait_s == 2 * FIRST_PAUSE_S


def test_a_late_answer_closes_the_circuit(opened: Breaker) -> None:
    """The endpoint is alive, whoever shows it; a probe that fails then is a first failure."""
    assert opened.good() is True
    assert opened.state == "closed"
    assert opened.bad() is False
    assert opened.failed_probes == 0


def test_a_probe_that_is_called_off_frees_its_slot(probed: Breaker) -> None:
    """The next request is the probe; the one that was called off is no failed one."""
    probed.left()
    assert (probed.state, probed.wait_s, probed.failed_probes) == ("half-open", 0.0, 0)
    assert probed.enter()
    assert not probed.enter()
    assert probed.bad()
    assert probed.wait_s == 2 * FIRST_PAUSE_S


def test_a_request_that_is_called_off_leaves_a_closed_circuit_alone(clock: Clock) -> None:
    """It is neither a failure nor an answer: the count goes on."""
    breaker = Breaker(2, clock)
    assert not breaker.bad()
    breaker.left()
    assert breaker.enter()
    assert breaker.bad()


@pytest.mark.parametrize(
    ("outcomes", "share"),
    [
        pytest.param("", None, id="nothing yet"),
        pytest.param("---", None, id="one short, all failed"),
        pytest.param("++++", 0.0, id="all good"),
        pytest.param("----", 1.0, id="all failed"),
        pytest.param("+-++", 0.25, id="one of four"),
        pytest.param("-++++", 0.0, id="a failure has slid out"),
        pytest.param("++++--", 0.5, id="two have slid in"),
        pytest.param("----+-+-", 0.5, id="the last four alone"),
    ],
)
def test_share_of_failures(outcomes: str, share: float | None) -> None:
    """By hand, among the last four; None before there are four."""
    rate = ErrorRate(4)
    for sign in outcomes:
        rate.note(failed=sign == "-")
    assert rate.share == share


@given(window=st.integers(1, 20), outcomes=st.lists(st.booleans(), max_size=80))
def test_the_share_is_of_the_last_window(window: int, outcomes: list[bool]) -> None:
    """At each moment what counting anew would give."""
    rate = ErrorRate(window)
    for ended, failed in enumerate(outcomes, start=1):
        rate.note(failed)
        last = outcomes[ended - window : ended] if ended >= window else None
        assert rate.share == (None if last is None else last.count(True) / window)
