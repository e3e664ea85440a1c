"""Chat fine-tuning examples: one turn per line, the class name as the assistant's message."""

from __future__ import annotations

import pandas as pd
import pytest

from src.config.data import DataParams
from src.data.chat import chat_examples
from src.records.json_files import fields_of

FRAME = pd.DataFrame(
    {"call": ["您好请讲[SEP] 我要补卡 [SEP]"], "id": ["5"], "name": ["办理补换卡"]}, dtype=str
)


@pytest.mark.parametrize(
    ("separator", "asked"),
    [
        pytest.param("[SEP]", "您好请讲\n我要补卡", id="turns"),
        pytest.param(None, "您好请讲[SEP] 我要补卡 [SEP]", id="one-utterance"),
    ],
)
def test_a_row_becomes_messages(separator: str | None, asked: str, data: DataParams) -> None:
    """A row becomes a system, a user and an assistant message."""
    columns = {"text_column": "call", "label_column": "id", "label_name_column": "name"}
    data = data.model_copy(update={**columns, "id_column": None, "turn_separator": separator})
    examples = chat_examples(FRAME, "只回答类别", data)
    assert [fields_of(example) for example in examples] == [
        {
            "messages": [
                {"role": "system", "content": "只回答类别"},
                {"role": "user", "content": asked},
                {"role": "assistant", "content": "办理补换卡"},
            ]
        }
    ]
