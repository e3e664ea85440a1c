"""Real rows and accepted samples as one train set.

    merged = merge(train, accepted, plan.classes, params.data)

Real rows are never dropped, cut or changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from src.config import DataParams
from src.data.io import Record
from src.data.schema import ORIGIN, csv_columns
from src.planning.imbalance import measure


def merge(
    train: pd.DataFrame, accepted: Sequence[Record], classes: pd.DataFrame, data: DataParams
) -> pd.DataFrame:
    """All real rows as they came, then each class's first accepted samples, up to its need.

    Args:
        train: canonical frame of the real rows (`data/schema.py`).
        accepted: samples that the gate let pass, in the order in which they were asked for.
        classes: the plan (label, needed).
        data: names of the columns.

    Returns:
        the columns of train.csv in their order, empty where a sample has no value, and `origin`
        (real or synthetic).
    """
    own = csv_columns(train)
    real = own.assign(**{ORIGIN: "real"})
    needed = dict(zip(classes["label"], classes["needed"], strict=True))
    ids = dict(zip(train["label"], own[data.label_column], strict=True))
    taken: dict[str, int] = {}
    rows: list[dict[str, str]] = []
    for record in accepted:
        label = record["label"]
        taken[label] = taken.get(label, 0) + 1
        if taken[label] > needed.get(label, 0):
            continue
        row = dict.fromkeys(own.columns, "")
        row[data.text_column] = record["text"]
        row[data.label_column] = ids[label]
        row[data.label_name_column] = label
        if data.id_column is not None:
            row[data.id_column] = record["id"]
        rows.append(row | {ORIGIN: "synthetic"})
    synthetic = pd.DataFrame(rows, columns=real.columns, dtype=str)
    return pd.concat([real, synthetic], ignore_index=True)


def balance_metrics(merged: pd.DataFrame, classes: pd.DataFrame, label: str) -> dict[str, Any]:
    """metrics/balance.json: Gini and imbalance ratio before and after, and each class's counts.

    Args:
        merged: from `merge`.
        classes: the plan (label, support, target).
        label: column of the class name in `merged`.
    """
    real = merged.loc[merged[ORIGIN] == "real", label]
    before, after = measure(real), measure(merged[label])
    made = merged.loc[merged[ORIGIN] == "synthetic", label].value_counts()
    per_class = {}
    for row in classes.to_dict("records"):
        synthetic = int(made.get(row["label"], 0))
        per_class[row["label"]] = {
            "real": int(row["support"]),
            "synthetic": synthetic,
            "target": int(row["target"]),
            "shortfall": int(row["target"]) - int(row["support"]) - synthetic,
        }
    return {
        "rows": after.rows,
        "gini": {"before": before.gini, "after": after.gini},
        "imbalance_ratio": {"before": before.imbalance_ratio, "after": after.imbalance_ratio},
        "synthetic_share": int(made.sum()) / after.rows,
        "shortfall": sum(counts["shortfall"] for counts in per_class.values()),
        "per_class": per_class,
    }
