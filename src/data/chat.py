"""Convert rows to chat fine-tuning examples, in the `messages` format of GLM-4 and OpenAI.

    {"messages": [{"role": "system", ...}, {"role": "user", ...}, {"role": "assistant", ...}]}

The assistant message is the class name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from src.config.data import DataParams
from src.data.dialogue import split_turns


@dataclass(frozen=True)
class Message:
    """One message."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class ChatExample:
    """One line of a fine-tuning file."""

    messages: tuple[Message, ...]


def chat_examples(frame: pd.DataFrame, system_prompt: str, data: DataParams) -> list[ChatExample]:
    """Return one example per row: the user sends the text, one turn per line; the class follows.

    Args:
        frame: rows with the columns that `data` names.
        system_prompt: content of the system message.
        data: names of the columns, and the turn separator.
    """
    rows = zip(frame[data.text_column], frame[data.label_name_column], strict=True)
    return [
        ChatExample(
            (
                Message("system", system_prompt),
                Message("user", "\n".join(split_turns(text, data.turn_separator))),
                Message("assistant", label),
            )
        )
        for text, label in rows
    ]
