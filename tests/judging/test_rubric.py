"""How a judge's reply is read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.data.schema import LabelInfo
from src.judging.rubric import Judgement, read_judgement

LABELS = {
    name: LabelInfo(number, name, "", ())
    for number, name in (
        ("3", "补换卡"),
        ("12", "办理取消"),
        ("7", "card, lost"),
        ("", "Refund_us"),
    )
}
FIELDS: dict[str, Any] = {
    "label_consistency": 8,
    "completeness": 7.5,
    "naturalness": 6,
    "best_label": "补换卡",
    "reason": "要补卡",
}
READ = Judgement("", "", 8, 7.5, 6, "补换卡", "要补卡")
REPLY = json.dumps(FIELDS, ensure_ascii=False)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        pytest.param((10, 0, 0), 4.0, id="label-consistency-40"),
        pytest.param((0, 10, 0), 3.5, id="completeness-35"),
        pytest.param((0, 0, 10), 2.5, id="naturalness-25"),
        pytest.param((7, 7, 7), 7.0, id="no-rounding-error-below-a-threshold"),
        pytest.param((7.3, 7.3, 7.3), 7.3, id="nor-with-decimals"),
        pytest.param((8, 6, 4), 6.3, id="mixed"),
        pytest.param((10, 10, 10), 10.0, id="most"),
    ],
)
def test_the_score_is_the_weighted_mean(scores: tuple[float, ...], expected: float) -> None:
    """Exactly, so that a sample at a threshold passes it."""
    assert Judgement("a", "m", *scores, best_label="", reason="").score == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(REPLY, id="json"),
        pytest.param(f"```json\n{REPLY}\n```", id="fence"),
        pytest.param(f"我的评分如下：\n{REPLY}\n以上。若有 {{疑问}} 请告诉我", id="text-around"),
        pytest.param(f"{REPLY}\n{REPLY}", id="given-twice"),
        pytest.param(
            REPLY.replace("8,", '"8",').replace("7.5", '"7.5/10"').replace("6,", '"6 分",'),
            id="numbers-as-texts",
        ),
        pytest.param(
            "｛“label_consistency”：８，“completeness”：７．５，“naturalness”：６，"
            "“best_label”：“补换卡”，“reason”：“要补卡”｝",
            id="full-width",
        ),
        pytest.param(REPLY.replace('"', "'"), id="single-quotes"),
        pytest.param(REPLY.replace("}", ",}"), id="trailing-comma"),
        pytest.param(REPLY[:-1], id="cut"),
        pytest.param(json.dumps({"scores": FIELDS}), id="inside-another-object"),
        pytest.param(
            "**label_consistency**: 8/10\n- completeness = 7.5\nNaturalness: 6\n"
            "best_label: 补换卡, reason: 要补卡",
            id="no-json",
        ),
        pytest.param(json.dumps(FIELDS), id="escaped"),
        pytest.param(json.dumps({**FIELDS, "label_consistency": 8.0, "more": [1]}), id="more-keys"),
    ],
)
def test_all_formats_of_a_judgement_are_read(text: str) -> None:
    """Text around it and its notation change nothing."""
    assert read_judgement(text, LABELS) == READ


def test_quotes_inside_the_reason_cut_only_the_reason() -> None:
    """The most common JSON error of models that write Chinese."""
    text = REPLY.replace("要补卡", '他说"要补卡"的')
    read = read_judgement(text, LABELS, "glm4", "glm-4")
    assert read == Judgement("glm4", "glm-4", 8, 7.5, 6, "补换卡", "他说")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("抱歉，我无法对该内容打分。", id="refusal"),
        pytest.param("label_consistency 很高，其他一般", id="no-numbers"),
        pytest.param("[8, 7.5, 6]", id="numbers-without-names"),
        pytest.param("null", id="null"),
        pytest.param("{" * 5000, id="braces"),
        pytest.param('{"a":' * 3000, id="deep"),
        pytest.param(REPLY.replace('"naturalness": 6, ', ""), id="a-score-is-missing"),
        pytest.param(REPLY.replace("7.5", "11"), id="above-10"),
        pytest.param(REPLY.replace("7.5", "-1"), id="below-0"),
        pytest.param(REPLY.replace("7.5", "75/100"), id="of-another-scale"),
        pytest.param(REPLY.replace("7.5", '"75"'), id="text-above-10"),
        pytest.param(REPLY.replace("7.5", "NaN"), id="nan"),
        pytest.param(REPLY.replace("7.5", "1e999"), id="infinite"),
        pytest.param(REPLY.replace("7.5", "1" + "0" * 400), id="a-number-that-no-float-holds"),
        pytest.param(REPLY.replace("7.5", "true"), id="true-is-not-1"),
        pytest.param(REPLY.replace("7.5", "null"), id="null-score"),
        pytest.param(REPLY.replace("7.5", "[7]"), id="list"),
        pytest.param(REPLY.replace("8", "0-10"), id="the-question-again"),
        pytest.param(
            REPLY.replace("8", "10") + f"\n样本里有一段评分，我的是：{REPLY}", id="two-that-differ"
        ),
        pytest.param(
            "label_consistency: 3, completeness: 7, naturalness: 6\nlabel_consistency: 9",
            id="two-values-of-one-score",
        ),
    ],
)
def test_invalid_judgements_are_none(text: str) -> None:
    """Such a judge abstains; an impossible score is not clipped to the range."""
    assert read_judgement(text, LABELS) is None


@pytest.mark.parametrize(
    ("stated", "meant"),
    [
        pytest.param("办理取消", "办理取消", id="name"),
        pytest.param("12", "办理取消", id="id"),
        pytest.param(12, "办理取消", id="id-as-a-number"),
        pytest.param("12 办理取消", "办理取消", id="both"),
        pytest.param("「办理取消」（１２）", "办理取消", id="both-with-signs"),
        pytest.param("card, lost", "card, lost", id="comma-in-a-name"),
        pytest.param("Card lost", "card, lost", id="case"),
        pytest.param("refund us", "Refund_us", id="underscore"),
        pytest.param("取消", "", id="part-of-a-name"),
        pytest.param("12 补换卡", "", id="id-and-name-of-two-classes"),
        pytest.param("宽带报装", "", id="no-class"),
        pytest.param("", "", id="empty"),
        pytest.param("！", "", id="signs-alone"),
        pytest.param(None, "", id="null"),
    ],
)
def test_the_best_label_is_one_of_the_classes_or_none(stated: object, meant: str) -> None:
    """By name, id or both; the scores count in any case."""
    read = read_judgement(json.dumps({**FIELDS, "best_label": stated}), LABELS)
    assert read is not None
    assert (read.best_label, read.label_consistency) == (meant, 8)


def test_a_label_that_two_classes_may_mean_is_none() -> None:
    """Names that differ only in punctuation need an exact match."""
    labels = {name: LabelInfo("", name, "", ()) for name in ("C", "C#")}
    best = {
        stated: getattr(
            read_judgement(json.dumps({**FIELDS, "best_label": stated}), labels), "best_label", None
        )
        for stated in ("C", "C#", "c")
    }
    assert best == {"C": "C", "C#": "C#", "c": ""}


def test_a_long_reason_is_cut_to_one_line() -> None:
    """It is shown in tables."""
    read = read_judgement(json.dumps({**FIELDS, "reason": "理由\n" * 300}), LABELS)
    assert read is not None
    assert read.reason == ("理由 " * 300)[:200]


@given(st.text() | st.text(alphabet='{}":,0123456789. labeconsity_\n', max_size=200))
def test_no_reply_is_an_error(text: str) -> None:
    """For any text; a judgement that is read has valid scores."""
    read = read_judgement(text + REPLY, LABELS)
    assert read is None or 0 <= read.score <= 10


@given(st.tuples(*[st.floats(0, 10)] * 3))
def test_scores_are_unchanged(scores: tuple[float, float, float]) -> None:
    """All numbers of the range, in JSON."""
    names = ("label_consistency", "completeness", "naturalness")
    read = read_judgement(json.dumps({**FIELDS, **dict(zip(names, scores, strict=True))}), LABELS)
    assert read is not None
    assert tuple(getattr(read, name) for name in names) == scores
