"""Stage analyze: how unequal the classes are, what each needs, which words mark it.

python -m src.stages.analyze
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from src.config import command, load_params
from src.data.dialogue import plain
from src.data.io import write_csv, write_json
from src.data.schema import load_splits
from src.planning.imbalance import measure, plan_classes
from src.planning.keywords import mine_keywords
from src.planning.plan import KEYWORD_JOINER
from src.stages.paths import METRICS, PLAN

log = logging.getLogger(__name__)


@command
def main(
    out: Annotated[Path, typer.Option(help="the plan, one row a class")] = PLAN,
    metrics: Annotated[Path, typer.Option(help="folder for analyze.json")] = METRICS,
) -> None:
    """Write the plan and metrics/analyze.json."""
    params = load_params()
    train = load_splits(params.data).train
    plan = plan_classes(train["label"], params.plan)
    words = mine_keywords(
        train["text"].map(lambda text: plain(text, params.data.turn_separator)),
        train["label"],
        params.data.language,
        params.plan.keywords_per_class,
    )
    plan = plan.assign(keywords=plan["label"].map(lambda label: KEYWORD_JOINER.join(words[label])))
    write_csv(out, plan)
    imbalance = measure(train["label"])
    write_json(
        metrics / "analyze.json",
        {
            **imbalance.as_dict(),
            "minority_classes": int((plan["tier"] != "majority").sum()),
            "ultra_minority_classes": int((plan["tier"] == "ultra").sum()),
            "needed": int(plan["needed"].sum()),
        },
    )
    log.info(
        "analyze: %d rows in %d classes, Gini %.3f; %d samples needed",
        imbalance.rows,
        imbalance.classes,
        imbalance.gini,
        plan["needed"].sum(),
    )


if __name__ == "__main__":
    typer.run(main)
