"""Print the result of the last run in the terminal.

    python -m src.commands.summary

Reads only metrics/*.json.
"""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from src.cli import command
from src.records.interval import Interval
from src.records.metrics.evaluate import EvaluateMetrics
from src.reporting.report import (
    METRIC_NAMES,
    REPORT,
    Metrics,
    conclusion_sentence,
    interval_of,
    methods_of,
    read_metrics,
    shortfalls,
)


def render_summary(metrics: Metrics) -> RenderableType:
    """Return the scores of every method, the sample counts, the conclusion and the next step."""
    return Group(
        _scores(metrics.evaluate),
        Text(_samples(metrics)),
        Text(f"\n{conclusion_sentence(metrics.evaluate)}\n", style="bold"),
        Text(f"Report: {REPORT}   Experiments: make ui"),
    )


def _scores(evaluate: EvaluateMetrics) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)  # fits into 80 columns
    table.add_column("method", no_wrap=True)
    for name in METRIC_NAMES.values():
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("macro-F1\nvs best free", justify="right", no_wrap=True)
    for method in methods_of(evaluate):
        scores, against = evaluate.methods[method], evaluate.versus_best_free.get(method)
        style = "bold" if method == evaluate.ours else ""
        cells = [_cell(interval_of(scores, metric), ".3f") for metric in METRIC_NAMES]
        cells.append(_cell(against.macro_f1, "+.3f") if against else "-")
        table.add_row(method, *cells, style=style)
    return table


def _cell(interval: Interval, form: str) -> str:
    """Return the value with its interval on the next line."""
    low, high = format(interval.low, form), format(interval.high, form)
    return f"{format(interval.value, form)}\n{low}..{high}"


def _samples(metrics: Metrics) -> str:
    gini, lacks, screened = metrics.balance.gini, shortfalls(metrics.balance), metrics.filter
    classes = len(metrics.balance.per_class)
    short = f"{sum(lacks.values()):,}, in {len(lacks)} of {classes} classes" if lacks else "none"
    return (
        f"\nBest free  {metrics.evaluate.best_free}\n"
        f"Gini       {gini.before:.3f} -> {gini.after:.3f}\n"
        f"Samples    {screened.candidates:,} generated, "
        f"{screened.accepted:,} accepted ({screened.acceptance_rate:.1%})\n"
        f"Shortfall  {short}"
    )


@command
def main() -> None:
    """Print the summary of metrics/*.json."""
    Console().print(render_summary(read_metrics()))


if __name__ == "__main__":
    main()
