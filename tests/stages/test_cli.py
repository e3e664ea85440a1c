"""Mistakes of users: a one-line error with a remedy, and no file is changed."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.stages.small_project import Project, endpoint

Break = Callable[[Project], None]


def missing_file(project: Project) -> None:
    """The train file is not where params.yaml says."""
    (project.path / "data/train.csv").unlink()


def wrong_column(project: Project) -> None:
    """The text column has another name."""
    project.frame("dev", lambda frame: frame.rename(columns={"sentence_sep": "content"}))


def label_outside_the_map(project: Project) -> None:
    """A class id that labels.csv does not have."""
    project.frame("train", lambda frame: frame.assign(c_numerical=[99, *frame["c_numerical"][1:]]))


def empty_text(project: Project) -> None:
    """A row without words."""
    project.frame("test", lambda frame: frame.assign(sentence_sep=["", *frame["sentence_sep"][1:]]))


def duplicate_id(project: Project) -> None:
    """Two rows with the same id."""
    project.frame("train", lambda frame: pd.concat([frame, frame.head(1)]))


def broken_yaml(project: Project) -> None:
    """A bracket that is never closed."""
    with (project.path / "params.yaml").open("a", encoding="utf-8") as file:
        file.write("\nbroken: [1, 2\n")


def unknown_key(project: Project) -> None:
    """A setting that is misspelt."""

    def edit(values: dict[str, Any]) -> None:
        values["plan"]["target_per_clas"] = values["plan"].pop("target_per_class")

    project.settings(edit)


def class_without_train_rows(project: Project) -> None:
    """The rarest class is only in dev and test."""
    project.frame("train", lambda frame: frame[frame["label_raw"] != "开发票"])


def not_utf8(project: Project) -> None:
    """A CSV as Excel saves it in China."""
    file = project.path / "data/train.csv"
    file.write_bytes(file.read_text(encoding="utf-8").encode("gb18030"))


def assert_refused(project: Project, stage: str, *says: str) -> None:
    """Check for one line, exit code 2, and unchanged files of an earlier run."""
    (project.path / "data/interim/candidates.jsonl").write_text("of an earlier run")
    kept = {
        path: path.read_bytes()
        for folder in ("data/interim", "metrics")
        for path in (project.path / folder).iterdir()
    }
    ended = project.stage(stage)
    lines = ended.stderr.splitlines()
    errors = [line for line in lines if line.startswith("error:")]
    assert (ended.returncode, len(errors), ended.stdout) == (2, 1, ""), ended.stderr
    assert lines[-1] == errors[0]
    assert all(line.startswith(("INFO ", "WARNING ")) for line in lines[:-1])
    for words in says:
        assert words in errors[0]
    assert {path: path.read_bytes() for path in kept} == kept


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param(missing_file, ["data/train.csv not found", "data.*"], id="missing file"),
        pytest.param(wrong_column, ["dev.csv", "'sentence_sep'", "content"], id="wrong column"),
        pytest.param(
            label_outside_the_map,
            ["train.csv line 2", "99", "data/labels.csv"],
            id="label outside the map",
        ),
        pytest.param(empty_text, ["test.csv line 2", "sentence_sep"], id="empty text"),
        pytest.param(duplicate_id, ["line 164", "train-查询话费-0"], id="duplicate id"),
        pytest.param(broken_yaml, ["params.yaml line", "not valid YAML"], id="broken YAML"),
        pytest.param(
            unknown_key,
            ["plan.target_per_clas is not a setting (did you mean target_per_class?)"],
            id="unknown key",
        ),
        pytest.param(class_without_train_rows, ["'开发票'", "add"], id="class without train rows"),
        pytest.param(not_utf8, ["train.csv", "UTF-8"], id="not UTF-8"),
    ],
)
def test_bad_input_is_one_line(project: Project, spoil: Break, says: list[str]):
    """Value, file and remedy; no traceback; outputs of an earlier run untouched."""
    spoil(project)
    assert_refused(project, "analyze", *says)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        pytest.param({"model": "models/none.gguf"}, ["'models/none.gguf'", "correct"], id="path"),
        pytest.param({"model": "no-such-package"}, ["'no-such-package'", "install"], id="package"),
        pytest.param({"api_key_env": "NO_SUCH_KEY"}, ["NO_SUCH_KEY", ".env"], id="key"),
    ],
)
def test_an_unusable_model_is_one_line(project: Project, settings: dict[str, str], says: list[str]):
    """A wrong model or a missing key ends the run before the first request."""

    def edit(values: dict[str, Any]) -> None:
        url = "http://127.0.0.1:9/v1" if "api_key_env" in settings else "embedded"
        endpoint(url)(values)
        values["llm"]["endpoints"][0] |= settings

    project.settings(edit)
    assert_refused(project, "generate", *says)


def test_an_endpoint_that_is_down_is_one_line(project: Project):
    """The message has its name, its address, and that nothing is lost."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
    project.settings(endpoint(url))
    assert_refused(project, "generate", "'loopback'", url, "start it")


def test_a_missing_input_names_the_command(project: Project):
    """Generate needs the plan."""
    (project.path / "data/interim/plan.csv").unlink()
    ended = project.stage("generate")
    assert (ended.returncode, ended.stderr) == (
        2,
        f"error: {Path('data/interim/plan.csv')} not found; run `dvc repro analyze` to make it\n",
    )


def test_the_dry_run_sends_no_request(project: Project):
    """Plan, cost and a prompt are shown even if the endpoint is down; nothing is written."""
    project.settings(endpoint("http://127.0.0.1:9/v1"))
    shown = project.stage("generate", "--dry-run")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "requests to send: " in shown.stdout
    assert "--- prompt of '取消彩铃' to loopback ---" in shown.stdout
    assert [path.name for path in (project.path / "data/interim").iterdir()] == ["plan.csv"]
