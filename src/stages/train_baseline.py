"""Stage train-baseline: the classifier of one arm; all arms have the same settings.

python -m src.stages.train_baseline --arm augmented
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from joblib import Parallel, delayed
from sklearn.pipeline import Pipeline

from src.cli import command
from src.config.arms import FREE_ARMS, Arm
from src.config.params import load_params
from src.data.schema import load_splits
from src.evaluation.scoring import score, tail_classes
from src.files import read_jsonl, write_csv
from src.paths import BALANCED, CANDIDATES, METRICS, MODELS, PREDICTIONS
from src.reporting.tracking import track
from src.stages.rows import read_choice, train_rows, with_plain_text
from src.training.classifier import adjusted, predict, save
from src.training.methods import ArmData, draws_something, training_frame
from src.training.tuning import fit_arm, tuned

log = logging.getLogger(__name__)

WORKERS = 2  # seeds at once
STRENGTHS = (0.02, 0.05, 0.1, 0.2, 0.4)  # of logit adjustment; the best on dev is taken


@command
def main(
    arm: Annotated[Arm, typer.Option(help="which arm to train")],
    train: Annotated[Path, typer.Option(help="the balanced train set, with origin")] = BALANCED,
    candidates: Annotated[Path, typer.Option(help="all samples, for unfiltered")] = CANDIDATES,
    metrics: Annotated[Path, typer.Option(help="folder of choose.json, for chosen")] = METRICS,
    predictions: Annotated[Path, typer.Option(help="folder for dev and test")] = PREDICTIONS,
    out: Annotated[Path, typer.Option(help="folder for the model")] = MODELS,
) -> None:
    """Write models/<arm>.skops, of the first seed, and the predictions of all seeds."""
    params = load_params()
    splits = load_splits(params.data)
    real, synthetic = train_rows(train, params.data)
    unfiltered = with_plain_text(pd.DataFrame(read_jsonl(candidates)), params.data)
    dev, test = (with_plain_text(frame, params.data) for frame in (splits.dev, splits.test))
    choice = read_choice(metrics) if arm == "chosen" else None
    if arm in FREE_ARMS:  # they have every real row, whatever plan.head_cap leaves of them
        real = with_plain_text(splits.train, params.data)
    tail = tail_classes(splits.train["label"], params.evaluate.tail_max_support)
    held_out = pd.concat([dev.assign(split="dev"), test.assign(split="test")], ignore_index=True)
    said = held_out[["split", "row_id"]]
    seeds = params.evaluate.seeds if draws_something(arm, synthetic, choice) else 1

    def rows(seed: int) -> ArmData:
        return training_frame(arm, real, synthetic, unfiltered, seed, choice)

    first = rows(0)
    best = tuned(params.baseline, first, dev, tail)
    c = best["classifier"].C
    if arm == "logit_adjustment":
        best = _adjusted(best, first, dev, tail)
    # Processes: liblinear's random numbers are one stream for all threads of a process.
    others = Parallel(n_jobs=min(WORKERS, seeds))(
        delayed(fit_arm)(params.baseline, rows(seed), c, seed) for seed in range(1, seeds)
    )
    for seed, model in enumerate((best, *others)):
        said = said.assign(**{f"seed_{seed}": predict(model, held_out["text"].tolist())})
    save(best, out / f"{arm}.skops")
    log.info("train-baseline: %s on %d rows, %d seeds, c %g", arm, len(first.frame), seeds, c)
    write_csv(predictions / f"{arm}.csv", said)
    track(
        f"train-baseline@{arm}",
        train=train,
        candidates=candidates,
        predictions=predictions,
        models=out,
    )


def _adjusted(model: Pipeline, data: ArmData, dev: pd.DataFrame, tail: frozenset[str]) -> Pipeline:
    """With the strength that is best on dev."""
    labels, texts = data.frame["label"].tolist(), dev["text"].tolist()
    tried = [adjusted(model, labels, strength) for strength in STRENGTHS]
    return max(tried, key=lambda one: score(dev["label"], predict(one, texts), tail).macro_f1)


if __name__ == "__main__":
    typer.run(main)
