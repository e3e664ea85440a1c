"""The section `data`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from src.config.section import Section

Language = Literal["zh", "en"]


class DataParams(Section):
    """Where the rows are and what their columns are called."""

    KEY: ClassVar = "data"

    train: Path
    dev: Path
    test: Path
    labels: Path
    text_column: str
    label_column: str
    label_name_column: str
    id_column: str | None
    turn_separator: Annotated[str, Field(min_length=1)] | None
    language: Language
