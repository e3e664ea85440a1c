"""The folder of reports."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from src.config.convert import ConvertParams
from src.reporting.results import Results
from src.reporting.settings import Settings
from src.reporting.write import write_reports
from tests.reporting.conftest import read, settings_of

PICTURES = ["class_counts", "confusion", "headline", "learning_curve", "recall_per_class"]


def test_page_report_card_and_pictures_are_written(
    results: Results, settings: Settings, tmp_path: Path
):
    """The page has the requested language; each picture that the report links exists."""
    folder = tmp_path / "reports"
    write_reports(folder, results, settings, "zh")
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["DATASET_CARD.md", "report.html", "report.md", *(f"{name}.png" for name in PICTURES)]
    )
    assert '<html lang="zh">' in (folder / "report.html").read_text(encoding="utf-8")
    assert "\n# Balanced train set" in (folder / "DATASET_CARD.md").read_text(encoding="utf-8")
    linked = re.findall(
        r"!\[[^]]+\]\(<(\S+)\.png>\)", (folder / "report.md").read_text(encoding="utf-8")
    )
    assert sorted(linked) == PICTURES
    for name in PICTURES:
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_the_stage_writes_the_same(small_run: Path, tmp_path: Path) -> None:
    """Equal runs give equal files."""
    settings = settings_of(small_run)
    write_reports(tmp_path, read(small_run, settings), settings, "en")
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (small_run / "reports" / path.name).read_bytes(), path.name


def test_settings_are_sections_as_plain_values(settings: Settings):
    """In the form of params.yaml: the sections of the report, and no others."""
    shown = yaml.safe_load(settings.as_yaml())
    assert list(shown) == [
        *("data", "plan", "llm", "generate", "filter", "baseline", "choose", "evaluate")
    ]
    assert shown["plan"]["target_per_class"] == settings.plan.target_per_class
    assert shown["data"]["train"] == settings.data.train.as_posix()
    assert ConvertParams.KEY not in shown
