"""MLflow tracking: one parent run per pipeline run, one nested run per stage.

The only module that imports mlflow. `reporting.runs` decides what is recorded of a stage. Settings
and headline metrics go to the parent as well, so that MLflow's table of runs compares experiments.
Runs go to MLFLOW_TRACKING_URI, or to mlflow.db and mlartifacts/ in the project's root. An error in
MLflow is logged as a warning and never fails a stage. `MLFLOW_TRACKING=off` records nothing.

    track("choose", metrics=Path("metrics"))
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from src.config.params import Params, load_params
from src.paths import METRICS
from src.records.json_files import read_record
from src.records.metrics.evaluate import EvaluateMetrics
from src.reporting.naming import (
    MANUAL,
    REPRO,
    fitting,
    flat_settings,
    git_commit,
    key_of,
    pipeline_key,
    settings_digest,
)
from src.reporting.run_store import is_off, prepare
from src.reporting.runs import METHOD_STAGE, Files, StageRun, describe, md5

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Run

log = logging.getLogger(__name__)

EXPERIMENT = "imbalance-pipeline"
REGISTERED = "imbalance-classifier"
ALIAS = "champion"
PIPELINE_TAG, COMMIT_TAG = "pipeline_run", "mlflow.source.git.commit"
PARENT_TAG, DIGEST_TAG = "mlflow.parentRunId", "digest"
MAX_PARAMS, MAX_METRICS = 100, 1000  # per request to MLflow
LOCK_TIMEOUT_S = 120
STARTED_MS = int(time.time() * 1000)  # start of the stage, which imports this module at once


def track(stage: str, **files: Path) -> None:
    """Record a stage that has ended; never raises.

    Args:
        stage: its name in DVC.
        files: paths other than the defaults, named as in `runs.Files`.
    """
    if is_off():
        return
    with _only_warned(f"record stage {stage} (its results are complete)"):
        record(describe(stage, load_params(), Files(**files)))


def register(params: Params) -> None:
    """Make the model of our best method the champion of the registry; never raises.

    A model that MLflow does not have yet is recorded first; a registered model keeps its version.
    """
    if is_off():
        log.warning("MLFLOW_TRACKING is off: no model is registered; unset it to register one")
        return
    with _only_warned("register the model"):
        ours = read_record(METRICS / "evaluate.json", EvaluateMetrics).ours
        version = _register(describe(f"{METHOD_STAGE}@{ours}", params))
        log.info("%s@%s is now version %s (%s)", REGISTERED, ALIAS, version, ours)


def record(run: StageRun, *, once: bool = False) -> bool:
    """Write the run of a stage, and return whether it was written.

    Args:
        run: what to record.
        once: skip it if the pipeline run has an equal one already; an experiment with these
            settings and this commit counts as the pipeline run.

    Raises:
        Exception: whatever MLflow raises.
    """
    uri, root = prepare()
    from filelock import FileLock
    from mlflow import MlflowClient

    commit = git_commit()
    lock = root / ".cache" / "mlflow.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    # Without the lock, two processes would both migrate a new database, and one would fail; and
    # both would create the parent run.
    with FileLock(lock, timeout=LOCK_TIMEOUT_S):
        client = MlflowClient(tracking_uri=uri)
        experiment = _experiment(client, uri, root)
        parent = _parent(client, experiment, commit, any_of_these_settings=once)
        if once and _equal_runs(client, experiment, run, parent.info.run_id):
            return False
        child = client.create_run(
            experiment,
            start_time=STARTED_MS,
            run_name=run.stage,
            tags={PARENT_TAG: parent.info.run_id, COMMIT_TAG: commit, **run.tags},
        ).info.run_id
        _log_numbers(client, child, parent, run)
        if run.datasets:
            inputs = [_dataset_input(path, purpose) for path, purpose in run.datasets.items()]
            client.log_inputs(child, inputs)
        for run_id in (child, parent.info.run_id):
            client.set_terminated(run_id)
    for path in run.artifacts:
        if path.is_dir():
            client.log_artifacts(child, str(path), path.name)
        else:
            client.log_artifact(child, str(path))
    if run.model is not None:
        _log_model(uri, child, run.model)
    # Set last, so that an interrupted run does not count as complete.
    client.set_tag(child, DIGEST_TAG, run.digest())
    return True


@contextmanager
def _only_warned(what: str) -> Iterator[None]:
    """Turn any exception into a warning: tracking must not fail a stage that cost money."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  (see above)
        reason = str(error).strip().partition("\n")[0]
        log.warning(
            "MLflow did not %s (%s: %s); check MLFLOW_TRACKING_URI, or set MLFLOW_TRACKING=off",
            what,
            type(error).__name__,
            reason,
        )


def _register(run: StageRun) -> str:
    """Register the model as champion and return its version."""
    uri, root = prepare()
    import mlflow

    mlflow.set_tracking_uri(uri)  # the registry looks up logged models there
    client = mlflow.MlflowClient()
    experiment = _experiment(client, uri, root)
    if not client.search_registered_models(f"name = '{REGISTERED}'"):
        client.create_registered_model(REGISTERED)
    known = client.search_model_versions(f"name = '{REGISTERED}'")
    digest = run.tags["model_md5"]
    version = next((one.version for one in known if one.tags.get("model_md5") == digest), None)
    if version is None:
        if not _equal_runs(client, experiment, run):
            record(run, once=True)
        (logged,) = _equal_runs(client, experiment, run)
        (output,) = logged.outputs.model_outputs if logged.outputs else []
        version = client.create_model_version(
            REGISTERED,
            f"models:/{output.model_id}",
            run_id=logged.info.run_id,
            tags=dict(run.tags),
            model_id=output.model_id,
        ).version
    client.set_registered_model_alias(REGISTERED, ALIAS, version)
    return str(version)


