"""The summary in the terminal fits on one screen of 80 columns."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from src.commands.summary import main, render_summary
from src.paths import METRICS
from src.reporting.report import conclusion_sentence, read_metrics

GOLDEN = Path(__file__).parent / "golden_summary.txt"


def test_summary_is_the_golden_screen(kept_run: Path):
    """Scores with intervals, differences, Gini, samples, shortfall, conclusion and the next step."""
    screen = StringIO()
    Console(file=screen, width=80).print(render_summary(read_metrics(kept_run / METRICS)))
    lines = [line.rstrip() for line in screen.getvalue().splitlines()]
    assert "\n".join(lines) + "\n" == GOLDEN.read_text(encoding="utf-8")


def test_command_reads_the_metrics_files(
    kept_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """`python -m src.commands.summary` prints to standard output."""
    monkeypatch.chdir(kept_run)
    monkeypatch.setenv("COLUMNS", "200")
    main()
    assert conclusion_sentence(read_metrics().evaluate) in capsys.readouterr().out


def test_command_before_any_run_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """No traceback when nothing has run yet."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "analyze.json not found; run `dvc repro`" in capsys.readouterr().err
