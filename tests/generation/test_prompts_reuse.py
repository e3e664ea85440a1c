"""Reuse keys: the same for the n-th response of a class whatever train rows there are."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from src.config.data import DataParams
from src.config.generate import GenerateParams
from src.config.llm import EndpointParams, LlmParams
from src.data.schema import LabelInfo
from src.generation.prompts import PromptWriter
from src.llm.requests import Request, digest
from src.llm.templates import TEMPLATES
from tests.llm.conftest import MakeRequest, only

INFO = {"补卡": LabelInfo("0", "补卡", "补办电话卡", ("我要补卡", "换张小卡"))}
MORE = pd.DataFrame({"row_id": ["r6"], "text": ["喂[SEP]小卡坏了"], "label": ["补卡"]})
GOLDEN = (
    '{"api":"completions","base_url":"http://127.0.0.1:9/v1","cache_salt":"",'
    '"examples":{"label":"补卡"},"model":"m",'
    '"parameters":{"frequency_penalty":0.3,"max_tokens":72,"presence_penalty":0.3,'
    '"stop":["\\n\\n"],"temperature":0.7,"top_p":0.95},"prompt":"-","sample_index":0}'
)

GOLDEN_SLOT = hashlib.sha256(GOLDEN.encode()).hexdigest()

Ask = Callable[..., Request]


@pytest.fixture
def ask(
    train: pd.DataFrame,
    data: DataParams,
    endpoint: EndpointParams,
    generate: GenerateParams,
) -> Ask:
    """The first of the equivalent requests of 补卡, with these rows, keywords and settings."""

    def make(
        attempt: int = 0,
        rows: pd.DataFrame = train,
        written: tuple[str, ...] = (),
        label: str = "补卡",
        salt: str = "",
        templates: Path = TEMPLATES,
        info: dict[str, LabelInfo] = INFO,
        keywords: tuple[str, ...] = ("补卡",),
        **of: object,
    ) -> Request:
        at = {name: of.pop(name) for name in list(of) if name in type(endpoint).model_fields}
        llm: LlmParams = only(endpoint.model_copy(update={"api": "chat", **at}))
        llm = llm.model_copy(update={"cache_salt": salt})
        settings = generate.model_copy(update=of)
        words = {"补卡": keywords}
        writer = PromptWriter(rows, words, info, data, llm, settings, templates=templates)
        return writer.ask(label, attempt, written).requests[0]

    return make


def test_golden_reuse_key(make_request: MakeRequest) -> None:
    """Packed files contain it: canonical JSON, spelled out."""
    request = make_request("通话1\n-")
    assert request.reuse_key_for("-", {"label": "补卡"}) == GOLDEN_SLOT
    assert make_request("another").reuse_key_for("-", {"label": "补卡"}) == GOLDEN_SLOT


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_rows_change_the_key_and_not_the_reuse_key(ask: Ask, train: pd.DataFrame, api: str) -> None:
    """Added or removed rows, other keywords and so other excerpts."""
    grown, cut = pd.concat([train, MORE]), train.iloc[3:]
    for attempt in range(12):
        first = ask(attempt, api=api)
        others = [
            ask(attempt, rows, api=api, keywords=words)
            for rows in (grown, cut)
            for words in (("补卡",), ("小卡",))
        ]
        assert {other.reuse_key for other in others} == {first.reuse_key}
    assert len({other.key for other in (first, *others)}) > 1


def test_overused_ngrams_change_the_key_and_not_the_reuse_key(ask: Ask) -> None:
    """They depend on earlier responses."""
    told = ask(8, written=("我要换一张新的小卡",) * 4)
    assert "请换别的说法" in told.prompt
    assert told.key != ask(8).key
    assert told.reuse_key == ask(8).reuse_key


def test_every_response_has_a_reuse_key_of_its_own(ask: Ask) -> None:
    """Per class and number; for a chat endpoint also with and without a schema."""
    keys = {
        ask(n, label=label, output=output).reuse_key
        for n in range(20)
        for label in ("补卡", "销户")
        for output in ("auto", "text")
    }
    assert len(keys) == 80


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"domain": "银行电话"}, id="domain"),
        pytest.param({"seeds_per_prompt": 3}, id="seeds-per-prompt"),
        pytest.param({"seed_max_chars": 70}, id="seed-max-chars"),
        pytest.param({"mask_seeds": False}, id="mask-seeds"),
        pytest.param({"requests_per_prompt": 3}, id="requests-per-prompt"),
        pytest.param({"seed": 8}, id="seed"),
        pytest.param({"contrast": 2}, id="contrast"),
        pytest.param({"avoid_ngrams": 2}, id="avoid-phrases"),
        pytest.param({"samples_per_request": 2}, id="samples-per-request"),
        pytest.param({"attributes": {"情绪": ("平静",)}}, id="attributes"),
        pytest.param({"temperature": 0.8}, id="temperature"),
        pytest.param({"max_tokens": 73}, id="max-tokens"),
        pytest.param({"salt": "again"}, id="salt"),
        pytest.param({"model": "n"}, id="model"),
        pytest.param({"base_url": "http://127.0.0.1:8/v1"}, id="base-url"),
        pytest.param({"info": {}}, id="definition"),
    ],
)
def test_what_decides_the_response_beside_the_rows_is_in_the_reuse_key(
    ask: Ask, change: dict[str, Any]
) -> None:
    """A changed setting asks for other responses."""
    assert ask(**change).reuse_key != ask().reuse_key


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"min_acceptance": 0.5}, id="min-acceptance"),
        pytest.param({"surplus": 0.5}, id="surplus"),
        pytest.param({"max_attempts_per_class": 9}, id="max-attempts"),
        pytest.param({"reuse": False}, id="reuse"),
        pytest.param({"name": "other"}, id="name"),
        pytest.param({"concurrency": 3}, id="concurrency"),
    ],
)
def test_what_does_not_is_left_out(ask: Ask, change: dict[str, Any]) -> None:
    """Key and reuse key stay the same."""
    assert (ask(**change).key, ask(**change).reuse_key) == (ask().key, ask().reuse_key)


def test_how_examples_are_shown_is_in_the_reuse_key(ask: Ask, tmp_path: Path) -> None:
    """A template that frames them differently changes it; a comment in it does not."""
    folder = shutil.copytree(TEMPLATES, tmp_path / "prompts")
    template = folder / "chat.zh.j2"
    text = template.read_text(encoding="utf-8")
    template.write_text("{# 说明 #}" + text, encoding="utf-8")
    assert ask(templates=folder).reuse_key == ask().reuse_key
    framed = text.replace('- {{ turns | join(" / ") }}', '* {{ turns | join(" / ") }}')
    assert framed != text
    template.write_text(framed, encoding="utf-8")
    assert ask(templates=folder).reuse_key != ask().reuse_key


def test_a_request_names_the_rows_that_it_shows(
    ask: Ask, train: pd.DataFrame, data: DataParams, llm: LlmParams, generate: GenerateParams
) -> None:
    """Id and digest of the whole text; an ask has all rows of its class, or none without reuse."""
    texts = dict(zip(train["row_id"], train["text"], strict=True))
    (one, other) = ask().seeds
    assert (one[1], other[1]) == tuple(digest(texts[row])[:12] for row, _ in (one, other))
    writer = PromptWriter(train, {}, INFO, data, llm, generate)
    asked = writer.ask("补卡", 0)
    assert [row for row, _ in asked.requests[0].seeds] == list(asked.seed_ids)
    assert set(asked.rows) == {f"r{n}" for n in range(5)}
    never = generate.model_copy(update={"reuse": False})
    assert PromptWriter(train, {}, INFO, data, llm, never).ask("补卡", 0).rows == {}


def test_the_key_does_not_depend_on_reuse(make_request: MakeRequest) -> None:
    """Packed files are keyed by the request only."""
    request = make_request()
    reused = replace(request, reuse_key="s", seeds=(("r0", "aa"),), earlier_key="k")
    assert reused.key == request.key == request.response_key
    assert reused.response_key == "k"
