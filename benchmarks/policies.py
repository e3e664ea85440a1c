"""Benchmark: two plans with the same number of samples. Does an error-driven plan help?

    python -m benchmarks.policies uniform/train_balanced.csv error_driven/train_balanced.csv

Run it in the folder of the params.yaml and the data of both sets. For each set and each of five
seeds, 80 % of the samples per class are drawn, and a class-weighted classifier is trained on them,
with the regularisation tuned on dev per set. Differences are bootstrapped over rows and seeds
together. Result: no difference beyond noise (docs/benchmarks/where-should-samples-go.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from src.cli import command
from src.config.baseline import BaselineParams
from src.config.methods import Method
from src.config.params import load_params
from src.data.schema import load_splits, with_plain_text
from src.evaluation.scoring import tail_classes
from src.evaluation.significance import bootstrap, resampling
from src.reporting.markdown import table
from src.reporting.report import signed
from src.training.classifier import predict
from src.training.rows import TrainingRows, read_training_rows, rows_for
from src.training.tuning import fit_method, tuned

METHOD: Method = "augmented_class_weight"
SEEDS, SHARE = 5, 0.8
DIGITS = 4


@command
def main(
    one: Annotated[Path, typer.Argument(help="balanced set, e.g. of the uniform plan")],
    other: Annotated[Path, typer.Argument(help="balanced set, e.g. of the error-driven plan")],
) -> None:
    """Print a Markdown table: scores of both sets, and the second minus the first."""
    params = load_params()
    splits = load_splits(params.data)
    held_out = {
        name: with_plain_text(frame, params.data)
        for name, frame in (("dev", splits.dev), ("test", splits.test))
    }
    tail = tail_classes(splits.train["label"], params.evaluate.tail_max_support)
    first, second = (
        _predictions(
            read_training_rows(splits.train, path, params.data), held_out, params.baseline, tail
        )
        for path in (one, other)
    )
    lines = []
    for split, frame in held_out.items():
        predictions = {"first": first[split], "second": second[split]}
        draws = bootstrap(frame["label"], predictions, tail, resampling(params.evaluate))
        scores = [draws.scores(name) for name in predictions]
        change = draws.versus("second", "first")
        lines += [
            [
                split,
                metric,
                *(f"{getattr(own, metric).value:.{DIGITS}f}" for own in scores),
                signed(getattr(change, metric), DIGITS),
            ]
            for metric in ("macro_f1", "tail_recall")
        ]
    typer.echo(table(["rows", "metric", str(one), str(other), "difference"], lines))


def _predictions(
    rows: TrainingRows,
    held_out: Mapping[str, pd.DataFrame],
    baseline: BaselineParams,
    tail: frozenset[str],
) -> dict[str, list[NDArray[np.str_]]]:
    """Return split -> one array of predictions per seed."""
    predictions: dict[str, list[NDArray[np.str_]]] = {name: [] for name in held_out}
    model: Pipeline | None = None
    for seed in range(SEEDS):
        drawn = rows.samples.groupby("label").sample(frac=SHARE, random_state=seed)
        data = rows_for(METHOD, replace(rows, samples=drawn), seed)
        model = (
            fit_method(baseline, data, model["classifier"].C, seed)
            if model is not None
            else tuned(baseline, data, held_out["dev"], tail)
        )
        for name, frame in held_out.items():
            predictions[name].append(predict(model, frame["text"].tolist()))
    return predictions


if __name__ == "__main__":
    typer.run(main)
