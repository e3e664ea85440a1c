"""Decisions of reviewers: one row per reviewer and sample.

decisions = read_decisions(Path("data/review/decisions.csv"))
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from src.errors import UserError
from src.files import read_rows, write_text

CHOICES = ("reject", "relabel", "accept")  # the most cautious first: it wins a tie


@dataclass(frozen=True)
class Decision:
    """One reviewer's decision on one sample.

    Attributes:
        id: id of the sample.
        decision: one of `CHOICES`.
        label: the sample's class at the time of the decision; for a relabel, the new class.
        reason: free text, may be empty.
        reviewer: name of the reviewer.
        decided_at: ISO 8601 in UTC with microseconds, so that it sorts as text.
    """

    id: str
    decision: str
    label: str
    reason: str
    reviewer: str
    decided_at: str


COLUMNS = [field.name for field in fields(Decision)]


def read_decisions(path: Path) -> list[Decision]:
    """Return the decisions in file order; an empty list if the file does not exist yet.

    Raises:
        UserError: the file is not a UTF-8 CSV with these columns, a decision is unknown, an id is
            empty, or a reviewer has two decisions on one sample.
    """
    if not path.exists():
        return []
    decisions: list[Decision] = []
    lines: dict[tuple[str, str], int] = {}
    for line, row in read_rows(path, COLUMNS):
        decision = Decision(**{column: row[column] for column in COLUMNS})
        if decision.decision not in CHOICES:
            raise UserError(
                f"{path} line {line}: decision {decision.decision!r} is none of "
                f"{', '.join(CHOICES)}; correct or remove the line"
            )
        if not decision.id:
            raise UserError(f"{path} line {line}: id is empty; fill it in or remove the line")
        first = lines.setdefault((decision.id, decision.reviewer), line)
        if first != line:
            raise UserError(
                f"{path} line {line}: {decision.reviewer!r} already decided on {decision.id!r} in "
                f"line {first}; keep one of the two"
            )
        decisions.append(decision)
    return decisions


def write_decisions(path: Path, decisions: Iterable[Decision]) -> None:
    """Write the file atomically, sorted by time of decision, then by id."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    ordered = sorted(decisions, key=lambda one: (one.decided_at, one.id))
    writer.writerows(asdict(one) for one in ordered)
    # The byte order mark makes Excel and WPS read UTF-8.
    write_text(path, "\ufeff" + text.getvalue())
