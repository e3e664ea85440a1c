"""Merge real rows and accepted samples into one train set.

    real = within_head_cap(train, staying(plan.classes), "[SEP]")
    merged = merge(real, accepted, plan.classes, params.data)
    metrics = balance_metrics(merged, plan.classes, "label_raw", params.plan)

Real rows are never changed. None is dropped unless `plan.head_cap` is set: then each class keeps
the number of rows given by `staying`, and the others count as dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from src.config.data import DataParams
from src.config.plan import PlanParams
from src.data.dialogue import plain
from src.data.schema import ORIGIN, QUALITY, WRITER, csv_columns
from src.gate.ngrams import fit_ngrams
from src.gate.selection import select
from src.planning.imbalance import imbalance_of, imbalance_of_counts
from src.planning.strategies import balance_figures, compare_strategies
from src.records.metrics.balance import BalanceMetrics, BeforeAfter, ClassBalance
from src.records.samples import Screened


def merge(
    train: pd.DataFrame, accepted: Sequence[Screened], classes: pd.DataFrame, data: DataParams
) -> pd.DataFrame:
    """Return the real rows, unchanged, followed by the samples that the plan needs.

    Args:
        train: canonical frame of the real rows (`data/schema.py`); with a head cap, the rows that
            stay. At least one row of each class.
        accepted: samples that the gate accepted, in the order of their requests; each class uses
            the first ones.
        classes: the plan (label, needed).
        data: names of the columns.

    Returns:
        the columns of train.csv in their order (empty if a sample has no value), `origin` (real or
        synthetic), `label_score` and `written_by` (the endpoint). Real rows have neither score nor
        endpoint.
    """
    own = csv_columns(train)
    real = own.assign(**{ORIGIN: "real", QUALITY: "", WRITER: ""})
    needed = dict(zip(classes["label"], classes["needed"], strict=True))
    ids = dict(zip(train["label"], own[data.label_column], strict=True))
    rows: list[dict[str, str]] = []
    for sample in used_samples(accepted, needed):
        row = dict.fromkeys(own.columns, "")
        row[data.text_column] = sample.text
        row[data.label_column] = ids[sample.label]
        row[data.label_name_column] = sample.label
        if data.id_column is not None:
            row[data.id_column] = sample.id
        row |= {ORIGIN: "synthetic", QUALITY: f"{_quality(sample):.6f}"}
        rows.append(row | {WRITER: sample.candidate.endpoint})
    synthetic = pd.DataFrame(rows, columns=real.columns, dtype=str)
    return pd.concat([real, synthetic], ignore_index=True)


def _quality(sample: Screened) -> float:
    """Return the label score; 1 for a sample from a file made elsewhere, which has none."""
    score = sample.scores.label_score if sample.scores else None
    return 1.0 if score is None else score


def used_samples(accepted: Iterable[Screened], needed: Mapping[str, int]) -> list[Screened]:
    """Return the first samples of each class, up to its need.

    Args:
        accepted: samples that the gate accepted, in the order of their requests.
        needed: label -> samples; a class that is missing here gets none.
    """
    taken: Counter[str] = Counter()
    used = []
    for sample in accepted:
        taken[sample.label] += 1
        if taken[sample.label] <= needed.get(sample.label, 0):
            used.append(sample)
    return used


def staying(classes: pd.DataFrame) -> dict[str, int]:
    """Return how many real rows each class keeps: all, or `head_cap` if it has more.

    Args:
        classes: the plan (label, target, needed).
    """
    return dict(zip(classes["label"], classes["target"] - classes["needed"], strict=True))


def within_head_cap(
    train: pd.DataFrame, staying: Mapping[str, int], separator: str | None
) -> pd.DataFrame:
    """Return the rows that stay, in their order; classes above the cap keep the best coverage.

    Rows are compared by character n-grams, whatever `embedding` says, so that no row leaves this
    machine only to be dropped. 2,000 rows of 400 characters take a few seconds; the similarities of
    all pairs are held in memory, 4 bytes each.

    Args:
        train: columns text and label.
        staying: label -> number of rows that stay.
        separator: separator between the turns of a text.
    """
    dropped: list[int] = []
    for label, rows in train.groupby("label", sort=False):
        size = staying[str(label)]
        if size < len(rows):
            texts = [plain(text, separator) for text in rows["text"]]
            kept = select(fit_ngrams(texts)(texts), np.zeros(len(rows)), size, trade=1.0)
            dropped += rows.index.delete(kept).tolist()
    return train.drop(index=dropped)


def balance_metrics(
    merged: pd.DataFrame, classes: pd.DataFrame, label: str, params: PlanParams
) -> BalanceMetrics:
    """Return the imbalance before and after balancing, and the counts of each class.

    Args:
        merged: from `merge`.
        classes: the plan (label, support, target, needed).
        label: column of the class name in `merged`.
        params: settings of the plan.
    """
    support = classes.set_index("label")["support"]
    before, after = imbalance_of_counts(support.to_numpy()), imbalance_of(merged[label])
    real = merged.loc[merged[ORIGIN] == "real", label].value_counts()
    made = merged.loc[merged[ORIGIN] == "synthetic", label].value_counts()
    per_class = {
        row["label"]: ClassBalance(
            real=kept,
            dropped=int(row["support"]) - kept,
            synthetic=synthetic,
            target=int(row["target"]),
            shortfall=int(row["target"]) - kept - synthetic,
        )
        for row in classes.to_dict("records")
        for kept in [int(real.get(row["label"], 0))]
        for synthetic in [int(made.get(row["label"], 0))]
    }
    return BalanceMetrics(
        rows=after.rows,
        gini=BeforeAfter(before.gini, after.gini),
        imbalance_ratio=BeforeAfter(before.imbalance_ratio, after.imbalance_ratio),
        synthetic_share=int(made.sum()) / after.rows,
        shortfall=sum(one.shortfall for one in per_class.values()),
        dropped=sum(one.dropped for one in per_class.values()),
        strategies=compare_strategies(support, params),
        before=balance_figures(before, needed=0),
        achieved=balance_figures(after, needed=int(made.sum())),
        per_class=per_class,
    )
