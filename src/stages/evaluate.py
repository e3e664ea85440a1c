"""Stage evaluate: score every method on dev and test, with intervals and paired tests.

python -m src.stages.evaluate
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from src.cli import stage
from src.config.baseline import BaselineParams
from src.config.data import DataParams
from src.config.embedding import EmbeddingParams
from src.config.evaluate import EvaluateParams
from src.config.filter import FilterParams
from src.config.load import load
from src.data.schema import load_splits, with_plain_text
from src.diagnostics.detectability import detectability
from src.diagnostics.leakage import check_leakage, require_no_leakage
from src.evaluation.signature import signature
from src.evaluation.tables import plot_tables
from src.experimental.rounds import read_rounds, summaries
from src.files import write_csv
from src.paths import ACCEPTED, BALANCED, METRICS, PLOTS, PREDICTIONS, ROUNDS
from src.records.json_files import read_record, write_record
from src.records.metrics.balance import BalanceMetrics
from src.records.metrics.choose import ChooseMetrics
from src.records.samples import read_screened
from src.reporting.tracking import track
from src.training.compare import compare, read_method_predictions
from src.training.rows import read_training_rows
from src.training.second import second_comparison

log = logging.getLogger(__name__)


@stage
def main(
    predictions: Annotated[Path, typer.Option(help="folder of <method>.csv")] = PREDICTIONS,
    train: Annotated[Path, typer.Option(help="the balanced train set, with origin")] = BALANCED,
    metrics: Annotated[Path, typer.Option(help="folder of metrics files")] = METRICS,
    accepted: Annotated[Path, typer.Option(help="samples that the gate accepted")] = ACCEPTED,
    rounds: Annotated[Path, typer.Option(help="folder of the rounds of `make round`")] = ROUNDS,
) -> None:
    """Write metrics/evaluate.json and metrics/plots/*.csv."""
    data = load(DataParams)
    evaluate = load(EvaluateParams)
    embedding = load(EmbeddingParams)
    rules = load(FilterParams)
    baseline = load(BaselineParams)
    splits, samples = load_splits(data), read_screened(accepted)
    by_method = read_method_predictions(predictions, splits, evaluate)
    counts = read_record(metrics / "balance.json", BalanceMetrics).per_class
    found = read_record(metrics / "choose.json", ChooseMetrics)
    leakage = check_leakage(samples, splits, data, rules.contamination.max_overlap)
    require_no_leakage(leakage)
    sign = signature(data, evaluate)
    result = compare(by_method, counts, found, evaluate, leakage.figures(), sign)
    if samples:
        result = replace(result, detectability=detectability(samples, splits.train, data))
    if evaluate.second_classifier:
        rows = read_training_rows(splits.train, train, data)
        texts = with_plain_text(splits.test, data)["text"].tolist()
        second = second_comparison(
            *(by_method, rows, texts, found.chosen, evaluate, embedding, baseline.seed)
        )
        result = replace(result, second=second)
    result = replace(result, rounds=summaries(read_rounds(rounds)) or None)
    write_record(metrics / "evaluate.json", result)
    before, after = by_method.first("original"), by_method.first(by_method.ours)
    for name, table in plot_tables(splits.test["label"], before, after, counts).items():
        write_csv(metrics / PLOTS.name / f"{name}.csv", table)
    for method, scores in result.methods.items():
        log.info(
            "evaluate: %-22s macro-F1 %.3f, tail recall %.3f, accuracy %.3f",
            *(method, scores.macro_f1.value, scores.tail_recall.value, scores.accuracy.value),
        )
    track("evaluate", metrics=metrics)


if __name__ == "__main__":
    typer.run(main)
