"""Stage choose: how many samples a class gets, and how much one counts, tried on dev.

python -m src.stages.choose
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from src.cli import command
from src.config.params import load_params
from src.data.schema import load_splits
from src.evaluation.scoring import tail_classes
from src.files import write_csv, write_json
from src.paths import BALANCED, METRICS, PLOTS
from src.reporting.tracking import track
from src.stages.rows import train_rows, with_plain_text
from src.training.choose import choose

log = logging.getLogger(__name__)


@command
def main(
    train: Annotated[Path, typer.Option(help="the balanced train set, with origin")] = BALANCED,
    metrics: Annotated[Path, typer.Option(help="folder for choose.json")] = METRICS,
) -> None:
    """Write metrics/choose.json and the learning curve."""
    params = load_params()
    splits = load_splits(params.data)
    real, synthetic = train_rows(train, params.data)
    tail = tail_classes(splits.train["label"], params.evaluate.tail_max_support)
    dev = with_plain_text(splits.dev, params.data)
    chosen = choose(real, synthetic, dev, params.baseline, params.choose, params.evaluate, tail)
    curve = [
        {
            **asdict(one.choice),
            "macro_f1": asdict(one.macro_f1),
            "tail_recall": asdict(one.tail_recall),
        }
        for one in chosen.curve
    ]
    result = {
        "chosen": asdict(chosen.choice) | {"why": chosen.why},
        "recommended": chosen.recommended,
        "curve": curve,
        "per_model": {name: asdict(gain) for name, gain in chosen.per_model.items()},
    }
    write_json(metrics / "choose.json", result)
    write_csv(
        metrics / PLOTS.name / "learning_curve.csv",
        pd.DataFrame(
            [
                {
                    **asdict(one.choice),
                    **{
                        f"{metric}{end}": round(getattr(getattr(one, metric), key), 6)
                        for metric in ("macro_f1", "tail_recall")
                        for end, key in (("", "value"), ("_low", "low"), ("_high", "high"))
                    },
                }
                for one in chosen.curve
            ]
        ),
    )
    log.info(
        "choose: %d samples a class, class weights %s, a sample counts %.2f%s (%s)",
        chosen.choice.samples_per_class,
        "on" if chosen.choice.class_weight else "off",
        chosen.choice.sample_weight,
        " times its label score" if chosen.choice.by_quality else "",
        chosen.why,
    )
    track("choose", metrics=metrics)


if __name__ == "__main__":
    typer.run(main)
