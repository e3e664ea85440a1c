"""What private data is called, and where in a text it stands."""

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
