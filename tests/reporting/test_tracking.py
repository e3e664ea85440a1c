"""MLflow runs in a real SQLite database are nested and comparable, and never fail a stage."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient
from mlflow.entities import Run
from pydantic import JsonValue

from src.paths import METRICS
from src.reporting.run_store import QUIET
from src.reporting.runs import StageRun
from src.reporting.tracking import EXPERIMENT, PIPELINE_TAG, record, track

REPOSITORY = Path(__file__).parents[2]
SETTINGS: dict[str, JsonValue] = {
    "plan": {"target_per_class": 100},
    "runtime": {"concurrency": 8},
}
CHILD_TAG = "mlflow.parentRunId"

# mlflow 3.17 uses what SQLAlchemy 2.1 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:::mlflow")


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database; shared, as creating one takes seconds."""
    path = tmp_path_factory.mktemp("template") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}")
    return path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of a project with settings, and the environment of `dvc repro` in it."""
    write_settings(tmp_path, SETTINGS)
    monkeypatch.chdir(tmp_path)
    for name in ("DVC_EXP_NAME", "MLFLOW_RUN_ID", "MLFLOW_TRACKING"):
        monkeypatch.delenv(name, raising=False)
    # "" and not deleted: MLflow sets the variable, and only what was set is put back.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("DVC_STAGE", "filter")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "0123456789abcdef")
    return tmp_path


@pytest.fixture
def database(project: Path, empty_database: Path) -> Path:
    """A project with a database."""
    shutil.copy(empty_database, project / "mlflow.db")
    return project


def write_settings(folder: Path, settings: Mapping[str, JsonValue]) -> None:
    """Write params.yaml."""
    (folder / "params.yaml").write_text(yaml.safe_dump(dict(settings)), encoding="utf-8")


def after_filter(folder: Path, small_run: Path) -> int:
    """Copy settings and metrics of the small run; return the number of accepted samples."""
    shutil.copy(small_run / "params.yaml", folder / "params.yaml")
    shutil.copytree(small_run / METRICS, folder / METRICS)
    found = json.loads((folder / METRICS / "filter.json").read_text(encoding="utf-8"))
    return int(found["accepted"])


def runs(root: Path) -> tuple[list[Run], list[Run]]:
    """Return parents and children, oldest first."""
    client = MlflowClient(tracking_uri=f"sqlite:///{root}/mlflow.db")
    experiment = client.get_experiment_by_name(EXPERIMENT)
    found = client.search_runs([experiment.experiment_id], order_by=["attributes.end_time"])
    return (
        [run for run in found if CHILD_TAG not in run.data.tags],
        [run for run in found if CHILD_TAG in run.data.tags],
    )


def test_a_stage_is_nested_in_the_run_of_the_pipeline(
    database: Path, monkeypatch: pytest.MonkeyPatch
):
    """Settings, metrics, files and rows of a stage; the parent has its headline and settings too.

    Everything is in the project's root although the stage ran in a workspace elsewhere.
    """
    workspace = database / ".dvc" / "tmp" / "exps" / "x"
    (workspace / "plots").mkdir(parents=True)
    monkeypatch.chdir(workspace)
    write_settings(workspace, SETTINGS)
    monkeypatch.setenv("DVC_EXP_NAME", "grimy-alga")
    Path("train.csv").write_text("text,label\na,b\n")
    Path("plots/a.png").write_text("a")
    record(
        StageRun(
            "filter",
            SETTINGS,
            {"acceptance_rate": 0.5},
            curves={"f1/on": {0: 0.25, 5: 0.5}},
            artifacts=(Path("plots"),),
            datasets={Path("train.csv"): "training"},
            tags={"method": "original"},
        )
    )

    (parent,), (child,) = runs(database)
    assert parent.info.run_name.startswith("grimy-alga-")
    assert child.info.run_name == "filter"
    assert child.data.tags[CHILD_TAG] == parent.info.run_id
    assert parent.info.status == child.info.status == "FINISHED"
    assert child.data.tags["method"] == "original"
    assert child.data.metrics == {"acceptance_rate": 0.5, "f1/on": 0.5}
    client = MlflowClient(tracking_uri=f"sqlite:///{database}/mlflow.db")
    curve = client.get_metric_history(child.info.run_id, "f1/on")
    assert [(point.step, point.value) for point in curve] == [(0, 0.25), (5, 0.5)]
    assert parent.data.metrics == {"filter/acceptance_rate": 0.5}
    assert parent.data.params == child.data.params
    assert child.data.params == {"plan.target_per_class": "100", "runtime.concurrency": "8"}
    (rows,) = child.inputs.dataset_inputs
    assert (rows.dataset.name, rows.dataset.digest) == (
        "train",
        "41fea86aa1f5e3d44bf758203777fa51",
    )
    assert json.loads(rows.dataset.profile)["num_rows"] == 1
    columns = json.loads(rows.dataset.schema)["mlflow_colspec"]
    assert [column["name"] for column in columns] == ["text", "label"]
    assert [(tag.key, tag.value) for tag in rows.tags] == [("mlflow.data.context", "training")]
    kept = database / "mlartifacts" / child.info.run_id / "artifacts" / "plots" / "a.png"
    assert kept.read_text() == "a"
    assert sorted(path.name for path in workspace.iterdir()) == [
        "params.yaml",
        "plots",
        "train.csv",
    ]


def test_stages_of_one_run_share_the_parent(database: Path):
    """The parent collects settings and headlines; it logs each setting once."""
    record(StageRun("filter", {"plan": {"a": 1}}, {"accepted": 3}))
    write_settings(database, SETTINGS | {"runtime": {"concurrency": 2}})
    settings = {"plan": {"a": 2}, "baseline": {"c": None}}
    record(StageRun("train-baseline@augmented", settings, {"f1": 1, "c": 9}, headline={"f1": 1}))

    (parent,), (first, second) = runs(database)
    assert parent.data.params == {"plan.a": "1", "baseline.c": "null"}
    assert parent.data.metrics == {"filter/accepted": 3, "train-baseline/augmented/f1": 1}
    assert (first.info.run_name, second.info.run_name) == ("filter", "train-baseline@augmented")
    assert second.data.params == {"plan.a": "2", "baseline.c": "null"}


def test_other_settings_are_another_run(database: Path):
    """Experiments do not mix."""
    record(StageRun("filter", {}, {"accepted": 3}))
    write_settings(database, SETTINGS | {"plan": {"target_per_class": 50}})
    record(StageRun("filter", {}, {"accepted": 4}))
    parents, _ = runs(database)
    assert [run.data.metrics for run in parents] == [{"filter/accepted": 3}, {"filter/accepted": 4}]
    assert len({run.data.tags[PIPELINE_TAG] for run in parents}) == 2


def test_names_and_values_are_within_the_limits_of_mlflow(database: Path):
    """Names with full-width brackets, long values, many settings at once."""
    many: dict[str, JsonValue] = {f"s{i}": i for i in range(230)}
    overrides: JsonValue = {"咨询（含查询）业务规定": 3, "empty": {}, "listed": [{"名": "a"}]}
    settings = many | {"prompt": "字" * 9000, "overrides": overrides}
    record(StageRun("filter", settings, {"recall（a）": 1}))
    _, (child,) = runs(database)
    assert child.data.params["overrides.咨询_含查询_业务规定"] == "3"
    assert child.data.params["overrides.empty"] == "{}"
    assert child.data.params["overrides.listed"] == '[{"名": "a"}]'
    assert child.data.params["prompt"] == "字" * 6000
    assert len(child.data.params) == 234
    assert child.data.metrics == {"recall_a_": 1}


def test_a_model_is_recorded_and_predicts(database: Path, monkeypatch: pytest.MonkeyPatch):
    """The model from MLflow predicts like the trained model, one prediction per text."""
    import mlflow

    from src.config.params import load_params
    from src.training.classifier import build, fit
    from src.training.model_file import write_model

    monkeypatch.setenv("MLFLOW_RUN_ID", "of-another-run")
    params = load_params(REPOSITORY / "params.yaml").baseline
    rows = pd.DataFrame({"text": ["开通流量", "取消套餐"] * 3, "label": ["开通", "取消"] * 3})
    path = Path("models/original.skops")
    write_model(path, fit(build(params, None), rows))
    record(StageRun("train-baseline@original", model=path))

    _, (child,) = runs(database)
    (output,) = child.outputs.model_outputs
    mlflow.set_tracking_uri(f"sqlite:///{database}/mlflow.db")
    model = mlflow.pyfunc.load_model(f"models:/{output.model_id}")
    assert model.predict(pd.Series(["取消", "开通"]).to_numpy(dtype=str)).tolist() == [
        "取消",
        "开通",
    ]
    assert "MLFLOW_RUN_ID" not in os.environ


def test_off_means_off(project: Path, monkeypatch: pytest.MonkeyPatch):
    """No database, no folder and no lock is created."""
    monkeypatch.setenv("MLFLOW_TRACKING", "off")
    track("filter")
    assert [path.name for path in project.iterdir()] == ["params.yaml"]


def test_a_dead_server_costs_seconds_and_a_warning(
    project: Path,
    small_run: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    """The stage continues; a one-line warning has the problem and the remedy."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    after_filter(project, small_run)
    started = time.monotonic()
    with caplog.at_level(logging.WARNING, "src"):
        track("filter")
    assert time.monotonic() - started < 30
    (message,) = [r.getMessage() for r in caplog.records if r.name == "src.reporting.tracking"]
    assert message.startswith("MLflow did not record stage filter (its results are complete) (")
    assert "MLFLOW_TRACKING=off" in message
    assert "\n" not in message


