"""One more round: plan by the errors that are left, write samples, see whether dev is better.

    make round                        # one
    python -m src.commands.rounds --most 3     # until dev stops improving, three at most

Each round runs the pipeline up to the balanced set (`dvc repro balance`), trains on it with each
weight of a sample that `choose` tries, and writes data/rounds/<number>.json, from which
the next plan goes on (`plan.policy: error_driven`) and the dataset card tells what changed. A round
is kept if its gain on dev is above 0 with its whole interval. After one that is not, the next takes a
larger step from the last kept one; more of them in a row than `plan.patience` end the rounds: what
they added is left out again, and nothing more is asked until new real rows come. Then run `dvc
repro` for the verdict on test.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from src.cli import command
from src.config.arms import Arm
from src.config.params import Params, load_params
from src.data.schema import load_splits
from src.errors import UserError
from src.evaluation.scoring import score, tail_classes
from src.evaluation.significance import Bootstrap, Interval, bootstrap
from src.experimental.rounds import Round, Score, has_stopped, last_kept, read_rounds, write_round
from src.files import Record, read_jsonl
from src.paths import ACCEPTED, BALANCED, REJECTED, ROUNDS
from src.reporting.report import signed
from src.stages.rows import dev_predictions, train_rows, with_plain_text
from src.training.balance import used_samples
from src.training.methods import Choice

log = logging.getLogger(__name__)

ARM: Arm = "chosen"
NO_SAMPLES: Arm = "class_weight"
NOT_NEEDED = "not needed"


@command
def main(
    most: Annotated[int, typer.Option(help="rounds at most", min=1)] = 1,
    repro: Annotated[bool, typer.Option(help="run `dvc repro balance` first")] = True,
    rounds: Annotated[Path, typer.Option(help="folder of the rounds")] = ROUNDS,
    train: Annotated[Path, typer.Option(help="the balanced train set, with origin")] = BALANCED,
    accepted: Annotated[Path, typer.Option(help="samples that the gate accepted")] = ACCEPTED,
    rejected: Annotated[Path, typer.Option(help="those that it dropped")] = REJECTED,
) -> None:
    """Run rounds and print a table of all."""
    params = load_params()
    for _ in range(most):
        before = read_rounds(rounds)
        # Without an earlier round nothing is looked at: the rows may not have been made yet.
        if before and _stopped(before, params):
            log.info(
                "round %d was no better on dev and no real rows have come since: nothing to do",
                before[-1].number,
            )
            break
        if repro and subprocess.run([sys.executable, "-m", "dvc", "repro", "balance"]).returncode:
            raise UserError("`dvc repro balance` failed, see above; mend it and run again")
        one = play(before, train, read_jsonl(accepted), read_jsonl(rejected), params)
        log.info("round %d: %s", one.number, write_round(rounds, one))
        if _stopped([*before, one], params):
            log.info("dev has stopped improving; `dvc repro` makes the set of the last kept round")
            break
    typer.echo(table(read_rounds(rounds)))


def _stopped(rounds: list[Round], params: Params) -> bool:
    return has_stopped(rounds, _by_class(load_splits(params.data).train), params.plan.patience)


def play(
    before: list[Round],
    train: Path,
    accepted: list[Record],
    rejected: list[Record],
    params: Params,
) -> Round:
    """Score the set as it is now on dev, against the last kept round.

    Args:
        before: earlier rounds.
        train: the balanced train set.
        accepted: samples that passed the gate (id, label).
        rejected: those that did not (id, reason).
        params: all settings.
    """
    splits = load_splits(params.data)
    dev = with_plain_text(splits.dev, params.data)
    real, samples = train_rows(train, params.data)
    last = last_kept(before)
    said = _best_on_dev(real, samples, dev, params)
    if last is None:
        reference = dev_predictions(NO_SAMPLES, real, samples, dev, params)
    else:
        reference = last.said_on(dev["label"].tolist())
    draws = _draws(dev["label"], said, reference, real["label"], params)
    difference = draws.versus(ARM, NO_SAMPLES)["macro_f1"]
    scores = draws.scores(ARM)
    counts, quota = _by_class(splits.train), _by_class(samples)
    places = {name: place for place, name in enumerate(sorted(counts))}
    used = [str(record["id"]) for record in used_samples(accepted, quota)]
    return Round(
        number=len(before) + 1,
        kept=difference.low > 0,
        real=counts,
        samples=quota,
        ids=tuple(used),
        new_real=len(splits.train) - sum(before[-1].real.values()) if before else 0,
        added=len(set(used) - set(last.ids if last else ())),
        retired=_retired(last, used, rejected),
        macro_f1=_score(scores["macro_f1"]),
        tail_recall=_score(scores["tail_recall"]),
        difference=_score(difference),
        predictions=tuple(places[label] for label in said),
    )


def _best_on_dev(
    real: pd.DataFrame, samples: pd.DataFrame, dev: pd.DataFrame, params: Params
) -> list[str]:
    """With all samples, at the best of the weights that `choose` tries."""
    every = int(samples["label"].value_counts().max()) if len(samples) else 0
    tail = tail_classes(real["label"], params.evaluate.tail_max_support)
    tried = [
        dev_predictions(ARM, real, samples, dev, params, Choice(every, True, weight))
        for weight in params.choose.sample_weights
    ]
    return max(tried, key=lambda said: score(dev["label"], said, tail).macro_f1)


def _draws(
    truth: pd.Series, said: list[str], reference: list[str], real: pd.Series, params: Params
) -> Bootstrap:
    return bootstrap(
        truth,
        {ARM: [said], NO_SAMPLES: [reference]},
        tail_classes(real, params.evaluate.tail_max_support),
        resamples=params.evaluate.bootstrap,
        confidence=params.evaluate.confidence,
        seed=params.evaluate.seed,
    )


def _by_class(rows: pd.DataFrame) -> dict[str, int]:
    return {str(label): int(count) for label, count in rows["label"].value_counts().items()}


def _retired(last: Round | None, used: list[str], rejected: list[Record]) -> dict[str, int]:
    """Samples of the last kept round that are gone, by reason."""
    gone = set(last.ids if last else ()) - set(used)
    reasons = {record["id"]: str(record["reason"]) for record in rejected}
    return dict(Counter(reasons.get(one, NOT_NEEDED) for one in sorted(gone)))


def _score(interval: Interval) -> Score:
    return Score(*(round(value, 6) for value in (interval.value, interval.low, interval.high)))


def table(rounds: list[Round]) -> str:
    """The rounds as a Markdown table; scores on dev."""
    head = [
        "round",
        "real rows",
        "samples",
        "new",
        "retired",
        "macro-F1",
        "against the last",
        "kept",
    ]
    rows = [
        [
            str(one.number),
            f"{sum(one.real.values()):,}",
            f"{sum(one.samples.values()):,}",
            f"{one.added:,}",
            f"{sum(one.retired.values()):,}",
            f"{one.macro_f1.value:.4f}",
            signed(one.difference, 4),
            "yes" if one.kept else "no",
        ]
        for one in rounds
    ]
    lines = [head, ["---", *["---:"] * 6, "---"], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    typer.run(main)
