"""What a model that reasons aloud writes before its response."""

from __future__ import annotations

import re

THOUGHTS = re.compile(  # some servers leave out where they begin
    r"<think>.*?(?:</think>|\Z)|\A(?:(?!<think>).)*?</think>", re.DOTALL
)


def without_thoughts(text: str) -> str:
    """The reply alone."""
    return THOUGHTS.sub("", text)
