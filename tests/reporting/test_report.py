"""What all reports share: the conclusion follows the interval, methods keep their order."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from src.config.methods import Method
from src.errors import UserError
from src.evaluation.scoring import METRICS as SCORED
from src.paths import METRICS
from src.records.interval import Interval
from src.reporting.report import (
    Metrics,
    conclusion_sentence,
    methods_table,
    read_metrics,
    scored,
    shortfalls,
    signed,
)
from tests.reporting.conftest import with_difference
from tests.small_run import METHODS


@pytest.mark.parametrize(
    ("low", "value", "high", "opening"),
    [
        pytest.param(0.001, 0.06, 0.1, "The generated samples helped:", id="helped"),
        pytest.param(
            0.0, 0.06, 0.1, "The generated samples made no difference beyond noise:", id="touches-0"
        ),
        pytest.param(
            -0.02, 0.01, 0.04, "The generated samples made no difference beyond noise:", id="noise"
        ),
        pytest.param(-0.1, -0.06, -0.001, "The generated samples hurt:", id="hurt"),
    ],
)
def test_conclusion_follows_the_interval(
    metrics: Metrics, low: float, value: float, high: float, opening: str
):
    """Helped or hurt only if the whole interval is on one side of 0; the numbers are given."""
    evaluate = with_difference(metrics, low, value, high).evaluate
    sentence = conclusion_sentence(evaluate)
    assert sentence.startswith(opening)
    ours, free = (
        evaluate.methods[evaluate.ours].macro_f1,
        evaluate.methods[evaluate.best_free].macro_f1,
    )
    assert (
        f"macro-F1 {ours.value:.3f} with {evaluate.ours} against {free.value:.3f} with "
        f"{evaluate.best_free}"
    ) in sentence
    assert f"{value:+.3f} [{low:+.3f}, {high:+.3f}]" in sentence


def test_intervals_are_written_with_their_ends():
    """A score has three digits; a difference has its sign and the requested number of digits."""
    interval = Interval(0.06349, -0.041, 0.0852)
    assert scored(interval) == "0.063 [-0.041, 0.085]"
    assert signed(interval) == "+0.063 [-0.041, +0.085]"
    assert signed(interval, 4) == "+0.0635 [-0.0410, +0.0852]"


def test_every_method_is_in_the_table(metrics: Metrics):
    """All methods of the settings are listed in a fixed order; three of five metrics are shown."""
    scores = metrics.evaluate.methods["original"]
    methods = dict.fromkeys(reversed(get_args(Method)), scores)
    table = methods_table(replace(metrics.evaluate, methods=methods))
    assert table["method"].tolist() == [method for method in get_args(Method) for _ in range(3)]
    assert table["metric"].unique().tolist() == ["macro_f1", "tail_recall", "accuracy"]
    assert set(table["metric"]) < set(SCORED)


def test_methods_keep_their_order(metrics: Metrics):
    """Free methods first, as in the settings; a method that was not scored is left out."""
    table = methods_table(metrics.evaluate)
    assert table["method"].unique().tolist() == list(METHODS)
    assert table.columns.tolist() == ["method", "metric", "value", "low", "high"]
    assert len(table) == 3 * len(METHODS)


def test_shortfalls_are_listed_largest_first(metrics: Metrics):
    """Classes that reached their target are not listed."""
    lacks = {"补换卡": 6, "开发票": 9}
    per_class = {
        label: replace(row, shortfall=lacks.get(label, 0))
        for label, row in metrics.balance.per_class.items()
    }
    found = shortfalls(replace(metrics.balance, per_class=per_class))
    assert list(found.items()) == [("开发票", 9), ("补换卡", 6)]
    assert shortfalls(metrics.balance) == {}


def test_metrics_are_read_from_their_folder(kept_run: Path, metrics: Metrics, tmp_path: Path):
    """One file per stage; a missing file is named."""
    folder = shutil.copytree(kept_run / METRICS, tmp_path / "metrics")
    assert read_metrics(folder) == metrics
    (folder / "balance.json").unlink()
    with pytest.raises(UserError, match=r"balance\.json not found; run `dvc repro`"):
        read_metrics(folder)
