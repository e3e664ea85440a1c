"""Detectability: how well samples are told from real rows by style, and by what."""

from __future__ import annotations

import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from src.config.data import DataParams
from src.diagnostics.detectability import FEW, delong, detectability, style_features
from src.records.metrics.evaluate import Detectability
from src.records.samples import Candidate, Screened

WORDS = "我想查一下话费套餐宽带流量办理取消怎么还没到账呢请帮看"


def calls(count: int, seed: int, turns: int = 4, first: str = "", ending: str = "") -> list[str]:
    """Return calls of random characters."""
    rng = random.Random(seed)
    return [
        "[SEP]".join(
            first * (turn == 0) + "".join(rng.choices(WORDS, k=rng.randint(4, 12))) + ending
            for turn in range(turns)
        )
        for _ in range(count)
    ]


def screened(texts: list[str]) -> list[Screened]:
    """Return accepted samples of one class."""
    return [Screened(Candidate(f"s-{n}", "查话费", text), text) for n, text in enumerate(texts)]


def measured(samples: list[str], rows: list[str], data: DataParams) -> Detectability:
    """Return train rows of one class."""
    return detectability(screened(samples), pd.DataFrame({"text": rows, "label": "查话费"}), data)


def test_the_same_style_is_not_told_apart(data: DataParams) -> None:
    """Texts of one source: the interval is not above 0.5, and no feature carries weight."""
    found = measured(calls(300, 1), calls(200, 2), data)
    assert found.low < 0.5
    assert found.auc < 0.55
    assert (found.samples, found.rows) == (300, 200)
    assert all(feature.weight < 0.2 for feature in found.features)


@pytest.mark.parametrize(
    ("samples", "name", "direction"),
    [
        pytest.param(calls(100, 1, turns=2), "turns", "less", id="fewer-turns"),
        pytest.param(calls(100, 1, first="您好"), "opens with 您好", "more", id="an-opening"),
        pytest.param(calls(100, 1, ending="再见"), "ends with 再见", "more", id="an-ending"),
        pytest.param(calls(100, 1, ending="。"), "share of punctuation", "more", id="marks"),
        pytest.param(calls(100, 1, ending="嗯"), "share of fillers", "more", id="fillers"),
        pytest.param(calls(100, 1, ending="8"), "share of digits", "more", id="digits"),
        pytest.param(calls(100, 1, ending="v"), "share of latin letters", "more", id="latin"),
        pytest.param(calls(100, 1, ending=" 的"), "share of spaces", "more", id="spaces"),
        pytest.param(calls(100, 1, ending="好好"), "share of repeated words", "more", id="repeats"),
        pytest.param(
            calls(100, 1, ending="查一下话费"), "share of distinct bigrams", "less", id="bigrams"
        ),
    ],
)
def test_distinguishing_features_are_named(
    samples: list[str], name: str, direction: str, data: DataParams
) -> None:
    """A habit of the samples makes them detectable and is among the features."""
    found = measured(samples, calls(100, 2), data)
    assert found.low > 0.9
    assert found.low <= found.auc <= found.high <= 1
    named = {feature.name: feature for feature in found.features}
    assert named[name].direction == direction
    assert (named[name].synthetic > named[name].real) == (direction == "more")
    assert [f.weight for f in found.features] == sorted(f.weight for f in found.features)[::-1]


def test_means_are_in_their_own_units(data: DataParams) -> None:
    """Lengths are reported in turns and characters, not in logarithms."""
    found = measured(calls(50, 1, turns=2), calls(50, 2, turns=6), data)
    turns = next(feature for feature in found.features if feature.name == "turns")
    assert (turns.synthetic, turns.real) == (pytest.approx(2), pytest.approx(6))


