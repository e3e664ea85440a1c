"""The section `convert`."""

from __future__ import annotations

from typing import ClassVar

from src.config.section import Section


class ConvertParams(Section):
    """The chat fine-tuning files."""

    KEY: ClassVar = "convert"

    system_prompt: str
