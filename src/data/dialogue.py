"""Calls as lists of turns. The only module that knows how turns are joined in a row.

    split_turns("您好请讲[SEP]喂你好", "[SEP]")  ->  ["您好请讲", "喂你好"]

Nothing else splits or joins them.
"""

from __future__ import annotations

import re

STANDIN_SEPARATOR = "[SEP]"


def split_turns(text: str, separator: str | None) -> list[str]:
    """Turns of one call, empty ones dropped; the whole text where rows are single utterances."""
    if separator is None:
        return [text.strip()] if text.strip() else []
    return [turn.strip() for turn in text.split(separator) if turn.strip()]


def join_turns(turns: list[str], separator: str | None) -> str:
    """One row's text from its turns; inverse of `split_turns` on clean turns."""
    return (separator or " ").join(turns)


def plain(text: str, separator: str | None) -> str:
    """The words alone: turns joined by spaces, as a classifier or a similarity should see them."""
    return " ".join(split_turns(text, separator))


TURN_BREAKS = re.compile(r"[\n/|]+")  # prompts show examples with " / " between turns
LINE_START = re.compile(
    r"^\s*(?:[-*•]\s*)?(?:(?:客服|坐席|客户|用户|来电人|agent|customer|caller|user)\s*[:：])?\s*",
    re.IGNORECASE,
)


def read_reply(reply: str, separator: str | None) -> str:
    """One sample of a model's reply, a turn a line, as a row's text.

    Bullets and role names at the start of a line are dropped. Where rows are single utterances,
    the first line is the sample.
    """
    lines = TURN_BREAKS.split(reply) if separator else reply.split("\n")
    turns = [turn for line in lines if (turn := LINE_START.sub("", line).strip())]
    return join_turns(turns if separator else turns[:1], separator)
