"""The whole pipeline with DVC, on six classes and a model behind a loopback server."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from src import paths
from src.config.methods import FREE_METHODS, OUR_METHODS
from src.evaluation.scoring import METRICS
from src.records.decisions import Decision, write_decisions
from tests.stages.small_project import (
    TRAIN_ROWS,
    Model,
    Project,
    as_repository,
    endpoint,
    make_project,
)

METHODS = (*FREE_METHODS, "unfiltered", *OUR_METHODS)
NEEDED = {"取消彩铃": 14, "补换卡": 16, "开发票": 18}
WANTED = sum({"取消彩铃": 21, "补换卡": 24, "开发票": 27}.values())  # with a surplus of one half


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
    """Read one metrics file."""
    text = (project.path / "metrics" / f"{name}.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def records(project: Project, path: Path) -> list[dict[str, Any]]:
    """Read the objects of a JSONL file."""
    text = (project.path / path).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def lines(project: Project, path: Path) -> int:
    """Count the rows of a JSONL file."""
    return len(records(project, path))


def decide(project: Project, sample: str, decision: str, label: str) -> None:
    """Write one reviewer's decision on a sample, as the only decision."""
    word = Decision(sample, decision, label, "", "Li", "2024-05-01T08:00:00.000000+00:00")
    write_decisions(project.path / paths.DECISIONS, [word])


def repro(project: Project, stage: str) -> list[str]:
    """Bring a stage up to date; return the stages that ran."""
    ended = project.run("dvc", "repro", stage)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return re.findall(r"Running stage '([^']+)'", ended.stdout + ended.stderr)


def keys(value: Mapping[str, Any], prefix: str = "") -> set[str]:
    """Return the dotted names of all values."""
    found: set[str] = set()
    for key, item in value.items():
        nested = isinstance(item, Mapping) and item
        found |= keys(item, f"{prefix}{key}.") if nested else {f"{prefix}{key}"}
    return found


def test_every_output_exists(finished: Project):
    """Each stage wrote what later stages and the user read."""
    expected = [
        *(paths.STANDIN / f"{split}.csv" for split in ("train", "dev", "test")),
        *(paths.PLAN, paths.CANDIDATES, paths.FAILURES, paths.RESPONSES),
        *(paths.SCORES, paths.SUSPECTS, paths.JUDGE_RESPONSES),
        *(paths.ACCEPTED, paths.REJECTED, paths.REVIEW_QUEUE, paths.BALANCED),
        *(paths.CHAT / f"{split}.jsonl" for split in ("train", "dev", "test")),
        *(paths.MODELS / f"{method}.skops" for method in METHODS),
        *(paths.PREDICTIONS / f"{method}.csv" for method in METHODS),
        *(paths.PLOTS / f"{name}.csv" for name in ("class_counts", "recall", "learning_curve")),
        *(paths.PLOTS / f"confusion_{name}.csv" for name in ("before", "after")),
        *(paths.REPORTS / name for name in ("report.md", "headline.png", "confusion.png")),
    ]
    assert [path for path in expected if not (finished.path / path).is_file()] == []


def test_metrics_have_the_names_that_others_read(finished: Project):
    """The contract of the metrics files; additional keys are fine."""
    spans = {f"{metric}.{edge}" for metric in METRICS for edge in ("value", "low", "high")}
    contract = {
        "analyze": {
            *("rows", "classes", "gini", "imbalance_ratio", "minority_classes", "needed"),
        },
        "generate": {
            *("candidates", "accepted", "quota", "shortfall"),
            *("tokens.prompt", "tokens.completion", "failures.empty"),
        },
        "filter": {
            *("candidates", "accepted", "acceptance_rate", "rejected_by.repetition"),
            *("relabelled", "private", "judges_agreement", "bias.largest"),
            *("review.decided", "review.rejected", "review.reviewers.rate"),
            *(
                f"per_class.{label}.{count}"
                for label in NEEDED
                for count in ("candidates", "accepted")
            ),
        },
        "balance": {
            *("gini.before", "gini.after", "imbalance_ratio.before", "imbalance_ratio.after"),
            "synthetic_share",
            *(
                f"per_class.{label}.{count}"
                for label in TRAIN_ROWS
                for count in ("real", "synthetic", "target", "shortfall")
            ),
        },
        "choose": {
            *(f"chosen.{name}" for name in ("samples_per_class", "class_weight", "sample_weight")),
            *("chosen.why", "recommended", "curve"),
        },
        "evaluate": {
            *("best_free", "ours", "chosen.why", "recommended", "curve", "signature"),
            *(f"methods.{method}.{span}" for method in METHODS for span in spans),
            *(f"versus_original.{method}.{span}" for method in METHODS[1:] for span in spans),
            *(
                f"versus_best_free.{method}.{span}"
                for method in ("unfiltered", *OUR_METHODS)
                for span in spans
            ),
            *(f"dev.{method}.{metric}" for method in METHODS for metric in METRICS),
        },
    }
    missing = {name: want - keys(metrics(finished, name)) for name, want in contract.items()}
    assert missing == {name: set() for name in contract}


