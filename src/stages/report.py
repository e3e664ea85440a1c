"""Stage report: write the results as Markdown, as an HTML page and as a dataset card.

python -m src.stages.report
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from src.cli import stage
from src.config.baseline import BaselineParams
from src.config.choose import ChooseParams
from src.config.data import DataParams
from src.config.evaluate import EvaluateParams
from src.config.filter import FilterParams
from src.config.generate import GenerateParams
from src.config.llm import LlmParams
from src.config.load import load
from src.config.plan import PlanParams
from src.config.report import ReportParams
from src.paths import ACCEPTED, METRICS, PREDICTIONS, REJECTED, REPORTS
from src.reporting.results import read_results
from src.reporting.settings import Settings
from src.reporting.tracking import track
from src.reporting.write import write_reports

log = logging.getLogger(__name__)


@stage
def main(
    metrics: Annotated[Path, typer.Option(help="folder of metrics files")] = METRICS,
    predictions: Annotated[Path, typer.Option(help="folder of <method>.csv")] = PREDICTIONS,
    accepted: Annotated[Path, typer.Option(help="samples that the gate accepted")] = ACCEPTED,
    rejected: Annotated[Path, typer.Option(help="samples that the gate rejected")] = REJECTED,
    out: Annotated[Path, typer.Option(help="folder for report, page, card and charts")] = REPORTS,
) -> None:
    """Write report.md, report.html, DATASET_CARD.md and the charts."""
    settings = Settings(
        data=load(DataParams),
        plan=load(PlanParams),
        llm=load(LlmParams),
        generate=load(GenerateParams),
        filter=load(FilterParams),
        baseline=load(BaselineParams),
        choose=load(ChooseParams),
        evaluate=load(EvaluateParams),
    )
    results = read_results(metrics, predictions, accepted, rejected, settings.data)
    write_reports(out, results, settings, load(ReportParams).language)
    log.info("report: %s", out / "report.md")
    track("report", reports=out)


if __name__ == "__main__":
    typer.run(main)
