"""Detectability: how well samples can be told from real rows by style, and by which features.

    found = detectability(accepted, splits.train, params.data)
    found.auc, found.low, found.high  # 0.93, interval 0.92 to 0.94; 0.5: indistinguishable
    found.features[0]                 # Feature("characters", "less", 2.1, synthetic=74.0, real=389.0)

A classifier trained on both may learn the style of the samples instead of their class. This
classifier two-sample test (Lopez-Paz and Oquab, Revisiting Classifier Two-Sample Tests, 2017)
measures that risk. A logistic regression separates samples from real rows by lengths, kinds of
characters, fillers, repetition, openings and endings, but not by topic; each text is scored by a
model not trained on it. The result is the area under the ROC curve: the probability that a random
sample scores higher than a random row of the classes with samples.

The interval is DeLong's (DeLong, DeLong and Clarke-Pearson, Comparing the areas under two or more
correlated receiver operating characteristic curves, 1988). It covers the sampling of texts, not the
variance of the fitted model, and has width 0 if every pair is ranked correctly. If there is no
difference, cross-validation is biased to below 0.5: in 120 trials with 200 texts of one source on
either side, the whole interval was above 0.5 in 4 % and below it in 13 %. Read an interval below
0.5 as 0.5.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.config.data import DataParams
from src.data.dialogue import split_turns
from src.diagnostics.diversity import tokens
from src.gate.style import PUNCTUATION
from src.records.metrics.evaluate import Detectability, Feature
from src.records.samples import Screened

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

FEW = 10  # min. number of samples and of rows for a result
FOLDS = 5
SHOWN = 10  # max. number of features returned
ENDS = 20  # number of openings, and of endings, used as features
END = {"zh": 2, "en": 1}  # tokens: characters in Chinese, words in English
Z = 1.96  # 95 % interval

DIGIT = re.compile(r"\d")
LATIN = re.compile(r"[A-Za-z]")
SPACE = re.compile(r"\s")
LENGTHS = ("characters", "turns", "mean length of turns", "spread of the length of turns")
FILLER = {
    "zh": re.compile("[嗯呃啊哎]|那个|就是"),
    "en": re.compile(r"\b(?:u+h+|u+m+|e+r+m*|h+m+|oh|well|like|you know|i mean)\b", re.IGNORECASE),
}

Floats = NDArray[np.float64]


def detectability(
    accepted: Sequence[Screened], train: pd.DataFrame, data: DataParams
) -> Detectability:
    """Measure how well samples can be told from the real rows of the same classes.

    Args:
        accepted: samples.
        train: the real rows, columns text and label.
        data: turn separator and language.

    Returns:
        The AUC with at most `SHOWN` features; with fewer than `FEW` rows or samples, 0.5 with the
        interval 0 to 1 and no features.
    """
    samples = [one.text for one in accepted]
    rows = train.loc[train["label"].isin({one.label for one in accepted}), "text"].tolist()
    if min(len(samples), len(rows)) < FEW:
        return Detectability(0.5, 0.0, 1.0, (), len(samples), len(rows))
    is_sample = np.repeat([True, False], [len(samples), len(rows)])
    features = style_features([*samples, *rows], is_sample, data)
    auc, low, high = delong(_scores(features, is_sample), is_sample)
    return Detectability(auc, low, high, _heaviest(features, is_sample), len(samples), len(rows))


def style_features(
    texts: Sequence[str], is_sample: NDArray[np.bool_], data: DataParams
) -> pd.DataFrame:
    """Return one row per text, in order, and one column per feature; none depends on the class.

    Lengths are logarithms (of 1 + x), shares are 0 to 1, openings and endings 0 or 1. The most
    common openings and endings are used, with the same total weight for samples and real rows.
    """
    calls = [split_turns(text, data.turn_separator) for text in texts]
    words = [tokens(" ".join(call), data.language) for call in calls]
    end = END[data.language]
    gap = "" if data.language == "zh" else " "
    openings = [gap.join(word[:end]) for word in words]
    endings = [gap.join(word[-end:]) for word in words]
    columns = {
        **_measures(calls, words, data),
        **_one_hot("opens with", openings, is_sample),
        **_one_hot("ends with", endings, is_sample),
    }
    return pd.DataFrame(columns)


def delong(scores: Floats, is_sample: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Return the AUC and its 95 % interval, clipped to 0 and 1; ties count half.

    Computed from ranks, without comparing all pairs (Sun and Xu, Fast Implementation of DeLong's
    Algorithm, 2014).

    Args:
        scores: higher means more like a sample, shape (texts,).
        is_sample: shape (texts,); at least two texts of either kind.
    """
    from scipy.stats import rankdata

    ranks = rankdata(scores)
    m, n = int(is_sample.sum()), int((~is_sample).sum())
    below = (ranks[is_sample] - rankdata(scores[is_sample])) / n  # share of rows below each sample
    above = 1 - (ranks[~is_sample] - rankdata(scores[~is_sample])) / m
    auc = float(below.mean())
    margin = Z * float(np.sqrt(below.var(ddof=1) / m + above.var(ddof=1) / n))
    return auc, max(0.0, auc - margin), min(1.0, auc + margin)


