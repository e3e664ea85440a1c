"""The client: asks again where that may help, and says what is wrong where it cannot."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import openai
import pytest
import stamina

from src.config import RuntimeParams, UserError
from src.llm import client as client_module
from src.llm.client import Client, Failure, api_key
from src.llm.requests import Answer, Request
from tests.llm.conftest import MakeRequest
from tests.llm.server import Reply, Server, closed_url, fails, says

KEY = "sk-0123456789abcdef"


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """Tries follow each other at once; their number stays that of the settings."""
    with stamina.set_testing(True, attempts=10, cap=True):
        yield


def ask(runtime: RuntimeParams, *requests: Request) -> list[Answer | Failure]:
    """What the requests, made at the same time, come to."""

    async def run() -> list[Answer | Failure]:
        async with Client(runtime) as client:
            return await asyncio.gather(*(client.ask(request) for request in requests))

    return asyncio.run(run())


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
    server.script.append(Reply(b'{"choices": [{"text": "a"}]}'))
    server.script.append(Reply(b'{"choices": [{"text": null}], "usage": {}}'))
    request = make_request(base_url=server.url)
    assert ask(runtime, request) == [Answer("a", "stop", 0, 0)]
    assert ask(runtime, request) == [Answer("", "stop", 0, 0)]


def test_an_empty_answer_is_an_answer(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """It was paid for, and asking the same again would bring the same."""
    server.script += [says(""), says(None, "content_filter")]
    request = make_request(base_url=server.url, api="chat")
    assert [reply.problem for reply in ask(runtime, request)] == ["empty"]
    assert [reply.problem for reply in ask(runtime, request)] == ["refused"]
    assert len(server.calls) == 2


def test_half_a_character_is_replaced(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """Half of a surrogate pair would fail in every file later on."""
    server.script.append(Reply(b'{"choices": [{"text": "a\\ud83d"}]}'))
    (answer,) = ask(runtime, make_request(base_url=server.url))
    assert isinstance(answer, Answer)
    assert answer.text.encode().decode() == answer.text == "a?"


GARBAGE = [
    pytest.param(Reply(b'{"choices": ['), id="cut-off-json"),
    pytest.param(Reply(b""), id="empty-body"),
    pytest.param(Reply(b"\xff\xfe{"), id="not-utf-8"),
    pytest.param(Reply(b"<html>busy</html>", headers={"Content-Type": "text/html"}), id="html"),
    pytest.param(Reply(b"{}"), id="empty-object"),
    pytest.param(Reply(b"null"), id="null"),
    pytest.param(Reply(b"[1]"), id="a-list"),
    pytest.param(Reply(b'"text"'), id="a-string"),
    pytest.param(Reply(b'{"error": {"message": "busy"}}'), id="an-error-with-status-200"),
    pytest.param(Reply(b'{"choices": []}'), id="no-choices"),
    pytest.param(Reply(b'{"choices": {"0": 1}}'), id="choices-are-no-list"),
    pytest.param(Reply(b'{"choices": [null]}'), id="no-choice"),
    pytest.param(says(3), id="a-number-for-text"),
    pytest.param(says(["a"]), id="a-list-for-text"),
    pytest.param(
        Reply(b'{"choices": [{"text": "a", "message": {"content": "a"}}], "usage": 3}'),
        id="usage-is-no-object",
    ),
]


@pytest.mark.parametrize("api", ["completions", "chat"])
@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_is_asked_again(
    garbage: Reply, api: str, server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """What is no answer is a failed try, not the end of the run."""
    server.script += [garbage, says("好的")]
    request = make_request(base_url=server.url, api=api)
    assert ask(runtime, request) == [Answer("好的", "stop", 11, 7)]
    assert len(server.calls) == 2


@pytest.mark.parametrize("garbage", GARBAGE)
def test_nothing_but_garbage_is_a_failure(
    garbage: Reply, server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """Each try is told, in words of ours."""
    server.default = lambda _: garbage
    (failure,) = ask(runtime, make_request(base_url=server.url))
    assert isinstance(failure, Failure)
    assert len(server.calls) == len(failure.tries) == 4
    assert set(failure.tries) <= {
        "the body is not JSON",
        "the body has no text of a completions answer",
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
    """The failure lists each try; the other requests are not touched by it."""
    server.default = lambda call: says("好的") if call.prompt == "good" else fails(500)
    server.script += [fails(429), fails(503)]
    (bad,) = ask(runtime, make_request("bad", base_url=server.url))
    assert bad == Failure(("HTTP 429", "HTTP 503", "HTTP 500", "HTTP 500"))
    server.calls.clear()
    requests = [make_request(prompt, base_url=server.url) for prompt in ("bad", "good")]
    bad, good = ask(runtime.model_copy(update={"tries": 2}), *requests)
    assert bad == Failure(("HTTP 500", "HTTP 500"))
    assert good == Answer("好的", "stop", 11, 7)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_that_is_wrong_is_not_repeated(
    status: int, server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """A prompt that is too long, say, stays so; other prompts may be good."""
    server.script.append(fails(status))
    assert ask(runtime, make_request(base_url=server.url)) == [Failure((f"HTTP {status}",))]
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
    assert all(a_try.startswith("APITimeoutError") for a_try in failure.tries)
    assert time.monotonic() - start < 10


def test_retry_after_is_obeyed(
    server: Server,
    runtime: RuntimeParams,
    make_request: MakeRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server's own wait, instead of ours, which here would be a minute."""
    monkeypatch.setattr(client_module, "FIRST_WAIT_S", 60.0)
    server.script += [fails(429, **{"Retry-After": "0.4"}), fails(503, **{"Retry-After": "0"})]
    start = time.monotonic()
    with stamina.set_testing(False):
        (answer,) = ask(runtime, make_request(base_url=server.url))
    assert answer == Answer("好的", "stop", 11, 7)
    assert 0.4 <= time.monotonic() - start < 20


