"""The stage generate as a process, and the responses in its cache."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tests.stages.small_project import ROOT, Project


def start(project: Project, root: Path) -> subprocess.Popen[str]:
    """Start the stage as a process with its cache in `root`."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "MLFLOW_"))}
    settings = {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING": "off", "DVC_ROOT": str(root)}
    return subprocess.Popen(
        [sys.executable, "-m", "src.stages.generate"],
        cwd=project.path,
        env={**environment, **settings, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        # background test runs ignore Ctrl-C, and child processes inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for a run and check that it succeeds."""
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors


def keys_of(root: Path) -> set[str]:
    """Return the keys of the responses in the cache."""
    path = root / ".cache/llm.sqlite"
    if not path.exists():
        return set()
    with closing(sqlite3.connect(path)) as connection:
        return {key for (key,) in connection.execute("SELECT key FROM responses")}
