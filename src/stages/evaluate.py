"""Stage evaluate: every arm on dev and test, with intervals, and tables for plots.

python -m src.stages.evaluate
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from src.cli import command
from src.config.arms import FREE_ARMS, OUR_ARMS, Arm
from src.config.params import Params, load_params
from src.data.schema import Splits, load_splits
from src.diagnostics.detectability import giveaway
from src.diagnostics.leakage import check_leakage, require_no_leakage
from src.evaluation.paired import class_changes, heads_lost, mcnemar, tail_false_positives
from src.evaluation.predictions import read_predictions
from src.evaluation.scoring import per_class, score, tail_classes
from src.evaluation.significance import Bootstrap, best_free, bootstrap
from src.experimental.rounds import read_rounds, summaries
from src.files import Record, read_json, read_jsonl, write_csv, write_json
from src.gate.embedding import fit_embedder
from src.paths import (
    ACCEPTED,
    BALANCED,
    METRICS,
    PLOTS,
    PREDICTIONS,
    ROUNDS,
)
from src.reporting.tracking import track
from src.stages.rows import read_choice, train_rows, with_plain_text
from src.training.methods import Choice, training_frame
from src.training.second import FAMILY, second_predictions

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Predictions = dict[Arm, list[NDArray[np.str_]]]

log = logging.getLogger(__name__)


@command
def main(
    predictions: Annotated[Path, typer.Option(help="folder of <arm>.csv")] = PREDICTIONS,
    train: Annotated[Path, typer.Option(help="the balanced train set, with origin")] = BALANCED,
    metrics: Annotated[Path, typer.Option(help="folder of metrics files")] = METRICS,
    accepted: Annotated[Path, typer.Option(help="samples that the gate let pass")] = ACCEPTED,
    rounds: Annotated[Path, typer.Option(help="what `make round` wrote")] = ROUNDS,
) -> None:
    """Write metrics/evaluate.json and metrics/plots/*.csv."""
    params = load_params()
    splits = load_splits(params.data)
    on_dev = read_predictions(predictions, "dev", splits.dev, params.evaluate.arms)
    on_test = read_predictions(predictions, "test", splits.test, params.evaluate.arms)
    tail = tail_classes(splits.train["label"], params.evaluate.tail_max_support)
    dev = {arm: _mean_scores(splits.dev, said, tail) for arm, said in on_dev.items()}
    draws = _draws(splits, on_test, tail, params)
    dev_f1 = {arm: scores["macro_f1"] for arm, scores in dev.items()}
    free = best_free(dev_f1)
    ours = max((arm for arm in OUR_ARMS if arm in on_test), key=lambda arm: dev_f1[arm])
    found = read_json(metrics / "choose.json")
    result: dict[str, Any] = {
        **_intervals(draws, free, params),
        "best_free": free,
        "ours": ours,
        "dev": dev,
        "tail": {
            "classes": len(tail),
            "test_rows": int(splits.test["label"].isin(tail).sum()),
        },
        "test_rows": len(splits.test),
        **found,
    }
    counts = read_json(metrics / "balance.json")["per_class"]
    first = {arm: said[0] for arm, said in on_test.items()}
    samples = read_jsonl(accepted)
    result |= _paired(splits, first[ours], first[free], counts, tail, free)
    result |= _scrutiny(samples, splits, params)
    if params.evaluate.second_classifier:
        result["second"] = _second(read_choice(metrics), train, splits, tail, free, ours, params)
    if played := read_rounds(rounds):
        result["rounds"] = summaries(played)
    result["signature"] = _signature(params)
    write_json(metrics / "evaluate.json", result)
    table = _per_class(splits, first["original"], first[ours], counts)
    _write_tables(splits, first, ours, table, metrics / PLOTS.name)
    _say(result)
    track("evaluate", metrics=metrics)


def _mean_scores(
    rows: pd.DataFrame, seeds: list[NDArray[np.str_]], tail: frozenset[str]
) -> dict[str, float]:
    """Each metric's mean over the seeds."""
    scores = [asdict(score(rows["label"], said, tail)) for said in seeds]
    return {name: sum(one[name] for one in scores) / len(scores) for name in scores[0]}


def _draws(splits: Splits, on_test: Predictions, tail: frozenset[str], params: Params) -> Bootstrap:
    return bootstrap(
        splits.test["label"],
        on_test,
        tail,
        resamples=params.evaluate.bootstrap,
        confidence=params.evaluate.confidence,
        seed=params.evaluate.seed,
    )


def _intervals(draws: Bootstrap, free: Arm, params: Params) -> dict[str, Any]:
    arms = params.evaluate.arms
    return {
        "arms": {arm: _as_dicts(draws.scores(arm)) for arm in arms},
        "versus_original": {
            arm: _as_dicts(draws.versus(arm, "original")) for arm in arms if arm != "original"
        },
        "versus_best_free": {
            arm: _as_dicts(draws.versus(arm, free)) for arm in arms if arm not in FREE_ARMS
        },
    }


def _as_dicts(intervals: dict[str, Any]) -> dict[str, dict[str, float]]:
    return {metric: asdict(interval) for metric, interval in intervals.items()}


def _paired(
    splits: Splits,
    ours: NDArray[np.str_],
    theirs: NDArray[np.str_],
    counts: dict[str, dict[str, int]],
    tail: frozenset[str],
    free: Arm,
) -> dict[str, Any]:
    """Ours against the best free arm, row by row and class by class; of the first seed."""
    truth = splits.test["label"]
    changes = class_changes(truth, theirs, ours)
    lost = heads_lost(changes, tail)
    per_class = {
        row["label"]: {
            "support": int(row["support"]),
            "train_rows": counts[row["label"]]["real"],
            "synthetic_rows": counts[row["label"]]["synthetic"],
            "recall_before": float(row["recall_before"]),
            "recall_after": float(row["recall_after"]),
            "p": float(row["p"]),
            "p_adjusted": float(row["p_adjusted"]),
            "measurable": bool(row["measurable"]),
        }
        for row in changes.to_dict("records")
    }
    return {
        "mcnemar": {"against": free, **asdict(mcnemar(truth, ours, theirs))},
        "per_class": per_class,
        "heads_lost": list(lost),
        "heads_lost_count": len(lost),
        "tail_false_positives": {
            "ours": tail_false_positives(truth, ours, tail),
            "best_free": tail_false_positives(truth, theirs, tail),
        },
    }


def _scrutiny(samples: list[Record], splits: Splits, params: Params) -> dict[str, Any]:
    """No sample may repeat a dev or test row; and how easily samples are told from real rows."""
    leakage = check_leakage(samples, splits, params.data, params.filter.contamination.max_overlap)
    require_no_leakage(leakage)
    found: dict[str, Any] = {"leakage": leakage.figures()}
    if samples:
        found["giveaway"] = asdict(giveaway(samples, splits.train, params.data))
    return found


def _second(
    choice: Choice,
    train: Path,
    splits: Splits,
    tail: frozenset[str],
    free: Arm,
    ours: Arm,
    params: Params,
) -> dict[str, Any]:
    """The same comparison with a classifier of another family."""
    real, synthetic = train_rows(train, params.data)
    arms: list[Arm] = list(dict.fromkeys(("original", "class_weight", free, ours)))
    frames = {
        arm: training_frame(arm, real, synthetic, synthetic, params.baseline.seed, choice)
        for arm in arms
    }
    test = with_plain_text(splits.test, params.data)["text"].tolist()
    embed = fit_embedder(real["text"].tolist(), params.embedding)
    said = second_predictions(frames, test, embed, params.baseline.seed)
    draws = _draws(splits, {arm: [predicted] for arm, predicted in said.items()}, tail, params)
    return {
        "family": f"{FAMILY} ({params.embedding.backend})",
        "arms": {arm: _as_dicts(draws.scores(arm)) for arm in arms},
        "versus_best_free": {
            arm: _as_dicts(draws.versus(arm, free)) for arm in arms if arm in OUR_ARMS
        },
    }


def _signature(params: Params) -> str:
    """What a reader needs to get the same numbers."""
    import sklearn

    digest = hashlib.sha256()
    for path in (params.data.train, params.data.dev, params.data.test):
        digest.update(path.read_bytes())
    evaluate = params.evaluate
    return (
        f"arms:{len(evaluate.arms)}|seeds:{evaluate.seeds}|bs:{evaluate.bootstrap}"
        f"|seed:{evaluate.seed}|tail:<={evaluate.tail_max_support}"
        f"|data:{digest.hexdigest()[:8]}|sklearn:{sklearn.__version__}"
    )


def _per_class(
    splits: Splits,
    before: NDArray[np.str_],
    after: NDArray[np.str_],
    counts: dict[str, dict[str, int]],
) -> pd.DataFrame:
    """One row a class with test rows, the largest train class first.

    Columns label, support (test rows), train_rows, synthetic_rows, and recall and f1 before and
    after; `counts` are the per_class of metrics/balance.json.
    """
    truth = splits.test["label"]
    old, new = (per_class(truth, said).set_index("label") for said in (before, after))
    table = old[["support"]].assign(
        train_rows=[counts[label]["real"] for label in old.index],
        synthetic_rows=[counts[label]["synthetic"] for label in old.index],
        recall_before=old["recall"],
        recall_after=new["recall"],
        f1_before=old["f1"],
        f1_after=new["f1"],
    )
    return table.reset_index().sort_values(
        ["train_rows", "label"], ascending=[False, True], ignore_index=True
    )


def _write_tables(
    splits: Splits,
    on_test: dict[Arm, NDArray[np.str_]],
    ours: Arm,
    table: pd.DataFrame,
    folder: Path,
) -> None:
    counts = table.assign(
        before=table["train_rows"], after=table["train_rows"] + table["synthetic_rows"]
    )[["label", "before", "after"]]
    truth = splits.test["label"]
    frames = {
        "class_counts": counts,
        "recall": table.round(6),
        "confusion_before": _pairs(truth, on_test["original"]),
        "confusion_after": _pairs(truth, on_test[ours]),
    }
    for name, frame in frames.items():
        write_csv(folder / f"{name}.csv", frame)


def _pairs(truth: pd.Series, said: NDArray[np.str_]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({"actual": truth.to_numpy(), "predicted": said})


def _say(result: dict[str, Any]) -> None:
    for arm, scores in result["arms"].items():
        log.info(
            "evaluate: %-22s macro-F1 %.3f, tail recall %.3f, accuracy %.3f",
            arm,
            *(scores[name]["value"] for name in ("macro_f1", "tail_recall", "accuracy")),
        )


if __name__ == "__main__":
    typer.run(main)