@pytest.mark.parametrize(
    ("status", "header", "expected"),
    [
        pytest.param(429, "7", 7.0, id="seconds"),
        pytest.param(503, "1.5", 1.5, id="parts-of-a-second"),
        pytest.param(429, "86400", 60.0, id="a-day-is-too-long"),
        pytest.param(429, "Wed, 21 Oct 2026 07:28:00 GMT", True, id="a-date"),
        pytest.param(429, "-3", True, id="in-the-past"),
        pytest.param(429, "soon", True, id="a-word"),
        pytest.param(429, "²", True, id="a-digit-that-is-no-number"),
        pytest.param(500, None, True, id="no-header"),
        pytest.param(400, "7", False, id="not-to-be-repeated"),
    ],
)
def test_waits(status: int, header: str | None, expected: bool | float) -> None:
    """Seconds where the server names them, else ours; no header makes a bad request good."""
    headers = {} if header is None else {"Retry-After": header.encode()}
    response = httpx2.Response(
        status, headers=headers, request=httpx2.Request("POST", "http://127.0.0.1:9")
    )
    error = openai.APIStatusError("no", response=response, body=None)
    assert client_module._wait(error) == expected
    assert type(client_module._wait(error)) is type(expected)


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
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """One refused connection is no reason to stop."""
    request = make_request(base_url=closed_url())
    tries = 0

    async def run() -> Answer | Failure:
        async with Client(runtime) as client:
            inner = client._call

            async def call(given: Request) -> Answer:
                nonlocal tries
                tries += 1
                return await inner(
                    given if tries == 1 else make_request(base_url=server.url, name="up")
                )

            client._call = call  # type: ignore[method-assign]
            return await client.ask(request)

    assert asyncio.run(run()) == Answer("好的", "stop", 11, 7)
    assert tries == 2


