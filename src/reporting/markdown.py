"""Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = True) -> str:
    """Return a Markdown table, one line per row.

    Args:
        header: names of the columns.
        rows: cells as text; bars are escaped, line breaks become spaces.
        numbers: whether to align all columns but the first to the right.
    """
    rule = ["---", *["---:" if numbers else "---"] * (len(header) - 1)]
    lines = (" | ".join(map(_cell, row)) for row in (header, rule, *rows))
    return "\n".join(f"| {line} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
