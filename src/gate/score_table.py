"""The table of label scores that the stage `score` writes and `filter` reads.

table = scores_table(candidates, check_labels(candidates, train, labels, separator))
scores_by_id(read_scores(SCORES))["5ae4b77795139c0f-0"].label_score
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from src.errors import UserError
from src.gate.label_check import LabelCheck
from src.records.samples import Candidate


def scores_table(candidates: Sequence[Candidate], checked: LabelCheck) -> pd.DataFrame:
    """Return one row per candidate, see `label_check.LabelScores`.

    Columns id, label_score, label_rank (1 = its class is the most likely), neighbours, and
    suggested (the most likely class if it is another one, else empty).
    """
    scores = checked.candidates
    return pd.DataFrame(
        {
            "id": [candidate.id for candidate in candidates],
            "label_score": scores.score.round(6),
            "label_rank": scores.rank + 1,
            "neighbours": scores.neighbours.round(6),
            "suggested": np.where(scores.rank > 0, np.array(scores.best, dtype=str), ""),
        }
    )


def read_scores(path: Path) -> pd.DataFrame:
    """Read a `scores_table` that the stage `score` wrote.

    Raises:
        UserError: the file is missing.
    """
    try:
        return pd.read_csv(path, dtype={"id": str, "suggested": str}, keep_default_na=False)
    except FileNotFoundError:
        raise UserError(
            f"{path} not found; run `python -m src.stages.score` on the same candidates first"
        ) from None


@dataclass(frozen=True)
class LabelScore:
    """One row of `scores_table`."""

    label_score: float
    label_rank: int
    neighbours: float
    suggested: str


def scores_by_id(scores: pd.DataFrame) -> dict[str, LabelScore]:
    """Return the rows of a `scores_table` by candidate id."""
    columns = (scores[name].tolist() for name in ("label_score", "label_rank", "neighbours"))
    rows = zip(scores["id"], *columns, scores["suggested"], strict=True)
    return {name: LabelScore(*row) for name, *row in rows}