def test_a_missing_key_is_named_at_once(
    server: Server,
    runtime: RuntimeParams,
    make_request: MakeRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is asked, and nothing is tried again."""
    monkeypatch.setattr(client_module, "ROOT", tmp_path)
    monkeypatch.delenv("TEST_KEY", raising=False)
    tried: list[object] = []
    monkeypatch.setattr(client_module, "_log_retry", tried.append)
    with pytest.raises(UserError, match="needs the key in TEST_KEY, which is not set; export it"):
        ask(runtime, make_request(base_url=server.url, api_key_env="TEST_KEY"))
    assert not server.calls
    assert not tried


@pytest.mark.parametrize(
    ("environment", "file", "expected"),
    [
        pytest.param(KEY, None, KEY, id="environment"),
        pytest.param(f" {KEY}\n", None, KEY, id="line-end-of-a-file"),
        pytest.param(None, f"TEST_KEY={KEY}\n", KEY, id="env-file"),
        pytest.param(None, f'TEST_KEY="{KEY}"\n', KEY, id="env-file-with-quotation-marks"),
        pytest.param(KEY, "TEST_KEY=other\n", KEY, id="environment-goes-first"),
        pytest.param("", f"TEST_KEY={KEY}\n", KEY, id="empty-in-the-environment"),
    ],
)
def test_where_the_key_is_from(
    environment: str | None,
    file: str | None,
    expected: str,
    make_request: MakeRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The environment, then .env in the project's root."""
    monkeypatch.setattr(client_module, "ROOT", tmp_path)
    monkeypatch.delenv("TEST_KEY", raising=False)
    if environment is not None:
        monkeypatch.setenv("TEST_KEY", environment)
    if file is not None:
        (tmp_path / ".env").write_text(file, encoding="utf-8")
    assert api_key(make_request(api_key_env="TEST_KEY").endpoint) == expected


@pytest.mark.parametrize(
    "key", ["sk-\nabc", "sk-ключ", "sk-\x07"], ids=["lines", "letters", "bell"]
)
def test_an_impossible_key_is_refused_unseen(
    key: str, make_request: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The HTTP library would show it in its error."""
    monkeypatch.setenv("TEST_KEY", key)
    with pytest.raises(UserError, match="TEST_KEY holds characters that no key has") as error:
        api_key(make_request(api_key_env="TEST_KEY").endpoint)
    assert key not in str(error.value)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([fails(429, f"key {KEY} is over its limit")] * 4, id="given-up"),
        pytest.param([fails(500, f"Bearer {KEY}"), says("好的")], id="asked-again"),
        pytest.param([fails(401, f"Incorrect API key provided: {KEY}")], id="wrong-key"),
        pytest.param([Reply(f'{{"key": "{KEY}"'.encode())] * 4, id="garbage"),
        pytest.param([Reply(KEY.encode(), headers={"Content-Type": "text/html"})] * 4, id="html"),
    ],
)
def test_the_key_is_shown_nowhere(
    script: list[Reply],
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
    ours = [r for r in caplog.records if r.name.startswith(("src", "stamina", "openai"))]
    assert all(KEY not in repr(vars(record)) for record in ours)
    assert KEY not in caplog.text


def test_a_retry_is_told(
    server: Server,
    runtime: RuntimeParams,
    make_request: MakeRequest,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One line a retry that says why."""
    caplog.set_level(logging.INFO, logger="src.llm.client")
    server.script += [fails(429), Reply(b"")]
    ask(runtime, make_request(base_url=server.url))
    assert [
        record.getMessage() for record in caplog.records if record.name == "src.llm.client"
    ] == [
        "HTTP 429; asking again in 0 s",
        "the body is not JSON; asking again in 0 s",
    ]


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
        async with Client(runtime) as client:
            task = asyncio.create_task(client.ask(make_request(base_url=server.url)))
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
    assert [call.headers["authorization"] for call in server.calls] == ["Bearer a", "Bearer b"]
