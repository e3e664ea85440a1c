"""Requests: the key changes with what decides the answer and with nothing else."""

from __future__ import annotations

import hashlib

import pytest

from src.llm.requests import Answer
from tests.llm.conftest import MakeRequest

GOLDEN = (
    '{"api":"completions","base_url":"http://127.0.0.1:9/v1","cache_salt":"","model":"m",'
    '"parameters":{"frequency_penalty":0.3,"max_tokens":72,"presence_penalty":0.3,'
    '"stop":["\\n\\n"],"temperature":0.7,"top_p":0.95},"prompt":"通话1\\n-","sample_index":0}'
)


def test_golden_key(make_request: MakeRequest) -> None:
    """Shipped recordings are keyed by it: canonical JSON, written out by hand."""
    assert make_request().key == hashlib.sha256(GOLDEN.encode()).hexdigest()
    assert make_request().key == "b967a7a2cebd69669f8645d51b7e17ccee44e70b8607da43925413f412b971b1"


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
def test_what_decides_the_answer_is_in_the_key(
    change: dict[str, object], make_request: MakeRequest
) -> None:
    """Another request is not answered by the old answer."""
    assert make_request(**change).key != make_request().key


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"name": "other"}, id="name"),
        pytest.param({"weight": 3.0}, id="weight"),
        pytest.param({"api_key_env": "OTHER_KEY"}, id="api-key-env"),
        pytest.param({"samples_per_request": 5}, id="samples-per-request"),
        pytest.param({"max_attempts_per_class": 9}, id="max-attempts"),
        pytest.param({"min_acceptance": 0.5}, id="min-acceptance"),
        pytest.param({"seed": 8}, id="seed"),
    ],
)
def test_what_does_not_is_left_out(change: dict[str, object], make_request: MakeRequest) -> None:
    """What acts through the prompt alone, or not at all, makes nobody pay again."""
    assert make_request(**change).key == make_request().key


def test_parameters_of_the_call(make_request: MakeRequest) -> None:
    """Without stop texts there is no `stop`, which some servers refuse when empty."""
    assert make_request().parameters["stop"] == ["\n\n"]
    assert "stop" not in make_request(stop=()).parameters


@pytest.mark.parametrize(
    ("text", "finish_reason", "problem", "truncated"),
    [
        pytest.param("好的", "stop", None, False, id="good"),
        pytest.param("好的", "length", None, True, id="truncated"),
        pytest.param(" \n", "stop", "empty", False, id="blank"),
        pytest.param("", "length", "empty", True, id="nothing-but-thoughts"),
        pytest.param("我不能", "content_filter", "refused", False, id="refused"),
    ],
)
def test_problems(text: str, finish_reason: str, problem: str | None, truncated: bool) -> None:
    """Why an answer is of no use."""
    answer = Answer(text, finish_reason, 1, 1)
    assert answer.problem == problem
    assert answer.truncated is truncated
