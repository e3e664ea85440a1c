"""The section `generate`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from src.config.section import Amount, Count, Part, Section, Share


class BudgetParams(Part):
    """What a run may spend, recorded responses included; null = no limit."""

    cost: Amount | None
    tokens: Count | None


class GenerateParams(Section):
    """What the model is asked for, and when a class ends before its quota."""

    KEY: ClassVar = "generate"

    domain: str
    attributes: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]]
    avoid_ngrams: Annotated[int, Field(ge=0, le=20)]
    mask_seeds: bool
    surplus: Annotated[float, Field(ge=0, le=5)]
    samples_per_request: Annotated[int, Field(ge=1, le=20)]
    seeds_per_prompt: Count
    seed_max_chars: Annotated[int, Field(ge=10)]
    contrast: Annotated[int, Field(ge=0, le=8)] = 0
    requests_per_prompt: Count
    temperature: Annotated[float, Field(ge=0, le=2)]
    top_p: Annotated[float, Field(gt=0, le=1)]
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)]
    presence_penalty: Annotated[float, Field(ge=-2, le=2)]
    max_tokens: Annotated[int, Field(ge=8)]
    max_attempts_per_class: Count
    min_acceptance: Share
    budget: BudgetParams
    reuse: bool = True
    seed: int
