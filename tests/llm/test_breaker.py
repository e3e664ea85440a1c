"""When an endpoint may be called: waits, the circuit breaker, the error rate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.llm.limits import PATIENCE, Breaker, ErrorRate, Patience

FIRST_PAUSE_S, LONGEST_PAUSE_S = PATIENCE.first_pause_s, PATIENCE.longest_pause_s


@pytest.mark.parametrize(
    ("stated", "tries", "low", "high"),
    [
        pytest.param(7.0, 3, 7, 7, id="retry-after"),
        pytest.param(86400.0, 1, 60, 60, id="retry-after-is-capped"),
        pytest.param(None, 1, 0.25, 0.5, id="ours"),
        pytest.param(None, 4, 2, 4, id="twice-as-long-each-time"),
        pytest.param(None, 50, 30, 60, id="capped"),
    ],
)
def test_waits(stated: float | None, tries: int, low: float, high: float) -> None:
    """Our own waits are spread over half of their length."""
    patience = Patience(first_wait_s=0.5)
    waits = [patience.wait_s(stated, tries) for _ in range(50)]
    assert low <= min(waits) <= max(waits) <= high


class Clock:
    """A clock that only the test advances."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock at 1000 s."""
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    """A closed circuit that opens after three consecutive failures."""
    return Breaker(3, clock)


def admit(breaker: Breaker) -> int:
    """Return the pass of a request that may be sent."""
    entered = breaker.enter()
    assert entered is not None
    return entered


def fail(breaker: Breaker, times: int = 1) -> list[bool]:
    """Fail requests one after the other; return what the circuit reports for each."""
    return [breaker.bad(admit(breaker)) for _ in range(times)]


@pytest.fixture
def late(breaker: Breaker) -> int:
    """The pass of a request sent before the circuit first opened."""
    return admit(breaker)


@pytest.fixture
def opened(breaker: Breaker, late: int) -> Breaker:
    """A circuit just opened for 1 s by three failures; a late request is in flight."""
    assert fail(breaker, 3) == [False, False, True]
    return breaker


@pytest.fixture
def probe(opened: Breaker, clock: Clock) -> int:
    """The pass of the probe that is sent after this second."""
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
    """Three failures open it; a success resets the count and does not report a closing."""
    for sign in results:
        entered = admit(breaker)
        if sign == "+":
            assert breaker.good() is False
        else:
            breaker.bad(entered)
    assert breaker.state == state
    assert breaker.failed_probes == 0


def test_one_failure_opens_the_circuit_of_an_unreachable_endpoint(clock: Clock) -> None:
    """Further failures of this kind change nothing; any failed probe opens it again."""
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
    """Exactly at the end of its pause it is half-open."""
    assert (opened.state, opened.wait_s, opened.enter()) == ("open", 1.0, None)
    clock.now += 0.75
    assert (opened.state, opened.wait_s, opened.enter()) == ("open", 0.25, None)
    clock.now += 0.25
    assert (opened.state, opened.wait_s) == ("half-open", 0.0)


@pytest.mark.usefixtures("probe")
def test_a_half_open_circuit_lets_one_pass(opened: Breaker, clock: Clock) -> None:
    """Only one, however long the probe takes."""
    assert opened.enter() is None
    clock.now += 600
    assert opened.enter() is None
    assert (opened.state, opened.wait_s) == ("half-open", float("inf"))


@pytest.mark.usefixtures("probe")
def test_a_good_probe_closes_the_circuit(opened: Breaker) -> None:
    """The closing is reported, and again three failures open the circuit for 1 s."""
    assert opened.good() is True
    assert (opened.state, opened.wait_s) == ("closed", 0.0)
    together = [admit(opened) for _ in range(5)]
    assert [opened.bad(entered) for entered in together] == [False, False, True, False, False]
    assert (opened.wait_s, opened.failed_probes) == (FIRST_PAUSE_S, 0)


