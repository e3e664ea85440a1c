"""What MLflow records of each stage, read from the files that the stage wrote.

A stage that has just run (`tracking.track`) and a stage that DVC restored from its cache
(`src.commands.sync`) are described by the same functions, so that their MLflow runs are equal.

    describe("train-baseline@augmented", load_params()).metrics["test/macro_f1"]
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from src.config.data import DataParams
from src.config.methods import Method
from src.config.params import Params
from src.data.schema import load_splits
from src.evaluation.predictions import read_predictions
from src.evaluation.scoring import score, tail_classes
from src.paths import (
    BALANCED,
    CANDIDATES,
    METRICS,
    MODELS,
    PLOTS,
    PREDICTIONS,
    REPORTS,
    REVIEW_QUEUE,
)
from src.records.json_files import fields_of, read_record
from src.records.metrics.balance import BalanceMetrics
from src.records.metrics.choose import ChooseMetrics, Tried
from src.records.metrics.evaluate import EvaluateMetrics
from src.records.metrics.filter import FilterMetrics
from src.records.metrics.generate import GenerateMetrics
from src.reporting.report import REPORT, interval_of

TRAINING, EVALUATION = "training", "evaluation"  # contexts of a dataset
SCORES = ("macro_f1", "tail_recall", "accuracy")  # shown on the pipeline run
METHOD_STAGE = "train-baseline"


@dataclass(frozen=True)
class Files:
    """Where the stages wrote their files; the defaults are those of the pipeline."""

    metrics: Path = METRICS
    train: Path = BALANCED
    candidates: Path = CANDIDATES
    predictions: Path = PREDICTIONS
    models: Path = MODELS
    queue: Path = REVIEW_QUEUE
    reports: Path = REPORTS


@dataclass(frozen=True)
class StageRun:
    """What is recorded of one stage.

    Attributes:
        stage: its name in DVC, such as train-baseline@augmented.
        params: the settings to show, nested as in params.yaml.
        metrics: name -> number.
        headline: the metrics shown on the pipeline run; all metrics if None.
        curves: metric -> step -> value.
        artifacts: files and folders.
        datasets: file -> what its rows were used for (TRAINING or EVALUATION).
        model: a file that `training.model_file.write_model` wrote.
        tags: name -> text.
    """

    stage: str
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    headline: Mapping[str, float] | None = None
    curves: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    artifacts: tuple[Path, ...] = ()
    datasets: Mapping[Path, str] = field(default_factory=dict)
    model: Path | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def digest(self) -> str:
        """Return a hash that is the same for equal settings, numbers, tags, rows and model."""
        files = [*self.datasets, *([self.model] if self.model else [])]
        numbers = (self.metrics, self.curves, self.tags)
        parts = (self.stage, self.params, *numbers, [md5(path) for path in files])
        text = json.dumps(parts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def md5(path: Path) -> str:
    """Return the MD5 of a file, as in dvc.lock."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def stages(methods: Iterable[str]) -> list[str]:
    """Return the names of the recorded stages, in the order of the pipeline."""
    trained = [f"{METHOD_STAGE}@{method}" for method in methods]
    return ["generate", "filter", "balance", "choose", *trained, "evaluate", "report"]


def describe(stage: str, params: Params, files: Files | None = None) -> StageRun:
    """Return what is recorded of a stage.

    Args:
        stage: its name in DVC.
        params: all settings.
        files: where the stages wrote.

    Raises:
        UserError: a file is missing or broken.
    """
    name, _, method = stage.partition("@")
    found = files or Files()
    if name == METHOD_STAGE:
        return _train(params, found, cast("Method", method))
    return DESCRIBE[name](params, found)


def _generate(params: Params, files: Files) -> StageRun:
    found = read_record(files.metrics / "generate.json", GenerateMetrics)
    numbers = flat_numbers(fields_of(found))
    return StageRun(
        "generate",
        _only(params, "llm", "generate", "plan"),
        numbers,
        headline=_without(numbers, "per_class."),
    )


def _filter(params: Params, files: Files) -> StageRun:
    found = read_record(files.metrics / "filter.json", FilterMetrics)
    numbers = _without(flat_numbers(fields_of(found)), "bias.")
    return StageRun(
        "filter",
        _only(params, "filter"),
        numbers,
        headline=_without(numbers, "per_class."),
        artifacts=(files.queue,),
    )


def _balance(params: Params, files: Files) -> StageRun:
    found = read_record(files.metrics / "balance.json", BalanceMetrics)
    tables = ("per_class.", "strategies.", "before.", "achieved.")
    numbers = _without(flat_numbers(fields_of(found)), *tables)
    return StageRun("balance", _only(params, "plan"), numbers, datasets={files.train: TRAINING})


def _choose(params: Params, files: Files) -> StageRun:
    found = read_record(files.metrics / "choose.json", ChooseMetrics)
    numbers = flat_numbers(fields_of(found.chosen)) | {"recommended": float(found.recommended)}
    return StageRun(
        "choose",
        _only(params, "baseline", "choose", "evaluate"),
        numbers,
        curves=_curves(found.curve),
    )