def _equal_runs(
    client: MlflowClient, experiment: str, run: StageRun, parent: str | None = None
) -> list[Run]:
    """Return complete runs of the stage with the same settings, numbers, rows and model."""
    wanted = f"tags.{DIGEST_TAG} = '{run.digest()}'"
    if parent is not None:
        wanted += f" AND tags.`{PARENT_TAG}` = '{parent}'"
    return list(client.search_runs([experiment], wanted, max_results=1))


def _log_numbers(client: MlflowClient, child: str, parent: Run, run: StageRun) -> None:
    """Log settings and metrics on both runs; params that the parent has can't be logged again."""
    flat = flat_settings(run.params)
    _log(client, child, flat, run.metrics, run.curves)
    headline = run.metrics if run.headline is None else run.headline
    prefix = run.stage.replace("@", "/")
    _log(
        client,
        parent.info.run_id,
        {key: value for key, value in flat.items() if key not in parent.data.params},
        {f"{prefix}/{key}": value for key, value in headline.items()},
    )


def _experiment(client: MlflowClient, uri: str, root: Path) -> str:
    """Return the id of the experiment; create it if needed.

    Its artifacts are kept in the project's root even if a DVC workspace elsewhere creates it; a
    server chooses its own location.
    """
    known = client.get_experiment_by_name(EXPERIMENT)
    if known is not None:
        return str(known.experiment_id)
    is_server = not uri.startswith("sqlite:")
    location = None if is_server else (root / "mlartifacts").as_uri()
    return client.create_experiment(EXPERIMENT, artifact_location=location)


def _parent(
    client: MlflowClient, experiment: str, commit: str, *, any_of_these_settings: bool
) -> Run:
    """Return the pipeline run; create it if needed."""
    digest = settings_digest()
    key = pipeline_key(commit, digest)
    wanted = f"tags.{PIPELINE_TAG} = '{key}'"
    if any_of_these_settings:
        key, manual = (key_of(by, commit, digest) for by in (REPRO, MANUAL))
        wanted = (
            f"tags.{PIPELINE_TAG} LIKE '%-{digest}' AND tags.{PIPELINE_TAG} != '{manual}' "
            f"AND tags.`{COMMIT_TAG}` = '{commit}'"
        )
    found = client.search_runs([experiment], wanted, max_results=1)
    if found:
        return found[0]
    return client.create_run(
        experiment,
        start_time=STARTED_MS,
        run_name=key,
        tags={PIPELINE_TAG: key, COMMIT_TAG: commit},
    )


def _log(
    client: MlflowClient,
    run_id: str,
    params: Mapping[str, str],
    metrics: Mapping[str, float],
    curves: Mapping[str, Mapping[int, float]] | None = None,
) -> None:
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    rows = [Param(key, value) for key, value in params.items()]
    points = [(key, 0, value) for key, value in metrics.items()]
    for key, curve in (curves or {}).items():
        points += [(key, step, value) for step, value in curve.items()]
    numbers = [Metric(fitting(key), float(value), now, step) for key, step, value in points]
    for start in range(0, len(rows), MAX_PARAMS):
        client.log_batch(run_id, params=rows[start : start + MAX_PARAMS])
    for start in range(0, len(numbers), MAX_METRICS):
        client.log_batch(run_id, metrics=numbers[start : start + MAX_METRICS])


def _dataset_input(path: Path, purpose: str) -> DatasetInput:
    """Return name, digest, columns and number of rows of a data file; MLflow gets no rows."""
    import pandas as pd
    from mlflow.data.pandas_dataset import from_pandas
    from mlflow.entities import DatasetInput, InputTag

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the hint that integer columns can't hold missing values
        is_lines = path.suffix == ".jsonl"
        rows = pd.read_json(path, lines=True) if is_lines else pd.read_csv(path, low_memory=False)
        found = from_pandas(rows, source=path.as_posix(), name=path.stem, digest=md5(path))
        entity = found._to_mlflow_entity()
    return DatasetInput(entity, [InputTag("mlflow.data.context", purpose)])


def _log_model(uri: str, run_id: str, path: Path) -> None:
    import mlflow
    import mlflow.sklearn
    import numpy as np
    import sklearn
    import skops
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    from src.training.model_file import read_model

    # An array of texts: for a named column, MLflow would pass the classifier a data frame, and
    # iterating over a frame gives the names of its columns.
    texts = Schema([TensorSpec(np.dtype(str), (-1,))])
    mlflow.set_tracking_uri(uri)
    with mlflow.start_run(run_id=run_id):
        mlflow.sklearn.log_model(
            read_model(path),
            name=path.stem,
            serialization_format="skops",
            signature=ModelSignature(inputs=texts, outputs=texts),
            # Without these, MLflow spends 15 s importing the model in a new process to infer them.
            pip_requirements=[
                f"scikit-learn=={sklearn.__version__}",
                f"skops=={skops.__version__}",
            ],
        )
