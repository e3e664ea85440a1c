"""MLflow: stages run in a DVC workspace, stages restored from the cache, and the champion."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from src import paths
from src.commands import check, sync
from src.config.load import parsed
from src.config.methods import Method
from src.config.params import load_params
from src.evaluation.scoring import METRICS
from src.files import write_json, write_text
from src.records.json_files import read_record, write_record
from src.records.metrics.evaluate import EvaluateMetrics
from src.reporting import tracking
from src.reporting.run_store import QUIET
from src.reporting.runs import md5
from src.reporting.tracking import ALIAS, EXPERIMENT, REGISTERED, register, track
from src.stages import choose, train_baseline
from tests.small_run import METHODS
from tests.stages.small_project import TRAIN_ROWS

TRAINED: tuple[Method, ...] = ("original", "augmented")
LIVE = ["choose", *(f"train-baseline@{method}" for method in TRAINED)]
EVERY = sorted(
    [
        *("balance", "choose", "evaluate", "filter", "generate", "report"),
        *(f"train-baseline@{method}" for method in METHODS),
    ]
)
SCORES = {f"{split}/{metric}" for split in ("dev", "test") for metric in METRICS}

pytestmark = pytest.mark.filterwarnings("ignore:::mlflow")


@pytest.fixture(scope="module")
def finished(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose choice and two methods were run in a workspace of DVC, by a queue.

    The other stages came from DVC's cache: they left their files, here and there, and no run.
    """
    root = tmp_path_factory.mktemp("root")
    workspace = root / ".dvc" / "tmp" / "exps" / "x"
    shutil.copytree(small_run, workspace)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workspace)
        environment(patch, root)
        patch.setenv("DVC_EXP_NAME", "grimy-alga")
        patch.setenv("DVC_STAGE", "choose")
        choose.main()
        for method in TRAINED:
            patch.setenv("DVC_STAGE", f"train-baseline@{method}")
            train_baseline.main(method)
    shutil.copytree(workspace, root, dirs_exist_ok=True)
    return root


