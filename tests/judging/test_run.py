"""Judging with the response store, and with a packed file of its responses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from src.commands import record
from src.config.data import DataParams
from src.config.generate import BudgetParams
from src.config.llm import EndpointParams
from src.config.runtime import RuntimeParams
from src.data.schema import Splits
from src.judging.run import judge_samples as ask_all
from src.llm.recorded import PACKED
from src.llm.templates import TEMPLATES
from tests.judging.judges import (
    LABELS,
    SAMPLES,
    UNLIMITED,
    Judged,
    judge,
    number_in,
    rule_of,
    scores,
)
from tests.llm.conftest import only
from tests.llm.server import Server, fails, says

RESPONSES = Path("responses.jsonl")
AskAll = Callable[..., Judged]


@pytest.fixture
def ask(data: DataParams, runtime: RuntimeParams, monkeypatch: pytest.MonkeyPatch) -> AskAll:
    """Have all samples judged in a project in that folder."""
    prompts = TEMPLATES.absolute()
    names = pd.DataFrame({"label": list(LABELS)})
    splits = Splits(names, names, names, LABELS)

    def run(
        folder: Path,
        *judges: EndpointParams,
        budget: BudgetParams = UNLIMITED,
        offline: bool = False,
    ) -> Judged:
        folder.mkdir(exist_ok=True)
        monkeypatch.chdir(folder)
        if not TEMPLATES.exists():
            TEMPLATES.symlink_to(prompts)
        rule = rule_of([each.name for each in judges])
        here = runtime.model_copy(update={"offline": offline})
        llm = only(*judges)
        return ask_all(SAMPLES, splits, rule, llm, data, here, "客服通话", budget, RESPONSES)

    return run


def test_a_packed_file_replays_the_judges(server: Server, ask: AskAll, tmp_path: Path) -> None:
    """In another folder, offline and without a budget: the same votes, and no request.

    Replies without a judgement are in it too, as is one that came without a schema.
    """
    server.default = lambda call: (
        fails(400)
        if "response_format" in call.body
        else says("好的")
        if number_in(call) == 2
        else scores(number_in(call))
    )
    panel = judge(server, "a", output="auto", concurrency=1), judge(server, "b")
    here, there = tmp_path / "here", tmp_path / "there"
    first = ask(here, *panel)
    assert [len(judgements) for judgements in first.values()] == [2, 2, 0, 2, 2, 2]
    calls = len(server.calls)
    record.main([RESPONSES], there / PACKED / "judges.jsonl.gz")
    written = RESPONSES.read_bytes()
    assert ask(there, *panel, offline=True) == first
    assert ask(there, *panel, budget=BudgetParams(cost=0.0, tokens=1)) == first
    assert RESPONSES.read_bytes() == written
    assert len(server.calls) == calls


def test_what_was_bought_is_kept_in_the_project(
    server: Server, ask: AskAll, tmp_path: Path
) -> None:
    """A second run sends nothing, and writes the same responses."""
    server.default = lambda _: scores()
    first = ask(tmp_path / "here", judge(server))
    written = RESPONSES.read_bytes()
    assert len(server.calls) == len(written.splitlines()) == len(SAMPLES)
    assert ask(tmp_path / "here", judge(server)) == first
    assert RESPONSES.read_bytes() == written
    assert len(server.calls) == len(SAMPLES)
