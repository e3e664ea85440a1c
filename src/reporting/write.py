"""Write the folder of reports: Markdown, page, dataset card and charts.

write_reports(Path("reports"), results, settings, "zh")
"""

from __future__ import annotations

from pathlib import Path

from src.config.data import Language
from src.files import write_text
from src.reporting import plots
from src.reporting.card import render_card
from src.reporting.html import render_html
from src.reporting.markdown_report import render_report
from src.reporting.report import REPORT, methods_table
from src.reporting.results import Results
from src.reporting.settings import Settings
from src.reporting.words import named


def write_reports(folder: Path, results: Results, settings: Settings, language: Language) -> None:
    """Write report.md, report.html, DATASET_CARD.md and their PNG files.

    Args:
        folder: created if missing.
        results: results of the run.
        settings: settings to show.
        language: language of the page; report, card and charts are in English.
    """
    pictures = draw(folder, results)
    captions = {named("picture", name, "en"): path.name for name, path in pictures.items()}
    write_text(folder / REPORT.name, render_report(results, settings, captions))
    write_text(folder / "report.html", render_html(results, settings, pictures, language))
    write_text(folder / "DATASET_CARD.md", render_card(results, settings))


def draw(folder: Path, results: Results) -> dict[str, Path]:
    """Write the charts, and return name in `words` -> PNG file, in display order."""
    evaluate = results.metrics.evaluate
    figures = {
        "headline": plots.headline(methods_table(evaluate)),
        "learning_curve": plots.learning_curve(evaluate.curve, evaluate.recommended),
        "recall_per_class": plots.recall_per_class(results.per_class),
        "class_counts": plots.class_counts(results.class_counts),
        "confusion": plots.confusion(
            results.confusion_before, results.confusion_after, results.per_class["label"].tolist()
        ),
    }
    for name, figure in figures.items():
        plots.save(figure, folder / f"{name}.png")
    return {name: folder / f"{name}.png" for name in figures}
