"""Prompts: which examples a request shows, and how a reply becomes samples."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pytest

from src.config import DataParams, EndpointParams, GenerateParams, LlmParams
from src.data.schema import LabelInfo
from src.llm.prompts import PromptWriter, excerpt, whole_lines
from src.llm.requests import Answer

INFO = {"补卡": LabelInfo("0", "补卡", "补办电话卡", ("我要补卡", "换张小卡", "卡丢了"))}
ENGLISH = LabelInfo("0", "补卡", "a new SIM card", ("my card is lost",))


@pytest.fixture
def writer(
    train: pd.DataFrame, data: DataParams, llm: LlmParams, generate: GenerateParams
) -> PromptWriter:
    """Two examples a prompt, four requests a prompt."""
    return PromptWriter(train, {"补卡": ("补卡",)}, INFO, data, llm, generate)


@pytest.fixture
def chat_writer(
    train: pd.DataFrame, data: DataParams, llm: LlmParams, generate: GenerateParams
) -> PromptWriter:
    """The same for a chat endpoint, with three samples a reply."""
    endpoint = llm.endpoints[0].model_copy(update={"api": "chat"})
    chat = llm.model_copy(update={"endpoints": (endpoint,)})
    three = generate.model_copy(update={"samples_per_request": 3})
    return PromptWriter(train, {}, INFO, data, chat, three)


def answer(text: str, finish_reason: str = "stop") -> Answer:
    """What a model wrote."""
    return Answer(text, finish_reason, 1, 1)


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
    """The run of turns within the limit that holds most keywords, then most characters."""
    assert excerpt(turns, keywords, limit) == [turns[i] for i in expected]


def test_the_same_attempt_is_the_same_request(writer: PromptWriter) -> None:
    """A replay finds its answers; another attempt is another request."""
    assert writer.ask("补卡", 3) == writer.ask("补卡", 3)
    keys = {writer.ask("补卡", n).request.key for n in range(40)}
    assert len(keys) == 40


def test_seeds_take_turns(writer: PromptWriter) -> None:
    """Two of five rows a prompt: after five prompts each was shown twice; then it starts anew."""
    groups = [writer.ask("补卡", 4 * group).seed_ids for group in range(10)]
    assert all(len(set(ids)) == 2 for ids in groups)
    shown = Counter(row for ids in groups[:5] for row in ids)
    assert shown == Counter({f"r{i}": 2 for i in range(5)})
    assert groups[5:] == groups[:5]


def test_requests_in_a_row_share_a_prompt(
    train: pd.DataFrame, data: DataParams, llm: LlmParams, generate: GenerateParams
) -> None:
    """So that the server has its beginning cached; only the opening differs."""
    without = PromptWriter(train, {}, {}, data, llm, generate)
    prompts = [without.ask("补卡", n).request.prompt for n in range(8)]
    assert len(set(prompts[:4])) == len(set(prompts[4:])) == 1
    assert prompts[0] != prompts[4]
    assert len({without.ask("补卡", n).request.key for n in range(8)}) == 8


def test_a_class_with_one_row_shows_it(writer: PromptWriter) -> None:
    """Once, not as often as there is room."""
    assert writer.ask("销户", 5).seed_ids == ("r5",)


def test_openings_take_turns(writer: PromptWriter) -> None:
    """Each typical request of the class in turn ends the prompt as the first turn."""
    openings = [writer.ask("补卡", n).opening for n in range(4)]
    assert openings == ["我要补卡", "换张小卡", "卡丢了", "我要补卡"]
    assert writer.ask("补卡", 1).request.prompt.endswith("\n- 换张小卡\n-")
    assert writer.ask("销户", 0).opening == ""


def test_golden_prompt(writer: PromptWriter) -> None:
    """What a base model goes on from."""
    seeds = writer.ask("补卡", 0).seed_ids
    words = ["甲乙丙丁戊"[int(row[1:])] for row in seeds]
    assert writer.ask("补卡", 0).request.prompt == (
        "客服通话\n"
        "类型：补卡\n"
        "说明：补办电话卡，比如我要补卡、换张小卡、卡丢了\n"
        "\n"
        f"通话1\n- 您好请讲\n- 我要补卡{words[0]}\n- 好的\n\n"
        f"通话2\n- 您好请讲\n- 我要补卡{words[1]}\n- 好的\n\n"
        "通话3\n- 我要补卡\n-"
    )
    assert writer.ask("补卡", 0).request.stop == ("\n\n",)


@pytest.mark.parametrize("api", ["chat", "completions"])
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("separator", ["[SEP]", None], ids=["turns", "utterances"])
@pytest.mark.parametrize("labels", [{}, {"补卡": ENGLISH}], ids=["no-labels", "labels"])
def test_every_template_is_filled_in(
    api: str,
    language: str,
    separator: str | None,
    labels: dict[str, LabelInfo],
    train: pd.DataFrame,
    data: DataParams,
    llm: LlmParams,
    generate: GenerateParams,
) -> None:
    """The class, an example, no leftover of a template; the version changes with the text alone."""
    writer = PromptWriter(
        train,
        {},
        labels,
        data.model_copy(update={"language": language, "turn_separator": separator}),
        llm.model_copy(update={"endpoints": (llm.endpoints[0].model_copy(update={"api": api}),)}),
        generate,
    )
    ask = writer.ask("补卡", 0)
    prompt = ask.request.prompt
    assert "补卡" in prompt
    assert "我要补卡" in prompt
    assert ("a new SIM card" in prompt) is bool(labels)
    assert not {"{{", "{%", "None", "[]"} & {prompt[i : i + 2] for i in range(len(prompt))}
    assert "None" not in prompt
    assert (ask.opening != "") is bool(labels and separator)
    assert ask.prompt_version == writer.ask("销户", 9).prompt_version
    assert len(ask.prompt_version) == 12
    expected = () if api == "chat" else ("\n\n",) if separator else ("\n",)
    assert ask.request.stop == expected


def test_the_answer_goes_on_from_the_opening(writer: PromptWriter) -> None:
    """A base model's reply begins inside the turn after it."""
    ask = writer.ask("补卡", 0)
    reply = answer(" 请问您的号码\n- 就是本机\n- 好的\n")
    assert writer.samples(ask, reply) == ["我要补卡[SEP]请问您的号码[SEP]就是本机[SEP]好的"]
    assert writer.samples(writer.ask("销户", 0), answer(" 您好\n- 我要销户")) == [
        "您好[SEP]我要销户"
    ]


