"""Replies: how they are read in all formats that models use, and when they are rejected."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.config.generate import GenerateParams
from src.config.llm import EndpointParams
from src.data.dialogue import split_turns
from src.generation.replies import ReadReply, read_samples
from src.llm.requests import Request, Response
from tests.llm.conftest import MakeRequest

TWO = ["您好[SEP]补卡", "喂[SEP]换卡"]
TWO_LISTS = [["您好", "补卡"], ["喂", "换卡"]]
TWO_OBJECTS = [
    [{"speaker": "客服", "text": "您好"}, {"speaker": "客户", "text": "补卡"}],
    [{"speaker": "客服", "text": "喂"}, {"speaker": "客户", "text": "换卡"}],
]
# fragments that models write, so that random text exercises the parser
PIECES = [
    "对话1：", "2. ", "客服：", "- ", "\n", " / ", "您好", "[SEP]", "```json\n", "```", "<think>",
    "</think>", "抱歉，我无法提供", "I can't help with that", "[", "]", "{", "}", '"', ",", ":",
    '"samples"', '["您好"]', '{"text": "补卡"}', '"\\ud800"', "null", "1e999", "\\",
]  # fmt: skip
REPLIES = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
REASONS = ["stop", "length", "content_filter", ""]


@pytest.fixture
def chat(make_request: MakeRequest) -> Request:
    """A request to a chat model."""
    return make_request(api="chat", stop=())


def read(
    text: str,
    request: Request,
    finish_reason: str = "stop",
    opening: str = "我要补卡",
    separator: str | None = "[SEP]",
) -> ReadReply:
    """Read a reply about the opening."""
    return read_samples(Response(text, finish_reason, 1, 1), request, opening, separator)


@pytest.mark.parametrize(
    ("opening", "separator", "reply", "expected"),
    [
        pytest.param(
            "我要补卡",
            "[SEP]",
            " 请问您的号码\n- 就是本机\n- 好的\n",
            "我要补卡[SEP]请问您的号码[SEP]就是本机[SEP]好的",
            id="after-the-opening",
        ),
        pytest.param("", "[SEP]", " 您好\n- 我要销户", "您好[SEP]我要销户", id="no-opening"),
        pytest.param("", None, " 我要销户", "我要销户", id="utterance"),
        pytest.param(
            "我要补卡",
            "[SEP]",
            " 抱歉，我无法提供",
            "我要补卡[SEP]抱歉，我无法提供",
            id="an-apology",
        ),
    ],
)
def test_a_base_model_continues(
    opening: str, separator: str | None, reply: str, expected: str, make_request: MakeRequest
) -> None:
    """Its reply starts inside the turn after the opening, and never counts as a refusal."""
    got = read(reply, make_request(), opening=opening, separator=separator)
    assert got == ReadReply((expected,), None)


@pytest.mark.parametrize(
    ("text", "finish_reason", "samples", "problem"),
    [
        pytest.param("", "stop", [], "empty", id="empty"),
        pytest.param(" \n\t", "stop", [], "empty", id="blank"),
        pytest.param("\n- \n", "stop", [], "unreadable", id="no-words-after-the-opening"),
        pytest.param("[SEP]", "stop", [], "unreadable", id="a-separator-alone"),
        pytest.param("我不能", "content_filter", [], "refused", id="content-filter"),
        pytest.param("好的好的好的", "length", [], "truncated", id="cut-in-the-first-line"),
        pytest.param("您好\n- 好的", "length", ["我要补卡[SEP]您好"], None, id="cut-later"),
        pytest.param("您好\n- 好\n", "length", ["我要补卡[SEP]您好[SEP]好"], None, id="cut-after"),
    ],
)
def test_a_base_model_of_no_use(
    text: str,
    finish_reason: str,
    samples: list[str],
    problem: str | None,
    make_request: MakeRequest,
) -> None:
    """The opening alone is not from the model; the cut line is left out."""
    got = read(text, make_request(), finish_reason)
    assert got == ReadReply(tuple(samples), problem)


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
        pytest.param("```\n对话1：\n您好\n补卡\n对话2：\n喂\n换卡\n```", id="fence"),
    ],
)
def test_a_chat_reply_holds_several_samples(reply: str, chat: Request) -> None:
    """In all styles of numbering."""
    assert read(reply, chat) == ReadReply(tuple(TWO), None)


@pytest.mark.parametrize(
    ("reply", "samples"),
    [
        pytest.param("您好\n补卡", ["您好[SEP]补卡"], id="no-number"),
        pytest.param("对话1：\n3.5块\n补卡", ["3.5块[SEP]补卡"], id="a-price-is-no-number"),
        pytest.param("对话1：\n\n对话2：\n您好", ["您好"], id="an-empty-one"),
        pytest.param("对话1：\n10086吗\n您好", ["10086吗[SEP]您好"], id="a-phone-number"),
        pytest.param("[笑声]您好\n补卡", ["[笑声]您好[SEP]补卡"], id="a-bracket-is-no-json"),
    ],
)
def test_other_chat_replies(reply: str, samples: list[str], chat: Request) -> None:
    """Other numbers do not split a sample."""
    assert read(reply, chat) == ReadReply(tuple(samples), None)


@pytest.mark.parametrize(
    ("reply", "samples"),
    [
        pytest.param("对话1：\n您好\n补卡\n对话2：\n喂\n换", ["您好[SEP]补卡"], id="in-the-second"),
        pytest.param("对话1：\n您好\n补", ["您好"], id="in-a-later-line-of-the-only-one"),
        pytest.param("对话1：\n您", [], id="in-the-first-line"),
        pytest.param("您好", [], id="no-number"),
        pytest.param("[", [], id="json-of-one-bracket"),
    ],
)
def test_a_chat_reply_that_was_cut(reply: str, samples: list[str], chat: Request) -> None:
    """Complete samples stay; of a single one, its complete lines."""
    expected = ReadReply(tuple(samples), None if samples else "truncated")
    assert read(reply, chat, "length") == expected


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"samples": TWO_LISTS}, id="as-the-schema-says"),
        pytest.param(TWO_LISTS, id="a-list-of-lists"),
        pytest.param({"samples": ["您好\n补卡", "喂\n换卡"]}, id="texts-with-line-breaks"),
        pytest.param(["您好 / 补卡", "喂 / 换卡"], id="a-list-of-texts"),
        pytest.param({"data": TWO_LISTS}, id="another-name"),
        pytest.param({"samples": TWO_LISTS, "notes": ["好"]}, id="another-list-beside"),
        pytest.param({"对话1": TWO_LISTS[0], "对话2": TWO_LISTS[1]}, id="a-name-per-sample"),
        pytest.param(
            {"samples": [{"turns": TWO_LISTS[0]}, {"turns": TWO_LISTS[1]}]}, id="objects-with-turns"
        ),
        pytest.param({"samples": TWO_OBJECTS}, id="speaker-and-text"),
        pytest.param(
            [{"id": 1, "turns": TWO_OBJECTS[0]}, {"id": 2, "turns": TWO_OBJECTS[1]}],
            id="turns-of-speaker-and-text",
        ),
        pytest.param(
            {"samples": [[{"客服": "您好"}, {"客户": "补卡"}], [{"客服": "喂"}, {"客户": "换卡"}]]},
            id="roles-as-names",
        ),
        pytest.param({"samples": [["客服：您好", "客户：补卡"], ["- 喂", "- 换卡"]]}, id="roles"),
        pytest.param({"samples": [*TWO_LISTS, [], None, 3, [""]]}, id="items-without-words"),
    ],
)
def test_json(value: object, chat: Request) -> None:
    """In all formats that models use for lists of calls, also indented, fenced, or introduced."""
    plain, pretty = (json.dumps(value, ensure_ascii=False, indent=n) for n in (None, 2))
    for text in (plain, pretty, json.dumps(value)):
        for reply in (
            text,
            f"```json\n{text}\n```",
            f"```\n{text}\n```\n",
            f"```json{text}```",
            f"好的，以下是：\n{text}\n希望对您有帮助。",
            f"好的：\n\n```json\n{text}\n```\n以上是两条[通话]。",
            f"<think>要两条 {{}}</think>\n{text}",
        ):
            assert read(reply, chat) == ReadReply(tuple(TWO), None), reply


def test_json_with_a_value_per_line(chat: Request) -> None:
    """Each line is one call."""
    lines = "\n".join(json.dumps(turns, ensure_ascii=False) for turns in TWO_LISTS)
    assert read(lines, chat) == ReadReply(tuple(TWO), None)
    assert read(lines[:-3], chat, "length") == ReadReply((TWO[0],), None)


def test_json_of_the_turns_of_one_call(chat: Request) -> None:
    """Objects with speakers are turns, not samples."""
    reply = json.dumps({"samples": TWO_OBJECTS[0]}, ensure_ascii=False)
    assert read(reply, chat) == ReadReply((TWO[0],), None)


def test_a_turn_shorter_than_its_speaker(chat: Request) -> None:
    """The text is recognised by its key, not by its length."""
    reply = '{"samples": [[{"speaker": "客服", "text": "喂"}, {"role": "客户", "content": "嗯"}]]}'
    assert read(reply, chat) == ReadReply(("喂[SEP]嗯",), None)


@pytest.mark.parametrize(
    "reply",
    [
        '{"samples": [["我要补卡"], ["换卡"]]}',
        '["我要补卡", "换卡"]',
        '[{"text": "我要补卡"}, {"text": "换卡"}]',
    ],
    ids=["lists", "texts", "objects"],
)
def test_json_of_utterances(reply: str, chat: Request) -> None:
    """Rows of one utterance have the same formats."""
    assert read(reply, chat, separator=None) == ReadReply(("我要补卡", "换卡"), None)


CUT_FORMS = [
    pytest.param({"samples": TWO_LISTS}, id="schema"),
    pytest.param(TWO_LISTS, id="list"),
    pytest.param({"samples": ["您好 / 补卡", "喂 / 换卡"]}, id="texts"),
    pytest.param({"samples": [{"turns": turns} for turns in TWO_LISTS]}, id="turns"),
    pytest.param({"samples": TWO_OBJECTS}, id="speaker-and-text"),
    pytest.param({"samples": [{"turns": turns} for turns in TWO_OBJECTS]}, id="turns-of-speakers"),
]


@pytest.mark.parametrize("value", CUT_FORMS)
@pytest.mark.parametrize("indent", [None, 1], ids=["one-line", "indented"])
def test_json_that_was_cut(value: object, indent: int | None, chat: Request) -> None:
    """Wherever it is cut, complete samples are read, and no part of another one."""
    reply = json.dumps(value, ensure_ascii=False, indent=indent)
    counts = []
    for end in range(1, len(reply)):
        got = read(reply[:end], chat, "length")
        assert list(got.samples) == TWO[: len(got.samples)], reply[:end]
        assert got.problem == (None if got.samples else "truncated")
        counts.append(len(got.samples))
    assert counts == sorted(counts)
    assert set(counts) == {0, 1, 2}


def test_json_with_a_broken_sample(chat: Request) -> None:
    """A quotation mark that is not escaped affects only its own sample."""
    reply = '{"samples": [["您好", "补卡"], ["他说"好"的", "嗯"], ["喂", "换卡"]]}'
    assert read(reply, chat) == ReadReply(tuple(TWO), None)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param("{}", id="empty-object"),
        pytest.param("[]", id="empty-list"),
        pytest.param('{"samples": []}', id="no-samples"),
        pytest.param('{"samples": [[]]}', id="no-turns"),
        pytest.param('{"samples": [["", " "]]}', id="no-words"),
        pytest.param('{"samples": null}', id="null"),
        pytest.param('{"samples": 3}', id="number"),
        pytest.param("{samples: 您好}", id="no-quotation-marks"),
        pytest.param("['您好', '补卡']", id="python"),
        pytest.param('```json\n{"samples": \n```', id="fence-around-half-of-it"),
        pytest.param("[" * 100_000, id="deep-and-open"),
        pytest.param("[" * 500 + '"您好"' + "]" * 500, id="deep"),
        pytest.param("[" + "1" * 5000 + "]" + '{"a": ' + "1" * 5000, id="huge-numbers"),
    ],
)
def test_json_without_samples(reply: str, chat: Request) -> None:
    """It is unreadable; nothing is raised."""
    assert read(reply, chat) == ReadReply((), "unreadable")


def test_half_of_a_surrogate_pair(chat: Request) -> None:
    """JSON can contain it, but no UTF-8 file can."""
    got = read('{"samples": [["您好\\ud800", "补卡"]]}', chat)
    assert got == ReadReply(("您好?[SEP]补卡",), None)


@pytest.mark.parametrize(
    "reply",
    [
        "抱歉，我无法提供真实的客户通话记录。",
        "很抱歉，我不能协助您完成这个请求。\n\n如果您有其他问题，请随时告诉我。",
        "非常抱歉，作为一个人工智能助手，我不能编写涉及个人隐私的对话。",
        "对不起，我不便讨论这个话题。",
        "对不起，我无法满足您的要求。",
        "抱歉，由于内容涉及隐私，我暂时无法为您生成相关内容。",
        "作为AI语言模型，我还没学习如何回答这个问题，您可以向我问一些其它的问题。",
        "作为一个大语言模型，我无法生成此类文本。",
        "我无法继续生成这样的对话。",
        "您好，这个问题我暂时无法回答，让我们换个话题再聊聊吧。",
        "抱歉，我还没有学会回答这个问题。",
        "**抱歉**，我无法协助。",
        "I'm sorry, but I can't assist with that request.",
        "I’m sorry, but I can’t help with that.",
        "I am sorry, I cannot provide real customer conversations.",
        "Sorry, I won't create such content.",
        "I cannot generate dialogues that imitate real people.",
        "I can't help you with that.",
        "I'm unable to fulfil this request.",
        "I am not able to write these examples for you.",
        "I apologize, but I cannot comply.",
        "As an AI language model, I don't have access to real calls.",
        "Unfortunately, I'm not able to assist with this.",
        "<think>这涉及隐私</think>抱歉，我无法提供这些数据。",
    ],
)
def test_refusals(reply: str, chat: Request) -> None:
    """A reply that declines the task is not a sample."""
    assert read(reply, chat) == ReadReply((), "refused")


@pytest.mark.parametrize(
    "opening",
    [
        "不好意思让您久等了",
        "抱歉给您带来不便",
        "非常抱歉给您带来了不便请您谅解",
        "抱歉让您久等了，请问您是哪里无法上网",
        "对不起我没听清您的问题能再说一遍吗",
        "对不起，您拨打的电话暂时无法接通",
        "很抱歉您这个套餐现在不能办理",
        "不好意思我不能说普通话",
        "你好我无法上网了请帮我处理一下这个问题",
        "我不能接收短信了",
        "我无法提供身份证怎么办",
        "作为老客户我不能享受优惠吗",
        "我的手机无法完成实名认证",
        "您的要求我们正在处理",
        "根据要求我办理了停机现在无法打电话",
        "Sorry to keep you waiting, how can I help?",
        "I'm sorry, I can't hear you very well.",
        "Sorry, I can't find my PIN",
        "I'm sorry for the inconvenience, we are unable to reach that number.",
        "I can't create an account on your site",
        "I cannot complete my transfer",
        "I can't help noticing that you charged me twice",
        "I won't provide my passport, can I still open an account?",
        "As an AIR miles member I can't see my points",
    ],
)
def test_harmless_openings(opening: str, chat: Request) -> None:
    """An agent's apology, or a customer who cannot do something, is not a refusal."""
    expected = ReadReply((f"{opening}[SEP]补卡",), None)
    assert read(f"{opening}\n补卡", chat) == expected
    assert read(f"对话1：\n{opening}\n补卡", chat) == expected
    assert read(f"1. {opening}\n补卡", chat) == expected
    assert read(json.dumps([[opening, "补卡"]], ensure_ascii=False), chat) == expected
    assert read(opening, chat, separator=None) == ReadReply((opening,), None)


