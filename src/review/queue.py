"""Accepted samples that people should look at: a few of each class, the most doubtful first.

    review_queue(verdicts.accepted, ratio=0.1, min_per_class=2, seed=7)

What is drawn is random, so that it stands for all, and stays drawn when more samples come; only
its order goes by doubt.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import pandas as pd

from src.files import Record

# Scores from 0 to 1 of which more is worse, and what a high one says.
LABEL_SCORE = "label_score"  # of which less is worse
DOUBTS = {
    "contamination": "of it stands in one dev or test row",
    "contradiction": "of it stands in one train row of another class",
    "near_duplicate": "of it stands in one earlier sample",
    "seed_overlap": "of it stands in one train row",
    "repeated_turns": "of its turns repeat",
    "loop_share": "of it is loops",
}
COLUMNS = ["id", "label", "suggested", "text", "reason_to_look", "seed_ids"]


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
        columns id, label, suggested (a class that the label check finds likelier), text,
        reason_to_look (the highest of the `DOUBTS`), seed_ids (train rows, joined by spaces), and
        one a score; the highest doubt first.
    """
    by_class: dict[str, list[Record]] = {}
    for record in accepted:
        by_class.setdefault(record["label"], []).append(record)
    drawn: list[Record] = []
    for label in sorted(by_class):
        records = sorted(by_class[label], key=lambda record: _lot(record, seed))
        drawn += records[: max(min_per_class, math.ceil(ratio * len(records)))]
    drawn.sort(key=lambda record: -_doubt(record)[0])
    scores = list(accepted[0]["scores"]) if accepted else []
    return pd.DataFrame(
        [
            {
                "id": record["id"],
                "label": record["label"],
                "suggested": record.get("suggested", ""),
                "text": record["text"],
                "reason_to_look": "{:.2f} {}".format(*_doubt(record)),
                "seed_ids": " ".join(map(str, record.get("seed_ids", ()))),
                **record["scores"],
            }
            for record in drawn
        ],
        columns=[*COLUMNS, *scores],
    )


def _lot(record: Record, seed: int) -> str:
    """The same for a sample whatever stands beside it, so that a queue keeps what it had."""
    return hashlib.sha256(f"{seed}/{record['id']}".encode()).hexdigest()


def _doubt(record: Record) -> tuple[float, str]:
    """The worst score and what it says; the first of `DOUBTS` among equals."""
    scores = record["scores"]
    doubts = [(scores[name], says) for name, says in DOUBTS.items()]
    if LABEL_SCORE in scores:
        doubts.insert(0, (1 - scores[LABEL_SCORE], "likely to be of another class"))
    return max(doubts, key=lambda doubt: doubt[0])
