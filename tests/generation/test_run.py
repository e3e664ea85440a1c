"""A run on its own: what is kept if it ends with an error.

Normal runs, crashes and faults are tested in the other test_run_*.py files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pytest

from src.config.data import DataParams
from src.config.generate import GenerateParams
from src.config.llm import EndpointParams, LlmParams
from src.config.runtime import RuntimeParams
from src.errors import UserError
from src.files import read_jsonl
from src.generation.prompts import PromptWriter
from src.generation.quota import Generated
from src.generation.run import run
from src.llm.response_store import open_store
from src.records.samples import Candidate
from tests.llm.conftest import only
from tests.llm.server import Server, fails, says


@dataclass(frozen=True)
class World:
    """A base model on the server, and a folder."""

    writer: PromptWriter
    generate: GenerateParams
    llm: LlmParams
    data: DataParams
    runtime: RuntimeParams
    folder: Path

    @property
    def failures(self) -> Path:
        """The file for failed requests."""
        return self.folder / "failures.jsonl"

    def run(
        self,
        quotas: dict[str, int],
        accepts: Callable[[Sequence[Candidate]], list[bool]] = lambda each: [True] * len(each),
    ) -> Generated:
        """Generate these samples; runs of one test share the cache."""
        with open_store(self.folder / "none", self.folder / "responses.sqlite") as store:
            settings = (self.generate, self.llm, self.data, self.runtime)
            return run(quotas, self.writer, accepts, store, *settings, self.failures)


@pytest.fixture
def world(
    server: Server,
    train: pd.DataFrame,
    data: DataParams,
    endpoint: EndpointParams,
    generate: GenerateParams,
    runtime: RuntimeParams,
    tmp_path: Path,
) -> World:
    """One request at a time, one try each."""
    llm = only(endpoint.model_copy(update={"base_url": server.url, "concurrency": 1}))
    writer = PromptWriter(train, {}, {}, data, llm, generate)
    once = runtime.model_copy(update={"tries": 1})
    return World(writer, generate, llm, data, once, tmp_path)


def test_responses_are_kept_before_they_are_read(world: World, server: Server) -> None:
    """A bug in our parser loses no response."""
    unreadable = world.data.model_copy(update={"turn_separator": 0})
    with pytest.raises((TypeError, AttributeError)):
        replace(world, data=unreadable).run({"补卡": 1})
    assert len(server.calls) == 1
    assert len(world.run({"补卡": 1}).candidates) == 1
    assert len(server.calls) == 1


def test_responses_are_kept_before_they_are_screened(world: World, server: Server) -> None:
    """Nor does a bug in the gate."""

    def broken(_: Sequence[Candidate]) -> list[bool]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        world.run({"补卡": 1}, broken)
    assert len(server.calls) == 1
    assert len(world.run({"补卡": 1}).candidates) == 1
    assert len(server.calls) == 1


def test_an_error_that_ends_a_run_leaves_the_ledger(world: World, server: Server) -> None:
    """Requests that failed before it are listed."""
    server.script += [fails(400), says(""), says("好的")]
    server.default = lambda _: fails(401)
    with pytest.raises(UserError, match="responds with HTTP 401"):
        world.run({"补卡": 5})
    ledger = [(line["attempt"], line["kind"], line["tries"]) for line in read_jsonl(world.failures)]
    assert ledger == [
        (0, "no_response", ["small: HTTP 400"]),
        (1, "empty", []),
        (3, "no_response", ["small: HTTP 401"]),
    ]


def test_what_was_bought_before_counts_as_spent(world: World, server: Server) -> None:
    """A replay has the same tokens as the run, and calls nothing."""
    first = world.run({"补卡": 3})
    assert (first.tokens.prompt, first.tokens.cached, first.tokens.completion) == (33, 0, 21)
    assert first.spent.tokens == 54
    assert world.run({"补卡": 3}) == first
    assert len(server.calls) == 3
    assert not world.failures.exists()
