"""The client: retries where that may help, and clear errors where it cannot."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from src.config.generate import BudgetParams
from src.config.llm import PriceParams
from src.config.runtime import RuntimeParams
from src.errors import UserError
from src.llm.budget import Budget, most_spent_on
from src.llm.client import Client, Failure, Received
from src.llm.limits import PATIENCE, Patience
from src.llm.requests import Request, Response
from tests.llm.asking import UNLIMITED, Result, ask, ask_any, commit_nothing
from tests.llm.conftest import HASTY, MakeRequest, only
from tests.llm.server import Call, Sent, Server, closed_url, cut, fails, says, serve

KEY = "sk-0123456789abcdef"


@pytest.mark.parametrize(
    ("patience", "comes"),
    [
        pytest.param(PATIENCE, True, id="in time"),
        pytest.param(replace(PATIENCE, grace_s=0.05), False, id="too late"),
    ],
)
def test_an_error_waits_for_responses_in_flight(
    patience: Patience,
    comes: bool,
    server: Server,
    runtime: RuntimeParams,
    make_request: MakeRequest,
) -> None:
    """A response that arrives after another request was refused is stored and counted.

    The wait is limited: the upper bound is counted for a response that does not arrive.
    """
    server.default = lambda call: says("好的", delay=0.5) if call.prompt == "慢" else fails(401)
    slow, refused = (make_request(text, base_url=server.url) for text in ("慢", "快"))
    stored: list[Request] = []
    budget = Budget(UNLIMITED)

    async def commit(request: Request, _: Response) -> None:
        stored.append(request)

    async def run() -> None:
        async with Client(only(slow.endpoint), runtime, budget, patience=patience) as client:
            first = asyncio.create_task(client.ask([slow], commit))
            while not server.calls:
                await asyncio.sleep(0.01)
            try:
                await client.ask([refused], commit)
            finally:
                first.cancel()  # as the loops do with pending tasks

    with pytest.raises(UserError, match="HTTP 401"):
        asyncio.run(run())
    assert stored == ([slow] if comes else [])
    assert budget.spent.tokens == (18 if comes else most_spent_on(slow).tokens)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_a_busy_server_is_asked_again(
    status: int, server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """Two refusals, then the response."""
    server.script += [fails(status), fails(status), says("好的")]
    assert ask(runtime, make_request(base_url=server.url)) == [Response("好的", "stop", 11, 7)]
    assert len(server.calls) == 3


def test_a_request_is_given_up_after_the_last_try(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """The failure lists each try. Refusals do not count as tries; other requests succeed."""
    server.default = lambda call: says("好的") if call.prompt == "good" else fails(500)
    server.script += [fails(429), fails(503)]
    request = make_request("bad", base_url=server.url)
    statuses = [429, 503, 500, 500, 500]
    tries = tuple(f"small: HTTP {status}" for status in statuses)
    assert ask(runtime, request) == [Failure(request, tries)]
    server.calls.clear()
    requests = [make_request(prompt, base_url=server.url) for prompt in ("bad", "good")]
    bad, good = ask(runtime.model_copy(update={"tries": 2}), *requests)
    assert bad == Failure(requests[0], ("small: HTTP 500", "small: HTTP 500"))
    assert good == Response("好的", "stop", 11, 7)


def test_a_request_that_is_always_refused_fails(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """After ten refusals per allowed try, the run continues without the request."""
    server.default = lambda _: fails(429)
    patient = runtime.model_copy(update={"tries": 1, "breaker_failures": 100})
    (failure,) = ask(patient, make_request(base_url=server.url))
    assert isinstance(failure, Failure)
    assert len(failure.tries) == len(server.calls) == 10


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_that_is_wrong_is_not_repeated(
    status: int, server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """A prompt that is too long stays too long; other prompts may be fine."""
    server.script.append(fails(status))
    request = make_request(base_url=server.url)
    assert ask(runtime, request) == [Failure(request, (f"small: HTTP {status}",))]
    assert len(server.calls) == 1


def test_a_hanging_server_times_out(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """Each try takes `timeout_s`; then the request has failed, not the run."""
    server.default = lambda _: says("好的", delay=30)
    hasty = runtime.model_copy(update={"timeout_s": 0.2, "tries": 2})
    start = time.monotonic()
    (failure,) = ask(hasty, make_request(base_url=server.url))
    assert isinstance(failure, Failure)
    assert len(failure.tries) == 2
    assert set(failure.tries) == {"small: no response in time"}
    assert time.monotonic() - start < 10


def test_retry_after_is_obeyed(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """The server's wait replaces ours, which would be a minute here."""
    server.script += [fails(429, **{"Retry-After": "0.4"}), fails(503, **{"Retry-After": "0"})]
    start = time.monotonic()
    slow = replace(HASTY, first_wait_s=60.0)
    run = ask_any(runtime, [[make_request(base_url=server.url)]], patience=slow)
    assert run.responses == [Response("好的", "stop", 11, 7)]
    assert 0.4 <= time.monotonic() - start < 20


