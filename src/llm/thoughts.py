"""Reasoning text (`<think>`) that some models write before their reply."""

from __future__ import annotations

import re

THOUGHTS = re.compile(  # some servers omit the opening tag
    r"<think>.*?(?:</think>|\Z)|\A(?:(?!<think>).)*?</think>", re.DOTALL
)


def without_thoughts(text: str) -> str:
    """Return the reply without the reasoning."""
    return THOUGHTS.sub("", text)