def _curves(tried: Iterable[Tried]) -> dict[str, dict[int, float]]:
    """Return scores by samples per class, with and without class weights, at sample weight 1."""
    curves: dict[str, dict[int, float]] = {}
    for one in tried:
        if one.is_plain:
            series = "class_weight" if one.class_weight else "no_class_weight"
            for metric, span in (("macro_f1", one.macro_f1), ("tail_recall", one.tail_recall)):
                curve = curves.setdefault(f"learning_curve/{metric}/{series}", {})
                curve[one.samples_per_class] = span.value
    return curves


def _train(params: Params, files: Files, method: Method) -> StageRun:
    """Describe one method, with the same metric names for all; scores are means over its seeds."""
    from src.training.model_file import read_model

    model = files.models / f"{method}.skops"
    seeds, scores = _scores(
        method, files.predictions, params.data, params.evaluate.tail_max_support
    )
    return StageRun(
        f"{METHOD_STAGE}@{method}",
        _only(params, "baseline", "evaluate"),
        {**scores, "seeds": seeds, "c": read_model(model)["classifier"].C},
        headline={name: scores[name] for name in ("test/macro_f1", "test/tail_recall")},
        datasets=dict.fromkeys(_learned_from(method, params, files), TRAINING),
        model=model,
        tags={"method": method, "model_md5": md5(model)},
    )


def _learned_from(method: Method, params: Params, files: Files) -> list[Path]:
    """Return the files a method trains on.

    Methods without samples use every real row; the others use those that `plan.head_cap` keeps.
    """
    from src.training.rows import has_every_row

    choice = None
    if method == "chosen":
        choice = read_record(files.metrics / "choose.json", ChooseMetrics).chosen
    if has_every_row(method, choice):
        return [params.data.train]
    if method == "unfiltered":
        real = params.data.train if params.plan.head_cap is None else files.train
        return [real, files.candidates]
    return [files.train]


def _scores(
    method: Method, predictions: Path, data: DataParams, tail_max_support: int
) -> tuple[int, dict[str, float]]:
    """Return the number of seeds, and the scores by name, such as `dev/macro_f1`."""
    import pandas as pd

    splits = load_splits(data)
    tail = tail_classes(splits.train["label"], tail_max_support)
    on_dev = read_predictions(predictions, "dev", splits.dev, [method])[method]
    on_test = read_predictions(predictions, "test", splits.test, [method])[method]
    found: dict[str, float] = {}
    for split, rows, seeds in (("dev", splits.dev, on_dev), ("test", splits.test, on_test)):
        each = [asdict(score(rows["label"], predicted, tail)) for predicted in seeds]
        mean = pd.DataFrame(each).mean().round(6)
        found |= {f"{split}/{name}": float(value) for name, value in mean.items()}
    return len(on_test), found


def _evaluate(params: Params, files: Files) -> StageRun:
    found = read_record(files.metrics / "evaluate.json", EvaluateMetrics)
    numbers = _without(flat_numbers(fields_of(found)), "per_class.", "rounds.") | {
        f"recall.{label}": row.recall_after for label, row in found.per_class.items()
    }
    ours, versus = found.methods[found.ours], found.versus_best_free[found.ours]
    rounds = {int(number): one for number, one in (found.rounds or {}).items()}
    curves = {
        "rounds/macro_f1": {number: one.macro_f1.value for number, one in rounds.items()},
        "rounds/tail_recall": {number: one.tail_recall.value for number, one in rounds.items()},
    }
    return StageRun(
        "evaluate",
        _only(params, "evaluate", "baseline"),
        numbers,
        headline={
            **{name: interval_of(ours, name).value for name in SCORES},
            **{f"versus_best_free/{name}": interval_of(versus, name).value for name in SCORES},
        },
        curves=curves if rounds else {},
        artifacts=(files.metrics / PLOTS.name,),
        datasets={params.data.test: EVALUATION},
        tags={"ours": found.ours, "best_free": found.best_free},
    )


def _report(params: Params, files: Files) -> StageRun:
    return StageRun(
        "report",
        _only(params, "report"),
        artifacts=(files.reports,),
        tags={"report_md5": md5(files.reports / REPORT.name)},
    )


def flat_numbers(value: Mapping[str, JsonValue], prefix: str = "") -> dict[str, float]:
    """Return the numbers of a nested metrics file, with keys joined by dots."""
    numbers: dict[str, float] = {}
    for key, item in value.items():
        name = f"{prefix}{key}"
        if isinstance(item, Mapping):
            numbers.update(flat_numbers(item, f"{name}."))
        elif isinstance(item, int | float):
            numbers[name] = float(item)
    return numbers


def _only(params: Params, *sections: str) -> dict[str, JsonValue]:
    return params.model_dump(mode="json", include=set(sections))


def _without(numbers: Mapping[str, float], *starts: str) -> dict[str, float]:
    return {name: value for name, value in numbers.items() if not name.startswith(starts)}


DESCRIBE: Mapping[str, Callable[[Params, Files], StageRun]] = {
    "generate": _generate,
    "filter": _filter,
    "balance": _balance,
    "choose": _choose,
    "evaluate": _evaluate,
    "report": _report,
}
