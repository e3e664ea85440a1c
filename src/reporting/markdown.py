"""Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = True) -> str:
    """A table, one line a row.

    Args:
        header: of the columns.
        rows: cells as text; a bar in one is escaped.
        numbers: whether all columns but the first are aligned to the right.
    """
    rule = ["---", *["---:" if numbers else "---"] * (len(header) - 1)]
    lines = (" | ".join(cell.replace("|", "\\|") for cell in row) for row in (header, rule, *rows))
    return "\n".join(f"| {line} |" for line in lines)
