"""What MLflow gets of a metrics file."""

from __future__ import annotations

from src.reporting.runs import flat_numbers


def test_numbers_of_a_metrics_file_are_flat():
    """Nested names are joined by dots; what is no number is left out."""
    value = {"gini": {"before": 0.5, "after": 0}, "best_free": "original", "rows": 3, "stopped": {}}
    assert flat_numbers(value) == {"gini.before": 0.5, "gini.after": 0.0, "rows": 3.0}
