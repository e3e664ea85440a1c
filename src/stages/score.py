"""Stage score: how well each candidate fits its class, and which real rows do not fit theirs.

python -m src.stages.score
python -m src.stages.score --candidates elsewhere.jsonl --scores scores.csv

This stage reads no thresholds, so changing one reruns `filter` only.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from src.cli import stage
from src.config.data import DataParams
from src.config.filter import FilterParams
from src.config.load import load
from src.data.schema import load_splits
from src.files import write_csv
from src.gate.label_check import check_labels, suspects
from src.gate.score_table import scores_table
from src.gate.style import in_style
from src.paths import CANDIDATES, DECISIONS, SCORES, SUSPECTS
from src.records.decisions import read_decisions
from src.records.samples import read_candidates
from src.review.decisions import relabelled, verdicts

log = logging.getLogger(__name__)


@stage
def main(
    candidates: Annotated[Path, typer.Option(help="JSONL: id, label, text")] = CANDIDATES,
    decisions: Annotated[Path, typer.Option(help="decisions of reviewers")] = DECISIONS,
    scores: Annotated[Path, typer.Option(help="where label scores go")] = SCORES,
    doubtful: Annotated[Path, typer.Option(help="where doubtful train rows go")] = SUSPECTS,
) -> None:
    """Write scores.csv and suspects.csv."""
    data = load(DataParams)
    rules = load(FilterParams)
    splits = load_splits(data)
    samples = relabelled(read_candidates(candidates), verdicts(read_decisions(decisions)))
    if rules.style.enabled:
        samples = in_style(samples, splits.train["text"], data)
    checked = check_labels(samples, splits.train, splits.labels, data.turn_separator)
    table = scores_table(samples, checked)
    write_csv(scores, table)
    found = suspects(checked, splits.train)
    write_csv(doubtful, found, for_excel=True)
    log.info(
        "score: label ranked first for %d of %d candidates; %d doubtful train rows listed",
        int((table["label_rank"] == 1).sum()),
        len(table),
        len(found),
    )


if __name__ == "__main__":
    typer.run(main)
