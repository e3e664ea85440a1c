"""Two plans of the same number of samples, compared: does it help to follow the errors?

    python -m benchmarks.policies uniform/train_balanced.csv error_driven/train_balanced.csv

Run where params.yaml and the data of both are. Of each set 80 % of the samples of each class are
drawn with each of five seeds; a class-weighted classifier is trained on them, with the
regularisation that suits each set on dev. Differences are bootstrapped over rows and seeds together.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from sklearn.pipeline import Pipeline

from src.cli import command
from src.config.arms import Arm
from src.config.params import Params, load_params
from src.data.schema import load_splits
from src.evaluation.scoring import tail_classes
from src.evaluation.significance import bootstrap
from src.reporting.report import signed
from src.stages.rows import train_rows, with_plain_text
from src.training.classifier import predict
from src.training.methods import training_frame
from src.training.tuning import fit_arm, tuned

ARM: Arm = "augmented_class_weight"
SEEDS, SHARE = 5, 0.8


@command
def main(
    one: Annotated[Path, typer.Argument(help="balanced set, such as that of the uniform plan")],
    other: Annotated[Path, typer.Argument(help="balanced set, such as the error-driven one")],
) -> None:
    """Print a Markdown table: both sets, and the second against the first."""
    params = load_params()
    splits = load_splits(params.data)
    held_out = {
        name: with_plain_text(frame, params.data)
        for name, frame in (("dev", splits.dev), ("test", splits.test))
    }
    said = {name: _predictions(path, held_out, params) for name, path in (("1", one), ("2", other))}
    tail = tail_classes(splits.train["label"], params.evaluate.tail_max_support)
    lines = [["rows", "metric", str(one), str(other), "difference"], ["---", "---", *["---:"] * 3]]
    for split, frame in held_out.items():
        draws = bootstrap(
            frame["label"],
            {name: predictions[split] for name, predictions in said.items()},
            tail,
            resamples=params.evaluate.bootstrap,
            confidence=params.evaluate.confidence,
            seed=params.evaluate.seed,
        )
        first, second = draws.scores("1"), draws.scores("2")
        for metric in ("macro_f1", "tail_recall"):
            change = draws.versus("2", "1")[metric]
            cells = [
                f"{first[metric].value:.4f}",
                f"{second[metric].value:.4f}",
                signed(change, 4),
            ]
            lines.append([split, metric, *cells])
    typer.echo("\n".join(f"| {' | '.join(line)} |" for line in lines))


def _predictions(
    path: Path, held_out: dict[str, pd.DataFrame], params: Params
) -> dict[str, list[list[str]]]:
    """Of each split one list of predictions a seed."""
    real, samples = train_rows(path, params.data)
    tail = tail_classes(real["label"], params.evaluate.tail_max_support)
    said: dict[str, list[list[str]]] = {name: [] for name in held_out}
    model: Pipeline | None = None
    for seed in range(SEEDS):
        drawn = samples.groupby("label").sample(frac=SHARE, random_state=seed)
        data = training_frame(ARM, real, drawn, pd.DataFrame(), seed)
        model = (
            fit_arm(params.baseline, data, model["classifier"].C, seed)
            if model is not None
            else tuned(params.baseline, data, held_out["dev"], tail)
        )
        for name, frame in held_out.items():
            said[name].append(predict(model, frame["text"].tolist()).tolist())
    return said


if __name__ == "__main__":
    typer.run(main)
