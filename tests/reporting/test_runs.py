"""What MLflow records of each stage of the small run."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from src.config.methods import Method
from src.config.params import Params, load_params
from src.paths import BALANCED, CANDIDATES, METRICS, PLOTS, REPORTS
from src.records.json_files import read_record, write_record
from src.records.metrics.choose import ChooseMetrics
from src.records.metrics.evaluate import EvaluateMetrics
from src.records.rounds import RoundSummary
from src.reporting.runs import Files, describe, flat_numbers, stages
from tests.reporting.conftest import spread
from tests.small_run import METHODS


@pytest.fixture
def params(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """The settings of the small run, with its folder as the working directory."""
    monkeypatch.chdir(small_run)
    return load_params()


def test_numbers_of_a_metrics_file_are_flat():
    """Nested names are joined by dots; other values than numbers are left out."""
    value = {"gini": {"before": 0.5, "after": 0}, "best_free": "original", "rows": 3, "stopped": {}}
    assert flat_numbers(value) == {"gini.before": 0.5, "gini.after": 0.0, "rows": 3.0}


def test_every_stage_can_be_described(params: Params):
    """In the order of the pipeline; the same files give equal descriptions."""
    every = stages(METHODS)
    trained = [f"train-baseline@{method}" for method in METHODS]
    assert every == [
        *("generate", "filter", "balance", "choose"),
        *trained,
        *("evaluate", "report"),
    ]
    runs = [describe(stage, params) for stage in every]
    assert [run.stage for run in runs] == every
    assert len({run.digest() for run in runs}) == len(every)
    assert [describe(stage, params).digest() for stage in every] == [run.digest() for run in runs]


def test_settings_are_those_of_the_stage(params: Params):
    """Sections are plain JSON values."""
    shown = {stage: sorted(describe(stage, params).params) for stage in stages(["original"])}
    assert shown == {
        "generate": ["generate", "llm", "plan"],
        "filter": ["filter"],
        "balance": ["plan"],
        "choose": ["baseline", "choose", "evaluate"],
        "train-baseline@original": ["baseline", "evaluate"],
        "evaluate": ["baseline", "evaluate"],
        "report": ["report"],
    }
    assert describe("report", params).params == {"report": {"language": "en"}}


def test_numbers_are_those_of_the_metrics_file(params: Params):
    """Large tables are left out; the evaluation has the recall per class."""
    found = {
        name: json.loads((METRICS / f"{name}.json").read_text("utf-8"))
        for name in ("filter", "balance", "choose", "evaluate")
    }
    screened = describe("filter", params)
    assert screened.metrics["accepted"] == found["filter"]["accepted"]
    assert not any(name.startswith("bias.") for name in screened.metrics)
    assert screened.headline is not None
    assert not any(name.startswith("per_class.") for name in screened.headline)
    balanced = describe("balance", params).metrics
    assert balanced["gini.after"] == found["balance"]["gini"]["after"]
    assert {name.partition(".")[0] for name in balanced} == {
        *("rows", "gini", "imbalance_ratio", "synthetic_share", "shortfall", "dropped")
    }
    assert describe("choose", params).metrics == {
        "samples_per_class": found["choose"]["chosen"]["samples_per_class"],
        "class_weight": found["choose"]["chosen"]["class_weight"],
        "sample_weight": found["choose"]["chosen"]["sample_weight"],
        "by_quality": found["choose"]["chosen"]["by_quality"],
        "recommended": found["choose"]["recommended"],
    }
    evaluated = describe("evaluate", params)
    ours = found["evaluate"]["ours"]
    assert (
        evaluated.metrics[f"methods.{ours}.macro_f1.value"]
        == (found["evaluate"]["methods"][ours]["macro_f1"]["value"])
    )
    assert (
        evaluated.metrics["recall.开发票"]
        == (found["evaluate"]["per_class"]["开发票"]["recall_after"])
    )
    assert evaluated.headline is not None
    assert evaluated.headline["macro_f1"] == evaluated.metrics[f"methods.{ours}.macro_f1.value"]
    assert evaluated.tags == {"ours": ours, "best_free": found["evaluate"]["best_free"]}


@pytest.mark.parametrize(
    ("method", "without", "capped"),
    [
        pytest.param("original", ["train.csv"], ["train.csv"], id="free"),
        pytest.param(
            "unfiltered",
            ["train.csv", CANDIDATES.name],
            [BALANCED.name, CANDIDATES.name],
            id="unfiltered",
        ),
        pytest.param("augmented", [BALANCED.name], [BALANCED.name], id="ours"),
    ],
)
def test_training_rows_of_a_method(
    small_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    params: Params,
    method: Method,
    without: list[str],
    capped: list[str],
):
    """Free methods use every real row, the others those that `plan.head_cap` keeps."""
    monkeypatch.chdir(shutil.copytree(small_run, tmp_path / "run"))
    for folder, name in (("models", "skops"), ("data/interim/predictions", "csv")):
        if not Path(folder, f"{method}.{name}").exists():
            shutil.copy(Path(folder, f"augmented.{name}"), Path(folder, f"{method}.{name}"))

    def learned_from(settings: Params) -> list[str]:
        return [path.name for path in describe(f"train-baseline@{method}", settings).datasets]

    assert learned_from(params) == without
    plan = params.plan.model_copy(update={"head_cap": 30})
    assert learned_from(params.model_copy(update={"plan": plan})) == capped


def test_a_choice_of_no_samples_uses_every_row(
    small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params: Params
) -> None:
    """`chosen` then needs no samples, whatever the head cap."""
    monkeypatch.chdir(shutil.copytree(small_run, tmp_path / "run"))
    found = read_record(METRICS / "choose.json", ChooseMetrics)
    for samples, expected in ((5, BALANCED.name), (0, "train.csv")):
        chosen = replace(found.chosen, samples_per_class=samples)
        write_record(METRICS / "choose.json", replace(found, chosen=chosen))
        run = describe("train-baseline@chosen", params)
        assert [path.name for path in run.datasets] == [expected]


def test_scores_of_a_method_are_the_means_over_its_seeds(params: Params):
    """On dev and test, together with the regularisation of the classifier."""
    run = describe("train-baseline@augmented", params)
    predicted = pd.read_csv("data/interim/predictions/augmented.csv").query("split == 'test'")
    truth = pd.read_csv("data/test.csv")["label_raw"].to_numpy()
    hits = [
        (predicted[seed].to_numpy() == truth).mean()
        for seed in predicted.columns
        if seed.startswith("seed_")
    ]
    assert run.metrics["test/accuracy"] == round(sum(hits) / len(hits), 6)
    assert run.metrics["seeds"] == len(hits)
    assert run.metrics["c"] in params.baseline.c
    assert run.headline == {
        name: run.metrics[name] for name in ("test/macro_f1", "test/tail_recall")
    }


def test_learning_curve_has_sample_weight_1(params: Params):
    """With and without class weights; the steps are samples per class."""
    curves = describe("choose", params).curves
    assert {name: list(curve) for name, curve in curves.items()} == {
        f"learning_curve/{metric}/{series}": [0, 10]
        for series in ("no_class_weight", "class_weight")
        for metric in ("macro_f1", "tail_recall")
    }


def test_rounds_are_curves(small_run: Path, params: Params, tmp_path: Path):
    """Curves of dev scores; without rounds there are none."""
    assert describe("evaluate", params).curves == {}
    folder = shutil.copytree(small_run / METRICS, tmp_path / "metrics")
    found = read_record(folder / "evaluate.json", EvaluateMetrics)
    scores = spread(0.6), spread(0.5), spread(0.07)
    rounds = {number: RoundSummary(True, 162, 48, 0, 48, {}, *scores) for number in ("1", "2")}
    write_record(folder / "evaluate.json", replace(found, rounds=rounds))
    run = describe("evaluate", params, Files(metrics=folder))
    assert run.curves == {
        "rounds/macro_f1": {1: 0.6, 2: 0.6},
        "rounds/tail_recall": {1: 0.5, 2: 0.5},
    }
    assert not any(name.startswith("rounds.") for name in run.metrics)


def test_recorded_files(small_run: Path, params: Params, tmp_path: Path):
    """The plots of the evaluation and the folder of reports; a changed report is another run."""
    assert describe("evaluate", params).artifacts == (METRICS / PLOTS.name,)
    run = describe("report", params)
    assert run.artifacts == (REPORTS,)
    changed = shutil.copytree(small_run / REPORTS, tmp_path / "reports")
    assert describe("report", params, Files(reports=changed)).digest() == run.digest()
    (changed / "report.md").write_text("another word", encoding="utf-8")
    assert describe("report", params, Files(reports=changed)).digest() != run.digest()
