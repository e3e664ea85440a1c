"""Draw accepted samples for review: a few per class, most doubtful first.

    review_queue(verdicts.accepted, ratio=0.1, min_per_class=2, seed=7)

The draw is random, so that the queue represents all samples. A drawn sample stays drawn when more
samples are added. Doubt only decides the order.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, fields

import pandas as pd

from src.records.samples import SampleScores, Screened

# Scores from 0 to 1 where higher is worse, and the reason given for a high one.
DOUBTS = {
    "contamination": "of it occurs in one dev or test row",
    "contradiction": "of it occurs in one train row of another class",
    "near_duplicate": "of it occurs in one earlier sample",
    "seed_overlap": "of it occurs in one train row",
    "repeated_turns": "of its turns repeat",
    "loop_share": "of it is in loops",
}
LABEL_DOUBT = "likely to belong to another class"
COLUMNS = ["id", "label", "suggested", "text", "reason_to_look", "seed_ids"]


def review_queue(
    accepted: Sequence[Screened], ratio: float, min_per_class: int, seed: int
) -> pd.DataFrame:
    """Draw random samples from each class.

    Args:
        accepted: samples that the gate accepted.
        ratio: share of samples drawn per class, rounded up.
        min_per_class: minimum drawn per class, or all if it has fewer.
        seed: random seed of the draw.

    Returns:
        columns id, label, suggested (a class that the label check finds more likely), text,
        reason_to_look (the highest of the `DOUBTS`), seed_ids (train rows, joined by spaces), and
        one column per score that any sample has; sorted by doubt, highest first.
    """
    by_class: dict[str, list[Screened]] = {}
    for one in accepted:
        by_class.setdefault(one.label, []).append(one)
    drawn: list[Screened] = []
    for label in sorted(by_class):
        samples = sorted(by_class[label], key=lambda one: _lot(one, seed))
        drawn += samples[: max(min_per_class, math.ceil(ratio * len(samples)))]
    drawn.sort(key=lambda one: -_doubt(one)[0])
    scores = [
        field.name
        for field in fields(SampleScores)
        if any(getattr(one.known_scores, field.name) is not None for one in accepted)
    ]
    return pd.DataFrame(
        [
            {
                "id": one.id,
                "label": one.label,
                "suggested": one.suggested or "",
                "text": one.text,
                "reason_to_look": "{:.2f} {}".format(*_doubt(one)),
                "seed_ids": " ".join(one.candidate.seed_ids),
                **asdict(one.known_scores),
            }
            for one in drawn
        ],
        columns=[*COLUMNS, *scores],
    )


def _lot(one: Screened, seed: int) -> str:
    """Return a hash that only depends on the sample and the seed, so that draws are stable."""
    return hashlib.sha256(f"{seed}/{one.id}".encode()).hexdigest()


def _doubt(one: Screened) -> tuple[float, str]:
    """Return the worst score and its reason; the first of `DOUBTS` among equals."""
    doubts = [(float(getattr(one.known_scores, name)), phrase) for name, phrase in DOUBTS.items()]
    if one.known_scores.label_score is not None:
        doubts.insert(0, (1 - one.known_scores.label_score, LABEL_DOUBT))
    return max(doubts, key=lambda doubt: doubt[0])
