"""Charts: the right names in the right order, all of them readable."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from src.records.metrics.choose import Tried
from src.reporting import plots
from src.reporting.report import Metrics, methods_table
from tests.reporting.conftest import spread
from tests.small_run import METHODS

COUNTS = pd.DataFrame(
    {
        "label": ["办理补换卡", "咨询（含查询）业务订购信息查询", "办理缴费"],
        "before": [1, 1961, 5],
        "after": [100, 1961, 100],
    }
)


PER_CLASS = pd.DataFrame(
    {
        "label": ["办理取消", "办理缴费", "办理补换卡"],
        "support": [1000, 30, 30],
        "train_rows": [100, 4, 1],
        "recall_before": [0.9, 0.1, 0.0],
        "recall_after": [0.88, 0.5, 0.5],
    }
)


def names(axes: Axes, axis: str = "y") -> list[str]:
    """Return the texts of the ticks."""
    return [tick.get_text() for tick in getattr(axes, f"get_{axis}ticklabels")()]


def draw(figure: Figure) -> bytes:
    """Return the PNG; a missing glyph is a warning, and warnings are errors here."""
    target = BytesIO()
    figure.savefig(target, format="png", dpi=40)
    return target.getvalue()


def test_class_counts_are_sorted_by_support():
    """The largest class is on top, on a log scale, with its counts as text."""
    figure = plots.class_counts(COUNTS)
    (axes,) = figure.axes
    draw(figure)
    assert names(axes) == ["咨询（含查询）业务订购信息查询", "办理缴费", "办理补换卡"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    assert axes.get_xscale() == "log"
    assert [text.get_text() for text in axes.texts] == ["1,961", "5 → 100", "1 → 100"]
    bars = [[bar.get_width() for bar in group] for group in axes.containers]
    assert bars == [[1961, 100, 100], [1961, 5, 1]]


def test_recall_shows_the_support_and_what_got_worse():
    """Names show the number of test rows; a class that lost recall is red."""
    figure = plots.recall_per_class(PER_CLASS)
    (axes,) = figure.axes
    draw(figure)
    assert names(axes) == ["办理取消  (1,000)", "办理缴费  (30)", "办理补换卡  (30)"]
    _, before, after = axes.collections
    assert before.get_offsets().tolist() == [[0.9, 0], [0.1, 1], [0.0, 2]]
    assert after.get_offsets().tolist() == [[0.88, 0], [0.5, 1], [0.5, 2]]
    assert [to_hex(c) for c in after.get_facecolor()] == [plots.RED, plots.BLUE, plots.BLUE]


def test_confusion_rows_are_shares():
    """Rows sum to 1, a class without test rows is blank, other predictions get a column."""
    labels = ["办理取消", "办理缴费", "办理补换卡"]
    before = pd.DataFrame([[3, 1, 0], [0, 2, 2]], index=labels[:2], columns=labels)
    after = before.assign(**{"(no prediction)": [0, 4]})
    figure = plots.confusion(before, after, labels)
    left, right, _ = figure.axes
    draw(figure)
    assert names(left) == ["办理取消  1", "办理缴费  2", "办理补换卡  3"]
    assert names(left, "x") == names(right, "x") == ["1", "2", "3", "(no prediction)"]
    np.testing.assert_allclose(
        left.images[0].get_array(), [[0.75, 0.25, 0, 0], [0, 0.5, 0.5, 0], [0, 0, 0, 0]]
    )
    np.testing.assert_allclose(
        right.images[0].get_array(), [[0.75, 0.25, 0, 0], [0, 0.25, 0.25, 0.5], [0, 0, 0, 0]]
    )


def test_headline_has_one_panel_per_metric(metrics: Metrics):
    """Methods are listed from top to bottom, with values as text."""
    figure = plots.headline(methods_table(metrics.evaluate))
    draw(figure)
    assert [axes.get_title() for axes in figure.axes] == ["macro-F1", "tail recall", "accuracy"]
    assert names(figure.axes[0]) == [method.replace("_", " ") for method in METHODS]
    assert [text.get_text() for text in figure.axes[0].texts] == [
        f"{metrics.evaluate.methods[method].macro_f1.value:.3f}" for method in METHODS
    ]


def tried(samples: int, macro_f1: float, *, class_weight: bool, weight: float) -> Tried:
    """One point of the learning curve."""
    scores = spread(macro_f1), spread(macro_f1 - 0.2, 0.05)
    return Tried(samples, class_weight, weight, False, *scores)


CURVE = (
    tried(20, 0.6, class_weight=False, weight=1.0),
    tried(0, 0.5, class_weight=False, weight=1.0),
    tried(10, 0.57, class_weight=False, weight=1.0),
    tried(0, 0.55, class_weight=True, weight=1.0),
    tried(20, 0.62, class_weight=True, weight=1.0),
    tried(10, 0.61, class_weight=True, weight=0.5),
    tried(20, 0.63, class_weight=True, weight=0.5),
    tried(20, 0.64, class_weight=True, weight=0.25),
)


def test_learning_curve_has_a_line_for_each_use_of_the_samples():
    """Sorted by amount, with the interval as a band; the recommended amount is marked."""
    figure = plots.learning_curve(CURVE, 20)
    draw(figure)
    assert [axes.get_title() for axes in figure.axes] == ["macro-F1 on dev", "tail recall on dev"]
    for axes, down in zip(figure.axes, (0, 0.2), strict=True):
        *lines, mark = axes.lines
        assert [
            [(x, round(y + down, 6)) for x, y in line.get_xydata().tolist()] for line in lines
        ] == [
            [(0, 0.5), (10, 0.57), (20, 0.6)],
            [(0, 0.55), (20, 0.62)],
            [(10, 0.61), (20, 0.63)],
        ]
        assert [to_hex(line.get_color()) for line in lines] == [plots.QUIET, plots.BLUE, plots.BLUE]
        assert [line.get_linestyle() for line in lines] == ["-", "-", "--"]
        assert mark.get_xdata() == [20, 20]
        assert names(axes, "x") == ["0", "10", "20"]
    low, high = figure.axes[0].collections[0].get_datalim(figure.axes[0].transData).intervaly
    assert (low, high) == pytest.approx((0.48, 0.62))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "without class weights, sample weight 1",
        "with class weights, sample weight 1",
        "with class weights, sample weight 0.5",
        "recommended",
    ]


def test_a_learning_curve_of_one_point_is_drawn():
    """No division by the empty range of amounts."""
    figure = plots.learning_curve(CURVE[:1], 0)
    draw(figure)
    assert names(figure.axes[0], "x") == ["20"]


def test_amounts_that_are_too_close_have_no_tick():
    """The last amount has a tick, and so do earlier ones that leave room."""
    amounts = (0, 1, 2, 50, 100)
    curve = [tried(n, 0.5, class_weight=True, weight=1.0) for n in amounts]
    assert names(plots.learning_curve(curve, 0).axes[0], "x") == ["2", "50", "100"]


def test_a_missing_glyph_is_detected():
    """It warns, so the other tests would fail on boxes."""
    with pytest.warns(UserWarning, match="missing from font"):
        draw(plots.class_counts(COUNTS.assign(label=["\U0001f9ff\U00013000", "b", "c"])))


def test_equal_figures_are_equal_files(tmp_path: Path):
    """A rerun does not change the hash of a chart."""
    for name in ("a.png", "b.png"):
        plots.save(plots.class_counts(COUNTS), tmp_path / "new" / name)
    first, second = ((tmp_path / "new" / name).read_bytes() for name in ("a.png", "b.png"))
    assert first == second
    assert first.startswith(b"\x89PNG")


def test_no_window_toolkit_is_loaded():
    """Charts are drawn without pyplot, which keeps figures open and may need a display."""
    code = "import sys; import src.reporting.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
