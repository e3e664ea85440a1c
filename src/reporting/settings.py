"""The settings that a report shows; column names, currency and confidence come from them too."""

from __future__ import annotations

from dataclasses import dataclass, fields

import yaml

from src.config.baseline import BaselineParams
from src.config.choose import ChooseParams
from src.config.data import DataParams
from src.config.evaluate import EvaluateParams
from src.config.filter import FilterParams
from src.config.generate import GenerateParams
from src.config.llm import LlmParams
from src.config.plan import PlanParams


@dataclass(frozen=True)
class Settings:
    """Sections of params.yaml, in display order."""

    data: DataParams
    plan: PlanParams
    llm: LlmParams
    generate: GenerateParams
    filter: FilterParams
    baseline: BaselineParams
    choose: ChooseParams
    evaluate: EvaluateParams

    def as_yaml(self) -> str:
        """Return the sections in the form of params.yaml, without its comments."""
        sections = {
            field.name: getattr(self, field.name).model_dump(mode="json") for field in fields(self)
        }
        return yaml.safe_dump(sections, allow_unicode=True, sort_keys=False)
