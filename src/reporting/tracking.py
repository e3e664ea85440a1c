"""MLflow: one parent run for a run of the pipeline, one nested run for each stage of it.

The only place that imports mlflow. Settings and headline metrics are on the stage's run and on
the parent, so that the table of runs compares experiments. Runs go to MLFLOW_TRACKING_URI, or to
mlflow.db and mlartifacts/ in the project's root. Whatever MLflow does, the stage's results stand:
a failure is a warning. `MLFLOW_TRACKING=off` records nothing.

    track("filter", params.model_dump(), {"acceptance_rate": 0.72}, [Path("metrics/filter.json")])
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from src.config import PARAMS

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Run

log = logging.getLogger(__name__)

EXPERIMENT = "imbalance-pipeline"
PIPELINE_TAG = "pipeline_run"
NOT_IN_NAMES = re.compile(r"[^/\w.\- :]")  # MLflow refuses other characters in names
MAX_NAME, MAX_VALUE = 250, 6000
MAX_PARAMS, MAX_METRICS = 100, 1000  # in one request
LOCK_TIMEOUT_S = 120
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # the defaults wait for minutes for a dead server
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
STARTED_MS = int(time.time() * 1000)  # a stage imports this module first and tracks last


def track(
    stage: str,
    params: Mapping[str, Any],
    metrics: Mapping[str, float],
    artifacts: Iterable[Path] = (),
    dataset: Path | None = None,
    model_path: Path | None = None,
) -> None:
    """Record a stage that has ended.

    Args:
        stage: its name; DVC's own name for it (with the matrix item) goes before.
        params: the settings that it depends on, nested as in params.yaml.
        metrics: its headline metrics, by name.
        artifacts: files and folders to keep with the run.
        dataset: the rows that it read; the digest is the MD5 that dvc.lock shows.
        model_path: the model that it trained, written by `modeling.baseline.save`.
    """
    if os.environ.get("MLFLOW_TRACKING", "").lower() == "off":
        return
    name = os.environ.get("DVC_STAGE", stage)
    try:
        _record(name, params, metrics, artifacts, dataset, model_path)
    except Exception as error:  # noqa: BLE001  (a paid stage must not fail over its log)
        reason = str(error).strip().partition("\n")[0]
        log.warning(
            "MLflow did not record stage %s, whose results stand (%s: %s); "
            "check MLFLOW_TRACKING_URI, or set MLFLOW_TRACKING=off",
            name,
            type(error).__name__,
            reason,
        )


def _record(
    stage: str,
    params: Mapping[str, Any],
    metrics: Mapping[str, float],
    artifacts: Iterable[Path],
    dataset: Path | None,
    model_path: Path | None,
) -> None:
    from filelock import FileLock

    os.environ.pop("MLFLOW_RUN_ID", None)  # of another run, if set
    os.environ.update({key: value for key, value in QUIET.items() if key not in os.environ})
    from mlflow import MlflowClient

    root = Path(os.environ.get("DVC_ROOT", ".")).resolve()
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root.as_posix()}/mlflow.db"
    commit = _git_commit()
    lock = root / ".cache" / "mlflow.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    # Two processes that meet a new database both migrate it, and one of them fails; two that look
    # for the parent run at the same time both make one.
    with FileLock(lock, timeout=LOCK_TIMEOUT_S):
        client = MlflowClient(tracking_uri=uri)
        experiment = _experiment(client, uri, root)
        parent = _parent(client, experiment, _pipeline_key(commit), commit)
        child = client.create_run(
            experiment,
            start_time=STARTED_MS,
            run_name=stage,
            tags={"mlflow.parentRunId": parent.info.run_id, "mlflow.source.git.commit": commit},
        ).info.run_id
        flat = _flatten(params)
        _log(client, child, flat, metrics)
        known = parent.data.params
        _log(
            client,
            parent.info.run_id,
            {key: value for key, value in flat.items() if key not in known},
            {f"{stage.replace('@', '/')}/{key}": value for key, value in metrics.items()},
        )
        if dataset is not None:
            client.log_inputs(child, [_dataset_input(dataset, stage)])
        for run_id in (child, parent.info.run_id):
            client.set_terminated(run_id)
    for path in artifacts:
        if path.is_dir():
            client.log_artifacts(child, str(path), path.name)
        else:
            client.log_artifact(child, str(path))
    if model_path is not None:
        _log_model(uri, child, model_path)


def _experiment(client: MlflowClient, uri: str, root: Path) -> str:
    """Id of the experiment.

    Its artifacts lie in the project's root even if a DVC workspace elsewhere makes it first; a
    server decides for itself.
    """
    known = client.get_experiment_by_name(EXPERIMENT)
    if known is not None:
        return str(known.experiment_id)
    is_server = not uri.startswith("sqlite:")
    location = None if is_server else (root / "mlartifacts").as_uri()
    return client.create_experiment(EXPERIMENT, artifact_location=location)


def _parent(client: MlflowClient, experiment: str, key: str, commit: str) -> Run:
    found = client.search_runs([experiment], f"tags.{PIPELINE_TAG} = '{key}'", max_results=1)
    if found:
        return found[0]
    return client.create_run(
        experiment,
        start_time=STARTED_MS,
        run_name=key,
        tags={PIPELINE_TAG: key, "mlflow.source.git.commit": commit},
    )


def _pipeline_key(commit: str) -> str:
    """Name of the run of the pipeline, the same in all its stages and for no other settings.

    A param can't be logged again with another value, so other settings are another run. `runtime`
    changes no result and does not count.
    """
    settings = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    settings.pop("runtime", None)
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()
    # By hand, outside DVC, a stage may have read other files than the pipeline's.
    by = "repro" if "DVC_STAGE" in os.environ else "manual"
    return f"{os.environ.get('DVC_EXP_NAME') or f'{by}-{commit[:7]}'}-{digest[:8]}"


def _git_commit() -> str:
    """The commit that the run started from; `unknown` outside a repository."""
    if baseline := os.environ.get("DVC_EXP_BASELINE_REV"):
        return baseline
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


def _flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Dotted name -> value, as text."""
    flat: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            is_text = isinstance(value, str)
            text = value if is_text else json.dumps(value, ensure_ascii=False, default=str)
            flat[_name(f"{prefix}{key}")] = text[:MAX_VALUE]
    return flat


