"""Label scores are passed from the stage `score` to `filter`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from src.errors import UserError
from src.gate.label_check import LabelCheck, LabelScores
from src.gate.score_table import LabelScore, read_scores, scores_by_id, scores_table
from src.records.samples import Candidate


def test_scores_are_read_as_they_were_written(tmp_path: Path) -> None:
    """Ranks start at 1, numeric ids stay text, and a missing suggestion is an empty string."""
    scores = LabelScores(
        score=np.array([0.9, 0.12345678]),
        rank=np.array([0, 5]),
        best=("缴费", "补卡"),
        neighbours=np.array([0.8, 0.0]),
    )
    nothing = LabelScores(np.array([]), np.array([], dtype=int), (), np.array([]))
    table = scores_table(
        [Candidate("007", "", ""), Candidate("x", "", "")], LabelCheck(scores, nothing, ())
    )
    table.to_csv(tmp_path / "scores.csv", index=False)
    assert scores_by_id(read_scores(tmp_path / "scores.csv")) == {
        "007": LabelScore(0.9, 1, 0.8, ""),
        "x": LabelScore(0.123457, 6, 0.0, "补卡"),
    }


def test_no_scores_say_what_to_run(tmp_path: Path) -> None:
    """The error for a missing file names the stage to run."""
    with pytest.raises(UserError, match=r"scores\.csv not found; run `python -m src\.stages\.sco"):
        read_scores(tmp_path / "scores.csv")
