"""Settings and server as in tests/llm, and judges that are called."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from src.config.data import DataParams
from src.config.llm import EndpointParams
from src.config.runtime import RuntimeParams
from src.judging.ask import ask_judges
from src.judging.prompts import JudgeWriter
from src.llm.budget import Budget
from src.llm.client import SECONDS_BETWEEN_LINES, Client
from src.llm.response_store import ResponseStore, open_store
from src.records.samples import Screened
from tests.judging.judges import LABELS, SAMPLES, UNLIMITED, Judged, MakeWriter, Run, rule_of
from tests.llm import conftest as below
from tests.llm.conftest import HASTY, only

data, runtime, server = below.data, below.runtime, below.server


@pytest.fixture
def make_writer(data: DataParams) -> MakeWriter:
    """A writer for these endpoints, all of which are judges."""

    def make(*judges: EndpointParams, **of: Any) -> JudgeWriter:  # noqa: ANN401
        classes = of.pop("classes", LABELS)
        data_of = {key: of.pop(key) for key in list(of) if key in DataParams.model_fields}
        rule = rule_of([each.name for each in judges], **of)
        return JudgeWriter(
            classes, rule, only(*judges), data.model_copy(update=data_of), "客服通话"
        )

    return make


@pytest.fixture
def run(runtime: RuntimeParams, make_writer: MakeWriter, tmp_path: Path) -> Run:
    """Have all samples judged by these judges; runs of one test share the cache."""

    def ask(
        *judges: EndpointParams,
        samples: Sequence[Screened] = SAMPLES,
        budget: Budget | None = None,
        offline: bool = False,
        seconds_between_lines: float = SECONDS_BETWEEN_LINES,
        **of: Any,  # noqa: ANN401
    ) -> Judged:
        writer = make_writer(*judges, **of)
        money = budget or Budget(UNLIMITED)

        async def main(store: ResponseStore) -> Judged:
            async with Client(only(*judges), runtime, money, patience=HASTY) as client:
                return await ask_judges(
                    samples,
                    writer,
                    client,
                    store,
                    money,
                    offline=offline,
                    seconds_between_lines=seconds_between_lines,
                )

        with open_store(tmp_path / "none", tmp_path / "responses.sqlite") as store:
            return asyncio.run(main(store))

    return ask
