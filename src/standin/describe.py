"""Print statistics of the stand-in at several noise levels, optionally next to another CSV.

python -m src.standin.describe                                  # noise 0, default, 1
python -m src.standin.describe --reference calls.csv            # adds a column
make standin                                                    # the table in docs/standin.md
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from src.cli import command
from src.config.baseline import BaselineParams
from src.config.corpus import CorpusParams
from src.config.params import load_params
from src.data.dialogue import STANDIN_SEPARATOR, plain, split_turns
from src.reporting.markdown import table
from src.standin.corpus import compose_corpus
from src.standin.scenarios import CLASSES, TAIL_SUPPORT, Split, load_bank

NEAR = 0.8  # Jaccard similarity of character 3-grams above which rows are near-duplicates
QUANTILES = (0.1, 0.5, 0.9)
Figures = dict[str, str]


def near_duplicate_share(texts: Sequence[str], threshold: float = NEAR) -> float:
    """Return the share of texts that have a near-duplicate: Jaccard similarity above threshold.

    The result is exact. Two sets can only be that similar if they share one of the rarest
    (1 - threshold) of their grams, so only pairs that share such a gram are compared (Chaudhuri,
    Ganti, Kaushik 2006, prefix filter).
    """
    sets = [frozenset(text[i : i + 3] for i in range(len(text) - 2)) for text in texts]
    frequency = Counter(gram for grams in sets for gram in grams)
    earlier: defaultdict[str, list[int]] = defaultdict(list)
    near: set[int] = set()
    for i, grams in enumerate(sets):
        ordered = sorted(grams, key=lambda gram: (frequency[gram], gram))
        rare = ordered[: int((1 - threshold) * len(ordered)) + 1]
        for j in {j for gram in rare for j in earlier[gram]}:
            shared = len(grams & sets[j])
            if shared > threshold * (len(grams) + len(sets[j]) - shared):
                near |= {i, j}
        for gram in rare:
            earlier[gram].append(i)
    return len(near) / max(len(texts), 1)


def surface(texts: pd.Series) -> Figures:
    """Return statistics on length, turns and characters of calls with turns joined by [SEP]."""
    turns = texts.map(lambda text: len(split_turns(text, STANDIN_SEPARATOR)))
    words = texts.str.replace(STANDIN_SEPARATOR, "", regex=False)
    odd = words.str.contains(r"[0-9，。？！、；：,.?!;:]")
    return {
        "calls": f"{len(texts):,}",
        "characters, 10th / 50th / 90th percentile": _quantiles(words.str.len()),
        "turns, 10th / 50th / 90th percentile": _quantiles(turns),
        "calls with punctuation or Arabic digits": f"{odd.mean():.1%}",
    }


def hardness(
    corpus: dict[Split, pd.DataFrame], classes: pd.DataFrame, params: BaselineParams
) -> Figures:
    """Return the test accuracy of `original`, and the share of tail test calls in new scenarios."""
    from src.training.classifier import build, fit, predict
    from src.training.rows import TrainingRows, rows_for

    train, test = (
        pd.DataFrame(
            {
                "text": [plain(t, STANDIN_SEPARATOR) for t in corpus[split]["sentence_sep"]],
                "label": corpus[split]["label_raw"],
                "scenario": corpus[split]["scenario"],
            }
        )
        for split in ("train", "test")
    )
    data = rows_for("original", TrainingRows(train, train), params.seed)
    predicted = predict(fit(build(params, data.class_weight), data.frame), test["text"].tolist())
    tail = test["label"].isin(classes.loc[classes["train"] < TAIL_SUPPORT, "name"])
    new = ~test["scenario"].isin(set(train["scenario"]))
    smallest = test["label"].value_counts().min()
    return {
        "test rows of the smallest class": str(smallest),
        "test accuracy of `original`": f"{(predicted == test['label']).mean():.3f}",
        "tail test calls of scenarios that train lacks": f"{new[tail].mean():.0%}",
    }


def describe(params: CorpusParams, baseline: BaselineParams) -> Figures:
    """Return all statistics of the stand-in for one setting."""
    classes = pd.read_csv(CLASSES)
    corpus = compose_corpus(load_bank(), classes, params)
    rows = pd.concat(corpus.values())["sentence_sep"]
    words = rows.str.replace(STANDIN_SEPARATOR, "", regex=False)
    sizes = {split: len(frame) for split, frame in corpus.items()}
    return {
        "train / dev / test rows": " / ".join(f"{size:,}" for size in sizes.values()),
        **surface(corpus["train"]["sentence_sep"]),
        "near-duplicates (3-gram Jaccard over 0.8)": f"{near_duplicate_share(words.tolist()):.2%}",
        **hardness(corpus, classes, baseline),
    }


def _quantiles(values: pd.Series) -> str:
    return " / ".join(f"{values.quantile(q):.0f}" for q in QUANTILES)


@command
def main(
    reference: Annotated[
        Path | None, typer.Option(help="CSV with a column sentence_sep to compare with")
    ] = None,
) -> None:
    """Print a Markdown table for noise 0, the default, and noise and length 1."""
    params = load_params()
    default = params.corpus
    full = default.model_copy(update={"noise": 1.0, "length": 1.0})
    columns = {
        "noise 0": describe(default.model_copy(update={"noise": 0.0}), params.baseline),
        f"default (noise {default.noise}, length {default.length})": describe(
            default, params.baseline
        ),
        "noise 1, length 1": describe(full, params.baseline),
    }
    if reference is not None:
        columns["reference"] = surface(pd.read_csv(reference)["sentence_sep"])
    names = next(iter(columns.values()))
    rows = [[name, *(figures.get(name, "-") for figures in columns.values())] for name in names]
    typer.echo(table(["figure", *columns], rows, numbers=False))


if __name__ == "__main__":
    typer.run(main)
