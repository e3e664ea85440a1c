"""Prompts: what a request shows, its endpoints, and how requests differ."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pytest

from src.config.data import DataParams
from src.config.generate import GenerateParams
from src.config.llm import EndpointParams, LlmParams
from src.data.schema import LabelInfo
from src.generation.endpoint_choice import Observation
from src.generation.prompts import PromptWriter
from tests.generation.conftest import BIGMODEL, MakeWriter

ENGLISH = LabelInfo("0", "补卡", "a new SIM card", ("my card is lost",))
SETTINGS = {"来电人": ("老人", "学生", "商户"), "情绪": ("平静", "着急")}


def test_the_same_attempt_is_the_same_request(writer: PromptWriter) -> None:
    """A replay finds its responses; other attempts are other requests."""
    assert writer.ask("补卡", 3) == writer.ask("补卡", 3)
    keys = {writer.ask("补卡", n).requests[0].key for n in range(40)}
    assert len(keys) == 40


def test_requests_in_a_row_share_a_prompt(
    train: pd.DataFrame, data: DataParams, llm: LlmParams, generate: GenerateParams
) -> None:
    """So that the server caches its prefix; only the opening differs."""
    without = PromptWriter(train, {}, {}, data, llm, generate)
    prompts = [without.ask("补卡", n).requests[0].prompt for n in range(8)]
    assert len(set(prompts[:4])) == len(set(prompts[4:])) == 1
    assert prompts[0] != prompts[4]
    assert len({without.ask("补卡", n).requests[0].key for n in range(8)}) == 8


def test_openings_take_turns(writer: PromptWriter) -> None:
    """Each typical request of the class in turn ends the prompt as the first turn."""
    openings = [writer.ask("补卡", n).opening for n in range(4)]
    assert openings == ["我要补卡", "换张小卡", "卡丢了", "我要补卡"]
    assert writer.ask("补卡", 1).requests[0].prompt.endswith("\n- 换张小卡\n-")
    assert writer.ask("销户", 0).opening == ""


def test_golden_prompt(writer: PromptWriter) -> None:
    """The prompt that a base model continues."""
    seeds = writer.ask("补卡", 0).seed_ids
    words = ["甲乙丙丁戊"[int(row[1:])] for row in seeds]
    assert writer.ask("补卡", 0).requests[0].prompt == (
        "客服通话\n"
        "类型：补卡\n"
        "说明：补办电话卡，比如我要补卡、换张小卡、卡丢了\n"
        "\n"
        f"通话1\n- 您好请讲\n- 我要补卡{words[0]}\n- 好的\n\n"
        f"通话2\n- 您好请讲\n- 我要补卡{words[1]}\n- 好的\n\n"
        "通话3\n- 我要补卡\n-"
    )
    assert writer.ask("补卡", 0).requests[0].stop == ("\n\n",)


def test_golden_prompt_in_english(make_writer: MakeWriter) -> None:
    """The same for single utterances."""
    writer = make_writer(language="en", turn_separator=None)
    ask = writer.ask("销户", 0)
    assert ask.requests[0].prompt == "客服通话\nCategory: 销户\n\n- 我要销户\n-"
    assert ask.requests[0].stop == ("\n",)


def test_golden_chat_prompt(make_writer: MakeWriter, chat: EndpointParams) -> None:
    """The full prompt of a chat model, and its end."""
    writer = make_writer(chat, attributes=SETTINGS, samples_per_request=3)
    ask = writer.ask("补卡", 1, ["请您稍等一下"] * 2)
    words = ["甲乙丙丁戊"[int(row[1:])] for row in ask.seed_ids]
    assert [request.as_json for request in ask.requests] == [True, False]
    beginning = (
        "你在为意图分类器编写训练数据。数据是：客服通话。\n\n"
        "类别：补卡\n"
        "定义：补办电话卡\n"
        "典型诉求：我要补卡、换张小卡、卡丢了\n\n"
        "真实样例（每行一条，“ / ”隔开各轮）：\n"
        f"- 您好请讲 / 我要补卡{words[0]} / 好的\n"
        f"- 您好请讲 / 我要补卡{words[1]} / 好的\n\n"
        "请再写 3 条属于这个类别的新通话。要求：\n"
        "1. 场景、说法、长短彼此不同，不照抄样例；\n"
        "2. 像语音转写：口语，有停顿和重复，不用标点，数字写成汉字，坐席与客户轮流说话，一轮一行，"
        "不写角色名；\n"
        "3. 诉求必须只属于“补卡”；\n"
    )
    forms = (
        '4. 只输出 JSON：{"samples": [["第一轮", "第二轮"], …]}，每条通话是一个由各轮组成的数组。\n',
        "4. 按下面的格式输出，不要别的内容：\n对话1：\n第一轮\n第二轮\n对话2：\n……\n",
    )
    end = (
        "\n这一批围绕：换张小卡。"
        f"\n这一批的设定：来电人={ask.attributes['来电人']}；情绪={ask.attributes['情绪']}。"
        "\n下面这些说法已经写得太多，请换别的说法：请您稍等一下。"
    )
    assert [r.prompt for r in ask.requests] == [f"{beginning}{form}{end}" for form in forms]
    assert {request.stop for request in ask.requests} == {()}


def test_each_endpoint_of_a_request_sees_what_it_may(
    train: pd.DataFrame, data: DataParams, endpoint: EndpointParams, generate: GenerateParams
) -> None:
    """The local one sees the row; its remote fallback sees the row without the number."""
    rows = train.assign(text="您好[SEP]我要补卡[SEP]号码是13800138000")
    remote = endpoint.model_copy(update={"name": "far", "base_url": BIGMODEL, "weight": 0.0})
    both = LlmParams(endpoints=(endpoint, remote), fallback=("far",), currency="CNY", cache_salt="")
    near, far = PromptWriter(rows, {}, {}, data, both, generate).ask("补卡", 0).requests
    assert "号码是13800138000" in near.prompt
    assert "13800138000" not in far.prompt
    assert "号码是某号码" in far.prompt


@pytest.mark.parametrize("api", ["chat", "completions"])
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("separator", ["[SEP]", None], ids=["turns", "utterances"])
@pytest.mark.parametrize("labels", [{}, {"补卡": ENGLISH}], ids=["no-labels", "labels"])
@pytest.mark.parametrize("attributes", [{}, SETTINGS], ids=["no-attributes", "attributes"])
def test_every_template_is_filled_in(
    api: str,
    language: str,
    separator: str | None,
    labels: dict[str, LabelInfo],
    attributes: dict[str, tuple[str, ...]],
    train: pd.DataFrame,
    data: DataParams,
    llm: LlmParams,
    generate: GenerateParams,
) -> None:
    """With class and example, without template code; the version depends on the text only."""
    writer = PromptWriter(
        train,
        {},
        labels,
        data.model_copy(update={"language": language, "turn_separator": separator}),
        llm.model_copy(update={"endpoints": (llm.endpoints[0].model_copy(update={"api": api}),)}),
        generate.model_copy(update={"attributes": attributes}),
    )
    ask = writer.ask("补卡", 0)
    assert len(ask.requests) == (2 if api == "chat" else 1)
    for request in ask.requests:
        prompt = request.prompt
        assert "补卡" in prompt
        assert "我要补卡" in prompt
        assert ("JSON" in prompt) is request.as_json
        assert ("a new SIM card" in prompt) is bool(labels)
        assert ("来电人" in prompt) is bool(attributes and api == "chat")
        assert not {"{{", "{%", "[]", "()"} & {prompt[i : i + 2] for i in range(len(prompt))}
        assert "None" not in prompt
    assert (ask.opening != "") is bool(labels and separator)
    versions = {r.prompt_version for r in (*ask.requests, *writer.ask("销户", 9).requests)}
    assert [len(version) for version in versions] == [12]
    expected = () if api == "chat" else ("\n\n",) if separator else ("\n",)
    assert ask.requests[0].stop == expected


def test_the_version_is_of_the_template(make_writer: MakeWriter, chat: EndpointParams) -> None:
    """One per API and language."""
    writers = [
        make_writer(*endpoints, language=language)
        for endpoints in ((), (chat,))
        for language in ("zh", "en")
    ]
    assert len({writer.ask("补卡", 0).requests[0].prompt_version for writer in writers}) == 4


def test_chat_prompts_name_overused_ngrams(make_writer: MakeWriter, chat: EndpointParams) -> None:
    """Up to the maximum number of n-grams, of words only; base models get none."""
    written = ["您好[SEP]请您稍等一下", "请您[SEP]稍等一下吧", "谢谢您的来电[SEP]再见"] * 2
    for most, told in ((0, []), (1, ["请您稍等一下"])):
        writer = make_writer(chat, avoid_ngrams=most)
        for request in writer.ask("补卡", 0, written).requests:
            assert [p for p in ("请您稍等一下", "[SEP]") if p in request.prompt] == told
    base = make_writer()
    assert base.ask("补卡", 0, written) == base.ask("补卡", 0)


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [(0, 0), (3, 0), (4, 0), (7, 0), (8, 4), (11, 4), (12, 8), (15, 8), (40, 36)],
)
def test_needs_written(
    attempt: int, expected: int, make_writer: MakeWriter, chat: EndpointParams
) -> None:
    """A group of four needs all groups but the one before it, if a chat model may be called."""
    small = make_writer().ask("补卡", 0).requests[0].endpoint
    assert make_writer(chat).needs_written("补卡", attempt) == expected
    assert make_writer(small, chat, fallback=("chat",)).needs_written("补卡", attempt) == expected
    assert make_writer(chat, avoid_ngrams=0).needs_written("补卡", attempt) == 0
    assert make_writer(small).needs_written("补卡", attempt) == 0


def test_attributes_are_drawn_alike(make_writer: MakeWriter, chat: EndpointParams) -> None:
    """Each value about equally often, and each pair of values; always the same draw."""
    writer, again = (make_writer(chat, attributes=SETTINGS) for _ in range(2))
    drawn = [writer.ask("补卡", n).attributes for n in range(300)]
    assert drawn == [again.ask("补卡", n).attributes for n in range(300)]
    assert all(list(attributes) == list(SETTINGS) for attributes in drawn)
    # standard deviations: 8.2 of 100, 8.7 of 150, 6.5 of 50
    for name, values in SETTINGS.items():
        counts = Counter(attributes[name] for attributes in drawn)
        assert counts == pytest.approx(dict.fromkeys(values, 300 / len(values)), abs=27)
    pairs = Counter(tuple(attributes.values()) for attributes in drawn)
    assert len(pairs) == 6
    assert list(pairs.values()) == pytest.approx([50] * 6, abs=21)
    other = make_writer(chat, attributes=SETTINGS, seed=8)
    assert drawn != [other.ask("补卡", n).attributes for n in range(300)]
    assert drawn != [writer.ask("销户", n).attributes for n in range(300)]


def test_a_new_attribute_leaves_the_first_unchanged(
    make_writer: MakeWriter, chat: EndpointParams
) -> None:
    """Values are drawn attribute by attribute."""
    one = make_writer(chat, attributes={"来电人": SETTINGS["来电人"]})
    two = make_writer(chat, attributes=SETTINGS)
    for n in range(20):
        assert one.ask("补卡", n).attributes["来电人"] == two.ask("补卡", n).attributes["来电人"]


def test_base_models_know_no_attributes(make_writer: MakeWriter, chat: EndpointParams) -> None:
    """Neither prompt nor key changes, so their recorded responses stay valid."""
    written = ["请您稍等一下"] * 9
    small = make_writer().ask("补卡", 0).requests[0].endpoint
    plain, full = (
        make_writer(small, chat.model_copy(update={"weight": 0.0}), fallback=("chat",), **of)
        for of in ({}, {"attributes": SETTINGS, "avoid_ngrams": 9})
    )
    for n in range(12):
        before, after = plain.ask("补卡", n).requests, full.ask("补卡", n, written).requests
        assert [request.endpoint.name for request in after] == ["small", "chat", "chat"]
        assert (before[0].prompt, before[0].key) == (after[0].prompt, after[0].key)
        assert all("来电人=" in request.prompt for request in after[1:])
        assert all("请您稍等一下" in request.prompt for request in after[1:])


@pytest.mark.parametrize(
    ("language", "marks"),
    [
        ("zh", ("\n这一批围绕：", "\n这一批的设定：", "\n下面这些说法")),
        ("en", ("\nThis batch is about:", "\nThe setting of this batch:", "\nThese phrases were")),
    ],
)
def test_differences_are_at_the_end(
    language: str, marks: tuple[str, ...], make_writer: MakeWriter, chat: EndpointParams
) -> None:
    """The chat prompts of a group share everything before the opening."""
    writer = make_writer(chat, attributes=SETTINGS, language=language)
    for group in (0, 1):
        asks = [
            writer.ask("补卡", 4 * group + n, ["please wait a moment 请您稍等一下"] * 2 * n)
            for n in range(4)
        ]
        for form in (0, 1):
            prompts = [ask.requests[form].prompt for ask in asks]
            assert len(set(prompts)) == 4
            assert len({prompt.partition(marks[0])[0] for prompt in prompts}) == 1
            positions = [prompts[3].index(mark) for mark in marks]
            assert positions == sorted(positions)
            assert prompts[3][: positions[0]].count("\n") > 10
    first, second = (writer.ask("补卡", n).requests[0].prompt for n in (0, 4))
    assert first.partition(marks[0])[0] != second.partition(marks[0])[0]


@pytest.mark.parametrize(
    ("api", "output", "variants"),
    [
        ("chat", "auto", [True, False]),
        ("chat", "json_schema", [True]),
        ("chat", "text", [False]),
        ("completions", "auto", [False]),
        ("completions", "text", [False]),
    ],
)
def test_output_says_which_variants_there_are(
    api: str,
    output: str,
    variants: list[bool],
    make_writer: MakeWriter,
    endpoint: EndpointParams,
) -> None:
    """With a JSON schema first; each prompt asks for its own output format."""
    writer = make_writer(endpoint.model_copy(update={"api": api, "output": output}))
    requests = writer.ask("补卡", 0).requests
    assert [request.as_json for request in requests] == variants
    assert ["JSON" in request.prompt for request in requests] == variants
    assert ["response_format" in request.parameters for request in requests] == variants
    assert len({request.key for request in requests}) == len(variants)


@pytest.mark.parametrize(
    ("fallback", "orders"),
    [
        pytest.param((), {"a": "a", "c": "c"}, id="none"),
        pytest.param(("b",), {"a": "ab", "c": "cb"}, id="one"),
        pytest.param(("c", "b", "a"), {"a": "acb", "c": "cba"}, id="all"),
        pytest.param(("b", "c", "b"), {"a": "abc", "c": "cb"}, id="named-twice"),
    ],
)
def test_fallbacks(
    fallback: tuple[str, ...],
    orders: dict[str, str],
    make_writer: MakeWriter,
    endpoint: EndpointParams,
) -> None:
    """After the drawn endpoint, in order, without repeats; weight 0 is never drawn."""
    a, b, c = (
        endpoint.model_copy(update={"name": name, "weight": weight})
        for name, weight in (("a", 1.0), ("b", 0.0), ("c", 1.0))
    )
    writer = make_writer(b, a, c, fallback=fallback)
    asked = ["".join(r.endpoint.name for r in writer.ask("补卡", n).requests) for n in range(400)]
    assert set(asked) == set(orders.values())
    assert all(order == orders[order[0]] for order in asked)


def test_variants_of_the_drawn_endpoint_come_first(
    make_writer: MakeWriter, endpoint: EndpointParams, chat: EndpointParams
) -> None:
    """Its text variant precedes another endpoint's JSON; each has its own template and stop."""
    other = chat.model_copy(update={"name": "other", "weight": 0.0})
    unused = endpoint.model_copy(update={"weight": 0.0})
    writer = make_writer(chat, other, unused, fallback=("other", "small"))
    requests = writer.ask("补卡", 0).requests
    assert [(r.endpoint.name, r.as_json) for r in requests] == [
        ("chat", True),
        ("chat", False),
        ("other", True),
        ("other", False),
        ("small", False),
    ]
    assert requests[0].prompt == requests[2].prompt
    assert requests[1].prompt == requests[3].prompt
    assert requests[4].prompt.endswith("通话3\n- 我要补卡\n-")
    assert [request.stop for request in requests] == [(), (), (), (), ("\n\n",)]


