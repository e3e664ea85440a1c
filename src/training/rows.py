"""Which rows and weights a method trains on, for every stage, command and benchmark alike.

    rows = read_training_rows(splits.train, BALANCED, data)
    rows_for("augmented", rows, seed=0).frame

A method that needs no samples has every real row, whatever `plan.head_cap` leaves of them: it is what
samples have to beat, and must not suffer from a cap that makes room for them. The others have the
rows that stay. How a method makes its rows out of these is told in `methods`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from src.config.data import DataParams
from src.config.methods import FREE_METHODS, Method
from src.data.schema import ORIGIN, QUALITY, read_labels, read_split, with_plain_text
from src.records.metrics.choose import Choice
from src.records.samples import Candidate
from src.training.methods import MethodData, training_frame


def no_rows() -> pd.DataFrame:
    """A frame of texts and labels without any."""
    return pd.DataFrame(columns=["text", "label"], dtype=str)


@dataclass(frozen=True)
class TrainingRows:
    """What methods make their training rows of; texts without turn separators.

    Attributes:
        every: all real train rows (text, label).
        kept: those that `plan.head_cap` leaves, in the same order; all without one.
        samples: accepted and merged (text, label; quality and written_by, the label score and the
            endpoint, where a set is read), in the order in which a class takes them.
        unfiltered: all candidates as they were written (text, label, attempt).
    """

    every: pd.DataFrame
    kept: pd.DataFrame
    samples: pd.DataFrame = field(default_factory=no_rows)
    unfiltered: pd.DataFrame = field(default_factory=no_rows)


def read_training_rows(
    train: pd.DataFrame,
    balanced: Path,
    data: DataParams,
    candidates: Sequence[Candidate] = (),
) -> TrainingRows:
    """The rows of train and of a balanced set.

    `quality` of a sample is 1 where there is no label score, as in a set made elsewhere.

    Args:
        train: all real rows, as `load_splits` gives them.
        balanced: the set of `balance`, with its column `origin`.
        data: how texts are read.
        candidates: for the method `unfiltered`.

    Raises:
        UserError: see `read_split`.
    """
    merged = with_plain_text(read_split(balanced, data, read_labels(data.labels)), data)
    scores = merged.get(QUALITY, pd.Series("", merged.index))
    merged = merged.assign(quality=pd.to_numeric(scores.replace("", "1")))
    return TrainingRows(
        every=with_plain_text(train, data),
        kept=merged[merged[ORIGIN] == "real"],
        samples=merged[merged[ORIGIN] == "synthetic"],
        unfiltered=with_plain_text(
            pd.DataFrame(
                [(one.text, one.label, one.attempt) for one in candidates],
                columns=["text", "label", "attempt"],
            ),
            data,
        ),
    )


def has_every_row(method: Method, choice: Choice | None = None) -> bool:
    """Whether the method learns from the real rows that a head cap drops, too.

    Args:
        method: which of the methods.
        choice: what `chosen` uses; with no samples it is a free method.
    """
    return method in FREE_METHODS or (
        method == "chosen" and (choice is None or choice.samples_per_class == 0)
    )


def rows_for(
    method: Method, rows: TrainingRows, seed: int, choice: Choice | None = None
) -> MethodData:
    """The rows and class weights that a method trains on.

    Args:
        method: which of the methods.
        rows: what there is.
        seed: of what is drawn.
        choice: what `chosen` uses; no samples if not given.
    """
    real = rows.every if has_every_row(method, choice) else rows.kept
    return training_frame(method, real, rows.samples, rows.unfiltered, seed, choice)
