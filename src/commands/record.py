"""Packs the answers that a run used into a recording that ships with the project.

python -m src.commands.record data/interim/cassette.jsonl
python -m src.commands.record data/interim/cassette.jsonl --out data/recordings/glm4.jsonl.gz
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from src.cli import command
from src.errors import UserError
from src.llm.recordings import RECORDINGS, read_used, write_recording

log = logging.getLogger(__name__)


@command
def main(
    cassettes: Annotated[list[Path], typer.Argument(help="the answers that stages used")],
    out: Annotated[Path, typer.Option(help="the recording")] = RECORDINGS / "answers.jsonl.gz",
) -> None:
    """Write the recording, which later runs read before they ask a model."""
    entries = [entry for cassette in cassettes for entry in read_used(cassette)]
    if not entries:
        named = ", ".join(map(str, cassettes))
        raise UserError(f"{named}: no answers; run `dvc repro generate` to get some")
    write_recording(out, entries)
    log.info("record: %d answers, %.1f MB in %s", len(entries), out.stat().st_size / 1e6, out)


if __name__ == "__main__":
    typer.run(main)
