"""Review page: reading the queue, and its errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from src.errors import UserError
from src.review.desk import read_queue


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("id,text\nx,y\n", "no column 'label'", id="no-label"),
        pytest.param("id,label,text\nx,a,b\nx,a,c\n", "line 3: id 'x' is a duplicate", id="twice"),
        pytest.param(None, "run `dvc repro filter`", id="no-file"),
    ],
)
def test_a_wrong_queue_is_refused(tmp_path: Path, text: str | None, says: str) -> None:
    """The error names the line and the remedy."""
    queue = tmp_path / "queue.csv"
    if text is not None:
        queue.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=says):
        read_queue(queue, None)
