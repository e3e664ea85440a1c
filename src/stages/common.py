"""What several stages hand to MLflow and the report: settings and numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from src.config import Params


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


def settings(params: Params, sections: Iterable[str] | None = None) -> dict[str, Any]:
    """Sections of params.yaml, or all, as they were read, for MLflow and the report."""
    every = params.model_dump(mode="json")
    return {section: every[section] for section in (every if sections is None else sections)}
