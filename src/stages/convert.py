"""Stage convert: chat fine-tuning files of the balanced train set, dev and test.

python -m src.stages.convert
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from src.cli import command
from src.config.params import load_params
from src.data.chat import chat_examples
from src.data.schema import read_labels, read_split
from src.files import write_jsonl
from src.paths import BALANCED, CHAT

log = logging.getLogger(__name__)


@command
def main(
    train: Annotated[Path, typer.Option(help="the balanced train set")] = BALANCED,
    out: Annotated[Path, typer.Option(help="folder for train, dev and test")] = CHAT,
) -> None:
    """Write train.jsonl, dev.jsonl and test.jsonl; dev and test hold real rows only."""
    params = load_params()
    labels = read_labels(params.data.labels)
    counts = {}
    for name, path in (("train", train), ("dev", params.data.dev), ("test", params.data.test)):
        frame = read_split(path, params.data, labels)
        examples = chat_examples(frame, params.convert.system_prompt, params.data)
        write_jsonl(out / f"{name}.jsonl", examples)
        counts[name] = len(examples)
    log.info("convert: %s", ", ".join(f"{name} {count}" for name, count in counts.items()))


if __name__ == "__main__":
    typer.run(main)
