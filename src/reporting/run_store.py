"""Where MLflow keeps the runs, and whether tracking is on.

    uri, root = prepare()  # before mlflow is imported

Runs go to MLFLOW_TRACKING_URI, or to mlflow.db and mlartifacts/ in the project's root.
"""

from __future__ import annotations

import os
from pathlib import Path

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # the defaults wait minutes for a dead server
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


def is_off() -> bool:
    """Return whether tracking is switched off."""
    return os.environ.get("MLFLOW_TRACKING", "").lower() == "off"


def prepare() -> tuple[str, Path]:
    """Return the tracking URI and the project's root; call it before importing mlflow."""
    os.environ.pop("MLFLOW_RUN_ID", None)  # if set, it belongs to another run
    os.environ.update({key: value for key, value in QUIET.items() if key not in os.environ})
    root = Path(os.environ.get("DVC_ROOT", ".")).resolve()
    uri = os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    # A relative path starts at the root, not at the folder where DVC runs an experiment.
    scheme, _, path = uri.partition("sqlite:///")
    return (uri if scheme else f"sqlite:///{(root / path).as_posix()}"), root
