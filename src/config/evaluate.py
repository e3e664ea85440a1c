"""The section `evaluate`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from src.config.methods import Method
from src.config.section import Count, Section


class EvaluateParams(Section):
    """Which methods are compared, and how their intervals are computed."""

    KEY: ClassVar = "evaluate"

    seeds: Count
    second_classifier: bool
    methods: Annotated[tuple[Method, ...], Field(min_length=1)]
    tail_max_support: Count
    bootstrap: Annotated[int, Field(ge=100)]
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    seed: int

    @model_validator(mode="after")
    def _has_the_methods_compared_against(self) -> EvaluateParams:
        needed = ("original", "class_weight", "oversample", "augmented")
        missing = [method for method in needed if method not in self.methods]
        if missing:
            raise ValueError(f"methods must include {missing}: results are compared with them")
        return self
