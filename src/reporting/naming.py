"""Names of runs, settings and metrics in MLflow.

pipeline_key(git_commit(), settings_digest())  # "repro-0123456-89abcdef"
flat_settings({"plan": {"target_per_class": 100}})  # {"plan.target_per_class": "100"}
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import JsonValue

from src.paths import PARAMS

REPRO, MANUAL = "repro", "manual"
NOT_IN_NAMES = re.compile(r"[^/\w.\- :]")  # MLflow refuses other characters in names
MAX_NAME, MAX_VALUE = 250, 6000


def pipeline_key(commit: str, digest: str) -> str:
    """Return the name of the pipeline run: shared by all its stages, unique per settings.

    The name shows what started this process: a DVC experiment, `dvc repro`, or a person.
    """
    # A stage started outside DVC may have read files other than the pipeline's.
    by = REPRO if "DVC_STAGE" in os.environ else MANUAL
    experiment = os.environ.get("DVC_EXP_NAME")
    return f"{experiment}-{digest}" if experiment else key_of(by, commit, digest)


def key_of(by: str, commit: str, digest: str) -> str:
    """Return the name of a pipeline run outside an experiment; `by` is REPRO or MANUAL."""
    return f"{by}-{commit[:7]}-{digest}"


def settings_digest(path: Path = PARAMS) -> str:
    """Return the first eight hex digits of the SHA-256 of params.yaml, without `runtime`.

    MLflow can't overwrite a logged param, so changed settings need a new run. `runtime` changes no
    result and is left out.
    """
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    settings.pop("runtime", None)
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def git_commit() -> str:
    """Return the commit that the run started from; `unknown` outside a repository."""
    if baseline := os.environ.get("DVC_EXP_BASELINE_REV"):
        return baseline
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


def flat_settings(settings: Mapping[str, JsonValue], prefix: str = "") -> dict[str, str]:
    """Return dotted name -> value, as text within MLflow's limits."""
    flat: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, dict) and value:
            flat |= flat_settings(value, f"{prefix}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            flat[fitting(f"{prefix}{key}")] = text[:MAX_VALUE]
    return flat


def fitting(name: str) -> str:
    """Return the name of a setting or metric in the characters and length that MLflow accepts."""
    return NOT_IN_NAMES.sub("_", name)[:MAX_NAME]
