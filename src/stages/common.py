"""What several stages do: build the gate, and tell MLflow that a stage has ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from src.config import Params
from src.data.schema import Splits
from src.planning.plan import Plan

if TYPE_CHECKING:
    from src.quality.gate import Gate


def build_gate(splits: Splits, plan: Plan, params: Params) -> Gate:
    """The gate that generate asks in its loop and filter asks for the final verdict."""
    from src.quality.gate import Gate

    return Gate(
        splits.train, splits.dev, splits.test, plan.keywords, params.filter, params.data
    )


def flat_numbers(value: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers of a nested metrics file, keys joined by dots."""
    numbers: dict[str, float] = {}
    for key, item in value.items():
        name = f"{prefix}{key}"
        if isinstance(item, Mapping):
            numbers.update(flat_numbers(item, f"{name}."))
        elif isinstance(item, int | float):
            numbers[name] = float(item)
    return numbers


def settings(params: Params, sections: Iterable[str]) -> dict[str, Any]:
    """Sections of params.yaml as they were read, for MLflow and the report."""
    return {section: params.model_dump(mode="json")[section] for section in sections}


def existing(paths: Iterable[Path]) -> list[Path]:
    """The paths that are there."""
    return [path for path in paths if path.exists()]
