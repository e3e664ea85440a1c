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

from src.reporting import plots
from src.reporting.report import Metrics, arms_table

COUNTS = pd.DataFrame(
    {
        "label": ["办理补换卡", "咨询（含查询）业务订购信息查询", "办理缴费"],
        "before": [1, 1961, 5],
        "after": [100, 1961, 100],
    }
)


def names(axes: Axes, axis: str = "y") -> list[str]:
    """Texts of the ticks."""
    return [tick.get_text() for tick in getattr(axes, f"get_{axis}ticklabels")()]


def draw(figure: Figure) -> bytes:
    """The PNG; a glyph that the font lacks is a warning, and so an error."""
    target = BytesIO()
    figure.savefig(target, format="png", dpi=40)
    return target.getvalue()


def test_class_counts_are_sorted_by_support():
    """The largest class on top, on a log scale, with its counts written out."""
    figure = plots.class_counts(COUNTS)
    (axes,) = figure.axes
    draw(figure)
    assert names(axes) == ["咨询（含查询）业务订购信息查询", "办理缴费", "办理补换卡"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    assert axes.get_xscale() == "log"
    assert [text.get_text() for text in axes.texts] == ["1,961", "5 → 100", "1 → 100"]
    bars = [[bar.get_width() for bar in group] for group in axes.containers]
    assert bars == [[1961, 100, 100], [1961, 5, 1]]


def test_recall_shows_the_support_and_what_got_worse(per_class: pd.DataFrame):
    """Names carry the number of test rows; a class that lost recall is red."""
    figure = plots.recall_per_class(per_class)
    (axes,) = figure.axes
    draw(figure)
    assert names(axes) == ["办理取消  (1,000)", "办理缴费  (30)", "办理补换卡  (30)"]
    _, before, after = axes.collections
    assert before.get_offsets().tolist() == [[0.9, 0], [0.1, 1], [0.0, 2]]
    assert after.get_offsets().tolist() == [[0.88, 0], [0.5, 1], [0.5, 2]]
    assert [to_hex(c) for c in after.get_facecolor()] == [plots.RED, plots.BLUE, plots.BLUE]


def test_confusion_rows_are_shares():
    """Rows sum to 1, a class without test rows is blank, other answers get a column."""
    labels = ["办理取消", "办理缴费", "办理补换卡"]
    before = pd.DataFrame([[3, 1, 0], [0, 2, 2]], index=labels[:2], columns=labels)
    after = before.assign(**{"(no answer)": [0, 4]})
    figure = plots.confusion(before, after, labels)
    left, right, _ = figure.axes
    draw(figure)
    assert names(left) == ["办理取消  1", "办理缴费  2", "办理补换卡  3"]
    assert names(left, "x") == names(right, "x") == ["1", "2", "3", "(no answer)"]
    np.testing.assert_allclose(
        left.images[0].get_array(), [[0.75, 0.25, 0, 0], [0, 0.5, 0.5, 0], [0, 0, 0, 0]]
    )
    np.testing.assert_allclose(
        right.images[0].get_array(), [[0.75, 0.25, 0, 0], [0, 0.25, 0.25, 0.5], [0, 0, 0, 0]]
    )


def test_headline_has_a_panel_a_metric(metrics: Metrics):
    """Arms top to bottom in their order, values written out."""
    figure = plots.headline(arms_table(metrics.evaluate))
    draw(figure)
    assert [axes.get_title() for axes in figure.axes] == ["macro-F1", "tail recall", "accuracy"]
    assert names(figure.axes[0]) == [
        "original",
        "class weight",
        "augmented",
        "augmented class weight",
    ]
    assert [text.get_text() for text in figure.axes[0].texts] == [
        "0.448",
        "0.579",
        "0.610",
        "0.642",
    ]


def test_a_glyph_that_no_font_has_would_be_noticed():
    """The other tests would fail on boxes: a missing glyph warns."""
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
    """Charts are drawn without pyplot, whose figures stay open and which may want a screen."""
    code = "import sys; import src.reporting.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
