"""Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = True) -> str:
    """A table, one line a row.

    Args:
        header: of the columns.
        rows: cells as text; a bar in one is escaped, a line break is a space.
        numbers: whether all columns but the first are aligned to the right.
    """
    rule = ["---", *["---:" if numbers else "---"] * (len(header) - 1)]
    lines = (" | ".join(map(_cell, row)) for row in (header, rule, *rows))
    return "\n".join(f"| {line} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