def test_a_missing_file_is_a_warning(
    database: Path, small_run: Path, caplog: pytest.LogCaptureFixture
):
    """Missing metrics or missing artifacts; metrics are recorded before artifacts."""
    accepted = after_filter(database, small_run)
    track("filter", metrics=Path("elsewhere"))
    assert "elsewhere/filter.json not found" in caplog.messages[-1]
    track("filter", queue=Path("nowhere.csv"))
    assert "nowhere.csv" in caplog.messages[-1]
    _, (child,) = runs(database)
    assert child.data.metrics["accepted"] == accepted


def test_an_equal_run_is_written_once(database: Path, monkeypatch: pytest.MonkeyPatch):
    """Another value is another run; a run interrupted before its files were stored is ignored."""
    run = StageRun("filter", SETTINGS, {"accepted": 3}, artifacts=(Path("queue.csv"),))
    with pytest.raises(FileNotFoundError):
        record(run, once=True)
    Path("queue.csv").write_text("a")
    monkeypatch.delenv("DVC_STAGE")
    assert record(run, once=True)
    assert not record(run, once=True)
    assert record(replace(run, metrics={"accepted": 4}), once=True)
    (parent,), children = runs(database)
    assert parent.info.run_name.startswith("repro-0123456-")
    assert [child.data.metrics["accepted"] for child in children] == [3, 3, 4]


