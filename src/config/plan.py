"""The section `plan`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from src.config.section import Count, Section, Share

Strategy = Literal["quota", "floor", "power", "effective_number", "gini"]


class PlanParams(Section):
    """How many rows each class should have (`src/planning/strategies.py`)."""

    KEY: ClassVar = "plan"

    policy: Literal["uniform", "error_driven"] = "uniform"
    round_samples: Count | None = None
    patience: Annotated[int, Field(ge=0)] = 1
    strategy: Strategy = "quota"
    target_per_class: Count
    temperature: Annotated[float, Field(gt=0, le=1)] = 0.5
    beta: Annotated[float, Field(gt=0, lt=1)] = 0.999
    target_gini: Annotated[float, Field(ge=0, lt=1)] | None = None
    minority_ratio: Share
    ultra_minority_max: Annotated[int, Field(ge=0)]
    overrides: dict[str, Annotated[int, Field(ge=0)]]
    max_synthetic_share: Share | None = None
    max_synthetic_total: Share | None = None
    head_cap: Count | None = None
    keywords_per_class: Count

    @model_validator(mode="after")
    def _strategy_has_what_it_needs(self) -> PlanParams:
        if self.strategy == "gini" and self.target_gini is None:
            raise ValueError(
                "strategy gini needs target_gini, the Gini coefficient to reach (for example "
                "0.35), got None"
            )
        fills = self.strategy in ("quota", "floor")
        if fills and self.head_cap is not None and self.head_cap < self.target_per_class:
            raise ValueError(
                f"head_cap {self.head_cap} is below target_per_class {self.target_per_class}: "
                "large classes would be cut to fewer rows than small ones are filled up to; raise "
                "head_cap or lower target_per_class"
            )
        return self
