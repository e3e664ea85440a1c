"""Real rows and accepted samples as one train set.

    real = within_head_cap(train, staying(plan.classes), "[SEP]")
    merged = merge(real, accepted, plan.classes, params.data)
    metrics = balance_metrics(merged, plan.classes, "label_raw", params.plan)

Real rows are never cut or changed, and none is dropped, unless `plan.head_cap` asks for it: then as
many rows of each class stay as `staying` says, and the others count as dropped.
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
from src.planning.strategies import balance_figures, compare
from src.records.metrics.balance import BalanceMetrics, BeforeAfter, ClassBalance
from src.records.samples import Screened


def merge(
    train: pd.DataFrame, accepted: Sequence[Screened], classes: pd.DataFrame, data: DataParams
) -> pd.DataFrame:
    """All given real rows as they came, then each class's first accepted samples, up to its need.

    Args:
        train: canonical frame of the real rows (`data/schema.py`); with a head cap those that stay,
            one of each class at least.
        accepted: samples that the gate let pass, in the order in which they were asked for.
        classes: the plan (label, needed).
        data: names of the columns.

    Returns:
        the columns of train.csv in their order, empty where a sample has no value, `origin` (real
        or synthetic), and `label_score` and `written_by` (the endpoint) of the samples.
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
    """The label score; 1 of a sample from elsewhere that has none."""
    score = sample.scores.label_score if sample.scores else None
    return 1.0 if score is None else score


def used_samples(accepted: Iterable[Screened], needed: Mapping[str, int]) -> list[Screened]:
    """The first samples of each class, as many as it needs.

    Args:
        accepted: samples that the gate let pass, in the order in which they were asked for.
        needed: samples by class; a class that is not named gets none.
    """
    taken: Counter[str] = Counter()
    used = []
    for sample in accepted:
        taken[sample.label] += 1
        if taken[sample.label] <= needed.get(sample.label, 0):
            used.append(sample)
    return used


def staying(classes: pd.DataFrame) -> dict[str, int]:
    """How many real rows of each class stay: all, or `head_cap` where there are more.

    Args:
        classes: the plan (label, target, needed).
    """
    return dict(zip(classes["label"], classes["target"] - classes["needed"], strict=True))


def within_head_cap(
    train: pd.DataFrame, staying: Mapping[str, int], separator: str | None
) -> pd.DataFrame:
    """The rows that stay, in their order: of a class with too many those that cover it best.

    Rows are compared by character n-grams, whatever `embedding` says, so that none of them leaves
    this machine to be dropped. 2,000 rows of 400 characters take some seconds; the similarity of
    all pairs is held in memory, 4 bytes each.

    Args:
        train: columns text and label.
        staying: how many rows of each class stay.
        separator: between turns of a text.
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
    """The inequality before and after, and each class's counts.

    Args:
        merged: from `merge`.
        classes: the plan (label, support, target, needed).
        label: column of the class name in `merged`.
        params: the settings of the plan.
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
        strategies=compare(support, params),
        before=balance_figures(before, needed=0),
        achieved=balance_figures(after, needed=int(made.sum())),
        per_class=per_class,
    )