def test_a_numbered_sample_refuses_nothing(chat: Request) -> None:
    """Whatever its first turn says, since the model did the task."""
    stated = "抱歉，我无法回答这个问题"
    assert read(f"对话1：{stated}\n补卡", chat) == ReadReply((f"{stated}[SEP]补卡",), None)
    assert read(f'[["{stated}", "补卡"]]', chat) == ReadReply((f"{stated}[SEP]补卡",), None)


@pytest.mark.parametrize(
    ("text", "samples", "problem"),
    [
        pytest.param("<think>写两轮\n1. 您好</think>\n\n您好\n补卡", TWO[:1], None, id="before"),
        pytest.param("<think>\n\n</think>\n\n您好\n补卡", TWO[:1], None, id="none"),
        pytest.param(
            "写两轮\n1. 您好\n</think>\n您好\n补卡", TWO[:1], None, id="begun-in-the-prompt"
        ),
        pytest.param("<think>写两轮\n您好\n补卡\n", [], "empty", id="never-ended"),
        pytest.param("<think>写两轮</think>", [], "empty", id="alone"),
    ],
)
def test_thoughts(text: str, samples: list[str], problem: str | None, chat: Request) -> None:
    """Reasoning text is not part of the reply."""
    assert read(text, chat) == ReadReply(tuple(samples), problem)
    if problem:
        assert read(text, chat, "length") == ReadReply((), problem)


