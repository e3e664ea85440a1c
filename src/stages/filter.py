"""Stage filter: the final verdict on every candidate, with its scores and the first reason.

python -m src.stages.filter
python -m src.stages.filter --candidates elsewhere.jsonl --accepted good.jsonl --rejected bad.jsonl
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from src.config import command, load_params
from src.data.io import read_jsonl, write_json, write_jsonl, write_text
from src.data.schema import load_splits
from src.planning.plan import read_plan
from src.quality.gate import Gate
from src.quality.review import review_queue
from src.reporting.tracking import track
from src.stages.common import flat_numbers, settings
from src.stages.paths import ACCEPTED, CANDIDATES, METRICS, PLAN, REJECTED, REVIEW_QUEUE

log = logging.getLogger(__name__)


@command
def main(
    candidates: Annotated[Path, typer.Option(help="samples: id, label, text a line")] = CANDIDATES,
    plan: Annotated[Path, typer.Option(help="the plan of analyze, for its keywords")] = PLAN,
    accepted: Annotated[Path, typer.Option(help="where accepted samples go")] = ACCEPTED,
    rejected: Annotated[Path, typer.Option(help="where rejected samples go")] = REJECTED,
    queue: Annotated[Path, typer.Option(help="where the sample for people goes")] = REVIEW_QUEUE,
    metrics: Annotated[Path, typer.Option(help="folder for filter.json")] = METRICS,
) -> None:
    """Write accepted, rejected, the review queue and metrics/filter.json."""
    params = load_params()
    splits, keywords = load_splits(params.data), read_plan(plan).keywords
    gate = Gate(splits.train, splits.dev, splits.test, keywords, params.filter, params.data)
    verdicts = gate.screen(read_jsonl(candidates))
    write_jsonl(accepted, verdicts.accepted)
    write_jsonl(rejected, verdicts.rejected)
    for_people = review_queue(
        list(verdicts.accepted),
        params.filter.review_ratio,
        params.filter.review_min_per_class,
        params.generate.seed,
    )
    # The byte order mark makes Excel and WPS read UTF-8.
    write_text(queue, "\ufeff" + for_people.to_csv(index=False, lineterminator="\n"))
    result = {
        "candidates": len(verdicts.accepted) + len(verdicts.rejected),
        "accepted": len(verdicts.accepted),
        "acceptance_rate": verdicts.acceptance_rate,
        "rejected_by": dict(verdicts.rejected_by),
    }
    write_json(metrics / "filter.json", result)
    log.info(
        "filter: %d of %d accepted (%.0f %%); rejected by %s",
        result["accepted"],
        result["candidates"],
        100 * verdicts.acceptance_rate,
        ", ".join(f"{rule} {count}" for rule, count in verdicts.rejected_by.most_common())
        or "none",
    )
    track("filter", settings(params, ["filter"]), flat_numbers(result), [queue])


if __name__ == "__main__":
    typer.run(main)
