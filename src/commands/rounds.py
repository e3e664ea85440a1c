"""Run one more round: plan samples by the remaining errors, generate them, compare on dev.

    make round                        # one round
    python -m src.commands.rounds --most 3     # until dev stops improving, at most three

Each round runs the pipeline up to the balanced set (`dvc repro balance`), trains on it with each
sample weight that `choose` tries, and writes data/rounds/<number>.json. The next plan builds on
this file (`plan.policy: error_driven`), and the dataset card lists the changes.

A round is kept if the whole interval of its gain on dev is above 0. After a round that is not kept,
the next one takes a larger step from the last kept round. More than `plan.patience` of these in a
row end the rounds: their samples are left out again, and nothing is requested until there are new
real rows. Then run `dvc repro` for the verdict on test.

Experimental: rounds after the first gained nothing beyond noise, and neither did error-driven plans
(docs/benchmarks/where-should-samples-go.md).
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from src.cli import command
from src.config.params import Params, load_params
from src.data.schema import load_splits, with_plain_text
from src.errors import UserError
from src.evaluation.scoring import tail_classes
from src.evaluation.significance import resampling
from src.experimental.play import by_class, play
from src.experimental.rounds import has_stopped, read_rounds, write_round
from src.paths import ACCEPTED, BALANCED, REJECTED, ROUNDS
from src.records.rounds import Round
from src.records.samples import read_screened
from src.reporting.markdown import table
from src.reporting.report import signed
from src.training.rows import read_training_rows

log = logging.getLogger(__name__)

DIGITS = 4
HEADER = (
    "round", "real rows", "samples", "new", "retired", "macro-F1", "vs last kept", "kept",
)  # fmt: skip


@command
def main(
    most: Annotated[int, typer.Option(help="maximum number of rounds", min=1)] = 1,
    repro: Annotated[bool, typer.Option(help="run `dvc repro balance` first")] = True,
    rounds: Annotated[Path, typer.Option(help="folder of the rounds")] = ROUNDS,
    train: Annotated[Path, typer.Option(help="the balanced train set, with origin")] = BALANCED,
    accepted: Annotated[Path, typer.Option(help="samples that the gate accepted")] = ACCEPTED,
    rejected: Annotated[Path, typer.Option(help="samples that the gate rejected")] = REJECTED,
) -> None:
    """Run rounds and print a table of all rounds."""
    params = load_params()
    for _ in range(most):
        before = read_rounds(rounds)
        # Before the first round the rows may not exist yet, so nothing is checked.
        if before and _stopped(before, params):
            log.info(
                "round %d was no better on dev and there are no new real rows: nothing to do",
                before[-1].number,
            )
            break
        if repro and subprocess.run([sys.executable, "-m", "dvc", "repro", "balance"]).returncode:
            raise UserError("`dvc repro balance` failed; fix the error above and run again")
        splits = load_splits(params.data)
        one = play(
            before,
            read_training_rows(splits.train, train, params.data),
            with_plain_text(splits.dev, params.data),
            read_screened(accepted),
            read_screened(rejected),
            params.choose.sample_weights,
            params.baseline,
            resampling(params.evaluate),
            tail_classes(splits.train["label"], params.evaluate.tail_max_support),
        )
        log.info("round %d: %s", one.number, write_round(rounds, one))
        if _stopped([*before, one], params):
            log.info("dev stopped improving; `dvc repro` restores the set of the last kept round")
            break
    typer.echo(render(read_rounds(rounds)))


def _stopped(rounds: Sequence[Round], params: Params) -> bool:
    return has_stopped(rounds, by_class(load_splits(params.data).train), params.plan.patience)


def render(rounds: Sequence[Round]) -> str:
    """Return the rounds as a Markdown table; scores are on dev."""
    return table(
        HEADER,
        [
            [
                str(one.number),
                f"{sum(one.real.values()):,}",
                f"{sum(one.samples.values()):,}",
                f"{one.added:,}",
                f"{sum(one.retired.values()):,}",
                f"{one.macro_f1.value:.{DIGITS}f}",
                signed(one.difference, DIGITS),
                "yes" if one.kept else "no",
            ]
            for one in rounds
        ],
    )


if __name__ == "__main__":
    typer.run(main)
