"""Accepted samples that people should look at: a few of each class, the most doubtful first.

    review_queue(verdicts.accepted, ratio=0.1, min_per_class=2, seed=7)

What is drawn is random, so that it stands for all; only its order goes by doubt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from src.data.io import Record

# Scores from 0 to 1 of which more is worse, and what a high one says.
DOUBTS = {
    "contamination": "of it stands in one dev or test row",
    "near_duplicate": "of it stands in one earlier sample",
    "seed_overlap": "of it stands in one train row",
    "repeated_turns": "of its turns repeat",
    "loop_share": "of it is loops",
}
COLUMNS = ["id", "label", "text", "reason_to_look"]


def review_queue(
    accepted: Sequence[Record], ratio: float, min_per_class: int, seed: int
) -> pd.DataFrame:
    """A random sample of each class.

    Args:
        accepted: records with id, label, text and scores.
        ratio: share of a class's samples that is drawn, rounded up.
        min_per_class: drawn from a class at least, if it has as many.
        seed: of the draw.

    Returns:
        columns id, label, text, reason_to_look (the highest of the `DOUBTS`) and one a score;
        the highest doubt first.
    """
    by_class: dict[str, list[Record]] = {}
    for record in accepted:
        by_class.setdefault(record["label"], []).append(record)
    rng = np.random.default_rng(seed)
    drawn: list[Record] = []
    for label in sorted(by_class):
        records = by_class[label]
        size = min(len(records), max(min_per_class, math.ceil(ratio * len(records))))
        drawn += [records[place] for place in sorted(rng.choice(len(records), size, replace=False))]
    drawn.sort(key=lambda record: -_doubt(record)[0])
    scores = list(accepted[0]["scores"]) if accepted else []
    return pd.DataFrame(
        [
            {
                **{column: record[column] for column in COLUMNS[:-1]},
                "reason_to_look": "{:.2f} {}".format(*_doubt(record)),
                **record["scores"],
            }
            for record in drawn
        ],
        columns=[*COLUMNS, *scores],
    )


def _doubt(record: Record) -> tuple[float, str]:
    """The worst score and what it says; the first of `DOUBTS` among equals."""
    return max(
        ((record["scores"][name], says) for name, says in DOUBTS.items()), key=lambda d: d[0]
    )
