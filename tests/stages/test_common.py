"""Settings and numbers as MLflow and the report get them."""

from __future__ import annotations

from src.config import load_params
from src.stages.common import flat_numbers, settings


def test_numbers_of_a_metrics_file_are_flat():
    """Nested names are joined by dots; what is no number is left out."""
    value = {"gini": {"before": 0.5, "after": 0}, "best_free": "original", "rows": 3, "stopped": {}}
    assert flat_numbers(value) == {"gini.before": 0.5, "gini.after": 0.0, "rows": 3.0}


def test_settings_are_sections_as_plain_values():
    """Only the sections that are named, in a form that JSON can hold."""
    params = load_params()
    found = settings(params, ["plan", "data"])
    assert list(found) == ["plan", "data"]
    assert found["plan"]["target_per_class"] == params.plan.target_per_class
    assert found["data"]["train"] == params.data.train.as_posix()
