"""What MLflow keeps of each stage, read from the files that the stage wrote.

A stage that ends (`tracking.track`) and one that DVC took from its cache without starting it
(`src.commands.sync`) are described by the same functions, so that their runs are equal.

    describe("train-baseline@augmented", settings(params)).metrics["test/macro_f1"]
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from src.config.arms import FREE_ARMS, Arm
from src.config.data import DataParams
from src.files import Record, read_json
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

TRAINING, EVALUATION = "training", "evaluation"  # contexts of a dataset
SCORES = ("macro_f1", "tail_recall", "accuracy")  # that the run of the pipeline shows
ARM_STAGE = "train-baseline"

Settings = Mapping[str, Any]  # params.yaml as `stages.common.settings` gives it


@dataclass(frozen=True)
class Files:
    """Where the stages wrote; the defaults are those of the pipeline."""

    metrics: Path = METRICS
    train: Path = BALANCED
    candidates: Path = CANDIDATES
    predictions: Path = PREDICTIONS
    models: Path = MODELS
    queue: Path = REVIEW_QUEUE
    reports: Path = REPORTS


@dataclass(frozen=True)
class StageRun:
    """What is kept of one stage.

    Attributes:
        stage: its name as DVC says it, such as train-baseline@augmented.
        params: the settings to show, nested as in params.yaml.
        metrics: numbers, by name.
        headline: the numbers that the run of the whole pipeline shows; all metrics if None.
        curves: metric -> step -> value.
        artifacts: files and folders.
        datasets: file -> what its rows were for.
        model: a file that `training.model_file` wrote.
        tags: by name.
    """

    stage: str
    params: Settings = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    headline: Mapping[str, float] | None = None
    curves: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    artifacts: tuple[Path, ...] = ()
    datasets: Mapping[Path, str] = field(default_factory=dict)
    model: Path | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def digest(self) -> str:
        """The same for two runs with equal settings, numbers, rows and model."""
        files = [*self.datasets, *([self.model] if self.model else [])]
        parts = (self.stage, self.params, self.metrics, self.curves, [md5(path) for path in files])
        text = json.dumps(parts, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


def md5(path: Path) -> str:
    """The digest of a file that dvc.lock shows."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def stages(arms: Iterable[str]) -> list[str]:
    """Names of the stages that are kept, in the order of the pipeline."""
    trained = [f"{ARM_STAGE}@{arm}" for arm in arms]
    return ["generate", "filter", "balance", "choose", *trained, "evaluate"]


def describe(stage: str, settings: Settings, files: Files | None = None) -> StageRun:
    """What is kept of a stage.

    Args:
        stage: its name as DVC says it.
        settings: all of params.yaml.
        files: where the stages wrote.

    Raises:
        UserError: a file is missing or broken.
    """
    name, _, arm = stage.partition("@")
    return DESCRIBE[name](settings, files or Files(), arm)


def _generate(settings: Settings, files: Files, _: str) -> StageRun:
    numbers = flat_numbers(read_json(files.metrics / "generate.json"))
    return StageRun(
        "generate",
        _only(settings, "llm", "generate", "plan"),
        numbers,
        headline=_without(numbers, "per_class."),
    )


def _filter(settings: Settings, files: Files, _: str) -> StageRun:
    numbers = _without(flat_numbers(read_json(files.metrics / "filter.json")), "bias.")
    return StageRun(
        "filter",
        _only(settings, "filter"),
        numbers,
        headline=_without(numbers, "per_class."),
        artifacts=(files.queue,),
    )


def _balance(settings: Settings, files: Files, _: str) -> StageRun:
    found = read_json(files.metrics / "balance.json")
    tables = ("per_class", "strategies", "before", "achieved")
    numbers = flat_numbers({key: value for key, value in found.items() if key not in tables})
    return StageRun("balance", _only(settings, "plan"), numbers, datasets={files.train: TRAINING})


def _choose(settings: Settings, files: Files, _: str) -> StageRun:
    found = read_json(files.metrics / "choose.json")
    numbers = {**flat_numbers(found["chosen"]), "recommended": float(found["recommended"])}
    return StageRun(
        "choose", _only(settings, "baseline", "evaluate"), numbers, curves=_curves(found["curve"])
    )


