"""Fixtures of the stages' tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stages.small_project import ROOT, Model, Project, make_project, serve_model


@pytest.fixture(scope="session")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small project after analyze."""
    path = tmp_path_factory.mktemp("planned")
    made = outside_dvc(make_project(path))
    assert made.stage("analyze").returncode == 0
    return path


@pytest.fixture
def project(planned: Path, tmp_path: Path) -> Project:
    """A small project after analyze; stages of the repository run in it without DVC."""
    return outside_dvc(Project(shutil.copytree(planned, tmp_path / "project")))


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    """A completions server while the tests of a module run."""
    with serve_model() as served:
        yield served


def outside_dvc(project: Project) -> Project:
    """The project with an environment in which stages find the repository's code."""
    project.environment = {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING": "off"}
    return project
