"""Stage convert: write the balanced train set, dev and test as chat fine-tuning files.

python -m src.stages.convert
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from src.cli import stage
from src.config.convert import ConvertParams
from src.config.data import DataParams
from src.config.load import load
from src.data.chat import chat_examples
from src.data.schema import read_labels, read_split
from src.files import write_jsonl
from src.paths import BALANCED, CHAT
from src.records.json_files import fields_of

log = logging.getLogger(__name__)


@stage
def main(
    train: Annotated[Path, typer.Option(help="the balanced train set")] = BALANCED,
    out: Annotated[Path, typer.Option(help="folder for train, dev and test")] = CHAT,
) -> None:
    """Write train.jsonl, dev.jsonl and test.jsonl; dev and test hold real rows only."""
    data = load(DataParams)
    prompt = load(ConvertParams).system_prompt
    labels = read_labels(data.labels)
    counts = {}
    for name, path in (("train", train), ("dev", data.dev), ("test", data.test)):
        examples = chat_examples(read_split(path, data, labels), prompt, data)
        write_jsonl(out / f"{name}.jsonl", map(fields_of, examples))
        counts[name] = len(examples)
    log.info("convert: %s", ", ".join(f"{name} {count}" for name, count in counts.items()))


if __name__ == "__main__":
    typer.run(main)
