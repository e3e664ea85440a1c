"""Stages without DVC: each reads and writes the given paths."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest

from src import paths
from src.config.methods import Method
from src.records.samples import read_screened
from src.stages import (
    analyze,
    balance,
    choose,
    convert,
    corpus,
    evaluate,
    generate,
    report,
    score,
    train_baseline,
)
from src.stages import filter as filter_stage
from tests.stages.small_project import WORDS, Model, Project, call, endpoint


@pytest.fixture
def here(project: Project, model: Model, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project after analyze as the working directory; nothing is logged to MLflow."""
    project.settings(endpoint(model.url))
    monkeypatch.chdir(project.path)
    monkeypatch.setenv("MLFLOW_TRACKING", "off")
    return project.path


def records(path: Path) -> list[dict[str, object]]:
    """The objects of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_stages_run_one_after_the_other(here: Path):
    """From analyze to report, with defaults; a second run gives the same files."""
    plan = paths.PLAN.read_bytes()
    analyze.main()
    assert paths.PLAN.read_bytes() == plan
    generate.main()
    first = paths.CANDIDATES.read_bytes()
    score.main()
    filter_stage.main()
    balance.main()
    convert.main()
    choose.main()
    for method in get_args(Method):
        train_baseline.main(method)
    evaluate.main()
    report.main()
    assert (here / "reports/report.md").is_file()
    generate.main()
    assert paths.CANDIDATES.read_bytes() == first
    merged = pd.read_csv(paths.BALANCED)
    assert set(merged.loc[merged["origin"] == "synthetic", "region"].isna()) == {True}
    assert len(records(paths.CHAT / "train.jsonl")) == len(merged)


def test_random_methods_are_trained_with_every_seed(here: Path):
    """One column of predictions per seed; deterministic methods have one column."""
    generate.main()
    score.main()
    filter_stage.main()
    balance.main()
    held_out = len(pd.read_csv(here / "data/dev.csv")) + len(pd.read_csv(here / "data/test.csv"))
    methods: dict[Method, list[str]] = {
        "original": ["seed_0"],
        "logit_adjustment": ["seed_0"],
        "smote": ["seed_0", "seed_1"],
    }
    for method, seeds in methods.items():
        train_baseline.main(method)
        predicted = pd.read_csv(paths.PREDICTIONS / f"{method}.csv", dtype=str)
        assert predicted.columns.tolist() == ["split", "row_id", *seeds]
        assert len(predicted) == held_out
        assert set(predicted[seeds].to_numpy().ravel()) <= set(WORDS)


def test_the_chosen_method_trains_on_what_choose_found(here: Path):
    """With no samples it predicts like `original`, with all samples like `augmented`."""
    generate.main()
    score.main()
    filter_stage.main()
    balance.main()
    choose.main()
    found = json.loads((paths.METRICS / "choose.json").read_text(encoding="utf-8"))
    tried = [point["samples_per_class"] for point in found["curve"]]
    assert (tried[:2], set(tried)) == ([0, 0], {0, 5, 20})
    curve = pd.read_csv(paths.PLOTS / "learning_curve.csv")
    assert curve["samples_per_class"].tolist() == tried
    expected = [point["macro_f1"]["value"] for point in found["curve"]]
    assert curve["macro_f1"].tolist() == pytest.approx(expected, abs=1e-6)
    for samples, like in ((0, "original"), (20, "augmented")):
        chosen = {
            "samples_per_class": samples,
            "class_weight": False,
            "sample_weight": 1.0,
            "by_quality": False,
        }
        changed = json.dumps(found | {"chosen": found["chosen"] | chosen})
        (here / "choose.json").write_text(changed, encoding="utf-8")
        train_baseline.main("chosen", metrics=here)
        train_baseline.main(like)
        predicted, other = (
            (paths.PREDICTIONS / f"{method}.csv").read_bytes() for method in ("chosen", like)
        )
        assert predicted == other


def test_samples_from_elsewhere_are_filtered(here: Path):
    """A file with id, label and text is enough; results go to the given paths."""
    samples = [
        {"id": f"mine-{n}", "label": label, "text": "[SEP]".join(call(label, f"mine/{n}"))}
        for label in WORDS
        for n in range(3)
    ]
    copied = {"id": "copied", "label": "开发票", "text": "[SEP]".join(call("开发票", "test/0"))}
    mine = here / "mine.jsonl"
    lines = [json.dumps(sample, ensure_ascii=False) for sample in [*samples, copied]]
    mine.write_text("\n".join(lines), encoding="utf-8")
    out = here / "out"
    score.main(mine, scores=out / "scores.csv", doubtful=out / "suspects.csv")
    filter_stage.main(
        mine,
        out / "scores.csv",
        accepted=out / "good.jsonl",
        rejected=out / "bad.jsonl",
        queue=out / "queue.csv",
        metrics=out,
    )
    assert [one.id for one in read_screened(out / "good.jsonl")] == [s["id"] for s in samples]
    (bad,) = read_screened(out / "bad.jsonl")
    assert (bad.id, bad.fault and bad.fault.rule) == ("copied", "contamination")
    assert (out / "queue.csv").read_text(encoding="utf-8").startswith("\ufeffid,label,suggested,")
    assert not any(path.exists() for path in (paths.ACCEPTED, paths.SCORES, paths.SUSPECTS))


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        pytest.param(
            {"id": "x", "text": "您好"},
            "mine.jsonl sample 1 has no 'label'; each needs id, label, text",
            id="no-label",
        ),
        pytest.param(
            {"id": "x", "label": "发票", "text": "您好"},
            "candidate x: class '发票' has no train row",
            id="class",
        ),
    ],
)
def test_incomplete_samples_are_named(
    sample: dict[str, str], message: str, here: Path, capsys: pytest.CaptureFixture[str]
):
    """An error message, not a traceback."""
    (here / "mine.jsonl").write_text(json.dumps(sample), encoding="utf-8")
    scores = "id,label_score,label_rank,neighbours,suggested\n"
    (here / "scores.csv").write_text(scores, encoding="utf-8")
    with pytest.raises(SystemExit):
        filter_stage.main(here / "mine.jsonl", here / "scores.csv")
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("scored", "message"),
    [
        pytest.param(
            None,
            "none.csv not found; run `python -m src.stages.score` on the same candidates first",
            id="no-file",
        ),
        pytest.param(
            "other",
            "candidate mine has no label score; run `python -m src.stages.score` "
            "on the same candidates first",
            id="of-other-candidates",
        ),
    ],
)
def test_samples_without_label_scores_are_named(
    scored: str | None, message: str, here: Path, capsys: pytest.CaptureFixture[str]
):
    """Filter names the command to run, and writes nothing."""
    scores = here / "none.csv"
    for name in filter(None, (scored, "mine")):
        line = {"id": name, "label": "开发票", "text": "[SEP]".join(call("开发票", "mine/0"))}
        (here / f"{name}.jsonl").write_text(json.dumps(line), encoding="utf-8")
    if scored:
        score.main(here / f"{scored}.jsonl", scores=scores)
    with pytest.raises(SystemExit):
        filter_stage.main(here / "mine.jsonl", scores)
    assert message in capsys.readouterr().err
    assert not paths.ACCEPTED.exists()


def test_the_stand_in_goes_to_the_given_folder(here: Path):
    """Three splits with the columns of CMCC-34."""
    root = Path(__file__).parents[2]
    classes = pd.read_csv(root / "data/raw/cmcc34_classes.csv").assign(train=2, test=1)
    classes.to_csv(here / "classes.csv", index=False)
    corpus.main(root / "data/raw/scenarios", here / "classes.csv", here / "standin")
    train = pd.read_csv(here / "standin/train.csv")
    assert {"sentence_sep", "c_numerical", "label_raw"} <= set(train.columns)
    assert len(train) == 2 * len(classes)
    assert len(list((here / "standin").iterdir())) == 3
