"""What a model that reasons aloud writes before its answer."""

from __future__ import annotations

import re

THOUGHTS = re.compile(  # of a model that reasons aloud; some servers leave out where they begin
    r"<think>.*?(?:</think>|\Z)|\A(?:(?!<think>).)*?</think>", re.DOTALL
)


def without_thoughts(text: str) -> str:
    """The answer alone."""
    return THOUGHTS.sub("", text)
