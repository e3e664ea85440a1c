"""The section `choose`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from src.config.section import Count, Section


class ChooseParams(Section):
    """Numbers and weights of samples that are tried on dev for the method `chosen`."""

    KEY: ClassVar = "choose"

    samples_per_class: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]
    sample_weights: Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=1)]
    seeds: Count
