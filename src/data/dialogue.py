"""Split texts into turns and join them. No other module knows the turn separator's meaning.

split_turns("您好请讲[SEP]喂你好", "[SEP]")  ->  ["您好请讲", "喂你好"]
"""

from __future__ import annotations

import re

STANDIN_SEPARATOR = "[SEP]"


def split_turns(text: str, separator: str | None) -> list[str]:
    """Return the non-empty turns of a text; without a separator, the whole text is one turn."""
    if separator is None:
        return [text.strip()] if text.strip() else []
    return [turn.strip() for turn in text.split(separator) if turn.strip()]


def join_turns(turns: list[str], separator: str | None) -> str:
    """Return the text of a row from its turns; the inverse of `split_turns` on clean turns."""
    return (separator or " ").join(turns)


def plain(text: str, separator: str | None) -> str:
    """Return the turns joined by spaces, as classifiers and similarity measures need them."""
    return " ".join(split_turns(text, separator))


TURN_BREAKS = re.compile(r"[\n/|]+")  # prompts show examples with " / " between turns
LINE_START = re.compile(
    r"^\s*(?:[-*•]\s*)?(?:(?:客服|坐席|客户|用户|来电人|agent|customer|caller|user)\s*[:：])?\s*",
    re.IGNORECASE,
)


def read_reply(reply: str, separator: str | None) -> str:
    """Return the text of one sample from a model's reply with one turn per line.

    Bullets and role names at the start of a line are dropped. If rows are single utterances, the
    first line is the sample.
    """
    lines = TURN_BREAKS.split(reply) if separator else reply.split("\n")
    turns = [turn for line in lines if (turn := LINE_START.sub("", line).strip())]
    return join_turns(turns if separator else turns[:1], separator)
