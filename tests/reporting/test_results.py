"""Reading the results of a run for the report."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from src.errors import UserError
from src.paths import METRICS, PREDICTIONS, REJECTED
from src.records.samples import Fault, read_screened
from src.reporting.results import Confused, Results, by_rule, confused
from src.reporting.settings import Settings
from tests.reporting.conftest import read


def test_tables_are_those_of_the_stages(kept_run: Path, results: Results):
    """One row per class with test rows, and every test row in both confusion tables."""
    assert sorted(results.per_class["label"]) == sorted(results.metrics.balance.per_class)
    assert results.class_counts["after"].sum() == results.metrics.balance.rows
    for counts in (results.confusion_before, results.confusion_after):
        assert counts.to_numpy().sum() == results.metrics.evaluate.test_rows
    assert len(results.accepted) == results.metrics.filter.accepted
    rejected = sum(results.metrics.filter.rejected_by.values())
    assert len(results.rejected) == len(read_screened(kept_run / REJECTED)) == rejected


def test_confused_pairs_are_of_the_best_free_method_and_ours(kept_run: Path, results: Results):
    """They come from the first seed of both methods, on the test rows."""
    evaluate = results.metrics.evaluate
    truth = pd.read_csv(kept_run / "data/test.csv")["label_raw"]
    for method, field in ((evaluate.best_free, "before"), (evaluate.ours, "after")):
        predicted = pd.read_csv(kept_run / PREDICTIONS / f"{method}.csv").query("split == 'test'")
        wrong = (predicted["seed_0"].to_numpy() != truth.to_numpy()).sum()
        assert sum(getattr(pair, field) for pair in results.confused) == wrong > 0


def test_correct_predictions_are_not_confused():
    """Each pair of classes is listed once, with its counts for both methods."""
    pairs = confused(list("aaabb"), list("abbbb"), list("aabba"))
    assert pairs == (Confused("a", "b", 2, 1), Confused("b", "a", 0, 1))
    assert [pair.change for pair in pairs] == [-1, 1]


def test_rejected_samples_are_grouped_by_rule(results: Results):
    """Sorted by the name of the rule; samples keep their order."""
    first, second = results.rejected[:2]
    faults = (Fault("length", ""), Fault("format", ""))
    dropped = [replace(first, fault=faults[0]), replace(second, fault=faults[1])]
    assert list(by_rule([*dropped, dropped[0]]).items()) == [
        ("format", [dropped[1]]),
        ("length", [dropped[0], dropped[0]]),
    ]


def test_the_name_of_a_class_may_be_a_number(kept_run: Path, settings: Settings, tmp_path: Path):
    """Names are read as text, including names that pandas would read as missing."""
    folder = shutil.copytree(kept_run, tmp_path / "run")
    for name in ("recall", "class_counts", "confusion_before", "confusion_after"):
        path = folder / METRICS / "plots" / f"{name}.csv"
        text = path.read_text(encoding="utf-8").replace("补换卡", "007").replace("开发票", "NA")
        path.write_text(text, encoding="utf-8")
    results = read(folder, settings)
    assert {"007", "NA"} <= set(results.per_class["label"])
    assert {"007", "NA"} <= set(results.confusion_after.index)


def test_a_missing_file_is_named(kept_run: Path, settings: Settings, tmp_path: Path):
    """The example is a table of evaluate."""
    folder = shutil.copytree(kept_run, tmp_path / "run")
    (folder / METRICS / "plots/recall.csv").unlink()
    with pytest.raises(UserError, match=r"recall\.csv not found; run `dvc repro`"):
        read(folder, settings)
