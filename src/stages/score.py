"""Stage score: how well each candidate fits its class, and which real rows fit theirs badly.

python -m src.stages.score
python -m src.stages.score --candidates elsewhere.jsonl --scores scores.csv

Thresholds are not asked here: changing one reruns `filter` alone.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from src.cli import command
from src.config.params import load_params
from src.data.schema import load_splits
from src.files import read_jsonl, write_csv
from src.gate.label_check import check_labels, suspects
from src.gate.screening import relabelled, scores_table
from src.gate.style import match_surface, measure_surface
from src.paths import CANDIDATES, DECISIONS, SCORES, SUSPECTS
from src.records.decisions import read_decisions
from src.review.decisions import verdicts

log = logging.getLogger(__name__)


@command
def main(
    candidates: Annotated[Path, typer.Option(help="samples: id, label, text a line")] = CANDIDATES,
    decisions: Annotated[Path, typer.Option(help="what people decided")] = DECISIONS,
    scores: Annotated[Path, typer.Option(help="where label scores go")] = SCORES,
    doubtful: Annotated[Path, typer.Option(help="where doubtful train rows go")] = SUSPECTS,
) -> None:
    """Write scores.csv and suspects.csv."""
    params = load_params()
    splits = load_splits(params.data)
    separator, language = params.data.turn_separator, params.data.language
    records = relabelled(read_jsonl(candidates), verdicts(read_decisions(decisions)))
    if params.filter.style.enabled:
        surface = measure_surface(splits.train["text"], separator)
        records = [
            record | {"text": match_surface(record["text"], surface, separator, language)}
            for record in records
        ]
    checked = check_labels(records, splits.train, splits.labels, separator)
    table = scores_table(records, checked)
    write_csv(scores, table)
    found = suspects(checked, splits.train)
    write_csv(doubtful, found, for_excel=True)
    log.info(
        "score: %d of %d candidates fit their class best; %d train rows listed for people",
        int((table["label_rank"] == 1).sum()),
        len(table),
        len(found),
    )


if __name__ == "__main__":
    typer.run(main)