def _curves(tried: Iterable[Record]) -> dict[str, dict[int, float]]:
    """By samples a class, with and without class weights, of samples that count as a real row."""
    curves: dict[str, dict[int, float]] = {}
    for one in tried:
        if one["sample_weight"] == 1 and not one["by_quality"]:
            series = "class_weight" if one["class_weight"] else "no_class_weight"
            for metric in ("macro_f1", "tail_recall"):
                curve = curves.setdefault(f"learning_curve/{metric}/{series}", {})
                curve[one["samples_per_class"]] = one[metric]["value"]
    return curves


def _train(settings: Settings, files: Files, arm: Arm) -> StageRun:
    """An arm, with the same names in all of them; scores are the mean over its seeds."""
    from src.training.model_file import read_model

    model = files.models / f"{arm}.skops"
    data = DataParams.model_validate(settings["data"])
    path = files.predictions / f"{arm}.csv"
    seeds, scores = _scores(path, data, settings["evaluate"]["tail_max_support"])
    return StageRun(
        f"{ARM_STAGE}@{arm}",
        _only(settings, "baseline", "evaluate"),
        {**scores, "seeds": seeds, "c": read_model(model)["classifier"].C},
        headline={name: scores[name] for name in ("test/macro_f1", "test/tail_recall")},
        datasets=dict.fromkeys(_learned_from(arm, settings, data, files), TRAINING),
        model=model,
        tags={"arm": arm, "model_md5": md5(model)},
    )


def _learned_from(arm: Arm, settings: Settings, data: DataParams, files: Files) -> list[Path]:
    """The real rows are those of the user's file, unless the plan drops some of them."""
    real = files.train if settings["plan"].get("head_cap") is not None else data.train
    if arm in FREE_ARMS:
        return [real]
    return [real, files.candidates] if arm == "unfiltered" else [files.train]


def _scores(path: Path, data: DataParams, tail_max_support: int) -> tuple[int, dict[str, float]]:
    """How many seeds there are, and `dev/macro_f1` and the like."""
    import pandas as pd

    from src.data.schema import load_splits
    from src.evaluation.scoring import score, tail_classes

    splits = load_splits(data)
    tail = tail_classes(splits.train["label"], tail_max_support)
    said = pd.read_csv(path, dtype=str, keep_default_na=False)
    seeds = [column for column in said.columns if column.startswith("seed_")]
    found: dict[str, float] = {}
    for split, rows in (("dev", splits.dev), ("test", splits.test)):
        mine = said[said["split"] == split]
        each = [asdict(score(rows["label"], mine[seed].tolist(), tail)) for seed in seeds]
        mean = pd.DataFrame(each).mean().round(6)
        found |= {f"{split}/{name}": float(value) for name, value in mean.items()}
    return len(seeds), found


def _evaluate(settings: Settings, files: Files, _: str) -> StageRun:
    found = read_json(files.metrics / "evaluate.json")
    rounds = found.pop("rounds", {})
    numbers = _without(flat_numbers(found), "per_class.") | {
        f"recall.{label}": row["recall_after"] for label, row in found["per_class"].items()
    }
    ours, versus = (found[key][found["ours"]] for key in ("arms", "versus_best_free"))
    return StageRun(
        "evaluate",
        _only(settings, "evaluate", "baseline"),
        numbers,
        headline={
            **{name: ours[name]["value"] for name in SCORES},
            **{f"versus_best_free/{name}": versus[name]["value"] for name in SCORES},
        },
        curves={
            f"rounds/{name}": {int(number): one[name]["value"] for number, one in rounds.items()}
            for name in ("macro_f1", "tail_recall")
            if rounds
        },
        artifacts=(files.reports, files.metrics / PLOTS.name),
        datasets={Path(settings["data"]["test"]): EVALUATION},
        tags={"ours": found["ours"], "best_free": found["best_free"]},
    )


def flat_numbers(value: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers of a nested metrics file, keys joined by dots."""
    numbers: dict[str, float] = {}
    for key, item in value.items():
        name = f"{prefix}{key}"
        if isinstance(item, Mapping):
            numbers.update(flat_numbers(item, f"{name}."))
        elif isinstance(item, int | float):
            numbers[name] = float(item)
    return numbers


def _only(settings: Settings, *sections: str) -> dict[str, Any]:
    return {section: settings[section] for section in sections}


def _without(numbers: Mapping[str, float], start: str) -> dict[str, float]:
    return {name: value for name, value in numbers.items() if not name.startswith(start)}


DESCRIBE: Mapping[str, Callable[[Settings, Files, Any], StageRun]] = {
    "generate": _generate,
    "filter": _filter,
    "balance": _balance,
    "choose": _choose,
    ARM_STAGE: _train,
    "evaluate": _evaluate,
}
