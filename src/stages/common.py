"""What every stage hands to MLflow and the report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from src.config.params import Params


def settings(params: Params, sections: Iterable[str] | None = None) -> dict[str, Any]:
    """Sections of params.yaml, or all, as they were read, for MLflow and the report."""
    every = params.model_dump(mode="json")
    return {section: every[section] for section in (every if sections is None else sections)}