@pytest.mark.parametrize(
    ("text", "finish_reason", "samples"),
    [
        pytest.param("", "stop", [], id="empty"),
        pytest.param("\n- \n", "stop", [], id="no-words-after-the-opening"),
        pytest.param("我不能", "content_filter", [], id="refused"),
        pytest.param("好的好的好的", "length", [], id="cut-in-the-first-line"),
        pytest.param("您好\n- 好的好的", "length", ["我要补卡[SEP]您好"], id="cut-in-a-later-line"),
    ],
)
def test_an_answer_of_no_use_is_no_sample(
    text: str, finish_reason: str, samples: list[str], writer: PromptWriter
) -> None:
    """The opening alone is ours, not the model's."""
    assert writer.samples(writer.ask("补卡", 0), answer(text, finish_reason)) == samples


@pytest.mark.parametrize(
    ("text", "finish_reason", "expected"),
    [
        pytest.param("a\nb\nc", "stop", "a\nb\nc", id="whole"),
        pytest.param("a\nb\nc", "length", "a\nb", id="last-line-cut"),
        pytest.param("a\nb\n", "length", "a\nb", id="cut-after-a-line"),
        pytest.param("abc", "length", "", id="only-a-cut-line"),
    ],
)
def test_whole_lines(text: str, finish_reason: str, expected: str) -> None:
    """The line in which max_tokens was reached is left out."""
    assert whole_lines(answer(text, finish_reason)) == expected


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param("对话1：\n您好\n补卡\n对话2：\n喂\n换卡", id="as-asked-for"),
        pytest.param("对话 1:您好\n补卡\n\n对话 2:喂\n换卡", id="spaces-and-western-colons"),
        pytest.param("好的，以下是：\n对话1：\n您好\n补卡\n对话2：\n喂\n换卡\n", id="talk-before"),
        pytest.param("1. 您好\n补卡\n2. 喂\n换卡", id="numbers-with-dots"),
        pytest.param("1、您好\n补卡\n2、喂\n换卡", id="numbers-with-commas"),
        pytest.param("1) 您好 / 补卡\n2）喂 / 换卡", id="numbers-with-brackets"),
        pytest.param("**对话1：**\n您好\n补卡\n**对话2：**\n喂\n换卡", id="bold"),
        pytest.param("**对话1**：\n您好\n补卡\n**对话2**：\n喂\n换卡", id="bold-before-the-colon"),
        pytest.param("### 对话1：\n您好\n补卡\n\n### 对话2：\n喂\n换卡", id="headings"),
        pytest.param("Dialogue 1:\n您好\n补卡\nDIALOGUE 2:\n喂\n换卡", id="english"),
        pytest.param("样本1：\n客服：您好\n客户：补卡\n样本2：\n客服：喂\n客户：换卡", id="roles"),
    ],
)
def test_a_chat_reply_holds_several_samples(reply: str, chat_writer: PromptWriter) -> None:
    """However the model numbers them."""
    ask = chat_writer.ask("补卡", 0)
    assert chat_writer.samples(ask, answer(reply)) == ["您好[SEP]补卡", "喂[SEP]换卡"]


