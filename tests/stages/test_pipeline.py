"""The whole pipeline with DVC, on six classes and a model behind a loopback server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from src.config import FREE_ARMS
from src.stages import paths
from tests.stages.small_project import (
    TRAIN_ROWS,
    Model,
    Project,
    as_repository,
    endpoint,
    make_project,
)

ARMS = (*FREE_ARMS, "unfiltered", "augmented", "augmented_class_weight")
METRICS = ("macro_f1", "tail_recall", "accuracy")
NEEDED = {"取消彩铃": 14, "补换卡": 16, "开发票": 18}


@pytest.fixture(scope="module")
def finished(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project after its first `dvc repro`."""
    project = make_project(tmp_path_factory.mktemp("pipeline"))
    project.settings(endpoint(model.url))
    project.environment = {"MLFLOW_TRACKING": "off"}
    as_repository(project)
    ended = project.run("dvc", "repro")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return project


@pytest.fixture
def copy(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished project to change."""
    path = shutil.copytree(finished.path, tmp_path / "copy", ignore=shutil.ignore_patterns("src"))
    shutil.copytree(finished.path / "src", path / "src")
    return Project(path, finished.environment)


def metrics(project: Project, name: str) -> dict[str, Any]:
    """One metrics file."""
    text = (project.path / "metrics" / f"{name}.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def lines(project: Project, path: Path) -> int:
    """Rows of a JSONL file."""
    return len((project.path / path).read_text(encoding="utf-8").splitlines())


def keys(value: Mapping[str, Any], prefix: str = "") -> set[str]:
    """Dotted names of all values."""
    found: set[str] = set()
    for key, item in value.items():
        found |= keys(item, f"{prefix}{key}.") if isinstance(item, Mapping) else {f"{prefix}{key}"}
    return found


def test_every_output_is_there(finished: Project):
    """Each stage wrote what the next ones and the user read."""
    expected = [
        *(paths.STANDIN / f"{split}.csv" for split in ("train", "dev", "test")),
        *(paths.PLAN, paths.CANDIDATES, paths.FAILURES, paths.CASSETTE),
        *(paths.ACCEPTED, paths.REJECTED, paths.REVIEW_QUEUE, paths.BALANCED),
        *(paths.CHAT / f"{split}.jsonl" for split in ("train", "dev", "test")),
        *(paths.MODELS / f"{arm}.skops" for arm in ARMS),
        *(paths.PLOTS / f"{name}.csv" for name in ("class_counts", "recall")),
        *(paths.PLOTS / f"confusion_{name}.csv" for name in ("before", "after")),
        *(paths.REPORTS / name for name in ("report.md", "headline.png", "confusion.png")),
    ]
    assert [path for path in expected if not (finished.path / path).is_file()] == []


def test_metrics_have_the_names_that_others_read(finished: Project):
    """The contract of the metrics files; more keys are welcome."""
    spans = {f"{metric}.{edge}" for metric in METRICS for edge in ("value", "low", "high")}
    contract = {
        "analyze": {
            *("rows", "classes", "gini", "imbalance_ratio", "minority_classes", "needed"),
        },
        "generate": {
            *("candidates", "accepted", "quota", "shortfall"),
            *("tokens.prompt", "tokens.completion", "failures.empty"),
        },
        "filter": {"candidates", "accepted", "acceptance_rate", "rejected_by.repetition"},
        "balance": {
            *("gini.before", "gini.after", "imbalance_ratio.before", "imbalance_ratio.after"),
            "synthetic_share",
            *(
                f"per_class.{label}.{count}"
                for label in TRAIN_ROWS
                for count in ("real", "synthetic", "target", "shortfall")
            ),
        },
        "evaluate": {
            "best_free",
            *(f"arms.{arm}.{span}" for arm in ARMS for span in spans),
            *(f"versus_original.{arm}.{span}" for arm in ARMS[1:] for span in spans),
            *(f"versus_best_free.{arm}.{span}" for arm in ARMS[3:] for span in spans),
        },
    }
    missing = {name: want - keys(metrics(finished, name)) for name, want in contract.items()}
    assert missing == {name: set() for name in contract}


def test_numbers_of_the_stages_agree(finished: Project):
    """What was needed was asked for, judged, merged and counted, and nothing was lost."""
    analyze, generate = metrics(finished, "analyze"), metrics(finished, "generate")
    verdicts, balance = metrics(finished, "filter"), metrics(finished, "balance")
    assert analyze["needed"] == generate["quota"] == sum(NEEDED.values())
    assert verdicts["candidates"] == generate["candidates"] == lines(finished, paths.CANDIDATES)
    assert verdicts["accepted"] == generate["accepted"] == lines(finished, paths.ACCEPTED)
    assert sum(verdicts["rejected_by"].values()) == lines(finished, paths.REJECTED)
    assert sum(generate["failures"].values()) == lines(finished, paths.FAILURES)
    assert generate["requests"] == lines(finished, paths.CASSETTE)
    assert generate["shortfall"] == balance["shortfall"] == 0
    per_class = balance["per_class"]
    assert {k: v["synthetic"] for k, v in per_class.items() if v["synthetic"]} == NEEDED
    assert {k: v["real"] for k, v in per_class.items()} == TRAIN_ROWS
    assert balance["gini"]["after"] < balance["gini"]["before"]


def test_a_second_run_does_nothing(finished: Project, model: Model):
    """No stage starts and nothing is asked."""
    asked, lock = model.asked, (finished.path / "dvc.lock").read_bytes()
    ended = finished.run("dvc", "repro")
    assert ended.returncode == 0
    assert "Running stage" not in ended.stdout + ended.stderr
    assert "up to date" in ended.stdout + ended.stderr
    assert (model.asked, (finished.path / "dvc.lock").read_bytes()) == (asked, lock)


def test_a_laxer_filter_asks_nothing_new(copy: Project, model: Model):
    """Recorded answers are judged anew; the quota is met with fewer of them."""
    asked, before = model.asked, metrics(copy, "generate")
    copy.settings(lambda values: values["filter"]["repetition"].update(enabled=False))
    ended = copy.run("dvc", "repro", "generate")
    assert "Running stage 'generate'" in ended.stdout + ended.stderr
    assert "Running stage 'analyze'" not in ended.stdout + ended.stderr
    assert model.asked == asked
    after = metrics(copy, "generate")
    assert after["shortfall"] == 0
    assert after["requests"] < before["requests"]


def test_a_stricter_filter_asks_only_for_the_shortfall(copy: Project, model: Model):
    """What was bought stays; what the rule drops is made up for."""
    asked, before = model.asked, metrics(copy, "generate")
    copy.settings(lambda values: values["filter"]["length"].update(max_chars=45))
    assert copy.run("dvc", "repro", "generate").returncode == 0
    after = metrics(copy, "generate")
    assert after["shortfall"] == 0
    assert after["requests"] > before["requests"]
    assert model.asked - asked == after["requests"] - before["requests"]


def test_a_teammate_replays_to_the_same_bytes(copy: Project, model: Model, tmp_path: Path):
    """From a packed recording, with no endpoint and no cache, all hashes of dvc.lock come out."""
    asked = model.asked
    packed = copy.run("python", "-m", "src.llm.record", str(paths.CASSETTE))
    assert packed.returncode == 0, packed.stderr
    mate = make_project(tmp_path / "mate")
    mate.environment = copy.environment
    shutil.copy(copy.path / "params.yaml", mate.path / "params.yaml")
    mate.settings(lambda values: values["runtime"].update(offline=True))
    shutil.copytree(copy.path / "data/recordings", mate.path / "data/recordings")
    as_repository(mate)
    ended = mate.run("dvc", "repro")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (mate.path / "dvc.lock").read_bytes() == (copy.path / "dvc.lock").read_bytes()
    assert model.asked == asked


def test_stages_are_runs_nested_in_one_of_the_pipeline(copy: Project):
    """The parent's row in the table has the settings and the headline metrics of its stages."""
    copy.environment = {}
    for stage in ("filter", "balance"):
        assert copy.run("dvc", "repro", "--force", "--single-item", stage).returncode == 0
    script = """
import json
from mlflow import MlflowClient
client = MlflowClient("sqlite:///mlflow.db")
experiment = client.get_experiment_by_name("imbalance-pipeline")
print(json.dumps([
    [run.info.run_name, run.info.run_id, run.data.tags.get("mlflow.parentRunId"),
     {**run.data.params, **run.data.metrics}, run.info.status]
    for run in client.search_runs([experiment.experiment_id])
]))
"""
    shown = copy.run("python", "-W", "ignore", "-c", script)
    runs = json.loads(shown.stdout.splitlines()[-1])
    (parent,) = (run for run in runs if run[2] is None)
    children = [run for run in runs if run[2] is not None]
    assert {run[2] for run in children} == {parent[1]}
    assert sorted(run[0] for run in children) == ["balance", "filter"]
    assert {run[4] for run in runs} == {"FINISHED"}
    values = parent[3]
    rate, gini = values["filter/acceptance_rate"], values["balance/gini.after"]
    assert rate == pytest.approx(metrics(copy, "filter")["acceptance_rate"], abs=1e-6)
    assert gini == pytest.approx(metrics(copy, "balance")["gini"]["after"], abs=1e-6)
    assert values["plan.target_per_class"] == "20"
