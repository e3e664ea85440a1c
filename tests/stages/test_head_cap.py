"""With `plan.head_cap`, free methods still train on every real row."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from src import paths
from src.commands import ablate
from src.config.load import parsed
from src.config.methods import Method
from src.stages import analyze, balance, choose, evaluate, generate, score, train_baseline
from src.stages import filter as filter_stage
from tests.stages.small_project import WORDS, Model, Project, call, endpoint

CAP = 20  # of the 60, 50 and 40 rows of the large classes
OURS: Method = "augmented_class_weight"
METHODS: tuple[Method, ...] = (
    "original",
    "class_weight",
    "oversample",
    "augmented",
    OURS,
    "chosen",
)


@pytest.fixture(scope="module")
def runs(
    planned: Path, model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[int | None, Path]]:
    """Folders of metrics without and with a head cap, with the same samples."""
    project = Project(shutil.copytree(planned, tmp_path_factory.mktemp("capped") / "project"))
    project.settings(endpoint(model.url))

    def small(values: dict[str, Any]) -> None:
        values["evaluate"] |= {"methods": list(METHODS), "seeds": 1, "bootstrap": 100}
        values["choose"] |= {"samples_per_class": [0, 20], "sample_weights": [1.0], "seeds": 1}

    project.settings(small)
    for split in ("dev", "test"):
        project.frame(split, touching_on_other_classes)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.path)
        patch.setenv("MLFLOW_TRACKING", "off")
        parsed.cache_clear()
        generate.main()
        score.main()
        filter_stage.main()
        yield {cap: after(project, cap) for cap in (None, CAP)}


def touching_on_other_classes(frame: pd.DataFrame) -> pd.DataFrame:
    """Make held-out rows hard: each also has words of the next two classes."""
    labels = list(WORDS)
    texts = [
        "[SEP]".join(
            turn
            for step in range(3)
            for turn in call(labels[(labels.index(label) + step) % len(labels)], f"{row}/{step}")[
                :2
            ]
        )
        for row, label in zip(frame["call_id"], frame["label_raw"], strict=True)
    ]
    return frame.assign(sentence_sep=texts)


def after(project: Project, cap: int | None) -> Path:
    """Run all stages from analyze on; return the folder of metrics and predictions."""
    project.settings(lambda values: values["plan"].update(head_cap=cap))
    parsed.cache_clear()
    analyze.main()
    balance.main()
    choose.main()
    found = metrics("choose")
    found["chosen"] |= {"samples_per_class": 0, "class_weight": False}
    (paths.METRICS / "choose.json").write_text(json.dumps(found), encoding="utf-8")
    for method in METHODS:
        train_baseline.main(method)
    evaluate.main()
    kept = Path(f"cap-{cap}")
    paths.METRICS.rename(kept)
    paths.PREDICTIONS.rename(kept / "predictions")
    for earlier in ("generate", "filter"):
        paths.METRICS.mkdir(exist_ok=True)
        (paths.METRICS / f"{earlier}.json").write_bytes((kept / f"{earlier}.json").read_bytes())
    return project.path / kept


def metrics(stage: str, folder: Path = paths.METRICS) -> dict[str, Any]:
    """Read the metrics file of a stage."""
    found: dict[str, Any] = json.loads((folder / f"{stage}.json").read_text(encoding="utf-8"))
    return found


def test_the_cap_drops_rows(runs: dict[int | None, Path]) -> None:
    """Otherwise the tests below would prove nothing."""
    dropped = {cap: metrics("balance", folder)["dropped"] for cap, folder in runs.items()}
    assert dropped == {None: 0, CAP: 40 + 30 + 20}


def test_choose_compares_with_every_real_row(runs: dict[int | None, Path]) -> None:
    """Dev scores without samples are equal with and without the cap; with samples they differ."""
    whole, capped = (metrics("choose", folder)["curve"] for folder in runs.values())
    assert [point["samples_per_class"] for point in whole[:3]] == [0, 0, 20]
    assert whole[:2] == capped[:2]
    assert whole[2:] != capped[2:]


def test_the_method_chosen_without_samples_is_a_free_one(runs: dict[int | None, Path]) -> None:
    """It predicts like `original`, which has every row."""
    for folder in runs.values():
        predicted = {
            method: (folder / f"predictions/{method}.csv").read_bytes() for method in METHODS
        }
        assert predicted["chosen"] == predicted["original"]
    assert (runs[None] / "predictions/original.csv").read_bytes() == predicted["original"]
    assert (runs[None] / "predictions/augmented.csv").read_bytes() != predicted["augmented"]


def test_the_second_classifier_compares_with_every_real_row(runs: dict[int | None, Path]) -> None:
    """The cap changes the scores of methods with samples, not those of free methods."""
    whole, capped = (metrics("evaluate", folder)["second"]["methods"] for folder in runs.values())
    for method in ("original", "class_weight"):
        assert whole[method] == capped[method]


def test_the_ablation_trains_on_the_rows_that_stay(
    runs: dict[int | None, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """The gate as configured gives the training set of the method, and its dev score."""
    ablate.main()
    line = next(line for line in capsys.readouterr().out.splitlines() if "as configured" in line)
    on_dev = metrics("evaluate", runs[CAP])["dev"][OURS]["macro_f1"]
    assert line.split("|")[4].strip() == f"{on_dev:.4f}"
    assert on_dev != metrics("evaluate", runs[None])["dev"][OURS]["macro_f1"]
