"""Settings and server as in tests/llm, and prompt writers."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from src.config.data import DataParams
from src.config.generate import GenerateParams
from src.config.llm import EndpointParams, LlmParams
from src.data.schema import LabelInfo
from src.generation.prompts import PromptWriter
from tests.llm import conftest as below

data, endpoint, generate, llm = below.data, below.endpoint, below.generate, below.llm
make_request, runtime, server, train = (
    below.make_request,
    below.runtime,
    below.server,
    below.train,
)

INFO = {"补卡": LabelInfo("0", "补卡", "补办电话卡", ("我要补卡", "换张小卡", "卡丢了"))}
BIGMODEL = "https://open.bigmodel.cn/api/paas/v4"
MakeWriter = Callable[..., PromptWriter]


@pytest.fixture
def make_writer(
    train: pd.DataFrame, data: DataParams, llm: LlmParams, generate: GenerateParams
) -> MakeWriter:
    """Two examples per prompt, four requests per prompt; arguments replace settings."""

    def make(
        *endpoints: EndpointParams, fallback: tuple[str, ...] = (), **of: object
    ) -> PromptWriter:
        rows = {name: of.pop(name) for name in list(of) if name in type(data).model_fields}
        spread = {name: of.pop(name) for name in list(of) if name in type(llm).model_fields}
        return PromptWriter(
            train,
            {"补卡": ("补卡",)},
            INFO,
            data.model_copy(update=rows),
            llm.model_copy(
                update={"endpoints": endpoints or llm.endpoints, "fallback": fallback, **spread}
            ),
            generate.model_copy(update=of),
        )

    return make


@pytest.fixture
def writer(make_writer: MakeWriter) -> PromptWriter:
    """A writer for a base model."""
    return make_writer()


@pytest.fixture
def chat(endpoint: EndpointParams) -> EndpointParams:
    """A chat endpoint."""
    return endpoint.model_copy(update={"name": "chat", "api": "chat"})