@pytest.mark.parametrize(
    ("status", "api_key_env", "remedy"),
    [
        pytest.param(401, "TEST_KEY", "correct the key in TEST_KEY", id="wrong-key"),
        pytest.param(401, None, "name the variable of its key in api_key_env", id="no-key"),
        pytest.param(402, "TEST_KEY", "top up the account", id="no-money"),
        pytest.param(
            403, "TEST_KEY", "correct the key in TEST_KEY, or correct its rights", id="no-right"
        ),
        pytest.param(404, None, r"correct its base_url or model \(m\)", id="wrong-model"),
    ],
)
def test_errors_that_no_retry_fixes_stop_the_run(
    status: int,
    api_key_env: str | None,
    remedy: str,
    server: Server,
    runtime: RuntimeParams,
    make_request: MakeRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error has endpoint, address and remedy, after one call."""
    monkeypatch.setenv("TEST_KEY", KEY)
    server.script.append(fails(status))
    request = make_request(base_url=server.url, api_key_env=api_key_env)
    expected = (
        f"^endpoint 'small' at {server.url} responds with HTTP {status}; {remedy}; paid responses"
    )
    with pytest.raises(UserError, match=expected):
        ask(runtime, request)
    assert len(server.calls) == 1


def test_a_server_that_is_down_stops_the_run(
    runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """After the last try, since it may have been starting."""
    url = closed_url()
    expected = f"^endpoint 'small' at {url} does not respond .*; start it, or correct llm.endpoints"
    with pytest.raises(UserError, match=expected) as error:
        ask(runtime, make_request(base_url=url))
    assert "\n" not in str(error.value)


def test_a_server_that_comes_up_late_is_found(
    runtime: RuntimeParams, make_request: MakeRequest, caplog: pytest.LogCaptureFixture
) -> None:
    """One refused connection does not stop the run."""
    url = closed_url()
    request = make_request(base_url=url)
    patience = replace(HASTY, first_pause_s=0.5)

    async def run() -> Result:
        llm = only(request.endpoint)
        async with Client(llm, runtime, Budget(UNLIMITED), patience=patience) as client:
            asking = asyncio.create_task(client.ask([request], commit_nothing))
            while "cannot connect" not in caplog.text:
                await asyncio.sleep(0.001)
            with serve(int(url.split(":")[2].split("/")[0])):
                return await asking

    reply = asyncio.run(asyncio.wait_for(run(), 20))
    assert isinstance(reply, Received)
    assert reply.response == Response("好的", "stop", 11, 7)
    assert len(reply.tries) == 1
    assert reply.tries[0].startswith("small: cannot connect")


def test_a_missing_key_is_named_at_once(
    server: Server,
    runtime: RuntimeParams,
    make_request: MakeRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No request is sent or retried."""
    monkeypatch.chdir(tmp_path)  # away from a .env of the project
    monkeypatch.delenv("TEST_KEY", raising=False)
    with pytest.raises(UserError, match="needs the key in TEST_KEY, which is not set; export it"):
        ask(runtime, make_request(base_url=server.url, api_key_env="TEST_KEY"))
    assert not server.calls


def test_concurrency_is_used_and_kept(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """`concurrency` is used in full and never exceeded."""
    server.default = lambda _: says("好的", delay=0.05)
    ask(runtime, *(make_request(index=n, base_url=server.url) for n in range(12)))
    assert len(server.calls) == 12
    assert server.most_at_once == runtime.concurrency


def test_a_stopped_request_stops(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """Cancelling (Ctrl-C, or another request's error) is not a failed try to repeat."""
    server.default = lambda _: says("好的", delay=30)

    async def run() -> None:
        request = make_request(base_url=server.url)
        llm = only(request.endpoint)
        async with Client(llm, runtime, Budget(UNLIMITED), patience=HASTY) as client:
            task = asyncio.create_task(client.ask([request], commit_nothing))
            while not server.calls:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    start = time.monotonic()
    asyncio.run(run())
    assert time.monotonic() - start < 10
    assert len(server.calls) == 1


CUTS = [
    pytest.param(cut(says("好的")), id="cut-before-the-body"),
    pytest.param(cut(says("好的"), 40), id="cut-in-the-body"),
]


@pytest.mark.parametrize("reply", CUTS)
def test_a_cut_connection_is_asked_again(
    reply: Sent, server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """If it persists, the failure reports it."""
    server.script.append(reply)
    run = ask_any(runtime, [[make_request(base_url=server.url)]])
    assert run.responses == [Response("好的", "stop", 11, 7)]
    assert len(server.calls) == 2


def test_a_response_is_stored_before_it_is_read(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """With its request; the result lists what failed before."""
    server.script += [fails(500), says("好的")]
    request = make_request(base_url=server.url)
    run = ask_any(runtime, [[request]])
    assert run.stored == [(request, Response("好的", "stop", 11, 7))]
    assert run.results == [Received(request, run.stored[0][1], ("small: HTTP 500",))]


def test_a_dead_endpoint_costs_a_few_failures(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """The fallback takes over; the dead endpoint gets only an occasional probe."""
    dead = closed_url()
    asks = [
        [
            make_request(f"通话{n}", base_url=dead, name="dead"),
            make_request(f"通话{n}", base_url=server.url, name="spare"),
        ]
        for n in range(60)
    ]
    run = ask_any(runtime.model_copy(update={"tries": 2}), asks)
    assert [
        reply.request.endpoint.name for reply in run.results if isinstance(reply, Received)
    ] == ["spare"] * 60
    assert len(server.calls) == 60
    failed = sum(len(result.tries) for result in run.results if isinstance(result, Received))
    assert failed <= runtime.breaker_failures + runtime.concurrency


def test_an_endpoint_that_comes_back_is_used_again(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """Eight failures open the circuit; a successful probe restores normal use."""
    server.script += [fails(500)] * 8
    asks = [[make_request(f"通话{n}", base_url=server.url)] for n in range(40)]
    run = ask_any(runtime.model_copy(update={"tries": 9}), asks)
    assert len(run.responses) == 40
    assert len(server.calls) == 48


def test_a_wrong_key_of_one_endpoint_leaves_the_other(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """It is reported once; all requests go to the fallback."""
    server.default = lambda call: fails(401) if call.body["model"] == "locked" else says("好的")
    asks = [
        [
            make_request(f"通话{n}", base_url=server.url, name="a", model="locked"),
            make_request(f"通话{n}", base_url=server.url, name="b"),
        ]
        for n in range(20)
    ]
    run = ask_any(runtime.model_copy(update={"concurrency": 1}), asks)
    assert len(run.responses) == 20
    assert sum(call.body["model"] == "locked" for call in server.calls) == 1


def test_an_empty_account_is_no_reason_to_wait(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """OpenAI reports it with HTTP 429, but waiting would not help."""
    body = {"error": {"message": "no", "type": "x", "code": "insufficient_quota"}}
    server.default = lambda _: Sent(json.dumps(body).encode(), 429)
    with pytest.raises(UserError, match="responds with HTTP 429; top up the account"):
        ask(runtime, make_request(base_url=server.url))
    assert len(server.calls) == 1


@pytest.mark.parametrize("status", [400, 422])
def test_an_endpoint_without_schemas_is_asked_for_text(
    status: int, server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """Found by trying once, which does not count as a failure."""
    server.default = lambda call: (
        fails(status) if "response_format" in call.body else says("对话1：好的")
    )
    asks = []
    for n in range(10):
        text = make_request(f"通话{n}", base_url=server.url, api="chat")
        asks.append([replace(text, as_json=True), text])
    run = ask_any(runtime.model_copy(update={"concurrency": 1, "tries": 1}), asks)
    assert len(run.responses) == 10
    assert not any(request.as_json for request, _ in run.stored)
    assert sum("response_format" in call.body for call in server.calls) == 1


def test_too_many_failures_stop_the_run(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """More than half of the last 20: the error has counts and kinds."""
    server.default = lambda call: fails(400) if int(call.prompt) >= 30 else says("好的")
    few = runtime.model_copy(update={"error_window": 20, "concurrency": 1})
    asks = [[make_request(str(n), base_url=server.url)] for n in range(100)]
    expected = (
        r"^55% of the last 20 requests failed \(11 x HTTP 400\), more than "
        r"runtime.max_error_rate 0.5; fix the endpoint"
    )
    with pytest.raises(UserError, match=expected):
        ask_any(few, asks)


PRICE = PriceParams(prompt=2.0, cached_prompt=0.5, completion=8.0)


@pytest.mark.parametrize(
    "limits_",
    [
        pytest.param(BudgetParams(cost=None, tokens=3000), id="tokens"),
        pytest.param(BudgetParams(cost=0.02, tokens=None), id="cost"),
    ],
)
def test_a_budget_is_never_exceeded(
    limits_: BudgetParams, server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """With 64 in flight: all that fits is bought, to the token, and nothing more."""
    rng = Random(5)
    spent: list[int] = []

    def response(call: Call) -> Sent:
        prompt, completion = rng.randrange(1, 60), rng.randrange(1, 73)
        body = json.loads(says("好的").body)
        body["usage"] = {"prompt_tokens": prompt, "completion_tokens": completion}
        spent.append(prompt + completion)
        return Sent(json.dumps(body).encode(), delay=rng.random() / 50)

    server.default = response
    asks = [[make_request(str(n), base_url=server.url, price=PRICE)] for n in range(300)]
    run = ask_any(runtime.model_copy(update={"concurrency": 64}), asks, limits_)
    bought = [result for result in run.results if isinstance(result, Received)]
    assert 0 < len(bought) < 300
    assert len(server.calls) == len(bought) == len(run.stored)
    assert run.budget.spent.tokens == sum(spent)
    most = most_spent_on(asks[0][0])
    if limits_.tokens is not None:
        assert limits_.tokens - most.tokens < run.budget.spent.tokens <= limits_.tokens
    if limits_.cost is not None:
        limit = Decimal(str(limits_.cost))
        assert limit - most.cost < run.budget.spent.cost <= limit


def test_what_may_have_been_charged_counts(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """A refusal is free; a response that was cut off counts with its upper bound."""
    request = make_request(base_url=server.url)
    server.script += [fails(429), fails(500), cut(says("好的"), 40), says("好的")]
    run = ask_any(runtime, [[request]])
    assert run.budget.spent.tokens == most_spent_on(request).tokens + 18


def test_requests_per_minute_are_kept(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """600 per minute: ten per second, one after the other, however many wait."""
    asks = [[make_request(str(n), base_url=server.url, requests_per_minute=600)] for n in range(6)]
    start = time.monotonic()
    assert len(ask_any(runtime, asks).responses) == 6
    assert time.monotonic() - start >= 0.45
