"""Stage train-baseline: the classifier of one arm; all arms have the same settings.

python -m src.stages.train_baseline --arm augmented
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from src.config import Arm, command, load_params
from src.data.dialogue import plain
from src.data.io import read_jsonl
from src.data.schema import ORIGIN, read_labels, read_split
from src.modeling.arms import training_frame
from src.modeling.baseline import build, fit, save
from src.reporting.tracking import track
from src.stages.common import settings
from src.stages.paths import BALANCED, CANDIDATES, MODELS

log = logging.getLogger(__name__)


@command
def main(
    arm: Annotated[Arm, typer.Option(help="which arm to train")],
    train: Annotated[Path, typer.Option(help="the balanced train set, with origin")] = BALANCED,
    candidates: Annotated[Path, typer.Option(help="all samples, for unfiltered")] = CANDIDATES,
    out: Annotated[Path, typer.Option(help="folder for the model")] = MODELS,
) -> None:
    """Write models/<arm>.skops."""
    params = load_params()
    rows = read_split(train, params.data, read_labels(params.data.labels))
    rows = _plain(rows, params.data.turn_separator)
    unfiltered = _plain(pd.DataFrame(read_jsonl(candidates)), params.data.turn_separator)
    real, synthetic = rows[rows[ORIGIN] == "real"], rows[rows[ORIGIN] == "synthetic"]
    data = training_frame(arm, real, synthetic, unfiltered, params.baseline.seed)
    model = fit(build(params.baseline, data.class_weight), data.frame)
    path = out / f"{arm}.skops"
    save(model, path)
    log.info("train-baseline: %s on %d rows", arm, len(data.frame))
    track(
        f"train-baseline@{arm}",
        settings(params, ["baseline"]),
        {"rows": len(data.frame)},
        dataset=train,
        model_path=path,
    )


def _plain(frame: pd.DataFrame, separator: str | None) -> pd.DataFrame:
    if frame.empty:
        return frame
    return frame.assign(text=[plain(text, separator) for text in frame["text"]])


if __name__ == "__main__":
    typer.run(main)