def test_each_bad_probe_doubles_the_pause(opened: Breaker, clock: Clock) -> None:
    """Pauses are 1, 2, 4 ... 32 s, then 60 s; a success resets pause and failed probes."""
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
    """The longer pause counts, at most 60 s; our own pause doubles as usual."""
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
    """Failures of requests sent before it opened: no longer pause, no failed probe."""
    clock.now += later_s
    before = (opened.state, opened.wait_s)
    assert not any(opened.bad(late, 30.0, certain=True) for _ in range(20))
    assert (opened.state, opened.wait_s, opened.failed_probes) == (*before, 0)
    clock.now += FIRST_PAUSE_S - later_s
    assert fail(opened) == [True]
    assert opened.wait_s == 2 * FIRST_PAUSE_S


def test_late_failures_change_nothing_while_a_probe_is_in_flight(
    opened: Breaker, late: int, probe: int
) -> None:
    """The probe still decides: one failed probe, a pause of 2 s."""
    assert not any(opened.bad(late, 30.0, certain=True) for _ in range(20))
    assert (opened.state, opened.wait_s, opened.failed_probes) == ("half-open", float("inf"), 0)
    assert opened.enter() is None
    assert opened.bad(probe) is True
    assert (opened.wait_s, opened.failed_probes) == (2 * FIRST_PAUSE_S, 1)


def test_a_failed_probe_is_late_once_the_next_is_in_flight(
    opened: Breaker, probe: int, clock: Clock
) -> None:
    """Only the outcome of the current probe counts."""
    assert opened.bad(probe) is True
    clock.now += opened.wait_s
    second = admit(opened)
    assert opened.bad(probe) is False
    assert opened.bad(second) is True
    assert (opened.wait_s, opened.failed_probes) == (4 * FIRST_PAUSE_S, 2)


@pytest.mark.usefixtures("probe")
def test_late_failures_do_not_count_once_the_circuit_closed(opened: Breaker, late: int) -> None:
    """Three new failures are needed to open it again."""
    opened.good()
    assert not any(opened.bad(late) for _ in range(20))
    assert opened.state == "closed"
    assert fail(opened, 3) == [False, False, True]


def test_a_late_response_closes_the_circuit(opened: Breaker, probe: int) -> None:
    """The endpoint is alive; a probe that fails afterwards is a first failure."""
    assert opened.good() is True
    assert opened.state == "closed"
    assert opened.bad(probe) is False
    assert opened.failed_probes == 0
    assert fail(opened, 2) == [False, True]


def test_a_cancelled_probe_lets_the_next_request_pass(opened: Breaker, probe: int) -> None:
    """The next request becomes the probe; a cancelled probe is not a failed one."""
    opened.left(probe)
    assert (opened.state, opened.wait_s, opened.failed_probes) == ("half-open", 0.0, 0)
    second = admit(opened)
    assert opened.enter() is None
    assert opened.bad(second)
    assert opened.wait_s == 2 * FIRST_PAUSE_S


def test_a_cancelled_late_request_lets_nothing_pass(opened: Breaker, late: int, probe: int) -> None:
    """The probe is still in flight, and no other request passes."""
    opened.left(late)
    assert (opened.state, opened.wait_s) == ("half-open", float("inf"))
    assert opened.enter() is None
    assert opened.bad(probe) is True


def test_a_cancelled_request_leaves_a_closed_circuit_alone(clock: Clock) -> None:
    """It is neither a failure nor a success, so the count continues."""
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
    """Among the last four requests; None before there are four."""
    rate = ErrorRate(4)
    for sign in results:
        rate.note(failed=sign == "-")
    assert rate.share == share


@given(window=st.integers(1, 20), results=st.lists(st.booleans(), max_size=80))
def test_the_share_is_of_the_last_window(window: int, results: list[bool]) -> None:
    """Equal to a recount after every step."""
    rate = ErrorRate(window)
    for ended, failed in enumerate(results, start=1):
        rate.note(failed)
        last = results[ended - window : ended] if ended >= window else None
        assert rate.share == (None if last is None else last.count(True) / window)
