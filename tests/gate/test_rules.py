"""Rules: what each one rejects, and what none may reject."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.config.data import DataParams
from src.config.filter import FilterParams
from src.gate.limits import Limits, limits_from_train
from src.gate.measurements import Measurements, Overlap, measure_candidate
from src.gate.rules import (
    RULES,
    Rule,
    contamination_fault,
    contradiction_fault,
    duplicate_fault,
    first_fault,
    format_fault,
    keywords_fault,
    length_fault,
    pii_fault,
    repetition_fault,
    seed_fault,
)
from src.gate.style import Surface, match_surface

GOOD = "您好请讲[SEP]我想要个六月份的电子发票咋开[SEP]可以给您开电子发票抬头是写个人还是单位"
SPOKEN = Surface(punctuation=False, digits=False, upper_case=False, spaces=False, marks="")
TRAIN = pd.DataFrame(
    {"text": [GOOD, "查一下话费[SEP]好的"], "label": ["办理打印/邮寄", "办理缴费"]}
)


@pytest.fixture
def limits(params: FilterParams, data: DataParams) -> Limits:
    """Limits with the bounds of the settings."""
    return limits_from_train(TRAIN, params.length, data)


def styled(raw: str, data: DataParams, keywords: tuple[str, ...] = ()) -> Measurements:
    """Measure a candidate like the gate does."""
    text = match_surface(raw, SPOKEN, data.turn_separator, data.language)
    return measure_candidate(raw, text, keywords, data)


def altered(params: FilterParams, section: str, **changes: object) -> FilterParams:
    """Return the settings with some values of one rule changed."""
    rule = getattr(params, section).model_copy(update=changes)
    return params.model_copy(update={section: rule})


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        pytest.param("", "empty", id="empty"),
        pytest.param("。[SEP]！", "empty", id="only-marks"),
        pytest.param("客服：您好[SEP]我要查话费", "a role name: '客服：'", id="role"),
        pytest.param("您好[SEP]Agent 1: 好的", "a role name: 'Agent 1:'", id="english-role"),
        pytest.param("通话7：您好[SEP]查话费", "numbering: '通话7：'", id="numbered-call"),
        pytest.param("您好[SEP]再见通话8：你好", "numbering: '通话8：'", id="the-next-call"),
        pytest.param("您好[SEP]再见[SEP]通话 8", "numbering: '通话 8'", id="a-bare-number"),
        pytest.param("1. 您好[SEP]查话费", "numbering: '1. '", id="list"),
        pytest.param("- 您好[SEP]查话费", "numbering: '- '", id="bullet"),
        pytest.param("以下是通话[SEP]您好", "prompt text: '以下是'", id="prompt"),
        pytest.param("类型：缴费[SEP]您好", "prompt text: '类型：'", id="heading"),
        pytest.param(
            "作为一个人工智能[SEP]我不能", "prompt text: '作为一个人工智能'", id="refusal"
        ),
        pytest.param("**您好**[SEP]查话费", "markup: '**您'", id="markdown"),
        pytest.param("您好<eos>[SEP]查话费", "markup: '<eos>'", id="tag"),
        pytest.param("我叫[姓名][SEP]您好", "a placeholder: '[姓名]'", id="template-field"),
        pytest.param("我在XX路[SEP]好的", "a placeholder: 'XX'", id="masked-name"),
        pytest.param("您好\ufffd[SEP]查话费", "a broken character: '\ufffd'", id="broken-bytes"),
        pytest.param("您好[SE[SEP]查话费[SEP", "a broken turn separator: '[SE'", id="separator"),
        pytest.param("您好[SEP]我要查话费[S", "a broken turn separator: '[S'", id="separator-cut"),
        pytest.param("您好[SEP]请您提供一下，", "cut off: '请您提供一下，'", id="cut-at-a-comma"),
        pytest.param(
            "您好。[SEP]我要补卡。[SEP]请您带好身份",
            "cut off: '请您带好身份'",
            id="cut-in-a-word",
        ),
        pytest.param(
            "您好[SEP]这里是办理打印/邮寄", "a class name: '办理打印/邮寄'", id="class-name"
        ),
        pytest.param("您好我要查话费", "1 turn, a dialogue needs 2", id="monologue"),
        pytest.param(
            "hello how are you[SEP]查话费啊", "0.50 of the words are zh, below 0.8", id="english"
        ),
    ],
)
def test_format_drops(
    raw: str, detail: str, params: FilterParams, limits: Limits, data: DataParams
) -> None:
    """Leftovers of the prompt are found in the text as the model wrote it."""
    assert format_fault(styled(raw, data), params, limits) == detail


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(GOOD, id="transcript"),
        pytest.param("客服你好我要投诉[SEP]您请讲", id="calling-the-agent"),
        pytest.param("10:30来的[SEP]3.5元一个月", id="clock-and-decimal"),
        pytest.param("我的是138****1234[SEP]好的您是136xxxxxxxx", id="masked-phone"),
        pytest.param("通话30分钟[SEP]好的", id="minutes-of-a-call"),
        pytest.param("我要办理缴费[SEP]好的", id="spoken-class-name"),
        pytest.param("我的app和sim卡是四g的[SEP]好的请稍等", id="some-latin"),
    ],
)
def test_format_leaves(raw: str, params: FilterParams, limits: Limits, data: DataParams) -> None:
    """Speech that looks like a leftover is accepted."""
    assert format_fault(styled(raw, data), params, limits) is None


def test_leftovers_that_real_rows_have_are_speech(params: FilterParams, data: DataParams) -> None:
    """If real rows have role names, candidates may have them, but no other leftovers."""
    train = pd.DataFrame({"text": ["客服：您好[SEP]客户：查话费"], "label": ["a"]})
    limits = limits_from_train(train, params.length, data)
    assert format_fault(styled("客服：您好[SEP]客户：在吗", data), params, limits) is None
    assert format_fault(styled("1. 您好[SEP]在吗", data), params, limits) == "numbering: '1. '"


def test_one_utterance_a_row_needs_no_turns(params: FilterParams, english: DataParams) -> None:
    """Without a turn separator, one turn is enough; the language is English."""
    train = pd.DataFrame({"text": ["I lost my card"], "label": ["lost_card"]})
    limits = limits_from_train(train, params.length, english)

    def fault(text: str) -> str | None:
        return format_fault(measure_candidate(text, text, (), english), params, limits)

    assert fault("Where is my new card?") is None
    assert fault("我的卡丢了") == "0.00 of the words are en, below 0.8"
    assert fault("User: where is it") == "a role name: 'User:'"
    assert fault("Example 3: where is it") == "numbering: 'Example 3:'"
    assert fault("This is lost_card") == "a class name: 'lost_card'"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, (1, 7, 1, 3), id="quantiles-rounded-outwards"),
        pytest.param({"min_chars": 9, "max_turns": 40}, (9, 7, 1, 40), id="given-go-first"),
        pytest.param({"min_chars": 0, "min_turns": 0}, (0, 7, 0, 3), id="zero-is-given"),
    ],
)
def test_bounds(
    given: dict[str, int],
    expected: tuple[int, int, int, int],
    params: FilterParams,
    data: DataParams,
) -> None:
    """Rows of 1, 3, 5, 7 characters and 1, 1, 2, 3 turns; 0.1 and 0.9 are 1.6, 6.4 and 1, 2.7."""
    train = pd.DataFrame({"text": ["一", "一二三", "一二三[SEP]四五", "一二三[SEP]四五[SEP]六七"]})
    null = {"min_chars": None, "max_chars": None, "min_turns": None, "max_turns": None}
    rule = params.length.model_copy(update={"quantiles": (0.1, 0.9), **null, **given})
    limits = limits_from_train(train.assign(label="a"), rule, data)
    assert (limits.min_chars, limits.max_chars, limits.min_turns, limits.max_turns) == expected


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        pytest.param("您好[SEP]查话", "4 characters, outside 6 to 200", id="short"),
        pytest.param("话" * 201, "201 characters, outside 6 to 200", id="long"),
        pytest.param("嗯[SEP]" * 21, "21 turns, outside 1 to 20", id="turns"),
        pytest.param("您好您[SEP]查话费", None, id="at-the-bound"),
    ],
)
def test_length(
    text: str, detail: str | None, params: FilterParams, limits: Limits, data: DataParams
) -> None:
    """Values at the bounds are accepted; separators do not count as characters."""
    assert length_fault(measure_candidate(text, text, (), data), params, limits) == detail


TOOK = "我昨天去营业厅办了一张新卡回来插上没有信号"
ECHO = "打过电话给你的[SEP]我当时没有打过电话给你的[SEP]我当时没打过"


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        pytest.param(
            "您好[SEP]电话253333333333", "the same 10 times in a row, over 8", id="digit-run"
        ),
        pytest.param(
            "我刚刚我刚刚我刚刚[SEP]您请讲", "0.75 of it is in loops, above 0.3", id="loop"
        ),
        pytest.param("好的[SEP]好的[SEP]好的", "1.00 of it is in loops, above 0.3", id="turn-loop"),
        pytest.param(f"您好[SEP]{ECHO}", "0.67 of its turns repeat, above 0.4", id="near-repeats"),
        pytest.param(
            "您好[SEP]我想查话费您想查话费是吗我想查一下话费您要查一下话费是吗我想查一下话费",
            "0.44 distinct bigrams, below 0.5",
            id="few-bigrams",
        ),
        pytest.param(f"{TOOK}[SEP]对对对对对[SEP]嗯嗯嗯", None, id="backchannels"),
        pytest.param(f"{TOOK}[SEP]回来插上没有信号是吧", None, id="an-agent-asks-back"),
        pytest.param(f"嗯[SEP]{TOOK}[SEP]嗯[SEP]好的[SEP]嗯[SEP]好的", None, id="short-turns"),
        pytest.param(f"{TOOK}[SEP]13800000000", None, id="a-number-with-eight-zeros"),
        pytest.param(GOOD, None, id="good"),
    ],
)
def test_repetition(
    raw: str, detail: str | None, params: FilterParams, limits: Limits, data: DataParams
) -> None:
    """Loops, repeated turns and few distinct bigrams are rejected; natural repeats are not."""
    assert repetition_fault(styled(raw, data), params, limits) == detail


def test_repetition_measures(data: DataParams) -> None:
    """Worked out manually: 12 of 16 characters, 4 times, no turn long enough to repeat."""
    sample = styled("好的吗好的吗好的吗好的吗[SEP]您请讲啊", data)
    assert sample.loop_share == 0.75
    assert sample.times_in_a_row == 4
    assert sample.repeats == 0
    assert sample.chars == 16
    assert sample.distinct_bigrams == pytest.approx(7 / 15)


@pytest.mark.parametrize(
    ("keywords", "hits", "fault"),
    [
        pytest.param(("发票", "抬头", "补卡"), 2, None, id="two-of-three"),
        pytest.param(("补卡",), 0, "0 of 1 keywords, below 1", id="none"),
        pytest.param((), 0, None, id="a-class-without-keywords"),
    ],
)
def test_keywords(
    keywords: tuple[str, ...],
    hits: int,
    fault: str | None,
    params: FilterParams,
    limits: Limits,
    data: DataParams,
) -> None:
    """A text needs `min_hits` keywords of its class, or all if it has fewer."""
    sample = styled(GOOD, data, keywords)
    assert sample.keyword_hits == hits
    assert keywords_fault(sample, params, limits) == fault


def test_english_keywords_are_whole_words(english: DataParams) -> None:
    """A keyword inside another word does not count; case does not matter."""
    sample = measure_candidate("My Cards", "My Cards", ("card", "my"), english)
    assert sample.keyword_hits == 1


@pytest.mark.parametrize(
    ("action", "private", "expected"),
    [
        pytest.param(
            "drop",
            (("mobile", 1), ("name", 2)),
            "private data: 1 mobile, 2 name",
            id="dropped-with-what-was-found",
        ),
        pytest.param("drop", (), None, id="nothing-private"),
        pytest.param("replace", (("mobile", 1),), None, id="replaced-instead"),
    ],
)
def test_private_data(
    action: str,
    private: tuple[tuple[str, int], ...],
    expected: str | None,
    params: FilterParams,
    limits: Limits,
    data: DataParams,
) -> None:
    """Samples with private data are rejected only if the action is `drop`."""
    sample = replace(measure_candidate(GOOD, GOOD, (), data), private=private)
    assert pii_fault(sample, altered(params, "pii", action=action), limits) == expected


@pytest.mark.parametrize(
    ("rule", "field", "row"),
    [
        pytest.param(seed_fault, "seed", "train row", id="seed"),
        pytest.param(contamination_fault, "held_out", "held-out row", id="held-out"),
        pytest.param(contradiction_fault, "other", "train row", id="other-class"),
        pytest.param(duplicate_fault, "earlier", "candidate", id="near-duplicate"),
    ],
)
@pytest.mark.parametrize("share", [0.85, 0.86])
def test_copies_name_what_they_copy(
    rule: Rule,
    field: str,
    row: str,
    share: float,
    params: FilterParams,
    limits: Limits,
    data: DataParams,
) -> None:
    """Only shares above the limit are rejected; the detail names the row."""
    copied = replace(measure_candidate(GOOD, GOOD, (), data), **{field: Overlap(share, "r7")})
    expected = f"0.86 of it occurs in {row} r7, above 0.85" if share > 0.85 else None
    assert rule(copied, params, limits) == expected


@pytest.mark.parametrize("name", [name for name, _ in RULES])
def test_a_rule_that_is_off_drops_nothing(
    name: str, params: FilterParams, limits: Limits, data: DataParams
) -> None:
    """Each rule obeys its switch, and the first enabled one gives the reason."""
    names = [rule for rule, _ in RULES]
    params = altered(altered(params, "keywords", enabled=True), "pii", action="drop")
    copy = Overlap(1.0, "r7")
    bad = measure_candidate("客服：", "客服", ("补卡",), data)
    bad = replace(
        bad,
        **dict.fromkeys(("seed", "held_out", "other", "earlier"), copy),
        loop_share=1.0,
        private=(("mobile", 1),),
    )
    for earlier in names[: names.index(name)]:
        params = altered(params, earlier, enabled=False)
    fault = first_fault(bad, params, limits)
    assert fault is not None
    assert fault.rule == name
    params = altered(params, name, enabled=False)
    rest = first_fault(bad, params, limits)
    assert rest is None if name == names[-1] else rest is not None


def test_rules_are_named_as_the_settings() -> None:
    """Each rule has a section of its name; the other settings belong to no rule."""
    style = {"style"}
    checks = {"label_check", "judge", "diversity"}  # they look at all candidates
    people = {"review_ratio", "review_min_per_class"}
    assert {*style, *checks, *people, *(name for name, _ in RULES)} == set(
        FilterParams.model_fields
    )


@settings(deadline=None)
@given(raw=st.text(alphabet="您好查话费1:：.Aa \n[SEP]。", max_size=60))
def test_any_text_can_be_measured(raw: str, data: DataParams) -> None:
    """Any text can be measured, and shares are within 0 and 1."""
    sample = styled(raw, data)
    for name in ("language_share", "loop_share", "repeated_turns", "distinct_bigrams"):
        assert 0 <= getattr(sample, name) <= 1
    assert sample.scores().turns == len(sample.turns)
