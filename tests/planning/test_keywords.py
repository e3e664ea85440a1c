"""Keywords: words of one class against the rest, none part of another."""

from __future__ import annotations

import pandas as pd
import pytest

from src.planning.keywords import mine_keywords

CARD, LEAVE, BILL = "补卡", "销户", "话费"


def rows(*classes: tuple[str, list[str]]) -> tuple[pd.Series, pd.Series]:
    """Texts and labels of some classes."""
    pairs = [(text, label) for label, texts in classes for text in texts]
    return (
        pd.Series([text for text, _ in pairs], dtype=str),
        pd.Series([label for _, label in pairs], dtype=str),
    )


CALLS = rows(
    (CARD, ["您好 我要补卡", "您好 补卡怎么办", "您好 帮我补卡吧"]),
    (LEAVE, ["您好 我要销户", "您好 销户怎么办", "您好 帮我销户吧"]),
    (BILL, ["您好 我要查话费", "您好 话费怎么查", "您好 帮我查话费吧"]),
)


def test_a_word_of_one_class_is_mined() -> None:
    """A word in all rows of one class and in no other row comes first."""
    assert mine_keywords(*CALLS, "zh", 1) == {BILL: (BILL,), CARD: (CARD,), LEAVE: (LEAVE,)}


def test_no_word_is_part_of_another() -> None:
    """The better of two overlapping words is kept."""
    for words in mine_keywords(*CALLS, "zh", 20).values():
        assert not any(a in b for a in words for b in words if a != b)


def test_no_word_crosses_turns_or_holds_punctuation() -> None:
    """Spaces separate turns, and the plan joins keywords with semicolons."""
    texts, labels = rows(("a", ["甲;乙 丙，丁"] * 3 + ["甲;乙 丙，丁！"]), ("b", ["戊己庚辛"] * 4))
    words = [w for found in mine_keywords(texts, labels, "zh", 40).values() for w in found]
    assert words
    assert all(w.isalnum() for w in words)


def test_english_words_are_words() -> None:
    """Keywords are lower-case words, not parts of words."""
    texts, labels = rows(
        ("card", ["Where is the Card", "the card was lost"]),
        ("top_up", ["why did the top_up fail", "the top_up seems to fail"]),
    )
    keywords = mine_keywords(texts, labels, "en", 2)
    assert keywords["card"][0] == "card"
    assert set(keywords["top_up"]) == {"top_up", "fail"}


def test_a_word_in_one_row_is_no_keyword() -> None:
    """Unless the class has only that row."""
    texts, labels = rows(
        ("a", ["补卡 明天", "补卡 后天"]), ("b", ["销户 再见"]), ("c", ["话费 多少", "话费 几块"])
    )
    keywords = mine_keywords(texts, labels, "zh", 5)
    assert keywords["a"] == ("补卡",)
    assert keywords["c"] == ("话费",)
    assert set(keywords["b"]) == {"销户", "再见"}


def test_a_row_counts_once() -> None:
    """A call that repeats a word ten times does not outweigh a word in every call."""
    texts, labels = rows(
        ("a", ["补卡 " + "啊呀" * 10, "补卡 啊呀", "补卡 嗯"]), ("b", ["销户 哦", "销户 呃"])
    )
    assert mine_keywords(texts, labels, "zh", 1)["a"] == ("补卡",)


@pytest.mark.parametrize("limit", [1, 3])
def test_the_number_of_keywords_is_limited(limit: int) -> None:
    """`keywords_per_class` is the maximum."""
    assert all(len(words) <= limit for words in mine_keywords(*CALLS, "zh", limit).values())
