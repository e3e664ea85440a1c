"""Names of runs, settings and metrics in MLflow."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml
from pydantic import JsonValue

from src.reporting.naming import fitting, flat_settings, git_commit, pipeline_key, settings_digest

SETTINGS = {"plan": {"target_per_class": 100}, "runtime": {"concurrency": 8}}


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        pytest.param(
            {"DVC_EXP_NAME": "grimy-alga", "DVC_STAGE": "a"}, "grimy-alga", id="experiment"
        ),
        pytest.param({"DVC_STAGE": "a"}, "repro-0123456", id="repro"),
        pytest.param({}, "manual-0123456", id="manual"),
    ],
)
def test_the_run_is_named_after_what_started_it(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], name: str
):
    """The name has the experiment or the commit, and the digits of the settings."""
    for variable in ("DVC_EXP_NAME", "DVC_STAGE"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert pipeline_key("0123456789abcdef", "89abcdef") == f"{name}-89abcdef"


def test_other_settings_have_other_digits(tmp_path: Path):
    """Eight digits; `runtime` changes no result and is left out."""

    def digest(settings: dict[str, dict[str, int]]) -> str:
        path = tmp_path / "params.yaml"
        path.write_text(yaml.safe_dump(settings), encoding="utf-8")
        return settings_digest(path)

    assert len(digest(SETTINGS)) == 8
    assert digest(SETTINGS) == digest(SETTINGS | {"runtime": {"concurrency": 2}})
    assert digest(SETTINGS) == digest({"plan": SETTINGS["plan"]})
    assert digest(SETTINGS) != digest(SETTINGS | {"plan": {"target_per_class": 50}})


def test_the_commit_is_that_of_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """For an experiment, the commit that it started from; outside a repository, unknown."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.delenv("DVC_EXP_BASELINE_REV", raising=False)
    assert git_commit() == "unknown"
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    assert git_commit() == head.stdout.strip()
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "0123456789abcdef")
    assert git_commit() == "0123456789abcdef"


def test_settings_are_flat_texts():
    """Dotted names; text unchanged, other values as JSON, within the length that MLflow accepts."""
    settings: dict[str, JsonValue] = {
        "plan": {"target_gini": None, "overrides": {"咨询（含查询）业务规定": 3}, "caps": {}},
        "prompt": "字" * 9000,
        "listed": [{"名": "a"}],
    }
    assert flat_settings(settings) == {
        "plan.target_gini": "null",
        "plan.overrides.咨询_含查询_业务规定": "3",
        "plan.caps": "{}",
        "prompt": "字" * 6000,
        "listed": '[{"名": "a"}]',
    }
    assert fitting("recall（a）" + "b" * 300) == "recall_a_" + "b" * 241
