"""Rows as chat fine-tuning examples: the `messages` form that GLM-4 and OpenAI both read.

    {"messages": [{"role": "system", ...}, {"role": "user", ...}, {"role": "assistant", ...}]}

The answer of the assistant is the class name.
"""

from __future__ import annotations

from typing import Literal, TypedDict

import pandas as pd

from src.config.data import DataParams
from src.data.dialogue import split_turns


class Message(TypedDict):
    """One message."""

    role: Literal["system", "user", "assistant"]
    content: str


class Example(TypedDict):
    """One line of a fine-tuning file."""

    messages: list[Message]


def chat_examples(frame: pd.DataFrame, system_prompt: str, data: DataParams) -> list[Example]:
    """One example a row: the text, a turn a line, is asked; the class name is the answer.

    Args:
        frame: rows with the columns that `data` names.
        system_prompt: what the assistant is told to do.
        data: names of the columns and the turn separator.
    """
    rows = zip(frame[data.text_column], frame[data.label_name_column], strict=True)
    return [
        {
            "messages": [
                {"role": "system", "content": system_prompt},
                {"role": "user", "content": "\n".join(split_turns(text, data.turn_separator))},
                {"role": "assistant", "content": label},
            ]
        }
        for text, label in rows
    ]
