"""Fixtures of tests/llm: a loopback server, settings, and requests to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pandas as pd
import pytest

from src.config.data import DataParams
from src.config.generate import BudgetParams, GenerateParams
from src.config.llm import EndpointParams, LlmParams
from src.config.runtime import EngineParams, RuntimeParams
from src.llm.limits import Patience
from src.llm.requests import Request
from tests.llm.server import Server, serve

MakeRequest = Callable[..., Request]
# no waits between tries or probes; their number is that of the settings
HASTY = Patience(first_wait_s=0.0, first_pause_s=0.01, longest_pause_s=0.05)


def only(*endpoints: EndpointParams) -> LlmParams:
    """LLM parameters with these endpoints and no fallbacks."""
    return LlmParams(endpoints=endpoints, fallback=(), currency="CNY", cache_salt="")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker of the test that starts the embedded model."""
    config.addinivalue_line("markers", "slow: starts a real model; takes up to 40 s")


@pytest.fixture
def server() -> Iterator[Server]:
    """An OpenAI-compatible server that replies as the test defines."""
    with serve() as running:
        yield running


@pytest.fixture(scope="session")
def runtime() -> RuntimeParams:
    """Low concurrency and four tries."""
    return RuntimeParams(
        concurrency=4,
        timeout_s=20,
        tries=4,
        breaker_failures=8,
        max_error_rate=0.5,
        error_window=50,
        offline=False,
        engine=EngineParams(threads=1, slots=2, context_per_slot=512),
    )


@pytest.fixture(scope="session")
def generate() -> GenerateParams:
    """One sample per request."""
    return GenerateParams(
        domain="客服通话",
        attributes={},
        avoid_ngrams=3,
        mask_seeds=True,
        surplus=0.0,
        samples_per_request=1,
        seeds_per_prompt=2,
        seed_max_chars=80,
        requests_per_prompt=4,
        temperature=0.7,
        top_p=0.95,
        frequency_penalty=0.3,
        presence_penalty=0.3,
        max_tokens=72,
        max_attempts_per_class=100,
        min_acceptance=0.15,
        budget=BudgetParams(cost=None, tokens=None),
        seed=7,
    )


@pytest.fixture(scope="session")
def endpoint() -> EndpointParams:
    """A completions endpoint that is never called."""
    return EndpointParams(
        name="small", base_url="http://127.0.0.1:9/v1", model="m", api="completions"
    )


@pytest.fixture(scope="session")
def llm(endpoint: EndpointParams) -> LlmParams:
    """Only that endpoint."""
    return only(endpoint)


@pytest.fixture(scope="session")
def data(data: DataParams) -> DataParams:
    """The same without an id column."""
    return data.model_copy(update={"id_column": None})


@pytest.fixture(scope="session")
def train() -> pd.DataFrame:
    """Five calls of one class and one call of another."""
    texts = [f"您好请讲[SEP]我要补卡{word}[SEP]好的" for word in "甲乙丙丁戊"]
    return pd.DataFrame(
        {
            "row_id": [f"r{i}" for i in range(6)],
            "text": [*texts, "我要销户"],
            "label": ["补卡"] * 5 + ["销户"],
        }
    )


@pytest.fixture
def make_request(endpoint: EndpointParams, generate: GenerateParams) -> MakeRequest:
    """A request; arguments replace what determines the response."""

    def make(
        prompt: str = "通话1\n-", stop: tuple[str, ...] = ("\n\n",), index: int = 0, **of: object
    ) -> Request:
        salt = str(of.pop("cache_salt", ""))
        sampling = {name: of.pop(name) for name in list(of) if name in type(generate).model_fields}
        return Request(
            endpoint.model_copy(update=of),
            prompt,
            stop,
            generate.model_copy(update=sampling),
            index,
            salt,
        )

    return make
