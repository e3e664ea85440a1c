"""Kinds of private data, and the record of one match."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = (
    "mobile",
    "landline",
    "id_card",
    "bank_card",
    "email",
    "plate",
    "address",
    "name",
    "number",
)


@dataclass(frozen=True)
class Found:
    """One piece of private data: `text[start:end]`, of one of `KINDS`."""

    kind: str
    start: int
    end: int
