"""Benchmark: the whole pipeline on real data sets. Is ours better than the best free method?

    make bench-datasets SETS=folder
    python -m benchmarks.datasets folder

Each <folder>/<set>/{train,dev,test}.csv has the columns text and label. Settings are derived from
the train rows (language, turns, lengths, class sizes); <set>/params.yaml overrides them. Every
stage runs in <out>/<set>/ as `dvc repro` would run it. Responses are kept in .cache/, so an
interrupted run can continue. Sets that datasets.csv lists already are skipped; remove the row to
run a set again.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import pandas as pd
import typer
import yaml

from src.config.methods import Method
from src.files import write_csv, write_text
from src.paths import METRICS
from src.records.interval import Interval
from src.records.json_files import read_record
from src.records.metrics.analyze import AnalyzeMetrics
from src.records.metrics.evaluate import EvaluateMetrics
from src.reporting.markdown import table as markdown_table

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "datasets.csv"
STAGES = ("analyze", "generate", "score", "filter", "balance", "choose")
SHARED = ("prompts", "src")
CHINESE = re.compile(r"[\u3400-\u9fff]")
SEPARATOR = "[SEP]"
COLUMNS = [
    "set", "classes", "train_rows", "original", "class_weight", "oversample", "best_free", "ours",
    "difference", "low", "high", "tail_best_free", "tail_ours", "minutes",
]  # fmt: skip


def main(
    folder: Annotated[Path, typer.Argument(help="folder of data sets")],
    out: Annotated[Path, typer.Option(help="where the runs go")] = ROOT / "tmp" / "datasets",
    results: Annotated[Path, typer.Option(help="the table of results")] = RESULTS,
    url: Annotated[
        str | None, typer.Option(help="an endpoint to use instead of the embedded model")
    ] = None,
    model: Annotated[str | None, typer.Option(help="model of the endpoint")] = None,
    key_env: Annotated[
        str | None, typer.Option(help="environment variable with the endpoint's key")
    ] = None,
) -> None:
    """Run the sets and print the table."""
    done = pd.read_csv(results) if results.exists() else pd.DataFrame(columns=COLUMNS)
    sets = sorted(path.parent for path in folder.glob("*/train.csv"))
    if not sets:
        sys.stderr.write(f"error: no <set>/train.csv in {folder}; name a folder of data sets\n")
        raise SystemExit(2)
    for one in sets:
        if one.name in set(done["set"]):
            continue
        work = out / one.name
        start = time.monotonic()
        endpoint = {"base_url": url, "model": model, "api": "chat", "api_key_env": key_env}
        prepare(one, work, endpoint if url else None)
        run(work)
        row = summary(one.name, work, (time.monotonic() - start) / 60)
        done = pd.concat([done, pd.DataFrame([row])], ignore_index=True)
        write_csv(results, done)
    typer.echo(markdown(done))


def prepare(source: Path, work: Path, endpoint: dict[str, Any] | None) -> None:
    """Fill the folder of a set: its rows, its settings, and what stages expect in the root."""
    for name in SHARED:
        link = work / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(ROOT / name)
    for name in ("data/raw/no_labels.csv", "data/review/decisions.csv"):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, work / name)
    for split in ("train", "dev", "test"):
        shutil.copyfile(source / f"{split}.csv", work / "data" / f"{split}.csv")
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    merge(params, settings_for(pd.read_csv(source / "train.csv", dtype=str)))
    if endpoint is not None:
        params["llm"]["endpoints"] = [{"name": "given", **endpoint}]
        params["generate"] |= {"samples_per_request": 5, "max_tokens": 2000}
    own = source / "params.yaml"
    if own.exists():
        merge(params, yaml.safe_load(own.read_text(encoding="utf-8")))
    write_text(work / "params.yaml", yaml.safe_dump(params, allow_unicode=True, sort_keys=False))


def settings_for(train: pd.DataFrame) -> dict[str, Any]:
    """Derive settings from the train rows, by the same rule for every set.

    Classes below the mean size are filled up to twice the mean. Twice as many samples as needed are
    requested; how many are used, and at which weight, is chosen on dev.
    """
    texts = train["text"]
    is_chinese = texts.head(500).str.contains(CHINESE).mean() > 0.5
    has_turns = texts.str.contains(SEPARATOR, regex=False).mean() > 0.05
    mean = len(train) / train["label"].nunique()
    long = float(texts.str.len().quantile(0.9))
    return {
        "data": {
            "train": "data/train.csv",
            "dev": "data/dev.csv",
            "test": "data/test.csv",
            "labels": "data/raw/no_labels.csv",
            "text_column": "text",
            "label_column": "label",
            "label_name_column": "label",
            "id_column": None,
            "turn_separator": SEPARATOR if has_turns else None,
            "language": "zh" if is_chinese else "en",
        },
        "plan": {
            "target_per_class": int(min(100, max(40, round(2 * mean)))),
            "minority_ratio": 1.0,
        },
        "generate": {
            "domain": "客户说的话，按类型分" if is_chinese else "What customers write, by category",
            "contrast": 3,
            "max_tokens": int(min(120, max(24, long * (1.0 if is_chinese else 0.35)))),
            "surplus": 1.0,
        },
        "filter": {"length": {"min_chars": None}},
        "convert": {"system_prompt": "Answer with the category only."},
        "baseline": {
            "classifier": "logistic_regression",
            "c": [1.0, 3.0, 10.0],
            **({} if is_chinese else {"analyzer": "char_wb", "ngram_range": [2, 4]}),
        },
        "evaluate": {"tail_max_support": 9 if mean < 50 else 49},
    }


def merge(settings: dict[str, Any], over: dict[str, Any]) -> None:
    """Merge nested settings into others, in place."""
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(settings.get(key), dict):
            merge(settings[key], value)
        else:
            settings[key] = value


def run(work: Path) -> None:
    """Run all stages in their order, in the folder of a set."""
    methods = [["train_baseline", "--method", method] for method in get_args(Method)]
    environment = os.environ | {"DVC_ROOT": str(ROOT), "MLFLOW_TRACKING": "off"}
    for command in (*([stage] for stage in STAGES), *methods, ["evaluate"], ["report"]):
        done = subprocess.run(
            [sys.executable, "-m", f"src.stages.{command[0]}", *command[1:]],
            cwd=work,
            env=environment,
            check=False,
        )
        if done.returncode:
            raise SystemExit(done.returncode)


def summary(name: str, work: Path, minutes: float) -> dict[str, str | int | float]:
    """Return one row of the table."""
    analyze = read_record(work / METRICS / "analyze.json", AnalyzeMetrics)
    found = read_record(work / METRICS / "evaluate.json", EvaluateMetrics)
    free, ours = found.best_free, found.ours
    difference = found.versus_best_free[ours].macro_f1

    def value(method: Method, metric: Literal["macro_f1", "tail_recall"] = "macro_f1") -> float:
        interval: Interval = getattr(found.methods[method], metric)
        return round(interval.value, 3)

    compared: tuple[Method, ...] = ("original", "class_weight", "oversample")
    return {
        "set": name,
        "classes": analyze.classes,
        "train_rows": analyze.rows,
        **{method: value(method) for method in compared},
        "best_free": value(free),
        "ours": value(ours),
        "difference": round(difference.value, 3),
        "low": round(difference.low, 3),
        "high": round(difference.high, 3),
        "tail_best_free": value(free, "tail_recall"),
        "tail_ours": value(ours, "tail_recall"),
        "minutes": round(minutes, 1),
    }


def markdown(table: pd.DataFrame) -> str:
    """Return the table as Markdown; scores are macro-F1 unless named otherwise."""
    cells = table.astype(str).to_numpy().tolist()
    return markdown_table(list(table.columns), cells, numbers=False)


if __name__ == "__main__":
    typer.run(main)
