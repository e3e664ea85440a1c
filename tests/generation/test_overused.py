"""Overused n-grams: word sequences that many samples of a class share."""

from __future__ import annotations

import pytest

from src.generation.overused import overused_ngrams


@pytest.mark.parametrize(
    ("most", "texts", "expected"),
    [
        # six characters, in at least two texts; ties in the order of their characters
        pytest.param(
            5, ["请您稍等一下", "请您稍等一下好", "我要补卡"], ["请您稍等一下"], id="twice"
        ),
        pytest.param(5, ["请您稍等一下", "请您稍等片刻"], [], id="five-characters-in-common"),
        pytest.param(5, ["请您 稍等 一下", "请您稍等一下"], ["请您稍等一下"], id="across-turns"),
        pytest.param(5, ["请您稍等一下请您稍等一下"], [], id="twice-in-one-text"),
        pytest.param(
            5,
            ["谢谢您的来电", "您好请问哪位"] * 2 + ["您好请问哪位"],
            ["您好请问哪位", "谢谢您的来电"],
            id="commonest-first",
        ),
        pytest.param(
            1,
            ["谢谢您的来电", "您好请问哪位"] * 2 + ["您好请问哪位"],
            ["您好请问哪位"],
            id="one-at-most",
        ),
        pytest.param(0, ["请您稍等一下"] * 2, [], id="none-at-most"),
        # seven characters contain two n-grams that share five
        pytest.param(
            5, ["一二三四五六七"] * 2, ["一二三四五六"], id="of-overlapping-ones-the-first"
        ),
        pytest.param(
            5,
            ["一二三四五六", "五六七八九十"] * 2,
            ["一二三四五六", "五六七八九十"],
            id="two-in-common",
        ),
        pytest.param(
            5, ["一二三四五六", "四五六七八九"] * 2, ["一二三四五六"], id="three-in-common"
        ),
        # 15 % of 20 are 3
        pytest.param(5, ["请您稍等一下"] * 3 + ["补卡"] * 17, ["请您稍等一下"], id="in-3-of-20"),
        pytest.param(5, ["请您稍等一下"] * 2 + ["补卡"] * 18, [], id="in-2-of-20"),
        pytest.param(5, ["补卡", "补卡"], [], id="too-short"),
        pytest.param(5, [], [], id="no-texts"),
    ],
)
def test_overused_ngrams(most: int, texts: list[str], expected: list[str]) -> None:
    """Six characters that at least 15 % of the texts, and at least two, contain."""
    assert overused_ngrams(texts, most, "zh") == expected


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        pytest.param(["How can I help you", "how can I  help"], ["how can i help"], id="case"),
        pytest.param(["how can I assist", "how can I help"], [], id="three-words-in-common"),
        # "for calling us now" and "thank you for calling" share "for calling", 11 of 21 characters
        pytest.param(
            ["thank you for calling us now"] * 2, ["for calling us now"], id="overlapping"
        ),
        # the third shares 7 of 16 characters with the first, and each of the other three 8 or more
        # with one that is returned
        pytest.param(
            ["please hold the line so i can check that"] * 2,
            ["hold the line so", "i can check that", "line so i can"],
            id="two-in-one-text",
        ),
        pytest.param(["hold on please"] * 2, [], id="too-short"),
    ],
)
def test_overused_ngrams_in_english(texts: list[str], expected: list[str]) -> None:
    """Four words in lower case."""
    assert overused_ngrams(texts, 5, "en") == expected
