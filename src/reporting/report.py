"""What all reports of a run share: the conclusion, the order of the methods, intervals as text.

    metrics = read_metrics()
    conclusion_sentence(metrics.evaluate)
    signed(metrics.evaluate.versus_best_free["chosen"].macro_f1)  # "+0.063 [+0.041, +0.085]"

The Markdown report (`markdown_report`), the page (`html`), the card (`card`) and the summary in
the terminal use these functions, so that they show the same numbers in the same order.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

import pandas as pd

from src.config.methods import Method
from src.paths import METRICS, REPORTS
from src.records.interval import Interval
from src.records.json_files import read_record
from src.records.metrics.analyze import AnalyzeMetrics
from src.records.metrics.balance import BalanceMetrics
from src.records.metrics.evaluate import EvaluateMetrics
from src.records.metrics.filter import FilterMetrics
from src.records.metrics.generate import GenerateMetrics
from src.records.scores import ScoreIntervals

REPORT = REPORTS / "report.md"
EXAMPLES = 5  # rejected samples shown per rule
Conclusion = Literal["helped", "hurt", "noise"]
OPENINGS: dict[Conclusion, str] = {
    "helped": "The generated samples helped",
    "hurt": "The generated samples hurt",
    "noise": "The generated samples made no difference beyond noise",
}
METRIC_NAMES = {"macro_f1": "macro-F1", "tail_recall": "tail recall", "accuracy": "accuracy"}


@dataclass(frozen=True)
class Metrics:
    """The metrics of the stages; `evaluate` includes those of `choose`."""

    analyze: AnalyzeMetrics
    generate: GenerateMetrics
    filter: FilterMetrics
    balance: BalanceMetrics
    evaluate: EvaluateMetrics


def read_metrics(folder: Path = METRICS) -> Metrics:
    """Read the metrics files of a run.

    Raises:
        UserError: a file is missing, is not JSON, or lacks a field.
    """
    return Metrics(
        analyze=read_record(folder / "analyze.json", AnalyzeMetrics),
        generate=read_record(folder / "generate.json", GenerateMetrics),
        filter=read_record(folder / "filter.json", FilterMetrics),
        balance=read_record(folder / "balance.json", BalanceMetrics),
        evaluate=read_record(folder / "evaluate.json", EvaluateMetrics),
    )


def conclusion(evaluate: EvaluateMetrics) -> Conclusion:
    """Return whether ours is better than the best free method, worse, or neither beyond noise."""
    difference = evaluate.versus_best_free[evaluate.ours].macro_f1
    if difference.low > 0:
        return "helped"
    return "hurt" if difference.high < 0 else "noise"


def conclusion_sentence(evaluate: EvaluateMetrics) -> str:
    """Return one sentence: did the generated samples beat the best method that needs none?

    Compares `ours`, the method with samples that is best on dev, with `best_free`, by the paired
    interval of the difference in macro-F1.
    """
    ours, free = evaluate.ours, evaluate.best_free
    return (
        f"{OPENINGS[conclusion(evaluate)]}: "
        f"macro-F1 {evaluate.methods[ours].macro_f1.value:.3f} with {ours} "
        f"against {evaluate.methods[free].macro_f1.value:.3f} with {free}, the best method that "
        f"needs no samples; difference {signed(evaluate.versus_best_free[ours].macro_f1)}."
    )


def methods_table(evaluate: EvaluateMetrics) -> pd.DataFrame:
    """Return one row per method and metric, in display order: method, metric, value, low, high."""
    return pd.DataFrame(
        [
            {
                "method": method,
                "metric": metric,
                **asdict(interval_of(evaluate.methods[method], metric)),
            }
            for method in methods_of(evaluate)
            for metric in METRIC_NAMES
        ],
        columns=["method", "metric", "value", "low", "high"],
    )


def methods_of(evaluate: EvaluateMetrics) -> list[Method]:
    """Return the methods that were scored, in display order."""
    return [method for method in get_args(Method) if method in evaluate.methods]


def interval_of(scores: ScoreIntervals, metric: str) -> Interval:
    """Return one metric of a method, by the name of its field."""
    found: Interval = getattr(scores, metric)
    return found


def scored(interval: Interval) -> str:
    """Format an interval as `0.642 [0.611, 0.672]`."""
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def signed(interval: Interval, digits: int = 3) -> str:
    """Format an interval as `+0.063 [+0.041, +0.085]`."""
    value, low, high = (
        f"{number:+.{digits}f}" for number in (interval.value, interval.low, interval.high)
    )
    return f"{value} [{low}, {high}]"


def shortfalls(balance: BalanceMetrics) -> dict[str, int]:
    """Return class -> shortfall for the classes that have one, the largest first."""
    lacks = {label: row.shortfall for label, row in balance.per_class.items()}
    return {
        label: lack for label, lack in sorted(lacks.items(), key=lambda x: (-x[1], x[0])) if lack
    }