@pytest.fixture
def applied(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project after `dvc exp apply`, as the working directory.

    Its repository has no pipeline, so that nothing in it is out of date.
    """
    root = tmp_path / "applied"
    shutil.copytree(finished, root, ignore=shutil.ignore_patterns(".dvc"))
    monkeypatch.chdir(root)
    environment(monkeypatch, root)
    run("git init --quiet --initial-branch main")
    run("dvc init --quiet")
    write_text(Path(".gitignore"), "/mlartifacts\n/mlflow.db\n")
    run("git add .")
    run("git -c user.name=Test -c user.email=test@example.org commit --quiet -m start")
    return root


def run(command: str) -> None:
    """Run a command that must succeed."""
    subprocess.run(command.split(), check=True, capture_output=True, stdin=subprocess.DEVNULL)


def environment(patch: pytest.MonkeyPatch, root: Path) -> None:
    """Set the variables that DVC sets, and clear those of the test process."""
    for name in ("DVC_EXP_NAME", "DVC_STAGE", "MLFLOW_RUN_ID", "MLFLOW_TRACKING"):
        patch.delenv(name, raising=False)
    for name, value in QUIET.items():
        patch.setenv(name, value)
    patch.setenv("MLFLOW_TRACKING_URI", "")
    patch.setenv("DVC_ROOT", str(root))
    patch.setenv("DVC_EXP_BASELINE_REV", "0123456789abcdef")


def evaluated() -> EvaluateMetrics:
    """Return the evaluation of the project."""
    return read_record(paths.METRICS / "evaluate.json", EvaluateMetrics)


def client_of(root: Path, database: str = "mlflow.db") -> MlflowClient:
    """Return a client for a database of the project."""
    return MlflowClient(tracking_uri=f"sqlite:///{root}/{database}")


def runs(root: Path, database: str = "mlflow.db") -> tuple[list[Run], dict[str, Run]]:
    """Return pipeline runs, and stage runs by name; no stage has two."""
    client = client_of(root, database)
    found = client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id])
    children = [run for run in found if tracking.PARENT_TAG in run.data.tags]
    by_name = {run.info.run_name: run for run in children}
    assert len(by_name) == len(children)
    return [run for run in found if run not in children], by_name


def content(run: Run) -> tuple[object, ...]:
    """Return what two equal runs of a stage share."""
    inputs = [
        (one.dataset.to_dictionary(), [(tag.key, tag.value) for tag in one.tags])
        for one in run.inputs.dataset_inputs
    ]
    models = len(run.outputs.model_outputs) if run.outputs else 0
    own = {name: value for name, value in run.data.tags.items() if not name.startswith("mlflow.")}
    return run.data.params, run.data.metrics, sorted(map(str, inputs)), models, own


def test_runs_of_a_queue_are_in_the_project(finished: Path):
    """Database and artifacts are in the root under the experiment's name, not in the workspace."""
    (parent,), stages = runs(finished)
    assert parent.info.run_name.startswith("grimy-alga-")
    assert sorted(stages) == sorted(LIVE)
    assert {run.data.tags[tracking.PARENT_TAG] for run in stages.values()} == {parent.info.run_id}
    workspace = finished / ".dvc/tmp/exps/x"
    assert [name for name in ("mlflow.db", "mlartifacts") if (workspace / name).exists()] == []
    assert len(list((finished / "mlartifacts").rglob("model.skops"))) == len(TRAINED)


def test_methods_can_be_compared(finished: Path):
    """All methods have the same metric names, a tag, and the rows that they were trained on."""
    _, stages = runs(finished)
    methods = {name: run for name, run in stages.items() if name != "choose"}
    assert {frozenset(run.data.metrics) for run in methods.values()} == {
        frozenset(SCORES | {"seeds", "c"})
    }
    assert {run.data.tags["method"] for run in methods.values()} == set(TRAINED)
    learned = {
        name.partition("@")[2]: [one.dataset.name for one in run.inputs.dataset_inputs]
        for name, run in methods.items()
    }
    assert learned == {"original": ["train"], "augmented": ["train_balanced"]}
    (balanced,) = methods["train-baseline@augmented"].inputs.dataset_inputs
    assert balanced.dataset.digest == md5(finished / paths.BALANCED)
    assert json.loads(balanced.dataset.profile)["num_rows"] == sum(TRAIN_ROWS.values()) + 48
    assert [tag.value for tag in balanced.tags] == ["training"]


def test_the_learning_curve_has_a_step_for_each_amount(finished: Path):
    """With and without class weights; the steps are samples per class."""
    _, stages = runs(finished)
    client = client_of(finished)
    found = json.loads((finished / paths.METRICS / "choose.json").read_text())["curve"]
    for series, weighted in (("class_weight", True), ("no_class_weight", False)):
        name = f"learning_curve/macro_f1/{series}"
        history = client.get_metric_history(stages["choose"].info.run_id, name)
        assert sorted((point.step, point.value) for point in history) == [
            (one["samples_per_class"], one["macro_f1"]["value"])
            for one in found
            if one["class_weight"] is weighted
            and one["sample_weight"] == 1
            and not one["by_quality"]
        ]
        assert [point.step for point in history] == [0, 10]


def test_missing_stages_are_added_once(applied: Path):
    """They go to the run of the experiment; a second call adds nothing."""
    sync.main()
    (parent,), stages = runs(applied)
    assert parent.info.run_name.startswith("grimy-alga-")
    assert sorted(stages) == EVERY
    found = evaluated()
    assert parent.data.metrics["evaluate/macro_f1"] == found.methods[found.ours].macro_f1.value
    assert parent.data.metrics["filter/accepted"] == 72
    sync.main()
    (again,), _ = runs(applied)
    assert content(again) == content(parent)


def test_an_added_run_equals_a_live_run(
    applied: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """In settings, metrics, rows, model and tags; also on the pipeline run."""
    (old_parent,), live = runs(applied)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other.db")
    sync.main()
    (parent,), added = runs(applied, "other.db")
    assert sorted(added) == EVERY
    assert {name: content(added[name]) for name in LIVE} == {
        name: content(live[name]) for name in LIVE
    }
    assert old_parent.data.metrics.items() <= parent.data.metrics.items()
    assert old_parent.data.params.items() <= parent.data.params.items()
    assert parent.info.run_name.startswith("repro-0123456-")
    assert [r for r in caplog.records if r.levelname == "WARNING"] == []


def test_off_cannot_sync(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Syncing with tracking switched off is an error."""
    monkeypatch.setenv("MLFLOW_TRACKING", "off")
    with pytest.raises(SystemExit, match="2"):
        sync.main()
    assert "MLFLOW_TRACKING is off" in capsys.readouterr().err


def test_old_results_are_not_recorded_with_new_settings(
    applied: Path, capsys: pytest.CaptureFixture[str]
):
    """DVC knows what is out of date; outside its repository the error says so."""
    write_text(Path("dvc.yaml"), "stages: {a: {cmd: echo, params: [plan]}}\n")
    refused("not up to date: a; run `dvc repro`", capsys)
    run("dvc repro")
    sync.main()
    settings = Path("params.yaml").read_text(encoding="utf-8")
    changed = settings.replace("target_per_class: 20", "target_per_class: 21")
    assert changed != settings
    write_text(Path("params.yaml"), changed)
    refused("not up to date: a; run `dvc repro`", capsys)
    shutil.rmtree(".dvc")
    refused("run from the project's root", capsys)


def refused(reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Check that nothing is recorded and that the command says why."""
    parsed.cache_clear()
    with pytest.raises(SystemExit, match="2"):
        sync.main()
    assert reason in capsys.readouterr().err


def champion(root: Path, database: str = "mlflow.db") -> tuple[str, str]:
    """Return version and method of the champion."""
    version = client_of(root, database).get_model_version_by_alias(REGISTERED, ALIAS)
    assert Path(version.source).name.startswith("m-")
    return str(version.version), version.tags["method"]


def test_the_model_of_our_method_becomes_the_champion(
    applied: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """An equal model keeps its version, even in another commit; a new one gets the next version."""
    register(load_params())
    assert champion(applied) == ("1", "chosen")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "fedcba9876543210")
    register(load_params())
    assert champion(applied) == ("1", "chosen")
    assert len(runs(applied)[0]) == 1
    other = replace(evaluated(), ours="augmented")
    write_record(paths.METRICS / "evaluate.json", other)
    register(load_params())
    assert champion(applied) == ("2", "augmented")
    assert [r for r in caplog.records if r.levelname == "WARNING"] == []


def test_a_model_that_was_never_recorded_is_registered(
    applied: Path, monkeypatch: pytest.MonkeyPatch
):
    """It is recorded first, and it predicts correctly."""
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other.db")
    register(load_params())
    assert champion(applied, "other.db") == ("1", "chosen")
    assert list(runs(applied, "other.db")[1]) == ["train-baseline@chosen"]
    mlflow.set_tracking_uri(f"sqlite:///{applied}/other.db")
    model = mlflow.pyfunc.load_model(f"models:/{REGISTERED}@{ALIAS}")
    test = pd.read_csv("data/test.csv")
    texts = test["sentence_sep"].str.replace("[SEP]", " ", regex=False)
    predicted = model.predict(texts.to_numpy(dtype=str))
    assert (predicted == test["label_raw"]).mean() == pytest.approx(
        evaluated().methods["chosen"].accuracy.value, abs=1e-6
    )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        pytest.param("MLFLOW_TRACKING", "off", "MLFLOW_TRACKING is off", id="off"),
        pytest.param("MLFLOW_TRACKING_URI", "http://127.0.0.1:9", "did not register", id="dead"),
    ],
)
def test_a_model_that_cannot_be_registered_is_a_warning(
    applied: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
    value: str,
    message: str,
):
    """The check still passes; a failed check registers nothing."""
    monkeypatch.setenv(name, value)
    thresholds = Path("thresholds.yaml")

    def checked(limit: float) -> None:
        rules = {
            "metrics/evaluate.json": {
                "methods.<ours>.macro_f1": {"better": "higher", "limit": limit}
            }
        }
        tolerance = {"least": 0.01, "standard_errors": 2}
        write_json(thresholds, {"tolerance": tolerance, "metrics": rules})
        check.main(base="main", thresholds=thresholds, champion=True)

    checked(limit=0.3)
    assert message in "".join(caplog.messages)
    caplog.clear()
    with pytest.raises(SystemExit, match="1"):
        checked(limit=0.9)
    assert "regist" not in "".join(caplog.messages)


def test_a_wrong_name_of_a_file_is_a_warning(applied: Path, caplog: pytest.LogCaptureFixture):
    """A mistake in a call of `track` does not fail the stage."""
    track("choose", metric=applied)
    assert "did not record stage choose" in caplog.messages[-1]
