"""The report: the verdict follows the interval, and the Markdown is word for word as below."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest

from src.config.arms import Arm
from src.errors import UserError
from src.evaluation.scoring import METRICS
from src.files import Record
from src.reporting.report import (
    Metrics,
    arms_table,
    read_metrics,
    render_report,
    shortfalls,
    verdict,
)

GOLDEN = Path(__file__).parent / "golden_report.md"
SETTINGS = {"plan": {"target_per_class": 20}, "generate": {"domain": "客服通话", "seed": 7}}
PLOTS = {"Scores of the arms": "plots/headline.png", "Recall per class": "plots/recall.png"}


def test_report_is_the_golden_text(
    metrics: Metrics, per_class: pd.DataFrame, rejected: list[Record]
):
    """Every table, note and link of a small run; of each rule the first five that it dropped."""
    text = render_report(metrics, per_class, rejected, SETTINGS, PLOTS)
    assert text == GOLDEN.read_text(encoding="utf-8")


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
def test_verdict_follows_the_interval(
    metrics: Metrics, low: float, value: float, high: float, opening: str
):
    """Helped or hurt only if the whole interval is on one side of 0; the numbers are given."""
    evaluate = metrics.evaluate
    evaluate["versus_best_free"]["augmented_class_weight"]["macro_f1"] = {
        "value": value,
        "low": low,
        "high": high,
    }
    sentence = verdict(evaluate)
    assert sentence.startswith(opening)
    assert "macro-F1 0.642 with augmented_class_weight against 0.579 with class_weight" in sentence
    assert f"{value:+.3f} [{low:+.3f}, {high:+.3f}]" in sentence


def test_every_arm_has_its_place(metrics: Metrics):
    """All arms of the settings are told, in one order; of five metrics three have a column."""
    scores = metrics.evaluate["arms"]["original"]
    metrics.evaluate["arms"] = dict.fromkeys(reversed(get_args(Arm)), scores)
    table = arms_table(metrics.evaluate)
    assert table["arm"].tolist() == [arm for arm in get_args(Arm) for _ in range(3)]
    assert table["metric"].unique().tolist() == ["macro_f1", "tail_recall", "accuracy"]
    assert set(table["metric"]) < set(METRICS)


def test_arms_keep_their_order_whatever_the_file_says(metrics: Metrics):
    """Free arms first, as in the settings; an arm that was not scored is left out."""
    table = arms_table(metrics.evaluate)
    assert table["arm"].unique().tolist() == [
        "original",
        "class_weight",
        "augmented",
        "augmented_class_weight",
    ]
    assert table.columns.tolist() == ["arm", "metric", "value", "low", "high"]
    assert len(table) == 12


def test_shortfalls_are_listed_largest_first(metrics: Metrics):
    """Classes that reached their target are not listed."""
    per_class = metrics.balance["per_class"]
    per_class["办理缴费"]["shortfall"] = 9
    assert shortfalls(metrics.balance) == {"办理缴费": 9, "办理补换卡": 6}


def test_report_says_so_when_no_class_is_short(metrics: Metrics, per_class: pd.DataFrame):
    """No shortfall is said as plainly as a shortfall."""
    metrics.balance["per_class"]["办理补换卡"]["shortfall"] = 0
    text = render_report(metrics, per_class, [], SETTINGS, {})
    assert "Every class reached its target." in text
    assert "## Charts" not in text


def test_report_of_a_run_without_candidates(metrics: Metrics, per_class: pd.DataFrame):
    """Shares of nothing are a dash; nothing dropped and nothing to compare have no section."""
    none = {
        **{"candidates": 0, "accepted": 0, "acceptance_rate": 0.0, "rejected_by": {}},
        "bias": {"largest": []},
    }
    text = render_report(dataclasses.replace(metrics, filter=none), per_class, [], SETTINGS, {})
    assert "| candidates | 0 | - |" in text
    assert "## What was dropped" not in text
    assert "## How the samples differ" not in text


def test_models_have_a_table_where_there_are_several(several: Metrics, per_class: pd.DataFrame):
    """What each is worth, a dash where nothing can be said; one alone has none."""
    text = render_report(several, per_class, [], SETTINGS, {})
    assert (
        "| model | requests | samples | accepted | accepted share | kept | cost of 1,000 "
        "| distinct pairs | dev gain alone | dev gain on top |"
    ) in text
    assert (
        "| glm<4> | 1,100 | 1,090 | 990 | 90.0% | 720 | 2.00 | 0.812 "
        "| +0.070 [+0.050, +0.090] | +0.010 [-0.010, +0.030] |"
    ) in text
    assert "| small\\|one | 30 | 0 | 0 | 0.0% | - | - | - | - | - |" in text
    del several.generate["per_model"]["small|one"]
    assert "## Models" not in render_report(several, per_class, [], SETTINGS, {})


def test_models_of_an_older_run_keep_their_table(several: Metrics, per_class: pd.DataFrame):
    """What it did not measure is a dash, and it had no judges."""
    del several.filter["per_model"], several.filter["judges"], several.evaluate["per_model"]
    text = render_report(several, per_class, [], SETTINGS, {})
    assert "| glm<4> | 1,100 | 1,090 | 990 | 90.0% | - | 2.00 | 0.812 | - | - |" in text
    assert "## Judges" not in text


def test_judges_have_a_table_where_there_are_any(several: Metrics, per_class: pd.DataFrame):
    """Who accepted how much, and how far they agree; a dash where no two voted on a sample."""
    text = render_report(several, per_class, [], SETTINGS, {})
    assert "Two of them agree on 87.5% of the samples, Fleiss' kappa 0.62." in text
    assert (
        "| judge | judged | accepted | weight |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| classifier | 1,200 | 75.0% | 0.62 |\n"
        "| glm<4> | 30 | 0.0% | 0.00 |\n"
        "| qwen\\|one | 1,170 | 100.0% | 0.25 |\n"
    ) in text
    several.filter.update(judges_agree=None, judges_kappa=None)
    text = render_report(several, per_class, [], SETTINGS, {})
    assert "Two of them agree on - of the samples, Fleiss' kappa -." in text
    several.filter["judges"] = {}
    assert "## Judges" not in render_report(several, per_class, [], SETTINGS, {})


def test_bars_in_a_class_name_stay_in_their_cell(metrics: Metrics, per_class: pd.DataFrame):
    """A class name cannot break the table, nor can a sample that was dropped."""
    renamed = per_class.assign(label=["a|b", "c", "d"])
    dropped = {"label": "a|b", "text_before_style": "x|y", "reason": "format", "detail": "z|'"}
    text = render_report(metrics, renamed, [dropped], SETTINGS, {})
    assert "| a\\|b | 100 |" in text
    assert "| format | a\\|b | x\\|y | z\\|' |" in text


def test_metrics_are_read_from_their_folder(metrics: Metrics, tmp_path: Path):
    """One file a stage; the one that is missing is named."""
    for name, value in dataclasses.asdict(metrics).items():
        (tmp_path / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    assert read_metrics(tmp_path) == metrics
    (tmp_path / "balance.json").unlink()
    with pytest.raises(UserError, match=r"balance\.json not found; run `dvc repro`"):
        read_metrics(tmp_path)
