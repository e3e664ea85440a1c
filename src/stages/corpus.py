"""Stage corpus: compose the stand-in for CMCC-34 from the scenario bank.

python -m src.stages.corpus
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from src.cli import stage
from src.config.corpus import CorpusParams
from src.config.load import load
from src.paths import STANDIN
from src.standin.corpus import compose_corpus
from src.standin.scenarios import BANK, CLASSES, load_bank

log = logging.getLogger(__name__)


@stage
def main(
    bank: Annotated[Path, typer.Option(help="folder of scenario files")] = BANK,
    classes: Annotated[Path, typer.Option(help="class ids, names and published counts")] = CLASSES,
    out: Annotated[Path, typer.Option(help="folder for train, dev and test")] = STANDIN,
) -> None:
    """Write train.csv, dev.csv and test.csv."""
    corpus = compose_corpus(load_bank(bank), pd.read_csv(classes), load(CorpusParams))
    out.mkdir(parents=True, exist_ok=True)
    for split, frame in corpus.items():
        frame.to_csv(out / f"{split}.csv", index=False, lineterminator="\n")
    log.info("corpus: %s", ", ".join(f"{split} {len(frame)}" for split, frame in corpus.items()))


if __name__ == "__main__":
    typer.run(main)
