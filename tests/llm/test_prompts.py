"""What is asked, and how replies are read."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pytest

from src.config import DataParams, GenerateParams, LlmParams
from src.data.schema import LabelInfo
from src.llm.prompts import PromptWriter, excerpt, whole_lines
from src.llm.requests import Answer

INFO = {"补卡": LabelInfo("1", "补卡", "补一张卡", ("卡丢了", "卡坏了", "换小卡"))}


def make_writer(
    train: pd.DataFrame, data: DataParams, llm: LlmParams, generate: GenerateParams, api: str
) -> PromptWriter:
    """A writer whose only endpoint has this API."""
    endpoint = llm.endpoints[0].model_copy(update={"api": api})
    llm = llm.model_copy(update={"endpoints": (endpoint,)})
    return PromptWriter(train, {}, INFO, data, llm, generate)


@pytest.mark.parametrize(
    ("keywords", "limit", "expected"),
    [
        pytest.param(("补卡",), 6, ["我要补卡", "好的"], id="the turns that mark the class"),
        pytest.param((), 8, ["您好请讲", "我要补卡"], id="without keywords the longest run"),
        pytest.param(("补卡",), 100, ["您好请讲", "我要补卡", "好的"], id="all if it fits"),
        pytest.param(("补卡",), 2, ["我要补卡"], id="a turn that is too long is kept whole"),
    ],
)
def test_excerpt(keywords: tuple[str, ...], limit: int, expected: list[str]) -> None:
    """The run of turns with most keywords, up to the limit."""
    assert excerpt(["您好请讲", "我要补卡", "好的"], keywords, limit) == expected


def test_seeds_take_turns(
    train: pd.DataFrame, data: DataParams, llm: LlmParams, generate: GenerateParams
) -> None:
    """Every row of the class is shown about equally often, and only rows of the class."""
    writer = make_writer(train, data, llm, generate, "completions")
    shown = Counter(
        seed
        for attempt in range(0, 40, generate.requests_per_prompt)
        for seed in writer.ask("补卡", attempt).seed_ids
    )
    assert set(shown) == {"r0", "r1", "r2", "r3", "r4"}
    assert max(shown.values()) - min(shown.values()) <= 1


def test_openings_take_turns_and_start_the_sample(
    train: pd.DataFrame, data: DataParams, llm: LlmParams, generate: GenerateParams
) -> None:
    """A base model goes on from a typical request, which is the sample's first turn."""
    writer = make_writer(train, data, llm, generate, "completions")
    asks = [writer.ask("补卡", attempt) for attempt in range(3)]
    assert [ask.opening for ask in asks] == ["卡丢了", "卡坏了", "换小卡"]
    assert asks[0].request.prompt.endswith("- 卡丢了\n-")
    assert writer.samples(asks[0], Answer(" 帮我补\n- 好的", "stop", 1, 1)) == [
        "卡丢了[SEP]帮我补[SEP]好的"
    ]


def test_the_same_attempt_is_the_same_request(
    train: pd.DataFrame, data: DataParams, llm: LlmParams, generate: GenerateParams
) -> None:
    """A replay finds its answers, and no two attempts share one."""
    keys = [
        [
            make_writer(train, data, llm, generate, "chat").ask("补卡", n).request.key
            for n in range(9)
        ]
        for _ in range(2)
    ]
    assert keys[0] == keys[1]
    assert len(set(keys[0])) == 9


@pytest.mark.parametrize(
    "reply",
    [
        "对话1：\n我的卡丢了\n好的\n对话2：\n卡坏了\n给您换",
        "**对话1：**\n客户：我的卡丢了\n客服：好的\n**对话2：**\n客户：卡坏了\n客服：给您换",
        "1. 我的卡丢了 / 好的\n2. 卡坏了 / 给您换",
    ],
    ids=["as asked", "with roles", "numbered"],
)
def test_numbered_replies(
    reply: str, train: pd.DataFrame, data: DataParams, llm: LlmParams, generate: GenerateParams
) -> None:
    """A chat reply holds several samples, in whatever form the model numbers them."""
    writer = make_writer(train, data, llm, generate, "chat")
    samples = writer.samples(writer.ask("补卡", 0), Answer(reply, "stop", 1, 1))
    assert samples == ["我的卡丢了[SEP]好的", "卡坏了[SEP]给您换"]


def test_a_cut_line_is_dropped() -> None:
    """Of a reply that ran into max_tokens the whole lines count."""
    assert whole_lines(Answer("一\n- 二\n- 三被", "length", 1, 1)) == "一\n- 二"
    assert whole_lines(Answer("一\n- 二", "stop", 1, 1)) == "一\n- 二"
