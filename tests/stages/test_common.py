"""Settings as MLflow and the report get them."""

from __future__ import annotations

from src.config.params import load_params
from src.stages.common import settings


def test_settings_are_sections_as_plain_values():
    """Only the sections that are named, in a form that JSON can hold."""
    params = load_params()
    found = settings(params, ["plan", "data"])
    assert list(found) == ["plan", "data"]
    assert found["plan"]["target_per_class"] == params.plan.target_per_class
    assert found["data"]["train"] == params.data.train.as_posix()
