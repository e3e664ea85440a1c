"""The results that a report shows, read from the files of the stages.

results = read_results(METRICS, PREDICTIONS, ACCEPTED, REJECTED, data)
results.metrics.evaluate.ours, results.confused[0]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from src.config.data import DataParams
from src.data.schema import read_labels, read_split
from src.errors import UserError
from src.evaluation.predictions import read_predictions
from src.evaluation.scoring import confusion
from src.paths import PLOTS
from src.records.samples import Screened, read_screened
from src.reporting.report import Metrics, read_metrics

AS_TEXT = ("label", "actual", "predicted")  # read as text: a class may be called 7


@dataclass(frozen=True)
class Confused:
    """Number of test rows of one class predicted as another: by the best free method and ours."""

    actual: str
    predicted: str
    before: int
    after: int

    @property
    def change(self) -> int:
        """Above 0 if ours confuses the two classes more often."""
        return self.after - self.before


@dataclass(frozen=True)
class Results:
    """The results of a run.

    Attributes:
        metrics: metrics of the stages.
        per_class: one row per class with test rows: label, support (test rows), train_rows,
            synthetic_rows, and recall and f1 of `original` (_before) and of ours (_after).
        class_counts: one row per class with test rows: label, and train rows before and after.
        confusion_before: counts of test rows, true class (index) by predicted class (columns), of
            `original`.
        confusion_after: the same for ours.
        confused: pairs of classes that at least one of the two methods confuses, for the first
            seed.
        accepted: samples that the gate accepted, in the order of their requests.
        rejected: samples that the gate rejected.
    """

    metrics: Metrics
    per_class: pd.DataFrame
    class_counts: pd.DataFrame
    confusion_before: pd.DataFrame
    confusion_after: pd.DataFrame
    confused: Sequence[Confused]
    accepted: Sequence[Screened]
    rejected: Sequence[Screened]


def read_results(
    metrics: Path, predictions: Path, accepted: Path, rejected: Path, data: DataParams
) -> Results:
    """Read the results from the files of the stages.

    Args:
        metrics: folder of the metrics files, with the tables in its folder `plots`.
        predictions: folder of <method>.csv.
        accepted: file of the samples that the gate accepted.
        rejected: file of the samples that it rejected.
        data: where the test rows are.

    Raises:
        UserError: a file is missing, broken, or does not match the test rows.
    """
    measured, plots = read_metrics(metrics), metrics / PLOTS.name
    test = read_split(data.test, data, read_labels(data.labels))
    methods = measured.evaluate.best_free, measured.evaluate.ours
    before, after = (
        seeds[0] for seeds in read_predictions(predictions, "test", test, methods).values()
    )
    return Results(
        metrics=measured,
        per_class=_table(plots / "recall.csv"),
        class_counts=_table(plots / "class_counts.csv"),
        confusion_before=_counts(plots / "confusion_before.csv"),
        confusion_after=_counts(plots / "confusion_after.csv"),
        confused=confused(test["label"], before.tolist(), after.tolist()),
        accepted=read_screened(accepted),
        rejected=read_screened(rejected),
    )


def confused(
    truth: Iterable[str], before: Iterable[str], after: Iterable[str]
) -> tuple[Confused, ...]:
    """Return the pairs of classes that at least one of two methods confuses, sorted by name.

    Args:
        truth: class of each row.
        before: predictions of the first method.
        after: predictions of the second method.
    """
    labels = list(truth)
    old = Counter(zip(labels, before, strict=True))
    new = Counter(zip(labels, after, strict=True))
    return tuple(
        Confused(actual, predicted, old[actual, predicted], new[actual, predicted])
        for actual, predicted in sorted(old | new)
        if actual != predicted
    )


def by_rule(rejected: Iterable[Screened]) -> dict[str, list[Screened]]:
    """Return rule -> the samples that it rejected, in their order; sorted by name of the rule."""
    found: dict[str, list[Screened]] = {}
    for one in rejected:
        if one.fault is not None:
            found.setdefault(one.fault.rule, []).append(one)
    return dict(sorted(found.items()))


def _counts(path: Path) -> pd.DataFrame:
    pairs = _table(path)
    return confusion(pairs["actual"], pairs["predicted"].tolist())


def _table(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=dict.fromkeys(AS_TEXT, str), keep_default_na=False)
    except FileNotFoundError:
        raise UserError(f"{path} not found; run `dvc repro`, or give the file's path") from None
