"""The section `baseline`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from src.config.section import Count, Section, ascending


class BaselineParams(Section):
    """TF-IDF and a linear classifier, the same for every method."""

    KEY: ClassVar = "baseline"

    analyzer: Literal["char", "char_wb", "word"]
    ngram_range: Annotated[tuple[Count, Count], AfterValidator(ascending)]
    min_df: Count
    max_features: Count
    classifier: Literal["linear_svc", "logistic_regression"]
    c: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)]
    seed: int
