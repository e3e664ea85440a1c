"""Stage choose: pick the number of samples per class and the weight of a sample on dev.

python -m src.stages.choose
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from src.cli import stage
from src.config.baseline import BaselineParams
from src.config.choose import ChooseParams
from src.config.data import DataParams
from src.config.evaluate import EvaluateParams
from src.config.load import load
from src.data.schema import load_splits, with_plain_text
from src.evaluation.scoring import tail_classes
from src.evaluation.significance import Resampling
from src.evaluation.tables import learning_curve
from src.files import write_csv
from src.paths import BALANCED, METRICS, PLOTS
from src.records.json_files import write_record
from src.reporting.tracking import track
from src.training.choose import choose
from src.training.rows import read_training_rows

log = logging.getLogger(__name__)


@stage
def main(
    train: Annotated[Path, typer.Option(help="the balanced train set, with origin")] = BALANCED,
    metrics: Annotated[Path, typer.Option(help="folder for choose.json")] = METRICS,
) -> None:
    """Write metrics/choose.json and the learning curve."""
    data = load(DataParams)
    baseline = load(BaselineParams)
    evaluate = load(EvaluateParams)
    splits = load_splits(data)
    found = choose(
        read_training_rows(splits.train, train, data),
        with_plain_text(splits.dev, data),
        baseline,
        load(ChooseParams),
        Resampling(evaluate.bootstrap, evaluate.confidence, evaluate.seed),
        tail_classes(splits.train["label"], evaluate.tail_max_support),
    )
    write_record(metrics / "choose.json", found)
    write_csv(metrics / PLOTS.name / "learning_curve.csv", learning_curve(found.curve))
    chosen = found.chosen
    log.info(
        "choose: %d samples per class, class weights %s, sample weight %.2f%s (%s)",
        chosen.samples_per_class,
        "on" if chosen.class_weight else "off",
        chosen.sample_weight,
        " times its label score" if chosen.by_quality else "",
        chosen.why,
    )
    track("choose", metrics=metrics)


if __name__ == "__main__":
    typer.run(main)
