"""Classification of failed calls."""

from __future__ import annotations

import httpx2
import openai
import pytest

from src.llm.call_errors import refusal
from tests.llm.conftest import MakeRequest


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param("7", 7.0, id="seconds"),
        pytest.param("1.5", 1.5, id="parts-of-a-second"),
        pytest.param("Wed, 21 Oct 2026 07:28:00 GMT", None, id="a-date"),
        pytest.param("-3", None, id="in-the-past"),
        pytest.param("soon", None, id="a-word"),
        pytest.param("²", None, id="a-digit-that-is-no-number"),
        pytest.param(None, None, id="no-header"),
    ],
)
@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_the_server_says_of_waiting(
    status: int, header: str | None, expected: float | None, make_request: MakeRequest
) -> None:
    """Seconds if given as a number, otherwise None."""
    headers = {} if header is None else {"Retry-After": header.encode()}
    response = httpx2.Response(
        status, headers=headers, request=httpx2.Request("POST", "http://127.0.0.1:9")
    )
    error = openai.APIStatusError("no", response=response, body=None)
    assert refusal(error, make_request()).retry_after_s == expected
