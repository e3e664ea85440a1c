"""Whether an endpoint is asked, and when again: waits, the circuit, the share of failures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.llm.limits import PATIENCE, Breaker, ErrorRate, Patience

FIRST_PAUSE_S, LONGEST_PAUSE_S = PATIENCE.first_pause_s, PATIENCE.longest_pause_s


@pytest.mark.parametrize(
    ("stated", "tries", "low", "high"),
    [
        pytest.param(7.0, 3, 7, 7, id="as-told"),
        pytest.param(86400.0, 1, 60, 60, id="a-day-is-too-long"),
        pytest.param(None, 1, 0.25, 0.5, id="ours"),
        pytest.param(None, 4, 2, 4, id="twice-as-long-each-time"),
        pytest.param(None, 50, 30, 60, id="not-for-ever"),
    ],
)
def test_waits(stated: float | None, tries: int, low: float, high: float) -> None:
    """Ours are spread over half their length."""
    patience = Patience(first_wait_s=0.5)
    waits = [patience.wait_s(stated, tries) for _ in range(50)]
    assert low <= min(waits) <= max(waits) <= high


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
def breaker(clock: Clock) -> Breaker:
    """A closed circuit that three failures in a row open."""
    return Breaker(3, clock)


def admit(breaker: Breaker) -> int:
    """The pass of a request that may go out."""
    entered = breaker.enter()
    assert entered is not None
    return entered


def fail(breaker: Breaker, times: int = 1) -> list[bool]:
    """What the circuit says of requests that fail one after the other as soon as they go out."""
    return [breaker.bad(admit(breaker)) for _ in range(times)]


@pytest.fixture
def late(breaker: Breaker) -> int:
    """The pass of a request that went out before the circuit ever opened."""
    return admit(breaker)


@pytest.fixture
def opened(breaker: Breaker, late: int) -> Breaker:
    """A circuit that three failures in a row have just opened for 1 s; a late one is under way."""
    assert fail(breaker, 3) == [False, False, True]
    return breaker


@pytest.fixture
def probe(opened: Breaker, clock: Clock) -> int:
    """The pass of the probe that goes out when that second is over."""
    clock.now += FIRST_PAUSE_S
    return admit(opened)


@pytest.mark.parametrize(
    ("results", "state"),
    [
        pytest.param("", "closed", id="at first"),
        pytest.param("--", "closed", id="one short"),
        pytest.param("---", "open", id="three in a row"),
        pytest.param("--+--", "closed", id="a good one between"),
        pytest.param("-+-+-+-+", "closed", id="every other one fails"),
        pytest.param("--+---", "open", id="three in a row later"),
    ],
)
def test_failures_in_a_row_open_the_circuit(results: str, state: str, breaker: Breaker) -> None:
    """Three here; a good one starts the count anew, and says that nothing was closed."""
    for sign in results:
        entered = admit(breaker)
        if sign == "+":
            assert breaker.good() is False
        else:
            breaker.bad(entered)
    assert breaker.state == state
    assert breaker.failed_probes == 0


def test_one_failure_opens_the_circuit_where_nobody_is_there(clock: Clock) -> None:
    """No more are spent on it; more of the kind change nothing; any bad probe opens it anew."""
    breaker = Breaker(9, clock)
    first, second = admit(breaker), admit(breaker)
    assert breaker.bad(first, certain=True) is True
    assert (breaker.state, breaker.wait_s) == ("open", FIRST_PAUSE_S)
    assert breaker.bad(second, certain=True) is False
    assert (breaker.wait_s, breaker.failed_probes) == (FIRST_PAUSE_S, 0)
    clock.now += FIRST_PAUSE_S
    admit(breaker)
    assert breaker.good() is True
    assert fail(breaker) == [False]
    assert breaker.bad(admit(breaker), certain=True) is True
    clock.now += FIRST_PAUSE_S
    assert fail(breaker) == [True]
    assert (breaker.wait_s, breaker.failed_probes) == (2 * FIRST_PAUSE_S, 1)


def test_an_open_circuit_lets_nothing_pass_until_its_pause_is_over(
    opened: Breaker, clock: Clock
) -> None:
    """Then it is half-open, to the moment."""
    assert (opened.state, opened.wait_s, opened.enter()) == ("open", 1.0, None)
    clock.now += 0.75
    assert (opened.state, opened.wait_s, opened.enter()) == ("open", 0.25, None)
    clock.now += 0.25
    assert (opened.state, opened.wait_s) == ("half-open", 0.0)


@pytest.mark.usefixtures("probe")
def test_a_half_open_circuit_lets_one_pass(opened: Breaker, clock: Clock) -> None:
    """However long the probe takes."""
    assert opened.enter() is None
    clock.now += 600
    assert opened.enter() is None
    assert (opened.state, opened.wait_s) == ("half-open", float("inf"))


@pytest.mark.usefixtures("probe")
def test_a_good_probe_closes_the_circuit(opened: Breaker) -> None:
    """It says so; everything passes, and it takes three failures again to open it for 1 s."""
    assert opened.good() is True
    assert (opened.state, opened.wait_s) == ("closed", 0.0)
    together = [admit(opened) for _ in range(5)]
    assert [opened.bad(entered) for entered in together] == [False, False, True, False, False]
    assert (opened.wait_s, opened.failed_probes) == (FIRST_PAUSE_S, 0)


def test_each_bad_probe_doubles_the_pause(opened: Breaker, clock: Clock) -> None:
    """By hand: 1, 2, 4 ... 32 s, then 60 s; the failed probes are counted; a good one ends both."""
    pauses = [opened.wait_s]
    for count in range(1, 9):
        clock.now += opened.wait_s
        assert fail(opened) == [True]
        assert opened.state == "open"
        assert opened.failed_probes == count
        pauses.append(opened.wait_s)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    clock.now += LONGEST_PAUSE_S
    admit(opened)
    opened.good()
    assert opened.failed_probes == 0
    assert fail(opened, 3) == [False, False, True]
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
    assert breaker.bad(admit(breaker), asked_s)
    assert breaker.wait_s == first_s
    clock.now += first_s
    assert breaker.bad(admit(breaker), asked_s)
    assert breaker.wait_s == second_s


@pytest.mark.parametrize("later_s", [0.5, FIRST_PAUSE_S], ids=["open", "half-open"])
def test_late_failures_change_nothing(
    opened: Breaker, late: int, clock: Clock, later_s: float
) -> None:
    """Of requests that were under way when it opened: no longer pause, no failed probe."""
    clock.now += later_s
    before = (opened.state, opened.wait_s)
    assert not any(opened.bad(late, 30.0, certain=True) for _ in range(20))
    assert (opened.state, opened.wait_s, opened.failed_probes) == (*before, 0)
    clock.now += FIRST_PAUSE_S - later_s
    assert fail(opened) == [True]
    assert opened.wait_s == 2 * FIRST_PAUSE_S


def test_late_failures_change_nothing_while_a_probe_is_out(
    opened: Breaker, late: int, probe: int
) -> None:
    """They are not taken for the probe, which still decides: one failed, a pause of 2 s."""
    assert not any(opened.bad(late, 30.0, certain=True) for _ in range(20))
    assert (opened.state, opened.wait_s, opened.failed_probes) == ("half-open", float("inf"), 0)
    assert opened.enter() is None
    assert opened.bad(probe) is True
    assert (opened.wait_s, opened.failed_probes) == (2 * FIRST_PAUSE_S, 1)


def test_a_failed_probe_is_late_once_the_next_is_out(
    opened: Breaker, probe: int, clock: Clock
) -> None:
    """What it tells was told: only the next probe counts."""
    assert opened.bad(probe) is True
    clock.now += opened.wait_s
    second = admit(opened)
    assert opened.bad(probe) is False
    assert opened.bad(second) is True
    assert (opened.wait_s, opened.failed_probes) == (4 * FIRST_PAUSE_S, 2)


@pytest.mark.usefixtures("probe")
def test_late_failures_do_not_count_once_the_circuit_closed(opened: Breaker, late: int) -> None:
    """They tell of the time before; it takes three new ones."""
    opened.good()
    assert not any(opened.bad(late) for _ in range(20))
    assert opened.state == "closed"
    assert fail(opened, 3) == [False, False, True]


def test_a_late_response_closes_the_circuit(opened: Breaker, probe: int) -> None:
    """The endpoint is alive, whoever shows it; a probe that fails then is a first failure."""
    assert opened.good() is True
    assert opened.state == "closed"
    assert opened.bad(probe) is False
    assert opened.failed_probes == 0
    assert fail(opened, 2) == [False, True]


def test_a_probe_that_is_called_off_frees_its_slot(opened: Breaker, probe: int) -> None:
    """The next request is the probe; the one that was called off is no failed one."""
    opened.left(probe)
    assert (opened.state, opened.wait_s, opened.failed_probes) == ("half-open", 0.0, 0)
    second = admit(opened)
    assert opened.enter() is None
    assert opened.bad(second)
    assert opened.wait_s == 2 * FIRST_PAUSE_S


def test_a_late_request_that_is_called_off_frees_no_slot(
    opened: Breaker, late: int, probe: int
) -> None:
    """The probe is still out, and nobody else passes."""
    opened.left(late)
    assert (opened.state, opened.wait_s) == ("half-open", float("inf"))
    assert opened.enter() is None
    assert opened.bad(probe) is True


def test_a_request_that_is_called_off_leaves_a_closed_circuit_alone(clock: Clock) -> None:
    """It is neither a failure nor a response: the count goes on."""
    breaker = Breaker(2, clock)
    assert fail(breaker) == [False]
    breaker.left(admit(breaker))
    assert fail(breaker) == [True]


@pytest.mark.parametrize(
    ("results", "share"),
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
def test_share_of_failures(results: str, share: float | None) -> None:
    """By hand, among the last four; None before there are four."""
    rate = ErrorRate(4)
    for sign in results:
        rate.note(failed=sign == "-")
    assert rate.share == share


@given(window=st.integers(1, 20), results=st.lists(st.booleans(), max_size=80))
def test_the_share_is_of_the_last_window(window: int, results: list[bool]) -> None:
    """At each moment what counting anew would give."""
    rate = ErrorRate(window)
    for ended, failed in enumerate(results, start=1):
        rate.note(failed)
        last = results[ended - window : ended] if ended >= window else None
        assert rate.share == (None if last is None else last.count(True) / window)
