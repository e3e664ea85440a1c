"""Real rows and accepted samples as one train set.

    merged = merge(train, accepted, plan.classes, params.data)
    metrics = balance_metrics(merged, plan.classes, "label_raw", params.plan)

Real rows are never cut or changed, and none is dropped, unless `plan.head_cap` asks for it: then
the caller passes as many rows of each class as `staying` says, and the others count as dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from src.config.data import DataParams
from src.config.plan import PlanParams
from src.data.schema import ORIGIN, QUALITY, WRITER, csv_columns
from src.files import Record
from src.planning.imbalance import measure, measure_counts
from src.planning.strategies import compare, outcome
from src.records.samples import Screened


def merge(
    train: pd.DataFrame, accepted: Sequence[Record], classes: pd.DataFrame, data: DataParams
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
    for record in used_samples(accepted, needed):
        label = record["label"]
        row = dict.fromkeys(own.columns, "")
        row[data.text_column] = record["text"]
        row[data.label_column] = ids[label]
        row[data.label_name_column] = label
        if data.id_column is not None:
            row[data.id_column] = record["id"]
        score = record.get("scores", {}).get("label_score", 1.0)
        written = {ORIGIN: "synthetic", QUALITY: f"{score:.6f}", WRITER: record.get("endpoint", "")}
        rows.append(row | written)
    synthetic = pd.DataFrame(rows, columns=real.columns, dtype=str)
    return pd.concat([real, synthetic], ignore_index=True)


def used_samples(accepted: Iterable[Any], needed: Mapping[str, int]) -> list[Any]:
    """The first samples of each class, as many as it needs.

    Args:
        accepted: samples that the gate let pass (label), in the order in which they were asked for.
        needed: samples by class; a class that is not named gets none.
    """
    taken: Counter[str] = Counter()
    used = []
    for record in accepted:
        label = record.label if isinstance(record, Screened) else record["label"]
        taken[label] += 1
        if taken[label] <= needed.get(label, 0):
            used.append(record)
    return used


def staying(classes: pd.DataFrame) -> dict[str, int]:
    """How many real rows of each class stay: all, or `head_cap` where there are more.

    Args:
        classes: the plan (label, target, needed).
    """
    return dict(zip(classes["label"], classes["target"] - classes["needed"], strict=True))


def balance_metrics(
    merged: pd.DataFrame, classes: pd.DataFrame, label: str, params: PlanParams
) -> dict[str, Any]:
    """metrics/balance.json: the inequality before and after, and each class's counts.

    `strategies` says what each strategy would come to at these settings, `before` and `achieved`
    what there was and is; `needed` of the latter is the samples in the set.

    Args:
        merged: from `merge`.
        classes: the plan (label, support, target, needed).
        label: column of the class name in `merged`.
        params: the settings of the plan.
    """
    support = classes.set_index("label")["support"]
    before, after = measure_counts(support.to_numpy()), measure(merged[label])
    real = merged.loc[merged[ORIGIN] == "real", label].value_counts()
    made = merged.loc[merged[ORIGIN] == "synthetic", label].value_counts()
    per_class = {}
    for row in classes.to_dict("records"):
        kept, synthetic = int(real.get(row["label"], 0)), int(made.get(row["label"], 0))
        per_class[row["label"]] = {
            "real": kept,
            "dropped": int(row["support"]) - kept,
            "synthetic": synthetic,
            "target": int(row["target"]),
            "shortfall": int(row["target"]) - kept - synthetic,
        }
    return {
        "rows": after.rows,
        "gini": {"before": before.gini, "after": after.gini},
        "imbalance_ratio": {"before": before.imbalance_ratio, "after": after.imbalance_ratio},
        "synthetic_share": int(made.sum()) / after.rows,
        "shortfall": sum(counts["shortfall"] for counts in per_class.values()),
        "dropped": sum(counts["dropped"] for counts in per_class.values()),
        "strategies": {name: asdict(one) for name, one in compare(support, params).items()},
        "before": asdict(outcome(before, needed=0)),
        "achieved": asdict(outcome(after, needed=int(made.sum()))),
        "per_class": per_class,
    }
