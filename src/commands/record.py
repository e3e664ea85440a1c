"""Pack the responses that a run used into a file that is kept in git.

python -m src.commands.record data/interim/responses.jsonl
python -m src.commands.record data/interim/responses.jsonl --out data/responses/glm4.jsonl.gz
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from src.cli import command
from src.errors import UserError
from src.llm.recorded import PACKED, read_used, write_packed

log = logging.getLogger(__name__)


@command
def main(
    responses: Annotated[list[Path], typer.Argument(help="files of responses used by stages")],
    out: Annotated[Path, typer.Option(help="the packed file")] = PACKED / "default.jsonl.gz",
) -> None:
    """Write the packed file; later runs look up responses there before they send a request."""
    entries = [entry for one in responses for entry in read_used(one)]
    if not entries:
        named = ", ".join(map(str, responses))
        raise UserError(f"{named}: no responses; run `dvc repro generate` first")
    write_packed(out, entries)
    log.info("record: %d responses, %.1f MB in %s", len(entries), out.stat().st_size / 1e6, out)


if __name__ == "__main__":
    typer.run(main)
