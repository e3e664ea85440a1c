"""The section `corpus`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from src.config.section import Section, Share


class CorpusParams(Section):
    """How the stand-in corpus is composed (`src/standin/`)."""

    KEY: ClassVar = "corpus"

    noise: Share
    length: Annotated[float, Field(gt=0, le=2)]
    label_noise: Share
    side_intents: Annotated[float, Field(ge=0, le=3)]
    seed: int