def test_numbers_of_the_stages_agree(finished: Project):
    """The needed samples were requested, screened, merged and counted; none was lost."""
    analyze, generate = metrics(finished, "analyze"), metrics(finished, "generate")
    verdicts, balance = metrics(finished, "filter"), metrics(finished, "balance")
    assert analyze["needed"] == sum(NEEDED.values())
    assert generate["quota"] == generate["accepted"] == WANTED
    assert verdicts["candidates"] == generate["candidates"] == lines(finished, paths.CANDIDATES)
    assert verdicts["accepted"] == lines(finished, paths.ACCEPTED)
    doubtful = verdicts["rejected_by"].get("label_check", 0)  # of those that generate accepted
    assert verdicts["accepted"] + doubtful == generate["accepted"]
    assert verdicts["accepted"] + sum(verdicts["rejected_by"].values()) == verdicts["candidates"]
    with (finished.path / paths.SCORES).open(encoding="utf-8") as file:
        assert len(file.readlines()) - 1 == verdicts["candidates"]
    assert sum(verdicts["rejected_by"].values()) == lines(finished, paths.REJECTED)
    assert sum(generate["failures"].values()) == lines(finished, paths.FAILURES)
    assert generate["requests"] == lines(finished, paths.RESPONSES)
    assert generate["shortfall"] == balance["shortfall"] == 0
    per_class = balance["per_class"]
    assert {k: v["synthetic"] for k, v in per_class.items() if v["synthetic"]} == NEEDED
    assert {k: v["real"] for k, v in per_class.items()} == TRAIN_ROWS
    assert balance["gini"]["after"] < balance["gini"]["before"]


def test_a_second_run_does_nothing(finished: Project, model: Model):
    """No stage runs and no request is sent."""
    asked, lock = model.asked, (finished.path / "dvc.lock").read_bytes()
    ended = finished.run("dvc", "repro")
    assert ended.returncode == 0
    assert "Running stage" not in ended.stdout + ended.stderr
    assert "up to date" in ended.stdout + ended.stderr
    assert (model.asked, (finished.path / "dvc.lock").read_bytes()) == (asked, lock)


@pytest.mark.parametrize(
    ("module", "readers"),
    [
        pytest.param("src/config/convert.py", {"convert"}, id="a-section-of-one-stage"),
        pytest.param(
            "src/config/filter.py",
            {"generate", "score", "filter", "evaluate", "report"},
            id="a-section-of-several",
        ),
        pytest.param("src/reporting/words.py", {"report"}, id="the-report"),
        pytest.param("src/reporting/tracking.py", set(), id="tracking"),
        pytest.param("src/cli.py", set(), id="cli"),
    ],
)
def test_a_changed_module_reruns_only_its_stages(
    module: str, readers: set[str], copy: Project, model: Model
) -> None:
    """A changed docstring changes no output, so no stage after them runs."""
    asked = model.asked
    file = copy.path / module
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('"""', '"""Reworded. ', 1), encoding="utf-8")
    ended = copy.run("dvc", "repro")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    ran = re.findall(r"Running stage '([^']+)'", ended.stdout + ended.stderr)
    assert set(ran) == readers
    assert model.asked == asked


def test_a_laxer_filter_sends_no_request(copy: Project, model: Model):
    """Recorded responses are screened again; fewer of them meet the quota."""
    asked, before = model.asked, metrics(copy, "generate")
    copy.settings(lambda values: values["filter"]["repetition"].update(enabled=False))
    ended = copy.run("dvc", "repro", "generate")
    assert "Running stage 'generate'" in ended.stdout + ended.stderr
    assert "Running stage 'analyze'" not in ended.stdout + ended.stderr
    assert model.asked == asked
    after = metrics(copy, "generate")
    assert after["shortfall"] == 0
    assert after["requests"] < before["requests"]


