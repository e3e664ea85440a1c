"""Calls as lists of turns. The only place that knows how turns are joined in a row.

    split_turns("您好请讲[SEP]喂你好", "[SEP]")  ->  ["您好请讲", "喂你好"]
"""

from __future__ import annotations

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