def _measures(
    calls: Sequence[list[str]], words: Sequence[list[str]], data: DataParams
) -> dict[str, list[float]]:
    """Return lengths and shares of each text, by feature name."""
    texts = ["".join(call) for call in calls]
    turns = [[len(turn) for turn in call] or [0] for call in calls]
    lengths: tuple[list[float], ...] = (
        [len(text) for text in texts],
        [len(call) for call in calls],
        [float(np.mean(turn)) for turn in turns],
        [float(np.std(turn)) for turn in turns],
    )
    shares = {
        "punctuation": PUNCTUATION,
        "digits": DIGIT,
        "latin letters": LATIN,
        "spaces": SPACE,
        "fillers": FILLER[data.language],
    }
    return {
        **{name: np.log1p(of).tolist() for name, of in zip(LENGTHS, lengths, strict=True)},
        **{f"share of {name}": [_share(p, text) for text in texts] for name, p in shares.items()},
        "share of distinct bigrams": [_distinct_bigrams(word) for word in words],
        "share of repeated words": [_repeated(word) for word in words],
    }


def _share(pattern: re.Pattern[str], text: str) -> float:
    return sum(len(match.group()) for match in pattern.finditer(text)) / max(1, len(text))


def _distinct_bigrams(words: list[str]) -> float:
    """Return distinct / all bigrams; 1 without bigrams."""
    bigrams = list(pairwise(words))
    return len(set(bigrams)) / len(bigrams) if bigrams else 1.0


def _repeated(words: list[str]) -> float:
    """Return the share of words (or characters) that occur again one or two positions later."""
    again = [word in words[position + 1 : position + 3] for position, word in enumerate(words)]
    return sum(again) / max(1, len(words))


def _one_hot(
    what: str, values: Sequence[str], is_sample: NDArray[np.bool_]
) -> dict[str, NDArray[np.float64]]:
    shares: Counter[str] = Counter()
    weights = np.where(is_sample, 1 / max(1, is_sample.sum()), 1 / max(1, (~is_sample).sum()))
    for value, weight in zip(values, weights.tolist(), strict=True):
        shares[value] += weight
    column = np.array(values, dtype=object)
    return {
        f"{what} {value}": (column == value).astype(np.float64)
        for value, _ in shares.most_common(ENDS)
        if value
    }


def _scores(features: pd.DataFrame, is_sample: NDArray[np.bool_]) -> Floats:
    """Score how much each text looks like a sample, by a model that was not trained on it."""
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    scores: Floats = cross_val_predict(
        _model(), features.to_numpy(), is_sample, cv=folds, method="decision_function"
    )
    return scores


def _heaviest(features: pd.DataFrame, is_sample: NDArray[np.bool_]) -> tuple[Feature, ...]:
    """Return features sorted by their part of the log-odds between mean sample and mean row."""
    model = _model().fit(features.to_numpy(), is_sample)
    scaler, regression = model[0], model[1]
    synthetic, real = features[is_sample].mean(), features[~is_sample].mean()
    parts = regression.coef_[0] * (synthetic - real) / scaler.scale_
    means = pd.DataFrame({"synthetic": synthetic, "real": real})
    means.loc[list(LENGTHS)] = np.expm1(means.loc[list(LENGTHS)])
    found = [
        Feature(
            name=str(name),
            direction="more" if row["synthetic"] > row["real"] else "less",
            weight=float(part),
            synthetic=float(row["synthetic"]),
            real=float(row["real"]),
        )
        for (name, row), part in zip(means.iterrows(), parts, strict=True)
        if part > 0
    ]
    return tuple(sorted(found, key=lambda feature: -feature.weight)[:SHOWN])


def _model() -> Pipeline:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(
        StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000)
    )
