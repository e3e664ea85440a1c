"""What classifiers are trained on, and what they say of dev."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pandas as pd

from src.config.arms import Arm
from src.config.data import DataParams
from src.config.params import Params
from src.data.dialogue import plain
from src.data.schema import ORIGIN, QUALITY, read_labels, read_split
from src.files import read_json
from src.training.methods import Choice


def read_choice(metrics: Path) -> Choice:
    """What the stage `choose` found."""
    found = read_json(metrics / "choose.json")["chosen"]
    return Choice(**{field.name: found[field.name] for field in fields(Choice)})


def train_rows(path: Path, data: DataParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The real and the generated rows of the balanced train set, texts without separators.

    `quality` is the label score of a sample, and 1 where there is none, as in a set made elsewhere.
    """
    rows = with_plain_text(read_split(path, data, read_labels(data.labels)), data)
    scores = rows.get(QUALITY, pd.Series("", rows.index))
    rows = rows.assign(quality=pd.to_numeric(scores.replace("", "1")))
    return rows[rows[ORIGIN] == "real"], rows[rows[ORIGIN] == "synthetic"]


def with_plain_text(frame: pd.DataFrame, data: DataParams) -> pd.DataFrame:
    """The rows with the turns of each text joined by spaces."""
    if frame.empty:
        return frame
    return frame.assign(text=[plain(text, data.turn_separator) for text in frame["text"]])


def dev_predictions(
    arm: Arm,
    real: pd.DataFrame,
    samples: pd.DataFrame,
    dev: pd.DataFrame,
    params: Params,
    choice: Choice | None = None,
) -> list[str]:
    """What the classifier of an arm says of the dev rows, with the regularisation that suits it."""
    from src.evaluation.scoring import tail_classes
    from src.training.classifier import predict
    from src.training.methods import training_frame
    from src.training.tuning import tuned

    data = training_frame(arm, real, samples, pd.DataFrame(), seed=0, choice=choice)
    tail = tail_classes(real["label"], params.evaluate.tail_max_support)
    model = tuned(params.baseline, data, dev, tail)
    said: list[str] = predict(model, dev["text"].tolist()).tolist()
    return said
