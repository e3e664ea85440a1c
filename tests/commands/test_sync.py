"""Stages that ran in a workspace of DVC, those that did not run, and the champion, in MLflow."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from src.stages.common import settings

from src import paths
from src.commands import check, sync
from src.config.arms import Arm
from src.config.params import load_params
from src.errors import UserError
from src.evaluation.scoring import METRICS
from src.files import write_csv, write_json, write_jsonl, write_text
from src.reporting import tracking
from src.reporting.tracking import ALIAS, EXPERIMENT, REGISTERED, register, track
from src.stages import choose, train_baseline
from tests.stages.small_project import TRAIN_ROWS, WORDS, make_project, rows

ARMS: tuple[Arm, ...] = ("original", "class_weight", "oversample", "augmented")
LIVE = ["choose", *(f"train-baseline@{arm}" for arm in ARMS)]
EVERY = sorted(["balance", "choose", "evaluate", "filter", "generate", *LIVE[1:]])
SCORES = {f"{split}/{metric}" for split in ("dev", "test") for metric in METRICS}

pytestmark = pytest.mark.filterwarnings("ignore:::mlflow")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose choice and arms were run in a workspace of DVC, by a queue.

    The other stages came from DVC's cache: they left their files, here and there, and no run.
    """
    root = tmp_path_factory.mktemp("root")
    workspace = root / ".dvc" / "tmp" / "exps" / "x"
    workspace.parent.mkdir(parents=True)
    project = make_project(workspace)

    def few(values: dict[str, Any]) -> None:
        values["evaluate"] |= {"arms": list(ARMS), "seeds": 1, "bootstrap": 100}
        values["choose"] |= {"samples_per_class": [0, 5], "seeds": 1}

    project.settings(few)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workspace)
        environment(patch, root)
        patch.setenv("DVC_EXP_NAME", "grimy-alga")
        leave_files()
        patch.setenv("DVC_STAGE", "choose")
        choose.main()
        for arm in ARMS:
            patch.setenv("DVC_STAGE", f"train-baseline@{arm}")
            train_baseline.main(arm)
    shutil.copytree(workspace, root, dirs_exist_ok=True)
    return root