@pytest.mark.parametrize("text", ["", " ", "\n\n\t", "　"], ids=["empty", "space", "lines", "wide"])
@pytest.mark.parametrize("finish_reason", ["stop", "length"])
def test_empty_replies(text: str, finish_reason: str, chat: Request) -> None:
    """White space only, even if the tokens went into hidden reasoning."""
    assert read(text, chat, finish_reason) == ReadReply((), "empty")


@pytest.mark.parametrize("text", ["", "对话1：\n您好\n补卡", '{"samples": [["您好"]]}'])
def test_content_filter(text: str, chat: Request) -> None:
    """A filtered reply is refused, whatever text is left."""
    assert read(text, chat, "content_filter") == ReadReply((), "refused")


@pytest.mark.parametrize("loop", ["\n", "[", "<think>", '["', "1", "# "])
def test_a_model_in_a_loop_is_read_fast(loop: str, chat: Request) -> None:
    """20,000 repeats must not take quadratic time, which would be minutes."""
    start = time.process_time()
    read("您好\n" + loop * 20_000, chat, "length")
    assert time.process_time() - start < 5


@settings(deadline=None)
@given(
    text=REPLIES,
    finish_reason=st.sampled_from(REASONS),
    api=st.sampled_from(["chat", "completions"]),
    opening=st.sampled_from(["", "我要补卡"]),
    separator=st.sampled_from(["[SEP]", None]),
)
def test_any_text_at_all(
    text: str,
    finish_reason: str,
    api: str,
    opening: str,
    separator: str | None,
    endpoint: EndpointParams,
    generate: GenerateParams,
) -> None:
    """Never raises, never returns a sample without words, and gives the reason if there is none."""
    request = Request(endpoint.model_copy(update={"api": api}), "", (), generate, 0, "")
    got = read(text, request, finish_reason, opening, separator)
    assert (got.problem is None) is bool(got.samples)
    assert got.problem in (None, "empty", "refused", "truncated", "unreadable")
    for sample in got.samples:
        assert split_turns(sample, separator)
        sample.encode()
