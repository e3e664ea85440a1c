"""Charts: functions from a data frame to a matplotlib Figure; nothing opens a window.

Class names may be Chinese, so all text uses a font that is installed with the project.

    save(class_counts(frame), Path("metrics/plots/class_counts.png"))
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontEntry, fontManager
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from pylopdf_fonts_zh_cn import sans_path

from src.config.methods import FREE_METHODS
from src.records.metrics.choose import Tried
from src.reporting.report import METRIC_NAMES

FONT = "Noto Sans SC, shipped"  # a unique name: an installed variable font may render as Thin
GREY, BLUE, ORANGE, RED = "#b8bec6", "#2f5d8a", "#f2a65a", "#c8443c"
QUIET = "#7a828c"  # for free methods, and for curves without class weights
ROW_HEIGHT = 0.27  # inches per class
DASHES = ("solid", "dashed", "dotted", "dashdot")
TICK_GAP = 0.05  # share of the axis: an amount closer than this to the next gets no tick


def class_counts(frame: pd.DataFrame) -> Figure:
    """Plot train rows per class before and after, on a log scale, the largest class on top.

    Args:
        frame: label, before, after (rows).
    """
    rows = frame.sort_values(["before", "label"], ascending=[False, True])
    with _style():
        figure, axes = _bars(len(rows))
        position = np.arange(len(rows))
        axes.barh(position, rows["after"], height=0.8, color=ORANGE, label="after")
        axes.barh(position, rows["before"], height=0.4, color=BLUE, label="before")
        for y, before, after in zip(position, rows["before"], rows["after"], strict=True):
            text = f"{before:,}" if before == after else f"{before:,} → {after:,}"
            axes.annotate(
                text,
                (max(before, after, 1), y),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
        _class_axis(axes, rows["label"].tolist())
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.set_xlim(0.7, 4 * max(rows["before"].max(), rows["after"].max()))
        axes.set_xlabel("train rows (log scale)")
        axes.set_title("Train rows per class before and after balancing")
        axes.legend(loc="lower right")
    return figure


def recall_per_class(frame: pd.DataFrame) -> Figure:
    """Plot recall per class before and after, the class with the most train rows on top.

    The number of test rows is shown after each class name.

    Args:
        frame: label, support (test rows), train_rows, recall_before, recall_after.
    """
    rows = frame.sort_values(["train_rows", "label"], ascending=[False, True])
    before, after = rows["recall_before"].to_numpy(), rows["recall_after"].to_numpy()
    with _style():
        figure, axes = _bars(len(rows))
        position = np.arange(len(rows))
        colours = [RED if worse else BLUE for worse in after < before]
        axes.hlines(position, before, after, colors=colours, linewidth=2)
        axes.scatter(before, position, color=GREY, edgecolor="black", linewidth=0.5, zorder=3)
        axes.scatter(after, position, color=colours, zorder=4, s=28)
        names = [
            f"{label}  ({support:,})"
            for label, support in zip(rows["label"], rows["support"], strict=True)
        ]
        _class_axis(axes, names)
        axes.set_xlim(-0.03, 1.03)
        axes.set_xlabel("recall on the test rows (their number in brackets)")
        axes.set_title("Recall per class before and after")
        axes.legend(
            handles=[
                _dot(GREY, "before"),
                _dot(BLUE, "after, no worse"),
                _dot(RED, "after, worse"),
            ],
            loc="upper center",
            bbox_to_anchor=(0.5, -0.07),
            ncols=3,
        )
    return figure


def confusion(before: pd.DataFrame, after: pd.DataFrame, labels: Sequence[str]) -> Figure:
    """Plot two confusion matrices side by side; each row sums to 1.

    Columns carry the numbers of the rows; other predicted classes follow at the right.

    Args:
        before: counts of test rows, true class (index) by predicted class (columns).
        after: the same for the second method.
        labels: the classes, in display order.
    """
    others = [c for c in before.columns.union(after.columns, sort=False) if c not in labels]
    columns = [*labels, *others]
    numbers = [*map(str, range(1, len(labels) + 1)), *others]
    with _style():
        size = 2 + 0.24 * len(columns)
        figure = Figure(figsize=(2 * size + 3, size + 0.6), layout="compressed")
        panels = figure.subplots(1, 2)
        for axes, counts, title in zip(panels, (before, after), ("before", "after"), strict=True):
            image = axes.imshow(_shares(counts, labels, columns), cmap="Blues", vmin=0, vmax=1)
            axes.set_xticks(range(len(columns)), numbers, rotation=90, fontsize=8)
            axes.set_title(title)
            axes.set_xlabel("predicted")
            axes.grid(visible=False)
        names = [f"{label}  {i}" for i, label in enumerate(labels, 1)]
        panels[0].set_yticks(range(len(labels)), names, fontsize=8)
        panels[0].set_ylabel("true class")
        panels[1].set_yticks(range(len(labels)), numbers[: len(labels)], fontsize=8)
        figure.colorbar(
            image, ax=panels, label="share of the class's test rows", shrink=0.7, pad=0.01
        )
    return figure


def headline(table: pd.DataFrame) -> Figure:
    """Plot value and interval, one panel per metric, one line per method.

    Args:
        table: method, metric, value, low, high; shown in the order of its rows.
    """
    methods = table["method"].unique().tolist()
    metrics = table["metric"].unique().tolist()
    with _style():
        figure = Figure(figsize=(4 * len(metrics), 1.3 + 0.4 * len(methods)), layout="constrained")
        panels = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
        for axes, metric in zip(panels, metrics, strict=True):
            rows = table[table["metric"] == metric].set_index("method").loc[methods]
            for position, (method, row) in enumerate(rows.iterrows()):
                colour = BLUE if method not in FREE_METHODS else QUIET
                axes.hlines(
                    position, row["low"], row["high"], color=colour, linewidth=2.5, alpha=0.5
                )
                axes.scatter(row["value"], position, color=colour, zorder=3)
                axes.annotate(
                    f"{row['value']:.3f}",
                    (row["value"], position),
                    xytext=(0, 6),
                    textcoords="offset points",
                    ha="center",
                    fontsize=8,
                )
            axes.set_title(METRIC_NAMES.get(metric, metric))
            axes.set_ylim(len(methods) - 0.5, -0.7)
            axes.margins(x=0.12)
        panels[0].set_yticks(range(len(methods)), [method.replace("_", " ") for method in methods])
        figure.supxlabel("on the test rows, with intervals; grey: no generated samples", fontsize=9)
    return figure


def learning_curve(curve: Sequence[Tried], recommended: int) -> Figure:
    """Plot dev scores by samples per class: one panel per metric, one line per use of the samples.

    Blue lines have class weights, grey lines have none; the dash pattern shows the weight of a
    sample. A use that was tried at only a few amounts gets no line.

    Args:
        curve: the tried combinations, in any order.
        recommended: samples per class; marked by a vertical line.
    """
    amounts = sorted({one.samples_per_class for one in curve})
    lines = _lines(curve, at_least=len(amounts) - 1)
    weights = list(dict.fromkeys(weight for weight, _ in lines))
    with _style():
        figure = Figure(figsize=(11, 4.4 + 0.12 * len(lines)), layout="constrained")
        panels = figure.subplots(1, 2)
        for axes, metric in zip(panels, ("macro_f1", "tail_recall"), strict=True):
            for (weight, class_weight), points in lines.items():
                spans = [getattr(one, metric) for one in points]
                x = [one.samples_per_class for one in points]
                colour = BLUE if class_weight else QUIET
                low, high = [span.low for span in spans], [span.high for span in spans]
                axes.fill_between(x, low, high, color=colour, alpha=0.1, linewidth=0)
                axes.plot(
                    x,
                    [span.value for span in spans],
                    color=colour,
                    linestyle=DASHES[weights.index(weight) % len(DASHES)],
                    marker="o",
                    markersize=4,
                    label=_use(points[0]),
                )
            axes.axvline(
                recommended, color="black", linestyle=":", linewidth=1, label="recommended"
            )
            axes.set_xticks(_apart(amounts), [f"{amount:,}" for amount in _apart(amounts)])
            axes.set_xlabel("samples per class")
            axes.set_title(f"{METRIC_NAMES[metric]} on dev")
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=2)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a PNG; equal figures give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=120, metadata={"Software": None})


@cache
def _font() -> str:
    fontManager.ttflist.append(FontEntry(fname=str(sans_path()), name=FONT))
    return FONT


@contextmanager
def _style() -> Iterator[None]:
    with rc_context(
        {
            "font.family": [_font(), "DejaVu Sans"],
            "font.size": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#e4e7eb",
        }
    ):
        yield


def _bars(classes: int) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(11, 1.6 + ROW_HEIGHT * classes), layout="constrained")
    return figure, figure.subplots()


def _class_axis(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")


def _lines(
    curve: Sequence[Tried], at_least: int
) -> dict[tuple[tuple[bool, float], bool], list[Tried]]:
    """Return (weight of a sample, whether classes are weighted) -> what was tried, by amount."""

    def use(one: Tried) -> tuple[tuple[bool, float], bool]:
        return (one.by_quality, -one.sample_weight), one.class_weight

    lines: dict[tuple[tuple[bool, float], bool], list[Tried]] = {}
    for one in sorted(curve, key=lambda one: (*use(one), one.samples_per_class)):
        lines.setdefault(use(one), []).append(one)
    return {
        key: points
        for key, points in lines.items()
        if points[0].is_plain or len(points) >= at_least
    }


def _use(one: Tried) -> str:
    weights = "with" if one.class_weight else "without"
    quality = " × label score" if one.by_quality else ""
    return f"{weights} class weights, sample weight {one.sample_weight:g}{quality}"


def _apart(amounts: Sequence[int]) -> list[int]:
    """Return the last amount, and the earlier ones that leave room for the next tick."""
    kept: list[int] = []
    for amount in reversed(amounts):
        if not kept or kept[-1] - amount >= TICK_GAP * (amounts[-1] - amounts[0]):
            kept.append(amount)
    return kept[::-1]


def _dot(colour: str, label: str) -> Line2D:
    return Line2D([], [], marker="o", linestyle="", color=colour, label=label)


def _shares(
    counts: pd.DataFrame, labels: Sequence[str], columns: Sequence[str]
) -> NDArray[np.float64]:
    table = counts.reindex(index=list(labels), columns=list(columns), fill_value=0)
    values: NDArray[np.float64] = table.to_numpy(dtype=np.float64)
    shares: NDArray[np.float64] = values / np.maximum(values.sum(axis=1, keepdims=True), 1)
    return shares