def test_a_stricter_filter_requests_only_the_shortfall(copy: Project, model: Model):
    """Recorded responses are reused; rejected samples are replaced."""
    asked, before = model.asked, metrics(copy, "generate")
    copy.settings(lambda values: values["filter"]["length"].update(max_chars=45))
    assert copy.run("dvc", "repro", "generate").returncode == 0
    after = metrics(copy, "generate")
    assert after["shortfall"] == 0
    assert after["requests"] > before["requests"]
    assert model.asked - asked == after["requests"] - before["requests"]


def test_a_threshold_of_the_label_check_reruns_no_scoring(copy: Project, model: Model):
    """Filter uses the existing scores; candidates are the same and no request is sent."""
    asked, before = model.asked, metrics(copy, "filter")
    scores = (copy.path / paths.SCORES).read_bytes()
    copy.settings(lambda values: values["filter"]["label_check"].update(min_score=0.99))
    ran = repro(copy, "filter")
    assert "filter" in ran
    assert "score" not in ran
    assert model.asked == asked
    assert (copy.path / paths.SCORES).read_bytes() == scores
    after = metrics(copy, "filter")
    assert after["candidates"] == before["candidates"]
    doubtful = [verdict["rejected_by"].get("label_check", 0) for verdict in (before, after)]
    assert (
        doubtful[0]
        < doubtful[1]
        == after["candidates"]
        - after["accepted"]
        - sum(count for rule, count in after["rejected_by"].items() if rule != "label_check")
    )


def test_a_rejected_sample_is_replaced_by_one_request(
    copy: Project, model: Model, monkeypatch: pytest.MonkeyPatch
):
    """It leaves the balanced set, its reason is kept, and its class meets its quota again."""
    monkeypatch.setattr(model, "flawless", True)
    asked, before = model.asked, metrics(copy, "generate")
    sample = next(r for r in records(copy, paths.ACCEPTED) if r["label"] == "开发票")
    decide(copy, sample["id"], "reject", "开发票")
    ran = repro(copy, "balance")
    assert ran == ["generate", "score", "filter", "balance"]
    assert model.asked - asked == 1
    after = metrics(copy, "generate")
    assert after["requests"] == before["requests"] + 1
    assert after["accepted"] == after["quota"] == WANTED
    assert sample["id"] not in {record["id"] for record in records(copy, paths.ACCEPTED)}
    (gone,) = (r for r in records(copy, paths.REJECTED) if r["reason"] == "review")
    assert (gone["id"], gone["detail"]) == (sample["id"], "Li rejects it: no reason given")
    assert metrics(copy, "filter")["review"]["rejected"]["rejected"] == 1
    assert metrics(copy, "balance")["per_class"]["开发票"]["synthetic"] == NEEDED["开发票"]
    assert sample["text"] not in (copy.path / paths.BALANCED).read_text(encoding="utf-8")


def test_a_relabelled_sample_moves_to_its_class(
    copy: Project, model: Model, monkeypatch: pytest.MonkeyPatch
):
    """It counts for the new class, whatever the label check says; the old class gets another."""
    monkeypatch.setattr(model, "flawless", True)
    asked = model.asked
    sample = next(r for r in records(copy, paths.ACCEPTED) if r["label"] == "开发票")
    decide(copy, sample["id"], "relabel", "补换卡")
    assert repro(copy, "filter") == ["generate", "score", "filter"]
    assert model.asked - asked == 1
    assert metrics(copy, "generate")["shortfall"] == 0
    (moved,) = (r for r in records(copy, paths.ACCEPTED) if r["id"] == sample["id"])
    assert (moved["label"], moved["label_before"]) == ("补换卡", "开发票")
    assert moved["suggested"] == "开发票"
    assert metrics(copy, "filter")["relabelled"] == 1


def test_a_teammate_replays_to_the_same_bytes(copy: Project, model: Model, tmp_path: Path):
    """From a packed file, without endpoint and cache, all hashes of dvc.lock are equal."""
    asked = model.asked
    packed = copy.run("python", "-m", "src.commands.record", str(paths.RESPONSES))
    assert packed.returncode == 0, packed.stderr
    mate = make_project(tmp_path / "mate")
    mate.environment = copy.environment
    shutil.copy(copy.path / "params.yaml", mate.path / "params.yaml")
    mate.settings(lambda values: values["runtime"].update(offline=True))
    shutil.copytree(copy.path / "data/responses", mate.path / "data/responses")
    as_repository(mate)
    ended = mate.run("dvc", "repro")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (mate.path / "dvc.lock").read_bytes() == (copy.path / "dvc.lock").read_bytes()
    assert model.asked == asked


def test_stage_runs_are_nested_in_a_pipeline_run(copy: Project):
    """The parent has the settings and the headline metrics of its stages."""
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
