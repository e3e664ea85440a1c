"""One call: what is sent, and how the body is read."""

from __future__ import annotations

import json
import logging

import pytest

from src.config.runtime import RuntimeParams
from src.errors import UserError
from src.llm.client import Failure
from src.llm.requests import Response
from tests.llm.asking import ask
from tests.llm.conftest import MakeRequest
from tests.llm.server import Sent, Server, fails, says

KEY = "sk-0123456789abcdef"


@pytest.mark.parametrize("api", ["completions", "chat"])
def test_a_response(
    api: str, server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """Text, finish reason and tokens are unchanged; the call has the prompt and the sampling."""
    server.script.append(says("您好\n- 我要补卡", "length"))
    request = make_request("通话1\n-", base_url=server.url, api=api)
    assert ask(runtime, request) == [Response("您好\n- 我要补卡", "length", 11, 7)]
    (call,) = server.calls
    assert call.path == ("/v1/completions" if api == "completions" else "/v1/chat/completions")
    sampling = {k: v for k, v in call.body.items() if k not in ("prompt", "messages", "model")}
    assert sampling == dict(request.parameters)
    assert (call.prompt, call.body["model"]) == ("通话1\n-", "m")
    assert call.headers["authorization"] == "Bearer none"


def test_a_reply_without_reason_and_tokens(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """Small servers omit them; only the text is required."""
    server.script.append(Sent(b'{"choices": [{"text": "a"}]}'))
    server.script.append(Sent(b'{"choices": [{"text": null}], "usage": {}}'))
    request = make_request(base_url=server.url)
    assert ask(runtime, request) == [Response("a", "stop", 0, 0)]
    assert ask(runtime, request) == [Response("", "stop", 0, 0)]


def test_an_empty_response_is_a_response(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """It was paid for, and a retry would return the same."""
    server.script += [says(""), says(None, "content_filter")]
    request = make_request(base_url=server.url, api="chat")
    assert ask(runtime, request) == [Response("", "stop", 11, 7)]
    assert ask(runtime, request) == [Response("", "content_filter", 11, 7)]
    assert len(server.calls) == 2


def test_half_a_character_is_replaced(
    server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """A lone surrogate could not be written to any file later."""
    server.script.append(Sent(b'{"choices": [{"text": "a\\ud83d"}]}'))
    (response,) = ask(runtime, make_request(base_url=server.url))
    assert isinstance(response, Response)
    assert response.text.encode().decode() == response.text == "a?"


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
    """A body without a response is a failed try, not the end of the run."""
    server.script += [garbage, says("好的")]
    request = make_request(base_url=server.url, api=api)
    assert ask(runtime, request) == [Response("好的", "stop", 11, 7)]
    assert len(server.calls) == 2


@pytest.mark.parametrize("garbage", GARBAGE)
def test_nothing_but_garbage_is_a_failure(
    garbage: Sent, server: Server, runtime: RuntimeParams, make_request: MakeRequest
) -> None:
    """Each try is listed, in our own words."""
    server.default = lambda _: garbage
    (failure,) = ask(runtime, make_request(base_url=server.url))
    assert isinstance(failure, Failure)
    assert len(server.calls) == len(failure.tries) == 4
    assert set(failure.tries) <= {
        "small: the body is not JSON",
        "small: the body has no text of a completions response",
    }


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
    """They are cheaper, if an endpoint reports how many there were."""
    body = json.loads(says("好的").body)
    body["usage"] |= usage
    server.script.append(Sent(json.dumps(body).encode()))
    assert ask(runtime, make_request(base_url=server.url)) == [
        Response("好的", "stop", 11, 7, cached)
    ]


def test_two_endpoints_have_their_own_clients(
    server: Server,
    runtime: RuntimeParams,
    make_request: MakeRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each is called with its own key."""
    monkeypatch.setenv("KEY_A", "a")
    monkeypatch.setenv("KEY_B", "b")
    ask(
        runtime.model_copy(update={"concurrency": 1}),
        make_request(base_url=server.url, name="a", api_key_env="KEY_A"),
        make_request(base_url=server.url, name="b", api_key_env="KEY_B"),
    )
    keys = sorted(call.headers["authorization"] for call in server.calls)
    assert keys == ["Bearer a", "Bearer b"]


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
    """Even if the server echoes it: not in errors, failures or logs."""
    monkeypatch.setenv("TEST_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    server.script += script
    try:
        result = repr(ask(runtime, make_request(base_url=server.url, api_key_env="TEST_KEY")))
    except UserError as error:
        result = repr(error)
    assert server.calls[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in result
    ours = [r for r in caplog.records if r.name.startswith(("src", "openai"))]
    assert all(KEY not in repr(vars(record)) for record in ours)
    assert KEY not in caplog.text
