"""The client: asks again where that may help, and says what is wrong where it cannot."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from src.config.generate import BudgetParams
from src.config.llm import PriceParams
from src.config.runtime import RuntimeParams
from src.errors import UserError
from src.llm.budget import Budget, most_for
from src.llm.client import Client, Failure, OutOfBudget, Reply
from src.llm.limits import PATIENCE, Patience
from src.llm.requests import Answer, Request
from tests.llm.conftest import HASTY, MakeRequest, only
from tests.llm.server import Call, Server, closed_url, cut, fails, says, serve
from tests.llm.server import Reply as Sent

KEY = "sk-0123456789abcdef"


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


@pytest.mark.parametrize(
    ("patience", "comes"),
    [
        pytest.param(PATIENCE, True, id="in time"),
        pytest.param(replace(PATIENCE, grace_s=0.05), False, id="too late"),
    ],
)
def test_an_error_waits_for_answers_that_are_under_way(
    patience: Patience,
    comes: bool,
    server: Server,
    runtime: RuntimeParams,
    make_request: MakeRequest,
) -> None:
    """They are paid for: one that comes after another request was refused is stored, and counted.

    Not for ever: the most that it can come to is counted for one that does not come.
    """
    server.default = lambda call: says("好的", delay=0.5) if call.prompt == "慢" else fails(401)
    slow, refused = (make_request(text, base_url=server.url) for text in ("慢", "快"))
    stored: list[Request] = []
    budget = Budget(UNLIMITED)

    async def commit(request: Request, _: Answer) -> None:
        stored.append(request)

    async def run() -> None:
        async with Client(only(slow.endpoint), runtime, budget, patience=patience) as client:
            first = asyncio.create_task(client.ask([slow], commit))
            while not server.calls:
                await asyncio.sleep(0.01)
            try:
                await client.ask([refused], commit)
            finally:
                first.cancel()  # as the loops do with what they wait for

    with pytest.raises(UserError, match="HTTP 401"):
        asyncio.run(run())
    assert stored == ([slow] if comes else [])
    assert budget.spent.tokens == (18 if comes else most_for(slow).tokens)


@pytest.mark.parametrize("api", ["completions", "chat"])
def test_an_answer(
    api: str, server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """Text, reason and tokens as they came; the call has the prompt and the sampling."""
    server.script.append(says("您好\n- 我要补卡", "length"))
    request = make_request("通话1\n-", base_url=server.url, api=api)
    assert ask(runtime, request) == [Answer("您好\n- 我要补卡", "length", 11, 7)]
    (call,) = server.calls
    assert call.path == ("/v1/completions" if api == "completions" else "/v1/chat/completions")
    sampling = {k: v for k, v in call.body.items() if k not in ("prompt", "messages", "model")}
    assert sampling == dict(request.parameters)
    assert (call.prompt, call.body["model"]) == ("通话1\n-", "m")
    assert call.headers["authorization"] == "Bearer none"


def test_a_reply_without_reason_and_tokens(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """Small servers leave them out; the text is what counts."""
    server.script.append(Sent(b'{"choices": [{"text": "a"}]}'))
    server.script.append(Sent(b'{"choices": [{"text": null}], "usage": {}}'))
    request = make_request(base_url=server.url)
    assert ask(runtime, request) == [Answer("a", "stop", 0, 0)]
    assert ask(runtime, request) == [Answer("", "stop", 0, 0)]


def test_an_empty_answer_is_an_answer(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """It was paid for, and asking the same again would bring the same."""
    server.script += [says(""), says(None, "content_filter")]
    request = make_request(base_url=server.url, api="chat")
    assert ask(runtime, request) == [Answer("", "stop", 11, 7)]
    assert ask(runtime, request) == [Answer("", "content_filter", 11, 7)]
    assert len(server.calls) == 2


def test_half_a_character_is_replaced(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """Half of a surrogate pair would fail in every file later on."""
    server.script.append(Sent(b'{"choices": [{"text": "a\\ud83d"}]}'))
    (answer,) = ask(runtime, make_request(base_url=server.url))
    assert isinstance(answer, Answer)
    assert answer.text.encode().decode() == answer.text == "a?"


GARBAGE = [
    pytest.param(Sent(b'{"choices": ['), id="cut-off-json"),
    pytest.param(Sent(b""), id="empty-body"),
    pytest.param(Sent(b"\xff\xfe{"), id="not-utf-8"),
    pytest.param(Sent(b"<html>busy</html>", headers={"Content-Type": "text/html"}), id="html"),
    pytest.param(Sent(b"{}"), id="empty-object"),
    pytest.param(Sent(b"null"), id="null"),
    pytest.param(Sent(b"[1]"), id="a-list"),
    pytest.param(Sent(b'"text"'), id="a-string"),
    pytest.param(Sent(b'{"error": {"message": "busy"}}'), id="an-error-with-status-200"),
    pytest.param(Sent(b'{"choices": []}'), id="no-choices"),
    pytest.param(Sent(b'{"choices": {"0": 1}}'), id="choices-are-no-list"),
    pytest.param(Sent(b'{"choices": [null]}'), id="no-choice"),
    pytest.param(says(3), id="a-number-for-text"),
    pytest.param(says(["a"]), id="a-list-for-text"),
    pytest.param(
        Sent(b'{"choices": [{"text": "a", "message": {"content": "a"}}], "usage": 3}'),
        id="usage-is-no-object",
    ),
]


@pytest.mark.parametrize("api", ["completions", "chat"])
@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_is_asked_again(
    garbage: Sent, api: str, server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """What is no answer is a failed try, not the end of the run."""
    server.script += [garbage, says("好的")]
    request = make_request(base_url=server.url, api=api)
    assert ask(runtime, request) == [Answer("好的", "stop", 11, 7)]
    assert len(server.calls) == 2


@pytest.mark.parametrize("garbage", GARBAGE)
def test_nothing_but_garbage_is_a_failure(
    garbage: Sent, server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """Each try is told, in words of ours."""
    server.default = lambda _: garbage
    (failure,) = ask(runtime, make_request(base_url=server.url))
    assert isinstance(failure, Failure)
    assert len(server.calls) == len(failure.tries) == 4
    assert set(failure.tries) <= {
        "small: the body is not JSON",
        "small: the body has no text of a completions answer",
    }


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_a_busy_server_is_asked_again(
    status: int, server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """Two refusals, then the answer."""
    server.script += [fails(status), fails(status), says("好的")]
    assert ask(runtime, make_request(base_url=server.url)) == [Answer("好的", "stop", 11, 7)]
    assert len(server.calls) == 3


def test_a_request_is_given_up_after_the_last_try(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """The failure lists each try; being told to wait is none; other requests are not touched."""
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
    assert good == Answer("好的", "stop", 11, 7)


def test_a_server_that_only_ever_says_wait_is_given_up(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """After ten refusals for each try that a request has, the run goes on without it."""
    server.default = lambda _: fails(429)
    patient = runtime.model_copy(update={"tries": 1, "breaker_failures": 100})
    (failure,) = ask(patient, make_request(base_url=server.url))
    assert isinstance(failure, Failure)
    assert len(failure.tries) == len(server.calls) == 10


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_that_is_wrong_is_not_repeated(
    status: int, server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """A prompt that is too long, say, stays so; other prompts may be good."""
    server.script.append(fails(status))
    request = make_request(base_url=server.url)
    assert ask(runtime, request) == [Failure(request, (f"small: HTTP {status}",))]
    assert len(server.calls) == 1


def test_a_hanging_server_times_out(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """Each try waits for `timeout_s`; then the request has failed, not the run."""
    server.default = lambda _: says("好的", delay=30)
    hasty = runtime.model_copy(update={"timeout_s": 0.2, "tries": 2})
    start = time.monotonic()
    (failure,) = ask(hasty, make_request(base_url=server.url))
    assert isinstance(failure, Failure)
    assert len(failure.tries) == 2
    assert set(failure.tries) == {"small: no answer in time"}
    assert time.monotonic() - start < 10


def test_retry_after_is_obeyed(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """The server's own wait, instead of ours, which here would be a minute."""
    server.script += [fails(429, **{"Retry-After": "0.4"}), fails(503, **{"Retry-After": "0"})]
    start = time.monotonic()
    slow = replace(HASTY, first_wait_s=60.0)
    run = ask_any(runtime, [[make_request(base_url=server.url)]], patience=slow)
    assert run.answers == [Answer("好的", "stop", 11, 7)]
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
def test_what_no_retry_mends_stops_the_run(
    status: int,
    api_key_env: str | None,
    remedy: str,
    server: Server,
    runtime: RuntimeParams,
    make_request: MakeRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Endpoint, address, remedy, after one call."""
    monkeypatch.setenv("TEST_KEY", KEY)
    server.script.append(fails(status))
    request = make_request(base_url=server.url, api_key_env=api_key_env)
    expected = f"^endpoint 'small' at {server.url} answers HTTP {status}; {remedy}; what was bought"
    with pytest.raises(UserError, match=expected):
        ask(runtime, request)
    assert len(server.calls) == 1


def test_a_server_that_is_down_stops_the_run(
    runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """After the last try: it may have been starting."""
    url = closed_url()
    expected = f"^endpoint 'small' at {url} does not answer .*; start it, or correct llm.endpoints"
    with pytest.raises(UserError, match=expected) as error:
        ask(runtime, make_request(base_url=url))
    assert "\n" not in str(error.value)


def test_a_server_that_comes_up_late_is_found(
    runtime: RuntimeParams, make_request: MakeRequest, caplog: pytest.LogCaptureFixture
) -> None:
    """One refused connection is no reason to stop."""
    url = closed_url()
    request = make_request(base_url=url)
    patience = replace(HASTY, first_pause_s=0.5)

    async def run() -> Outcome:
        llm = only(request.endpoint)
        async with Client(llm, runtime, Budget(UNLIMITED), patience=patience) as client:
            asking = asyncio.create_task(client.ask([request], commit_nothing))
            while "cannot connect" not in caplog.text:
                await asyncio.sleep(0.001)
            with serve(int(url.split(":")[2].split("/")[0])):
                return await asking

    reply = asyncio.run(asyncio.wait_for(run(), 20))
    assert isinstance(reply, Reply)
    assert reply.answer == Answer("好的", "stop", 11, 7)
    assert len(reply.tries) == 1
    assert reply.tries[0].startswith("small: cannot connect")


async def commit_nothing(_: Request, __: Answer) -> None:
    """An answer that nobody keeps."""


def test_a_missing_key_is_named_at_once(
    server: Server,
    runtime: RuntimeParams,
    make_request: MakeRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is asked, and nothing is tried again."""
    monkeypatch.chdir(tmp_path)  # away from a .env of the project
    monkeypatch.delenv("TEST_KEY", raising=False)
    with pytest.raises(UserError, match="needs the key in TEST_KEY, which is not set; export it"):
        ask(runtime, make_request(base_url=server.url, api_key_env="TEST_KEY"))
    assert not server.calls


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([fails(429, f"key {KEY} is over its limit")] * 4, id="given-up"),
        pytest.param([fails(500, f"Bearer {KEY}"), says("好的")], id="asked-again"),
        pytest.param([fails(401, f"Incorrect API key provided: {KEY}")], id="wrong-key"),
        pytest.param([Sent(f'{{"key": "{KEY}"'.encode())] * 4, id="garbage"),
        pytest.param([Sent(KEY.encode(), headers={"Content-Type": "text/html"})] * 4, id="html"),
    ],
)
def test_the_key_is_shown_nowhere(
    script: list[Sent],
    server: Server,
    runtime: RuntimeParams,
    make_request: MakeRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Even if the server sends it back: not in errors, not in failures, not in any log."""
    monkeypatch.setenv("TEST_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    server.script += script
    try:
        outcome = repr(ask(runtime, make_request(base_url=server.url, api_key_env="TEST_KEY")))
    except UserError as error:
        outcome = repr(error)
    assert server.calls[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in outcome
    ours = [r for r in caplog.records if r.name.startswith(("src", "openai"))]
    assert all(KEY not in repr(vars(record)) for record in ours)
    assert KEY not in caplog.text


def test_so_many_at_once_and_no_more(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """`concurrency` is used and kept."""
    server.default = lambda _: says("好的", delay=0.05)
    ask(runtime, *(make_request(index=n, base_url=server.url) for n in range(12)))
    assert len(server.calls) == 12
    assert server.most_at_once == runtime.concurrency


def test_a_stopped_request_stops(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """Ctrl-C, or another request's error, cancels; that is no failed try to be repeated."""
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


def test_two_endpoints_have_their_own_clients(
    server: Server,
    runtime: RuntimeParams,
    make_request: MakeRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each is asked with its own key."""
    monkeypatch.setenv("KEY_A", "a")
    monkeypatch.setenv("KEY_B", "b")
    ask(
        runtime.model_copy(update={"concurrency": 1}),
        make_request(base_url=server.url, name="a", api_key_env="KEY_A"),
        make_request(base_url=server.url, name="b", api_key_env="KEY_B"),
    )
    keys = sorted(call.headers["authorization"] for call in server.calls)
    assert keys == ["Bearer a", "Bearer b"]


CUTS = [
    pytest.param(cut(says("好的")), id="cut-before-the-body"),
    pytest.param(cut(says("好的"), 40), id="cut-in-the-body"),
]


@pytest.mark.parametrize("reply", CUTS)
def test_a_cut_connection_is_asked_again(
    reply: Sent, server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """And said so, should it last."""
    server.script.append(reply)
    run = ask_any(runtime, [[make_request(base_url=server.url)]])
    assert run.answers == [Answer("好的", "stop", 11, 7)]
    assert len(server.calls) == 2


def test_an_answer_is_stored_before_it_is_read(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """With the request that got it; the reply tells what failed before."""
    server.script += [fails(500), says("好的")]
    request = make_request(base_url=server.url)
    run = ask_any(runtime, [[request]])
    assert run.stored == [(request, Answer("好的", "stop", 11, 7))]
    assert run.outcomes == [Reply(request, run.stored[0][1], ("small: HTTP 500",))]


@pytest.mark.parametrize(
    ("usage", "cached"),
    [
        pytest.param({"prompt_tokens_details": {"cached_tokens": 5}}, 5, id="openai"),
        pytest.param({"prompt_cache_hit_tokens": 6}, 6, id="deepseek"),
        pytest.param({"prompt_tokens_details": None}, 0, id="none"),
    ],
)
def test_cached_tokens_are_counted(
    usage: dict[str, object],
    cached: int,
    server: Server,
    runtime: RuntimeParams,
    make_request: MakeRequest,
) -> None:
    """They are cheaper where an endpoint says how many there were."""
    body = json.loads(says("好的").body)
    body["usage"] |= usage
    server.script.append(Sent(json.dumps(body).encode()))
    assert ask(runtime, make_request(base_url=server.url)) == [
        Answer("好的", "stop", 11, 7, cached)
    ]


def test_a_dead_endpoint_costs_a_few_failures(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """The fallback takes over; the dead one is asked by a probe now and then, not by each."""
    dead = closed_url()
    asks = [
        [
            make_request(f"通话{n}", base_url=dead, name="dead"),
            make_request(f"通话{n}", base_url=server.url, name="spare"),
        ]
        for n in range(60)
    ]
    run = ask_any(runtime.model_copy(update={"tries": 2}), asks)
    assert [reply.request.endpoint.name for reply in run.outcomes if isinstance(reply, Reply)] == [
        "spare"
    ] * 60
    assert len(server.calls) == 60
    failed = sum(len(outcome.tries) for outcome in run.outcomes if isinstance(outcome, Reply))
    assert failed <= runtime.breaker_failures + runtime.concurrency


def test_an_endpoint_that_comes_back_is_used_again(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """Eight failures open the circuit; the probe finds it alive; then all is as before."""
    server.script += [fails(500)] * 8
    asks = [[make_request(f"通话{n}", base_url=server.url)] for n in range(40)]
    run = ask_any(runtime.model_copy(update={"tries": 9}), asks)
    assert len(run.answers) == 40
    assert len(server.calls) == 48


def test_a_wrong_key_of_one_endpoint_leaves_the_other(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """It is said once; each request goes to the fallback."""
    server.default = lambda call: fails(401) if call.body["model"] == "locked" else says("好的")
    asks = [
        [
            make_request(f"通话{n}", base_url=server.url, name="a", model="locked"),
            make_request(f"通话{n}", base_url=server.url, name="b"),
        ]
        for n in range(20)
    ]
    run = ask_any(runtime.model_copy(update={"concurrency": 1}), asks)
    assert len(run.answers) == 20
    assert sum(call.body["model"] == "locked" for call in server.calls) == 1


def test_an_empty_account_is_no_reason_to_wait(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """OpenAI says it with a 429; waiting would not mend it."""
    body = {"error": {"message": "no", "type": "x", "code": "insufficient_quota"}}
    server.default = lambda _: Sent(json.dumps(body).encode(), 429)
    with pytest.raises(UserError, match="answers HTTP 429; top up the account"):
        ask(runtime, make_request(base_url=server.url))
    assert len(server.calls) == 1


@pytest.mark.parametrize("status", [400, 422])
def test_an_endpoint_without_schemas_is_asked_for_text(
    status: int, server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """Found by trying, once; that counts as no failure."""
    server.default = lambda call: (
        fails(status) if "response_format" in call.body else says("对话1：好的")
    )
    asks = []
    for n in range(10):
        text = make_request(f"通话{n}", base_url=server.url, api="chat")
        asks.append([replace(text, as_json=True), text])
    run = ask_any(runtime.model_copy(update={"concurrency": 1, "tries": 1}), asks)
    assert len(run.answers) == 10
    assert not any(request.as_json for request, _ in run.stored)
    assert sum("response_format" in call.body for call in server.calls) == 1


def test_too_many_failures_stop_the_run(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """Over half of the last 20: the line says how many and of which kind."""
    server.default = lambda call: fails(400) if int(call.prompt) >= 30 else says("好的")
    few = runtime.model_copy(update={"error_window": 20, "concurrency": 1})
    asks = [[make_request(str(n), base_url=server.url)] for n in range(100)]
    expected = (
        r"^55% of the last 20 requests failed \(11 x HTTP 400\), more than "
        r"runtime.max_error_rate 0.5; mend the endpoint"
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
def test_a_budget_is_never_passed(
    limits_: BudgetParams, server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """With 64 in flight, to the token: all that fits is bought, and nothing more."""
    rng = Random(5)
    spent: list[int] = []

    def answer(call: Call) -> Sent:
        prompt, completion = rng.randrange(1, 60), rng.randrange(1, 73)
        body = json.loads(says("好的").body)
        body["usage"] = {"prompt_tokens": prompt, "completion_tokens": completion}
        spent.append(prompt + completion)
        return Sent(json.dumps(body).encode(), delay=rng.random() / 50)

    server.default = answer
    asks = [[make_request(str(n), base_url=server.url, price=PRICE)] for n in range(300)]
    run = ask_any(runtime.model_copy(update={"concurrency": 64}), asks, limits_)
    bought = [outcome for outcome in run.outcomes if isinstance(outcome, Reply)]
    assert 0 < len(bought) < 300
    assert len(server.calls) == len(bought) == len(run.stored)
    assert run.budget.spent.tokens == sum(spent)
    most = most_for(asks[0][0])
    if limits_.tokens is not None:
        assert limits_.tokens - most.tokens < run.budget.spent.tokens <= limits_.tokens
    if limits_.cost is not None:
        limit = Decimal(str(limits_.cost))
        assert limit - most.cost < run.budget.spent.cost <= limit


def test_what_may_have_been_charged_counts(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """A refusal is free; of an answer that was cut off the most is counted."""
    request = make_request(base_url=server.url)
    server.script += [fails(429), fails(500), cut(says("好的"), 40), says("好的")]
    run = ask_any(runtime, [[request]])
    assert run.budget.spent.tokens == most_for(request).tokens + 18


def test_requests_a_minute_are_kept(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """600 a minute: ten a second, one after the other, however many wait."""
    asks = [[make_request(str(n), base_url=server.url, requests_per_minute=600)] for n in range(6)]
    start = time.monotonic()
    assert len(ask_any(runtime, asks).answers) == 6
    assert time.monotonic() - start >= 0.45
