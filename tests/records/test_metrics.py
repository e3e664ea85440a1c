"""The metrics files of real runs fit the records that document them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from src.paths import METRICS
from src.records.json_files import read_record, write_record
from src.records.metrics.analyze import AnalyzeMetrics
from src.records.metrics.balance import BalanceMetrics
from src.records.metrics.choose import ChooseMetrics
from src.records.metrics.evaluate import EvaluateMetrics
from src.records.metrics.filter import FilterMetrics
from src.records.metrics.generate import GenerateMetrics

KINDS: dict[str, type[Any]] = {
    "analyze": AnalyzeMetrics,
    "generate": GenerateMetrics,
    "filter": FilterMetrics,
    "balance": BalanceMetrics,
    "choose": ChooseMetrics,
    "evaluate": EvaluateMetrics,
}


@pytest.mark.parametrize("run", ["small_run", "kept_run", "shipped"])
@pytest.mark.parametrize("name", KINDS)
def test_a_metrics_file_is_its_record(
    name: str, run: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Reading and rewriting gives the same bytes: no field is missing, and none is unknown.

    This also keeps `kept_run`, which the tests of the reports use, in the current format.
    """
    folder = Path() if run == "shipped" else request.getfixturevalue(run)
    written = folder / METRICS / f"{name}.json"
    again = tmp_path / "again.json"
    write_record(again, read_record(written, KINDS[name]))
    assert again.read_bytes() == written.read_bytes()
