"""Record in MLflow the stages that DVC restored from its cache.

    make mlflow-sync
    python -m src.commands.sync

DVC restores a cached stage without starting a process, so nothing is logged at that time. This
command reads the files of the stages and adds what the current pipeline run lacks; a second call
adds nothing. After `dvc exp apply`, the pipeline run is that of the experiment.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import typer

from src.cli import command
from src.config.params import load_params
from src.errors import UserError
from src.reporting.run_store import is_off
from src.reporting.runs import describe, stages
from src.reporting.tracking import record

log = logging.getLogger(__name__)


@command
def main() -> None:
    """Record each stage that MLflow does not have yet."""
    if is_off():
        raise UserError("MLFLOW_TRACKING is off, so nothing can be recorded; unset it")
    params = load_params()
    require_up_to_date()
    every = stages(params.evaluate.methods)
    runs = (describe(stage, params) for stage in every)
    added = [run.stage for run in runs if record(run, once=True)]
    log.info(
        "mlflow-sync: %d of %d stages added: %s", len(added), len(every), ", ".join(added) or "none"
    )


def require_up_to_date() -> None:
    """Check that the files match dvc.lock and the settings.

    Raises:
        UserError: they do not match, or `dvc status` fails.
    """
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "status", "--json"],
        capture_output=True,
        encoding="utf-8",
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        message = (done.stderr.strip().splitlines() or ["no message"])[0]
        raise UserError(f"dvc status: {message}; run from the project's root")
    if changed := json.loads(done.stdout):
        raise UserError(
            f"not up to date: {', '.join(changed)}; run `dvc repro`, or old results would be "
            "recorded with new settings"
        )


if __name__ == "__main__":
    typer.run(main)
