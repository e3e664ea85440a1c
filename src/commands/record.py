"""Packs the answers that a run used into a recording that ships with the project.

python -m src.commands.record data/interim/cassette.jsonl
python -m src.commands.record data/interim/cassette.jsonl --out data/recordings/glm4.jsonl.gz
"""

from __future__ import annotations

import logging
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated

import typer

from src.cli import command
from src.errors import UserError
from src.files import Record, read_jsonl
from src.llm.recordings import RECORDINGS, Place, write_recording
from src.llm.requests import Answer

ENTRY = {"key", *(field.name for field in fields(Answer)), *Place._fields}
LATER = {
    *(field.name for field in fields(Answer) if field.default is not MISSING),
    *Place._fields,
}

log = logging.getLogger(__name__)


@command
def main(
    cassettes: Annotated[list[Path], typer.Argument(help="the answers that stages used")],
    out: Annotated[Path, typer.Option(help="the recording")] = RECORDINGS / "answers.jsonl.gz",
) -> None:
    """Write the recording, which later runs read before they ask a model."""
    entries: list[Record] = []
    for cassette in cassettes:
        found = read_jsonl(cassette)
        check_entries(found, cassette)
        entries += found
    if not entries:
        named = ", ".join(map(str, cassettes))
        raise UserError(f"{named}: no answers; run `dvc repro generate` to get some")
    write_recording(out, entries)
    log.info("record: %d answers, %.1f MB in %s", len(entries), out.stat().st_size / 1e6, out)


def check_entries(entries: list[Record], path: Path) -> None:
    """Refuse what could not be replayed.

    Raises:
        UserError: one is not an answer with its key.
    """
    for number, entry in enumerate(entries, 1):
        if not ENTRY - LATER <= entry.keys() <= ENTRY:
            raise UserError(
                f"{path} line {number} has {', '.join(sorted(entry))} instead of "
                f"{', '.join(sorted(ENTRY))}; run `dvc repro generate` to write the file anew"
            )


if __name__ == "__main__":
    typer.run(main)
