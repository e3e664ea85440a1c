"""Which rows and weights a method trains on; used by all stages, commands and benchmarks.

    rows = read_training_rows(splits.train, BALANCED, data)
    rows_for("augmented", rows, seed=0).frame

A free method gets every real row, even those that `plan.head_cap` drops: it is what samples have to
beat, and a cap that makes room for samples must not weaken it. The other methods get the rows that
stay under the cap. `methods` builds the training data from these rows.
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
    """Return an empty frame with the columns text and label."""
    return pd.DataFrame(columns=["text", "label"], dtype=str)


@dataclass(frozen=True)
class TrainingRows:
    """Rows from which methods build their training data; texts without turn separators.

    Attributes:
        all_real: all real train rows (text, label).
        kept: real rows that stay under `plan.head_cap`, in the same order; all rows without a cap.
        samples: samples of the balanced set (text, label; if read from a file, also quality, the
            label score, and written_by, the endpoint), in the order in which a class uses them.
        unfiltered: all candidates as the models wrote them (text, label, attempt).
    """

    all_real: pd.DataFrame
    kept: pd.DataFrame
    samples: pd.DataFrame = field(default_factory=no_rows)
    unfiltered: pd.DataFrame = field(default_factory=no_rows)


def read_training_rows(
    train: pd.DataFrame,
    balanced: Path,
    data: DataParams,
    candidates: Sequence[Candidate] = (),
) -> TrainingRows:
    """Read the balanced set and combine it with all real train rows.

    The `quality` of a sample is 1 if it has no label score, as in a set made elsewhere.

    Args:
        train: all real rows, from `load_splits`.
        balanced: file of the balanced set, with its column `origin`.
        data: column names and turn separator.
        candidates: all candidates, for the method `unfiltered`.

    Raises:
        UserError: see `read_split`.
    """
    merged = with_plain_text(read_split(balanced, data, read_labels(data.labels)), data)
    scores = merged.get(QUALITY, pd.Series("", merged.index))
    merged = merged.assign(quality=pd.to_numeric(scores.replace("", "1")))
    return TrainingRows(
        all_real=with_plain_text(train, data),
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
    """Return whether the method also trains on the real rows that a head cap drops.

    Args:
        method: the method.
        choice: the choice of the method `chosen`, which is a free method without samples.
    """
    return method in FREE_METHODS or (
        method == "chosen" and (choice is None or choice.samples_per_class == 0)
    )


def rows_for(
    method: Method, rows: TrainingRows, seed: int, choice: Choice | None = None
) -> MethodData:
    """Return the rows and class weights that a method trains on.

    Args:
        method: the method.
        rows: real rows, samples and candidates.
        seed: seed of random draws.
        choice: the choice of the method `chosen`; no samples if None.
    """
    real = rows.all_real if has_every_row(method, choice) else rows.kept
    return training_frame(method, real, rows.samples, rows.unfiltered, seed, choice)
