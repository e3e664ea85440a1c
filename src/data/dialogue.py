"""Calls as lists of turns. The only place that knows how turns are joined in a row.

    split_turns("您好请讲[SEP]喂你好", "[SEP]")  ->  ["您好请讲", "喂你好"]
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


# How the turns of an example are shown to a model, and where its reply is cut into turns.
SHOWN_BETWEEN_TURNS = {"zh": "，", "en": " / "}
REPLY_BREAKS = {"zh": re.compile(r"[，。？！；…,?!;\n/|]+"), "en": re.compile(r"[\n/|]+")}
ROLE = re.compile(r"^\s*(客服|坐席|客户|用户|来电人|agent|customer|caller|user)\s*[:：]", re.IGNORECASE)


def show(text: str, separator: str | None, language: str) -> str:
    """One row on one line, as an example in a prompt."""
    turns = split_turns(text, separator)
    return " ".join(SHOWN_BETWEEN_TURNS[language].join(turns).split())


def read_reply(reply: str, separator: str | None, language: str) -> str:
    """One sample of a reply as a row's text; inverse of `show`. Role names are dropped."""
    if separator is None:
        return " ".join(reply.split())
    turns = (ROLE.sub("", turn).strip() for turn in REPLY_BREAKS[language].split(reply))
    return join_turns([turn for turn in turns if turn], separator)
