"""The small run of the pipeline as read by the reports, and variants of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from src.config.baseline import BaselineParams
from src.config.choose import ChooseParams
from src.config.data import DataParams
from src.config.evaluate import EvaluateParams
from src.config.filter import FilterParams
from src.config.generate import GenerateParams
from src.config.llm import LlmParams
from src.config.load import load
from src.config.plan import PlanParams
from src.paths import ACCEPTED, METRICS, PREDICTIONS, REJECTED
from src.records.interval import Interval
from src.records.metrics.choose import ModelGain
from src.records.metrics.filter import ModelFunnel, Voter
from src.records.metrics.generate import ModelDiversity, ModelYield
from src.reporting.report import Metrics
from src.reporting.results import Results, read_results
from src.reporting.settings import Settings


@pytest.fixture(scope="session")
def settings(kept_run: Path) -> Settings:
    """The settings of the small run."""
    return settings_of(kept_run)


def settings_of(run: Path) -> Settings:
    """Return the settings of a run."""
    path = run / "params.yaml"
    return Settings(
        data=load(DataParams, path),
        plan=load(PlanParams, path),
        llm=load(LlmParams, path),
        generate=load(GenerateParams, path),
        filter=load(FilterParams, path),
        baseline=load(BaselineParams, path),
        choose=load(ChooseParams, path),
        evaluate=load(EvaluateParams, path),
    )


@pytest.fixture(scope="session")
def results(kept_run: Path, settings: Settings) -> Results:
    """Six classes, three of them filled up; six methods."""
    return read(kept_run, settings)


def read(folder: Path, settings: Settings) -> Results:
    """Read the results of a run in any folder."""
    there = {name: folder / getattr(settings.data, name) for name in ("test", "labels")}
    data = settings.data.model_copy(update=there)
    return read_results(
        folder / METRICS, folder / PREDICTIONS, folder / ACCEPTED, folder / REJECTED, data
    )


@pytest.fixture(scope="session")
def metrics(results: Results) -> Metrics:
    """The metrics of the small run."""
    return results.metrics


@pytest.fixture(scope="session")
def several(results: Results) -> Results:
    """The small run with a good model, a bad model, and the votes of three judges."""
    good = ModelYield(1100, 1090, 990, 0.9, 1.98, 0.002, ModelDiversity(40, 0.8125))
    bad = ModelYield(30, 0, 0, 0.0, 0.0, None, ModelDiversity(0, None))
    gain = ModelGain(16, spread(0.07), spread(0.01))
    measured = results.metrics
    judged = replace(
        measured.filter,
        per_model={"glm<4>": ModelFunnel(1200, 720)},
        judges={
            "classifier": Voter(1200, 900, 0.625),
            "glm<4>": Voter(30, 0, 0.0),
            "qwen|one": Voter(1170, 1170, 0.25),
        },
        judges_agreement=0.875,
        judges_kappa=0.625,
    )
    return with_metrics(
        results,
        replace(
            measured,
            generate=replace(measured.generate, per_model={"glm<4>": good, "small|one": bad}),
            filter=judged,
            evaluate=replace(measured.evaluate, per_model={"glm<4>": gain}),
        ),
    )


@pytest.fixture(scope="session")
def capped(results: Results) -> Results:
    """The small run with `plan.head_cap`: 30 rows in each of the three large classes."""
    measured = results.metrics
    balance = measured.balance
    per_class = {
        label: replace(row, real=min(row.real, 30), dropped=max(row.real - 30, 0))
        for label, row in balance.per_class.items()
    }
    dropped = sum(row.dropped for row in per_class.values())
    left = replace(balance, per_class=per_class, dropped=dropped, rows=balance.rows - dropped)
    return with_metrics(results, replace(measured, balance=left))


def spread(value: float, half: float = 0.02) -> Interval:
    """Return an interval with equal distance to both ends."""
    return Interval(value, value - half, value + half)


def with_metrics(results: Results, metrics: Metrics) -> Results:
    """Return the same run with other metrics."""
    return replace(results, metrics=metrics)


def with_difference(metrics: Metrics, low: float, value: float, high: float) -> Metrics:
    """Return the metrics with another macro-F1 difference of ours to the best free method."""
    evaluate = metrics.evaluate
    ours = evaluate.versus_best_free[evaluate.ours]
    changed = replace(ours, macro_f1=Interval(value, low, high))
    against = {**evaluate.versus_best_free, evaluate.ours: changed}
    return replace(metrics, evaluate=replace(evaluate, versus_best_free=against))


def without_samples(results: Results) -> Results:
    """Return the same run without candidates."""
    nothing = replace(
        results.metrics.filter,
        candidates=0,
        accepted=0,
        acceptance_rate=0.0,
        rejected_by={},
        bias=replace(results.metrics.filter.bias, largest=()),
    )
    balance = replace(
        results.metrics.balance,
        achieved=replace(results.metrics.balance.achieved, needed=0),
        per_class={
            label: replace(row, synthetic=0)
            for label, row in results.metrics.balance.per_class.items()
        },
    )
    empty = replace(results.metrics, filter=nothing, balance=balance)
    return replace(results, metrics=empty, accepted=(), rejected=(), confused=())
