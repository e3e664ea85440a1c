"""Thresholds of the metrics, read from metrics/thresholds.yaml; see `src/commands/check.py`.

rules = load_thresholds(THRESHOLDS)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import yaml
from pydantic import Field, ValidationError

from src.config.section import Amount, Part
from src.errors import UserError
from src.paths import METRICS

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

THRESHOLDS = METRICS / "thresholds.yaml"


class Tolerance(Part):
    """How much worse a metric with an interval may get: max(least, standard_errors * SE)."""

    least: Amount
    standard_errors: Amount


class Threshold(Part):
    """The threshold of one metric; its keys are explained in metrics/thresholds.yaml."""

    better: Literal["higher", "lower"]
    limit: float | None = None
    allowed: Amount | None = None
    versus: Literal["best_free", "original"] | None = None


class Thresholds(Part):
    """The contents of metrics/thresholds.yaml; `metrics` is file -> metric -> threshold."""

    tolerance: Tolerance
    metrics: Annotated[
        dict[str, Annotated[dict[str, Threshold], Field(min_length=1)]], Field(min_length=1)
    ]


def load_thresholds(path: Path) -> Thresholds:
    """Read and check the thresholds.

    Raises:
        UserError: the file is missing or broken, or has an unknown key or an illegal value.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} not found; run from the project's root") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        message = " ".join(str(error).split())
        raise UserError(f"{path} is not valid YAML ({message}); mend that line") from None
    try:
        return Thresholds.model_validate(raw)
    except ValidationError as error:
        raise UserError(f"{path}: " + "; ".join(map(_explain, error.errors()))) from None


def _explain(error: ErrorDetails) -> str:
    key = ".".join(map(str, error["loc"])) or "the whole file"
    if error["type"] == "extra_forbidden":
        return f"{key} is {error['input']!r}, but there is no such key; correct or remove it"
    if error["type"] == "missing":
        return f"{key} is missing; add it"
    return f"{key} is {error['input']!r}: {error['msg']}; correct it"