def _name(name: str) -> str:
    return NOT_IN_NAMES.sub("_", name)[:MAX_NAME]


def _log(
    client: MlflowClient, run_id: str, params: Mapping[str, str], metrics: Mapping[str, float]
) -> None:
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    rows = [Param(key, value) for key, value in params.items()]
    numbers = [Metric(_name(key), float(value), now, 0) for key, value in metrics.items()]
    for start in range(0, len(rows), MAX_PARAMS):
        client.log_batch(run_id, params=rows[start : start + MAX_PARAMS])
    for start in range(0, len(numbers), MAX_METRICS):
        client.log_batch(run_id, metrics=numbers[start : start + MAX_METRICS])


def _dataset_input(path: Path, stage: str) -> DatasetInput:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "md5").hexdigest()
    source = json.dumps({"uri": path.as_posix()})
    return DatasetInput(
        Dataset(path.stem, digest, "local", source), [InputTag("mlflow.data.context", stage)]
    )


def _log_model(uri: str, run_id: str, path: Path) -> None:
    import mlflow
    import mlflow.sklearn
    import numpy as np
    import sklearn
    import skops
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    from src.modeling.baseline import load

    # An array of texts: for a named column MLflow would hand the classifier a frame, whose
    # iteration gives the column's name.
    texts = Schema([TensorSpec(np.dtype(str), (-1,))])
    mlflow.set_tracking_uri(uri)
    with mlflow.start_run(run_id=run_id):
        mlflow.sklearn.log_model(
            load(path),
            name=path.stem,
            serialization_format="skops",
            signature=ModelSignature(inputs=texts, outputs=texts),
            # Without them MLflow imports the model in a new process to find out, for 15 seconds.
            pip_requirements=[
                f"scikit-learn=={sklearn.__version__}",
                f"skops=={skops.__version__}",
            ],
        )