def test_by_acceptance_the_past_decides(make_writer: MakeWriter, endpoint: EndpointParams) -> None:
    """One endpoint if the past is known; otherwise any model's response is accepted."""
    both = [endpoint.model_copy(update={"name": name, "model": name}) for name in "ab"]
    writer = make_writer(*both, share="acceptance", explore=0.0)
    past = [Observation(name, 1, int(name == "b")) for name in "ab" * 8]
    asked = [writer.ask("补卡", n, (), past).requests for n in range(4, 40)]
    assert {tuple(r.endpoint.name for r in ways) for ways in asked} == {("b",)}
    names = [[r.endpoint.name for r in writer.ask("补卡", n).requests] for n in range(40)]
    assert {tuple(sorted(each)) for each in names} == {("a", "b")}
    assert [writer.needs_screened(n) for n in (0, 3, 4, 12)] == [0, 0, 4, 8]


def test_one_model_is_asked_the_same_by_weight_and_by_acceptance(make_writer: MakeWriter) -> None:
    """And it needs no verdicts."""
    by_weight, by_acceptance = make_writer(), make_writer(share="acceptance")
    for n in range(20):
        assert by_acceptance.ask("补卡", n, (), ()) == by_weight.ask("补卡", n)
        assert by_acceptance.needs_screened(n) == 0


def test_endpoints_share_by_weight(make_writer: MakeWriter, endpoint: EndpointParams) -> None:
    """Drawn per prompt, so that each endpoint gets whole groups; always the same draw."""
    heavy = endpoint.model_copy(update={"name": "heavy", "weight": 3.0})
    writer = make_writer(endpoint, heavy)
    names = [writer.ask("补卡", n).requests[0].endpoint.name for n in range(1600)]
    groups = [set(names[at : at + 4]) for at in range(0, 1600, 4)]
    assert all(len(group) == 1 for group in groups)
    assert names.count("heavy") / len(names) == pytest.approx(0.75, abs=0.06)
