"""Requests: the key depends on what determines the response and on nothing else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from src.config.generate import BudgetParams
from src.config.llm import PriceParams
from src.llm.requests import RESPONSE_FORMAT, Response
from tests.llm.conftest import MakeRequest

GOLDEN = (
    '{"api":"completions","base_url":"http://127.0.0.1:9/v1","cache_salt":"","model":"m",'
    '"parameters":{"frequency_penalty":0.3,"max_tokens":72,"presence_penalty":0.3,'
    '"stop":["\\n\\n"],"temperature":0.7,"top_p":0.95},"prompt":"通话1\\n-","sample_index":0}'
)

SCHEMA = (
    '{"json_schema":{"name":"samples","schema":{"additionalProperties":false,"properties":'
    '{"samples":{"items":{"items":{"type":"string"},"type":"array"},"type":"array"}},'
    '"required":["samples"],"type":"object"},"strict":true},"type":"json_schema"}'
)


def test_golden_key(make_request: MakeRequest) -> None:
    """Packed files are keyed by it: canonical JSON, spelled out."""
    assert make_request().key == hashlib.sha256(GOLDEN.encode()).hexdigest()
    assert make_request().key == "b967a7a2cebd69669f8645d51b7e17ccee44e70b8607da43925413f412b971b1"


def test_golden_key_of_json(make_request: MakeRequest) -> None:
    """The schema is one of the parameters, so the key differs from that without it."""
    golden = GOLDEN.replace('"stop":', f'"response_format":{SCHEMA},"stop":')
    request = replace(make_request(), as_json=True)
    assert request.key == hashlib.sha256(golden.encode()).hexdigest()
    assert request.key != make_request().key


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"prompt": "通话2\n-"}, id="prompt"),
        pytest.param({"stop": ("\n",)}, id="stop"),
        pytest.param({"stop": ()}, id="no-stop"),
        pytest.param({"index": 1}, id="sample-index"),
        pytest.param({"cache_salt": "again"}, id="salt"),
        pytest.param({"base_url": "http://127.0.0.1:9/v2"}, id="base-url"),
        pytest.param({"model": "n"}, id="model"),
        pytest.param({"api": "chat"}, id="api"),
        pytest.param({"temperature": 0.8}, id="temperature"),
        pytest.param({"top_p": 0.9}, id="top-p"),
        pytest.param({"frequency_penalty": 0.0}, id="frequency-penalty"),
        pytest.param({"presence_penalty": 0.0}, id="presence-penalty"),
        pytest.param({"max_tokens": 73}, id="max-tokens"),
    ],
)
def test_what_decides_the_response_is_in_the_key(
    change: dict[str, object], make_request: MakeRequest
) -> None:
    """A different request does not get the old response."""
    assert make_request(**change).key != make_request().key


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"name": "other"}, id="name"),
        pytest.param({"weight": 3.0}, id="weight"),
        pytest.param({"api_key_env": "OTHER_KEY"}, id="api-key-env"),
        pytest.param({"output": "text"}, id="output"),
        pytest.param({"concurrency": 3}, id="concurrency"),
        pytest.param({"requests_per_minute": 60}, id="requests-per-minute"),
        pytest.param({"tokens_per_minute": 1000}, id="tokens-per-minute"),
        pytest.param({"price": PriceParams(prompt=2.0)}, id="price"),
        pytest.param({"attributes": {"情绪": ("平静",)}}, id="attributes"),
        pytest.param({"avoid_ngrams": 0}, id="avoid-phrases"),
        pytest.param({"budget": BudgetParams(cost=1.0, tokens=9)}, id="budget"),
        pytest.param({"samples_per_request": 5}, id="samples-per-request"),
        pytest.param({"max_attempts_per_class": 9}, id="max-attempts"),
        pytest.param({"min_acceptance": 0.5}, id="min-acceptance"),
        pytest.param({"seed": 8}, id="seed"),
    ],
)
def test_what_does_not_is_left_out(change: dict[str, object], make_request: MakeRequest) -> None:
    """Settings that act only through the prompt, or not at all, cause no new cost."""
    assert make_request(**change).key == make_request().key


def test_the_version_of_the_template_is_left_out(make_request: MakeRequest) -> None:
    """The prompt rendered from it is in the key."""
    assert replace(make_request(), prompt_version="abc").key == make_request().key


def test_parameters_of_the_call(make_request: MakeRequest) -> None:
    """Without stop sequences there is no `stop`, since some servers reject an empty one."""
    assert make_request().parameters["stop"] == ["\n\n"]
    assert "stop" not in make_request(stop=()).parameters


def test_json_is_asked_for_by_a_strict_schema(make_request: MakeRequest) -> None:
    """Without JSON there is no `response_format`, which some servers do not know."""
    assert replace(make_request(), as_json=True).parameters["response_format"] == RESPONSE_FORMAT
    assert json.loads(SCHEMA) == RESPONSE_FORMAT
    assert "response_format" not in make_request().parameters


@pytest.mark.parametrize(
    ("finish_reason", "truncated"),
    [("stop", False), ("length", True), ("content_filter", False), ("", False)],
)
def test_truncated(finish_reason: str, truncated: bool) -> None:
    """Only a reply that max_tokens cut."""
    assert Response("好的", finish_reason, 1, 1).truncated is truncated


def test_no_prompt_tokens_are_cached_unless_counted() -> None:
    """Most servers do not report them."""
    assert Response("好的", "stop", 9, 1).cached_tokens == 0
    assert Response("好的", "stop", 9, 1, 4).cached_tokens == 4
