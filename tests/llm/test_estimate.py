"""The estimate of a dry run: counted from the real prompts, nothing is called."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from src.config import DataParams, EndpointParams, GenerateParams, LlmParams, Params, load_params
from src.llm.cache import open_store
from src.llm.estimate import estimate, render_estimate
from src.llm.prompts import PromptWriter
from src.llm.requests import Answer
from src.planning.plan import Plan

PLAN = Plan(
    pd.DataFrame(
        {
            "label": ["大类", "补卡", "销户"],
            "support": [300, 5, 1],
            "tier": ["majority", "minority", "ultra"],
            "target": [300, 13, 201],
            "needed": [0, 8, 200],
            "keywords": ["", "补卡", ""],
        }
    )
)


@pytest.fixture
def params(data: DataParams, llm: LlmParams, generate: GenerateParams) -> Params:
    """The shipped settings with those of this room's tests; 8 calls at a time."""
    return load_params().model_copy(update={"data": data, "llm": llm, "generate": generate})


@pytest.fixture
def writer(train: pd.DataFrame, params: Params) -> PromptWriter:
    """Prompts without labels."""
    return PromptWriter(train, {}, {}, params.data, params.llm, params.generate)


def test_requests_calls_and_tokens(params: Params, writer: PromptWriter, tmp_path: Path) -> None:
    """By hand: 8 / 0.8 = 10 requests, of which 3 are recorded; 250 are over the limit of 100."""
    with open_store(tmp_path, tmp_path / "c.sqlite") as store:
        for n in range(3):
            store.put(writer.ask("补卡", n).request.key, Answer("好", "stop", 1, 1))
        result = estimate(PLAN, writer, store, params)
    card, leave = result.classes
    assert (card.label, card.tier, card.support, card.quota) == ("补卡", "minority", 5, 8)
    assert (card.requests, card.recorded) == (10, 3)
    characters = sum(len(writer.ask("补卡", n).request.prompt) for n in range(3, 10))
    assert card.prompt_tokens == round(0.75 * characters)
    assert card.reply_tokens == round(0.75 * 80 * 7)
    assert (leave.requests, leave.recorded) == (100, 0)
    assert result.calls == 107
    assert result.minutes == pytest.approx(107 * 5 / 8 / 60)


def test_the_embedded_model_has_its_own_speed(
    params: Params, train: pd.DataFrame, endpoint: EndpointParams, tmp_path: Path
) -> None:
    """20 answers a minute, however many are asked at once."""
    embedded = LlmParams(
        endpoints=(endpoint.model_copy(update={"base_url": "embedded"}),), cache_salt=""
    )
    changed = params.model_copy(update={"llm": embedded})
    writer = PromptWriter(train, {}, {}, params.data, embedded, params.generate)
    with open_store(tmp_path, tmp_path / "c.sqlite") as store:
        assert estimate(PLAN, writer, store, changed).minutes == pytest.approx(110 / 20)


def test_several_samples_a_reply_are_fewer_requests(
    params: Params, train: pd.DataFrame, tmp_path: Path
) -> None:
    """8 / 0.8 / 5 = 2 requests of five samples."""
    five = params.generate.model_copy(update={"samples_per_request": 5})
    changed = params.model_copy(update={"generate": five})
    writer = PromptWriter(train, {}, {}, params.data, params.llm, five)
    with open_store(tmp_path, tmp_path / "c.sqlite") as store:
        card = estimate(PLAN, writer, store, changed).classes[0]
    assert card.requests == 2
    assert card.reply_tokens == round(0.75 * 80 * 5 * 2)


def test_what_the_user_sees(params: Params, writer: PromptWriter, tmp_path: Path) -> None:
    """A line a class, the totals, and one filled-in prompt a tier."""
    with open_store(tmp_path, tmp_path / "c.sqlite") as store:
        result = estimate(PLAN, writer, store, params)
        text = render_estimate(result, writer)
    lines = text.splitlines()
    assert lines[:3] == [
        "class | tier | train rows | samples wanted | requests | of these recorded",
        "补卡 | minority | 5 | 8 | 10 | 0",
        "销户 | ultra | 1 | 200 | 100 | 0",
    ]
    assert lines[4].startswith("calls: 110; tokens: about ")
    assert lines[4].endswith("time: about 1 min (at 80 % acceptance)")
    for label in ("补卡", "销户"):
        assert (
            f"--- prompt of {label!r} to small ---\n{writer.ask(label, 0).request.prompt}" in text
        )
