"""Dialogue: turns of a row, and rows of a model's reply."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.data.dialogue import join_turns, plain, read_reply, split_turns

SEPARATORS = st.sampled_from(["[SEP]", "||", " / ", "\n", "<t>"])
TURNS = st.text(alphabet="您好请讲a1 ，", min_size=1, max_size=8).map(str.strip).filter(bool)


@given(turns=st.lists(TURNS), separator=SEPARATORS)
def test_turns_round_trip(turns: list[str], separator: str) -> None:
    """Clean turns are unchanged after joining and splitting."""
    assert split_turns(join_turns(turns, separator), separator) == turns


@given(text=st.text(alphabet="您好[SEP] \n", max_size=40))
def test_splitting_cleans_for_good(text: str) -> None:
    """Turns are stripped and never empty, and splitting their row again changes nothing."""
    turns = split_turns(text, "[SEP]")
    assert all(turn and turn == turn.strip() for turn in turns)
    assert split_turns(join_turns(turns, "[SEP]"), "[SEP]") == turns


@given(text=TURNS)
def test_single_utterances_are_one_turn(text: str) -> None:
    """Without a separator the whole row is one turn."""
    assert split_turns(f" {text}[SEP]{text} ", None) == [f"{text}[SEP]{text}"]
    assert join_turns([text], None) == text


@pytest.mark.parametrize(
    ("text", "separator", "turns"),
    [
        pytest.param("您好请讲[SEP]喂你好", "[SEP]", ["您好请讲", "喂你好"], id="two"),
        pytest.param(" 您好 [SEP][SEP] [SEP]喂", "[SEP]", ["您好", "喂"], id="empty-turns"),
        pytest.param("[SEP]", "[SEP]", [], id="nothing-but-a-separator"),
        pytest.param("a.b", ".", ["a", "b"], id="separator-is-no-pattern"),
        pytest.param("  ", None, [], id="blank-utterance"),
    ],
)
def test_split(text: str, separator: str | None, turns: list[str]) -> None:
    """Empty turns are dropped and the others stripped."""
    assert split_turns(text, separator) == turns


def test_plain_text_has_no_separator() -> None:
    """Turns are joined by spaces."""
    assert plain("您好请讲[SEP] 喂你好 ", "[SEP]") == "您好请讲 喂你好"
    assert plain(" where is my card ", None) == "where is my card"


@pytest.mark.parametrize(
    ("reply", "row"),
    [
        pytest.param("您好请讲\n我要补卡", "您好请讲[SEP]我要补卡", id="a-turn-a-line"),
        pytest.param("\n\n 您好 \r\n\n我要补卡\n", "您好[SEP]我要补卡", id="blank-lines"),
        pytest.param("您好 / 我要补卡 | 好的", "您好[SEP]我要补卡[SEP]好的", id="slashes-and-bars"),
        pytest.param("- 您好\n* 我要补卡\n• 好的", "您好[SEP]我要补卡[SEP]好的", id="bullets"),
        pytest.param("客服：您好\n客户: 我要补卡", "您好[SEP]我要补卡", id="role-names"),
        pytest.param("- 坐席 ：您好\n来电人：补卡", "您好[SEP]补卡", id="bullets-and-role-names"),
        pytest.param("Agent: hello\nCUSTOMER: my card", "hello[SEP]my card", id="english-roles"),
        pytest.param(
            "客服您好\n用户名忘了", "客服您好[SEP]用户名忘了", id="words-that-are-no-role"
        ),
        pytest.param("客服：\n-\n我要补卡", "我要补卡", id="a-role-that-says-nothing"),
        pytest.param(" \n - \n", "", id="nothing"),
    ],
)
def test_a_reply_becomes_a_row(reply: str, row: str) -> None:
    """There is one turn per line, without bullets and role names."""
    assert read_reply(reply, "[SEP]") == row


@pytest.mark.parametrize(
    ("reply", "row"),
    [
        pytest.param("- where is my card\n- another", "where is my card", id="first-line-only"),
        pytest.param("\n\nUser: my card", "my card", id="role-and-blank-lines"),
        pytest.param("how do I turn on/off roaming", "how do I turn on/off roaming", id="a-slash"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_a_reply_becomes_one_utterance(reply: str, row: str) -> None:
    """If rows are single utterances, a slash does not separate turns."""
    assert read_reply(reply, None) == row
