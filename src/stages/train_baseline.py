"""Stage train-baseline: train the classifier of one method; all methods share the settings.

python -m src.stages.train_baseline --method augmented
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from src.cli import stage
from src.config.baseline import BaselineParams
from src.config.data import DataParams
from src.config.evaluate import EvaluateParams
from src.config.load import load
from src.config.methods import Method
from src.data.schema import load_splits, with_plain_text
from src.evaluation.predictions import write_predictions
from src.evaluation.scoring import tail_classes
from src.paths import BALANCED, CANDIDATES, METRICS, MODELS, PREDICTIONS
from src.records.json_files import read_record
from src.records.metrics.choose import ChooseMetrics
from src.records.samples import read_candidates
from src.reporting.tracking import track
from src.training.model_file import write_model
from src.training.rows import read_training_rows
from src.training.train import train as train_method

log = logging.getLogger(__name__)


@stage
def main(
    method: Annotated[Method, typer.Option(help="the method to train")],
    train: Annotated[Path, typer.Option(help="the balanced train set, with origin")] = BALANCED,
    candidates: Annotated[Path, typer.Option(help="all candidates, for unfiltered")] = CANDIDATES,
    metrics: Annotated[Path, typer.Option(help="folder of choose.json, for chosen")] = METRICS,
    predictions: Annotated[Path, typer.Option(help="folder for dev and test")] = PREDICTIONS,
    out: Annotated[Path, typer.Option(help="folder for the model")] = MODELS,
) -> None:
    """Write models/<method>.skops (first seed) and the predictions of all seeds."""
    data = load(DataParams)
    evaluate = load(EvaluateParams)
    splits = load_splits(data)
    dev, test = (with_plain_text(frame, data) for frame in (splits.dev, splits.test))
    choice = None
    if method == "chosen":
        choice = read_record(metrics / "choose.json", ChooseMetrics).chosen
    trained = train_method(
        method,
        read_training_rows(splits.train, train, data, read_candidates(candidates)),
        dev,
        [*dev["text"], *test["text"]],
        load(BaselineParams),
        evaluate.seeds,
        tail_classes(splits.train["label"], evaluate.tail_max_support),
        choice,
    )
    write_model(out / f"{method}.skops", trained.model)
    seeds = len(trained.predictions)
    log.info(
        "train-baseline: %s on %d rows, %d seeds, c %g", method, trained.rows, seeds, trained.c
    )
    write_predictions(predictions / f"{method}.csv", splits, trained.predictions)
    written = {"train": train, "candidates": candidates, "predictions": predictions, "models": out}
    track(f"train-baseline@{method}", **written)


if __name__ == "__main__":
    typer.run(main)