def test_missing_stages_go_to_the_experiment_with_these_settings(
    database: Path, monkeypatch: pytest.MonkeyPatch
):
    """An applied experiment is completed; a manual run is not a pipeline run."""
    monkeypatch.delenv("DVC_STAGE")
    record(StageRun("filter", {}, {"accepted": 3}))
    monkeypatch.setenv("DVC_STAGE", "balance")
    monkeypatch.setenv("DVC_EXP_NAME", "grimy-alga")
    record(StageRun("balance", {}, {"rows": 9}))
    monkeypatch.delenv("DVC_EXP_NAME")
    monkeypatch.delenv("DVC_STAGE")
    assert record(StageRun("filter", {}, {"accepted": 3}), once=True)
    parents, _ = runs(database)
    by_name = {run.info.run_name.partition("-")[0]: run.data.metrics for run in parents}
    assert by_name == {
        "manual": {"filter/accepted": 3},
        "grimy": {"filter/accepted": 3, "balance/rows": 9},
    }


def test_a_relative_database_path_starts_at_the_root(
    database: Path, monkeypatch: pytest.MonkeyPatch
):
    """In the workspace of an experiment, it would be deleted together with it."""
    workspace = database / "workspace"
    workspace.mkdir()
    monkeypatch.chdir(workspace)
    write_settings(workspace, SETTINGS)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    record(StageRun("filter", {}, {"accepted": 3}))
    assert [path.name for path in workspace.iterdir()] == ["params.yaml"]
    assert len(runs(database)[0]) == 1


def test_two_processes_can_create_the_database(project: Path):
    """Two processes start at once without a database: one database, one parent, no warning."""
    code = (
        "import logging, sys; logging.basicConfig(level=logging.INFO);"
        "from src.reporting.runs import StageRun;"
        "from src.reporting.tracking import record;"
        "record(StageRun(sys.argv[1], {'plan': {'a': 1}}, {'rows': 1}))"
    )
    started = []
    for stage in ("analyze", "filter"):
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "DVC_STAGE": stage}
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", code, stage],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    assert [process.communicate(timeout=120)[0] for process in started] == ["", ""]
    (parent,), children = runs(project)
    assert {run.info.run_name for run in children} == {"analyze", "filter"}
    assert parent.data.metrics == {"analyze/rows": 1, "filter/rows": 1}


def test_mlflow_is_not_loaded_with_the_module():
    """Stages that never track do not pay for its import."""
    code = "import sys; import src.reporting.tracking; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False).returncode == 0
