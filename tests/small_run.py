"""The whole pipeline on the small project: all stages without DVC, on a loopback model.

    python -m tests.small_run   # replaces the kept run in tests/golden/small_run

`small_run` is made once per session. Tests of exact numbers use the kept run, because the last
digits of a classifier differ between processors.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from src.config.load import parsed
from src.config.methods import Method
from tests.stages.small_project import HELD_OUT_ROWS, Edit, endpoint, make_project, serve_model

KEPT_RUN = Path(__file__).parent / "golden" / "small_run"
KEPT = (
    *("params.yaml", "metrics", "data/train.csv", "data/dev.csv", "data/test.csv"),
    *("data/labels.csv", "data/processed/train_balanced.csv", "data/interim/predictions"),
    *("data/interim/accepted.jsonl", "data/interim/rejected.jsonl"),
)
METHODS: tuple[Method, ...] = (
    "original",
    "class_weight",
    "oversample",
    "augmented",
    "augmented_class_weight",
    "chosen",
)


def small(values: dict[str, Any]) -> None:
    """Reduce the number of methods and draws."""
    values["evaluate"] |= {"methods": list(METHODS), "seeds": 1, "bootstrap": 100}
    values["runtime"] |= {"concurrency": 1}  # replies depend on the order of requests
    values["choose"] |= {"samples_per_class": [0, 10], "sample_weights": [0.5, 1.0], "seeds": 1}


def blurred(rows: pd.DataFrame) -> pd.DataFrame:
    """Make held-out rows hard: two in three mention the next class's intent before their own."""
    texts = rows["sentence_sep"].str.split("[SEP]", regex=False)
    other = [*texts[HELD_OUT_ROWS:], *texts[:HELD_OUT_ROWS]]
    mixed = [
        mine[:1] + its[:1] if n % 3 else mine
        for n, (mine, its) in enumerate(zip(texts, other, strict=True))
    ]
    return rows.assign(sentence_sep=["[SEP]".join(turns) for turns in mixed])


def run_pipeline(folder: Path, *edits: Edit) -> Path:
    """Run every stage and return the folder of the project; nothing is logged to MLflow.

    Args:
        folder: to be made.
        edits: changes of params.yaml.
    """
    from src.stages import (
        analyze,
        balance,
        choose,
        evaluate,
        generate,
        report,
        score,
        train_baseline,
    )
    from src.stages import filter as filter_stage

    project = make_project(folder)
    for split in ("dev", "test"):
        project.frame(split, blurred)
    with serve_model() as model, pytest.MonkeyPatch.context() as patch:
        for edit in (small, endpoint(model.url), *edits):
            project.settings(edit)
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING", "off")
        patch.setenv("DVC_ROOT", str(folder))
        parsed.cache_clear()
        for stage in (analyze, generate, score, filter_stage, balance, choose):
            stage.main()
        for method in METHODS:
            train_baseline.main(method)
        evaluate.main()
        report.main()
        parsed.cache_clear()
    return folder


def keep(run: Path) -> None:
    """Replace the kept run by the files of a run that reports read."""
    shutil.rmtree(KEPT_RUN, ignore_errors=True)
    for name in KEPT:
        position = KEPT_RUN / name
        position.parent.mkdir(parents=True, exist_ok=True)
        if (run / name).is_dir():
            shutil.copytree(run / name, position)
        else:
            shutil.copy(run / name, position)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        keep(run_pipeline(Path(folder) / "project"))
