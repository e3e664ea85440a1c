"""The section `convert`."""

from __future__ import annotations

from src.config.section import Section


class ConvertParams(Section):
    """The chat fine-tuning files."""

    system_prompt: str