def test_only_rows_of_the_samples_classes_are_compared(data: DataParams) -> None:
    """Rows of a class without samples are ignored."""
    accepted = screened(calls(100, 1))
    mine = pd.DataFrame({"text": calls(100, 2), "label": "查话费"})
    others = pd.DataFrame({"text": calls(100, 3, turns=9), "label": "办套餐"})
    assert detectability(accepted, pd.concat([others, mine]), data) == detectability(
        accepted, mine, data
    )


@pytest.mark.parametrize(
    ("samples", "rows"),
    [
        pytest.param(0, 50, id="no-samples"),
        pytest.param(FEW - 1, 50, id="few-samples"),
        pytest.param(50, FEW - 1, id="few-rows"),
    ],
)
def test_of_few_texts_there_is_no_result(samples: int, rows: int, data: DataParams) -> None:
    """The interval is 0 to 1, and the counts show why."""
    found = measured(calls(samples, 1, turns=1), calls(rows, 2), data)
    expected_rows = rows if samples else 0  # without samples no class is compared
    assert found == Detectability(0.5, 0.0, 1.0, (), samples, expected_rows)


def test_just_enough_texts_are_told_apart(data: DataParams) -> None:
    """The minimum number of texts works, even with texts without letters."""
    found = measured([*calls(FEW - 1, 1, turns=1), "。"], calls(FEW, 2, turns=9), data)
    assert found.auc > 0.9


def test_the_same_texts_give_the_same_figures(data: DataParams) -> None:
    """Folds are drawn from a fixed seed."""
    first, again = (measured(calls(60, 1), calls(60, 2), data) for _ in range(2))
    assert first == again


def test_measures_by_hand(data: DataParams) -> None:
    """Check each share and length of one call, worked out manually."""
    features = style_features(["您好，a1[SEP]嗯 好好好"], np.array([True]), data)
    expected = {
        "characters": np.log1p(10),
        "turns": np.log1p(2),
        "mean length of turns": np.log1p(5),
        "spread of the length of turns": np.log1p(0),
        "share of punctuation": 1 / 10,
        "share of digits": 1 / 10,
        "share of latin letters": 1 / 10,
        "share of spaces": 1 / 10,
        "share of fillers": 1 / 10,
        "share of distinct bigrams": 6 / 7,  # 您好 好a a1 1嗯 嗯好 好好 好好
        "share of repeated words": 2 / 8,  # the first two of 好好好
        "opens with 您好": 1,
        "ends with 好好": 1,
    }
    assert features.columns.tolist() == list(expected)
    assert features.iloc[0].tolist() == pytest.approx(list(expected.values()))


def test_english_is_measured_in_words(english: DataParams) -> None:
    """Openings and endings are words, fillers are English."""
    features = style_features(["Well, um, where is my card"], np.array([True]), english).iloc[0]
    assert (features["opens with well"], features["ends with card"]) == (1, 1)
    assert features["share of fillers"] == pytest.approx(6 / 26)  # well, um of 26 characters


@given(
    scores=st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=4, max_size=60).filter(
        lambda pairs: 2 <= sum(flag for _, flag in pairs) <= len(pairs) - 2
    )
)
def test_auc_and_interval_are_those_of_the_definition(scores: list[tuple[int, bool]]) -> None:
    """The AUC equals scikit-learn's, and the variance DeLong's over all pairs."""
    value = np.array([score for score, _ in scores], dtype=float)
    flag = np.array([one for _, one in scores])
    auc, low, high = delong(value, flag)
    assert auc == pytest.approx(roc_auc_score(flag, value))
    more = np.subtract.outer(value[flag], value[~flag])
    pairs = (more > 0) + 0.5 * (more == 0)
    m, n = pairs.shape
    variance = pairs.mean(axis=1).var(ddof=1) / m + pairs.mean(axis=0).var(ddof=1) / n
    margin = 1.959964 * np.sqrt(variance)
    assert low == pytest.approx(max(0, auc - margin), abs=1e-4)
    assert high == pytest.approx(min(1, auc + margin), abs=1e-4)
