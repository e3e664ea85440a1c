"""Seed examples: which rows a prompt shows, which excerpts, and what they must not contain."""

from __future__ import annotations

import re
from collections import Counter

import pandas as pd
import pytest

from src.config.data import DataParams
from src.config.generate import GenerateParams
from src.config.llm import LlmParams
from src.generation.examples import excerpt
from src.generation.prompts import PromptWriter
from tests.generation.conftest import BIGMODEL, INFO


@pytest.mark.parametrize(
    ("turns", "keywords", "limit", "expected"),
    [
        pytest.param(["您好", "我要补卡", "好的"], ("补卡",), 99, [0, 1, 2], id="all-fits"),
        pytest.param(["您好请讲", "我要补卡", "好的"], ("补卡",), 6, [1, 2], id="run-with-keyword"),
        pytest.param(
            ["我要补卡", "您好请讲", "补卡换卡"], ("补卡", "换卡"), 4, [2], id="most-hits"
        ),
        pytest.param(["补卡", "我要补卡吧", "好"], ("补卡",), 5, [1], id="longest-of-equals"),
        pytest.param(["补卡", "换卡"], ("补卡", "换卡"), 2, [0], id="first-of-equals"),
        pytest.param(
            ["这一轮太长了放不下", "短"], ("太长",), 4, [0], id="too-long-turn-stays-whole"
        ),
        pytest.param(["甲乙", "丙丁"], (), 4, [0, 1], id="no-keywords"),
        pytest.param([], ("补卡",), 10, [], id="no-turns"),
    ],
)
def test_excerpt(
    turns: list[str], keywords: tuple[str, ...], limit: int, expected: list[int]
) -> None:
    """The consecutive turns within the limit with most keywords, then most characters."""
    assert excerpt(turns, keywords, limit) == [turns[i] for i in expected]


def test_seeds_take_turns(writer: PromptWriter) -> None:
    """Two of five rows per prompt: after five prompts each was shown twice; then it repeats."""
    groups = [writer.ask("补卡", 4 * group).seed_ids for group in range(10)]
    assert all(len(set(ids)) == 2 for ids in groups)
    shown = Counter(row for ids in groups[:5] for row in ids)
    assert shown == Counter({f"r{i}": 2 for i in range(5)})
    assert groups[5:] == groups[:5]


def test_a_class_with_one_row_shows_it(writer: PromptWriter) -> None:
    """Once, even if the prompt has room for more."""
    assert writer.ask("销户", 5).seed_ids == ("r5",)


PRIVATE = {  # what a caller says -> the part that must not leave the machine
    "手机号是13800138000": "13800138000",
    "号码是幺三九幺二三四五六七八": "幺三九幺二三四五六七八",
    "幺五零嗯八八六七[SEP]好的您说[SEP]三二幺零": "八八六七",
    "身份证是11010519491231002X": "11010519491231002X",
    "身份证幺幺零幺零五幺九四九幺二三幺零零二叉": "零五幺九四九幺二三",
    "我住人民路88号3单元502": "88号3单元502",
    "我住在幸福小区三栋二单元四零一": "三栋二单元四零一",
}


def prompts_of_private_rows(
    base_url: str, data: DataParams, llm: LlmParams, generate: GenerateParams, **of: object
) -> list[str]:
    """All prompts of 50 attempts, for chat and completions, from train rows that hold `PRIVATE`."""
    rows = pd.DataFrame(
        {
            "row_id": [f"r{n}" for n in range(len(PRIVATE))],
            "text": [f"您好请讲[SEP]我要补卡[SEP]{stated}[SEP]好的请稍等" for stated in PRIVATE],
            "label": "补卡",
        }
    )
    prompts = []
    for api in ("chat", "completions"):
        change = {"base_url": base_url, "api": api}
        endpoints = (llm.endpoints[0].model_copy(update=change),)
        writer = PromptWriter(
            rows,
            {"补卡": ("补卡",)},
            INFO,
            data,
            llm.model_copy(update={"endpoints": endpoints}),
            generate.model_copy(update=of),
            allowed=("10086",),
        )
        asks = [writer.ask("补卡", n) for n in range(50)]
        assert {row for ask in asks for row in ask.seed_ids} == set(rows["row_id"])
        prompts += [request.prompt for ask in asks for request in ask.requests]
    return prompts


def told(prompts: list[str]) -> list[str]:
    """Return what the prompts contain of `PRIVATE`."""
    return [secret for secret in PRIVATE.values() if any(secret in p for p in prompts)]


def test_no_private_data_of_a_row_leaves_this_machine(
    data: DataParams, llm: LlmParams, generate: GenerateParams
) -> None:
    """Neither in digits nor spoken, in one turn or over several; a neutral word replaces it."""
    prompts = prompts_of_private_rows(BIGMODEL, data, llm, generate)
    assert told(prompts) == []
    assert any("某号码" in prompt for prompt in prompts)
    assert any("某地址" in prompt for prompt in prompts)
    runs = [
        run for prompt in prompts for run in re.findall(r"[0-9零幺一二三四五六七八九]{5,}", prompt)
    ]
    assert runs == []


@pytest.mark.parametrize(
    ("base_url", "mask_seeds"),
    [
        pytest.param("embedded", True, id="embedded"),
        pytest.param("http://localhost:8000/v1", True, id="localhost"),
        pytest.param("http://127.0.0.1:8000/v1", True, id="loopback"),
        pytest.param(BIGMODEL, False, id="switched-off"),
    ],
)
def test_rows_stay_as_they_are_where_nothing_leaves(
    base_url: str, mask_seeds: bool, data: DataParams, llm: LlmParams, generate: GenerateParams
) -> None:
    """A local model, or one whose user disabled masking, sees the real rows."""
    prompts = prompts_of_private_rows(base_url, data, llm, generate, mask_seeds=mask_seeds)
    assert told(prompts) == list(PRIVATE.values())


@pytest.mark.parametrize("limit", [4, 9, 15, 22, 40])
def test_the_excerpt_never_cuts_a_number(
    limit: int, data: DataParams, llm: LlmParams, generate: GenerateParams
) -> None:
    """Turns are kept whole and masked first: half of a number would not be detected."""
    masked = " ".join(prompts_of_private_rows(BIGMODEL, data, llm, generate, seed_max_chars=limit))
    assert not re.search(r"[0-9X]{2,}|八八六七|三二幺零", masked)
    shown = " ".join(prompts_of_private_rows("embedded", data, llm, generate, seed_max_chars=limit))
    whole = {"11010519491231002X", "13800138000", "88", "502"}
    assert set(re.findall(r"[0-9X]{2,}", shown)) <= whole