@pytest.fixture
def applied(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project after `dvc exp apply`, as the working directory."""
    root = shutil.copytree(finished, tmp_path / "applied")
    monkeypatch.chdir(root)
    environment(monkeypatch, root)
    monkeypatch.setattr(sync, "require_up_to_date", lambda: None)
    return root


def environment(patch: pytest.MonkeyPatch, root: Path) -> None:
    """What DVC sets, and nothing of what the tests were started with."""
    for name in ("DVC_EXP_NAME", "DVC_STAGE", "MLFLOW_RUN_ID", "MLFLOW_TRACKING"):
        patch.delenv(name, raising=False)
    for name, value in tracking.QUIET.items():
        patch.setenv(name, value)
    patch.setenv("MLFLOW_TRACKING_URI", "")
    patch.setenv("DVC_ROOT", str(root))
    patch.setenv("DVC_EXP_BASELINE_REV", "0123456789abcdef")


def leave_files() -> None:
    """Files of the stages that did not run."""
    real = rows("train", TRAIN_ROWS).assign(origin="real")
    samples = rows("sample", dict.fromkeys(list(WORDS)[3:], 8)).assign(origin="synthetic")
    write_csv(paths.BALANCED, pd.concat([real, samples]))
    write_jsonl(
        paths.CANDIDATES,
        [
            {"id": row.call_id, "label": row.label_raw, "text": row.sentence_sep, "attempt": 0}
            for row in samples.itertuples()
        ],
    )
    write_json(paths.METRICS / "generate.json", {"requests": 30, "per_class": {"a": {"quota": 3}}})
    write_json(paths.METRICS / "filter.json", {"accepted": 24, "bias": {"largest": []}})
    write_json(paths.METRICS / "balance.json", {"rows": len(real) + len(samples)})
    each = {metric: {"value": 0.5, "low": 0.4, "high": 0.6} for metric in METRICS}
    evaluate = {
        "ours": "augmented",
        "best_free": "class_weight",
        "arms": dict.fromkeys(ARMS, each),
        "versus_best_free": {"augmented": each},
        "per_class": {"开发票": {"recall_after": 0.25}},
    }
    write_json(paths.METRICS / "evaluate.json", evaluate)
    write_text(paths.REVIEW_QUEUE, "id\n")
    write_text(paths.REPORTS / "report.md", "# Report\n")


def client_of(root: Path, database: str = "mlflow.db") -> MlflowClient:
    """A database of the project."""
    return MlflowClient(tracking_uri=f"sqlite:///{root}/{database}")


def runs(root: Path, database: str = "mlflow.db") -> tuple[list[Run], dict[str, Run]]:
    """Runs of pipelines, and those of stages by name; no stage has two."""
    client = client_of(root, database)
    found = client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id])
    children = [run for run in found if tracking.PARENT_TAG in run.data.tags]
    by_name = {run.info.run_name: run for run in children}
    assert len(by_name) == len(children)
    return [run for run in found if run not in children], by_name


def content(run: Run) -> tuple[object, ...]:
    """What makes two runs of a stage equal."""
    inputs = [
        (one.dataset.to_dictionary(), [(tag.key, tag.value) for tag in one.tags])
        for one in run.inputs.dataset_inputs
    ]
    models = len(run.outputs.model_outputs) if run.outputs else 0
    own = {name: value for name, value in run.data.tags.items() if not name.startswith("mlflow.")}
    return run.data.params, run.data.metrics, sorted(map(str, inputs)), models, own


def test_runs_of_a_queue_are_in_the_project(finished: Path):
    """Database and artifacts are in the root, under the experiment's name; none in the workspace."""
    (parent,), stages = runs(finished)
    assert parent.info.run_name.startswith("grimy-alga-")
    assert sorted(stages) == sorted(LIVE)
    assert {run.data.tags[tracking.PARENT_TAG] for run in stages.values()} == {parent.info.run_id}
    workspace = finished / ".dvc/tmp/exps/x"
    assert [name for name in ("mlflow.db", "mlartifacts") if (workspace / name).exists()] == []
    assert len(list((finished / "mlartifacts").rglob("model.skops"))) == len(ARMS)


def test_arms_can_be_compared(finished: Path):
    """The same names in each, a tag, and the rows that it learned from."""
    _, stages = runs(finished)
    arms = {name: run for name, run in stages.items() if name != "choose"}
    assert {frozenset(run.data.metrics) for run in arms.values()} == {
        frozenset(SCORES | {"seeds", "c"})
    }
    assert {run.data.tags["arm"] for run in arms.values()} == set(ARMS)
    learned = {
        name.partition("@")[2]: [one.dataset.name for one in run.inputs.dataset_inputs]
        for name, run in arms.items()
    }
    assert learned == {arm: ["train"] for arm in ARMS[:3]} | {"augmented": ["train_balanced"]}
    (balanced,) = arms["train-baseline@augmented"].inputs.dataset_inputs
    assert balanced.dataset.digest == tracking.md5(finished / paths.BALANCED)
    assert json.loads(balanced.dataset.profile)["num_rows"] == sum(TRAIN_ROWS.values()) + 24
    assert [tag.value for tag in balanced.tags] == ["training"]


def test_the_learning_curve_has_a_step_for_each_amount(finished: Path):
    """With and without class weights; the steps are samples a class."""
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
        assert [point.step for point in history] == [0, 5]


def test_what_was_missed_is_added_once(applied: Path):
    """To the experiment's own run; a second time nothing is left to add."""
    sync.main()
    (parent,), stages = runs(applied)
    assert parent.info.run_name.startswith("grimy-alga-")
    assert sorted(stages) == EVERY
    assert parent.data.metrics["evaluate/macro_f1"] == 0.5
    assert parent.data.metrics["filter/accepted"] == 24
    sync.main()
    (again,), _ = runs(applied)
    assert content(again) == content(parent)


def test_a_run_that_was_added_equals_one_that_was_live(
    applied: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Settings, metrics, rows, model and tags; on the pipeline's run too."""
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
    """Asked for and forbidden at once is a mistake."""
    monkeypatch.setenv("MLFLOW_TRACKING", "off")
    with pytest.raises(SystemExit, match="2"):
        sync.main()
    assert "MLFLOW_TRACKING is off" in capsys.readouterr().err


def test_old_results_are_not_put_under_new_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """DVC knows what is out of date; outside of its repository it says so."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="run from the project's root"):
        sync.require_up_to_date()
    for command in ("git init --quiet", "dvc init --quiet"):
        subprocess.run(command.split(), check=True, capture_output=True)
    write_text(Path("dvc.yaml"), "stages: {a: {cmd: echo, params: [x]}}\n")
    write_text(Path("params.yaml"), "x: 1\n")
    with pytest.raises(UserError, match="not up to date: a; run `dvc repro`"):
        sync.require_up_to_date()
    subprocess.run(["dvc", "repro"], check=True, capture_output=True)
    sync.require_up_to_date()
    write_text(Path("params.yaml"), "x: 2\n")
    with pytest.raises(UserError, match="not up to date: a; run `dvc repro`"):
        sync.require_up_to_date()


def champion(root: Path, database: str = "mlflow.db") -> tuple[str, str]:
    """Version and arm of the champion."""
    version = client_of(root, database).get_model_version_by_alias(REGISTERED, ALIAS)
    assert Path(version.source).name.startswith("m-")
    return str(version.version), version.tags["arm"]


def test_the_model_of_our_arm_becomes_the_champion(
    applied: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """An equal model keeps its version, under another commit too; another one gets the next."""
    register(settings(load_params()))
    assert champion(applied) == ("1", "augmented")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "fedcba9876543210")
    register(settings(load_params()))
    assert champion(applied) == ("1", "augmented")
    assert len(runs(applied)[0]) == 1
    evaluate = json.loads((applied / paths.METRICS / "evaluate.json").read_text())
    write_json(paths.METRICS / "evaluate.json", evaluate | {"ours": "class_weight"})
    register(settings(load_params()))
    assert champion(applied) == ("2", "class_weight")
    assert [r for r in caplog.records if r.levelname == "WARNING"] == []


def test_a_model_that_was_never_recorded_is_registered(
    applied: Path, monkeypatch: pytest.MonkeyPatch
):
    """It is recorded first, and predicts what it was trained for."""
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other.db")
    register(settings(load_params()))
    assert champion(applied, "other.db") == ("1", "augmented")
    assert list(runs(applied, "other.db")[1]) == ["train-baseline@augmented"]
    mlflow.set_tracking_uri(f"sqlite:///{applied}/other.db")
    model = mlflow.pyfunc.load_model(f"models:/{REGISTERED}@{ALIAS}")
    test = pd.read_csv("data/test.csv")
    said = model.predict(test["sentence_sep"].to_numpy(dtype=str))
    assert (said == test["label_raw"]).mean() > 0.5


@pytest.mark.parametrize(
    ("name", "value", "said"),
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
    said: str,
):
    """The check has passed, and still does; a check that fails registers nothing."""
    monkeypatch.setenv(name, value)
    limit = {"better": "higher", "limit": 0.3}
    rules = {"evaluate.json": {"arms.<ours>.macro_f1": limit}}
    side = {"ours": "augmented", "arms.augmented.macro_f1.value": 0.5}
    side |= {"arms.augmented.macro_f1.low": 0.4, "arms.augmented.macro_f1.high": 0.6}
    write_json(
        Path("thresholds.yaml"),
        {"tolerance": {"least": 0.01, "standard_errors": 2}, "metrics": rules},
    )
    monkeypatch.setattr(check, "metrics_diff", lambda *_: {"evaluate.json": (side, side)})
    check.main(base="main", thresholds=Path("thresholds.yaml"), champion=True)
    assert said in "".join(caplog.messages)

    caplog.clear()
    limit["limit"] = 0.9
    write_json(
        Path("thresholds.yaml"),
        {"tolerance": {"least": 0.01, "standard_errors": 2}, "metrics": rules},
    )
    with pytest.raises(SystemExit, match="1"):
        check.main(base="main", thresholds=Path("thresholds.yaml"), champion=True)
    assert "regist" not in "".join(caplog.messages)


def test_a_wrong_name_of_a_file_is_a_warning(applied: Path, caplog: pytest.LogCaptureFixture):
    """A mistake in a call of `track` does not cost the stage."""
    track("choose", settings(load_params()), metric=applied)
    assert "did not record stage choose" in caplog.messages[-1]