@pytest.mark.parametrize(
    ("reply", "samples"),
    [
        pytest.param("您好\n补卡", ["您好[SEP]补卡"], id="no-number"),
        pytest.param("对话1：\n3.5块\n补卡", ["3.5块[SEP]补卡"], id="a-price-is-no-number"),
        pytest.param("对话1：\n\n对话2：\n您好", ["您好"], id="an-empty-one"),
        pytest.param("对话1：\n10086吗\n您好", ["10086吗[SEP]您好"], id="a-phone-number"),
    ],
)
def test_other_chat_replies(reply: str, samples: list[str], chat_writer: PromptWriter) -> None:
    """What is no number of a sample parts nothing."""
    assert chat_writer.samples(chat_writer.ask("补卡", 0), answer(reply)) == samples


def test_a_chat_reply_that_was_cut(chat_writer: PromptWriter) -> None:
    """Whole samples stay, and of the last one its whole lines."""
    reply = answer("对话1：\n您好\n补卡\n对话2：\n喂\n换", "length")
    assert chat_writer.samples(chat_writer.ask("补卡", 0), reply) == ["您好[SEP]补卡", "喂"]


def test_endpoints_share_by_weight(
    train: pd.DataFrame, data: DataParams, generate: GenerateParams, endpoint: EndpointParams
) -> None:
    """Prompt by prompt, so that each endpoint has whole runs of one prompt; the same every time."""
    heavy = endpoint.model_copy(update={"name": "heavy", "weight": 3.0})
    llm = LlmParams(endpoints=(endpoint, heavy), cache_salt="")
    writer = PromptWriter(train, {}, INFO, data, llm, generate)
    names = [writer.ask("补卡", n).request.endpoint.name for n in range(1600)]
    groups = [set(names[at : at + 4]) for at in range(0, 1600, 4)]
    assert all(len(group) == 1 for group in groups)
    assert names.count("heavy") / len(names) == pytest.approx(0.75, abs=0.06)
