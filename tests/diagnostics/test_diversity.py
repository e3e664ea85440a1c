"""Diversity: distinct n-grams, self-BLEU at equal length, overlap with the seeds."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.config.data import Language
from src.diagnostics.diversity import LOOKED_AT, cut, diversity, tokens
from src.records.metrics.generate import Diversity

TEXTS = st.lists(st.text(alphabet="查话费吗，", max_size=14), max_size=8)


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        pytest.param("查，一下 5G！", "zh", ["查", "一", "下", "5", "g"], id="characters"),
        pytest.param("My card, my_PIN: 42.", "en", ["my", "card", "my", "pin", "42"], id="words"),
        pytest.param("don't don’t", "en", ["dont", "dont"], id="apostrophes"),
        pytest.param("。 ，", "zh", [], id="no-letters"),
        pytest.param("?!", "en", [], id="no-words"),
    ],
)
def test_tokens(text: str, language: Language, expected: list[str]) -> None:
    """Characters in Chinese, words in English; lower case, no punctuation."""
    assert tokens(text, language) == expected


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        # percentile: 1/4 of the way through the sorted lengths, (count - 1) / 4 steps up
        pytest.param([8, 4, 6, 10, 12], [6, 6, 6, 6], id="a-length-of-theirs"),
        pytest.param([7, 4, 9], [5, 5], id="rounded-down-from-5.5"),
        pytest.param([2, 2, 2, 5], [4], id="at-least-4"),
        pytest.param([1, 3], [], id="all-too-short"),
        pytest.param([], [], id="no-texts"),
    ],
)
def test_cut(lengths: list[int], expected: list[int]) -> None:
    """Texts are cut to the 25th percentile of lengths; shorter ones are dropped."""
    texts = [[str(i) for i in range(length)] for length in lengths]
    parts = cut(texts)
    assert [len(part) for part in parts] == expected
    assert all(part == [str(i) for i in range(len(part))] for part in parts)


@pytest.mark.parametrize(
    ("texts", "distinct_1", "distinct_2", "self_bleu"),
    [
        # "a b c d": 3 of 4 words, 2 of 3 bigrams, 1 of 2 trigrams, 0 of 1; smoothed
        # 3/4, 3/4, 2/3, 1/2, product 3/16; the second text likewise; the third shares no word: 0.
        # Words a b c d e w x y z of 12; bigrams ab bc cd ce and three more of 9.
        pytest.param(
            ["a b c d", "a b c e", "x y z w"], 9 / 12, 7 / 9, 2 * (3 / 16) ** 0.25 / 3, id="shared"
        ),
        # a stands 3 and 2 times: both match 2 of 4. aa 2 and 1 times: both match 1 of 3.
        # No longer gram matches: 1/2, 2/4, 1/3, 1/2, product 1/24. Bigrams aa ab ac cd of 6.
        pytest.param(["a a a b", "a a c d"], 4 / 8, 4 / 6, (1 / 24) ** 0.25, id="clipped"),
        # The best other text counts, not the sum of the others: a 1 time, not 2.
        # First: a 1 of 2, no other word: 1/4, 1/4, 1/3, 1/2; the others match a only: the same.
        pytest.param(
            ["a b a c", "a d e f", "g a h i"], 9 / 12, 9 / 9, (1 / 96) ** 0.25, id="best-other"
        ),
        # Cut to 4 words: the two are the same. Words 4 of 8, bigrams 3 of 6.
        pytest.param(["a b c d", "a b c d e f g"], 0.5, 0.5, 1.0, id="cut-to-equal-length"),
        pytest.param(["a b c d e"] * 3, 1 / 3, 1 / 3, 1.0, id="identical"),
        pytest.param(["a b c d", "e f g h"], 1.0, 1.0, 0.0, id="disjoint"),
        pytest.param(["a b a b"], 2 / 4, 2 / 3, None, id="one-text"),
        pytest.param(["a b c", "a b a b"], 2 / 4, 2 / 3, None, id="one-text-left"),
        pytest.param(["a b c", "a b"], None, None, None, id="all-too-short"),
    ],
)
def test_golden(
    texts: list[str], distinct_1: float | None, distinct_2: float | None, self_bleu: float | None
) -> None:
    """Check figures within a class, worked out manually."""
    figures = diversity(texts, [], "en")
    assert figures.samples == len(texts)
    found = [figures.distinct_1, figures.distinct_2, figures.self_bleu]
    assert found == pytest.approx([distinct_1, distinct_2, self_bleu])


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        pytest.param(["查一下话费啊"], 3 / 4, id="three-of-four"),
        pytest.param(["查一下宽带断"], 2 / 4, id="in-two-seeds"),
        pytest.param(["下话，费！"], 1.0, id="punctuation-out"),
        pytest.param(["哈哈哈哈", "断网了"], 1 / 2, id="mean-over-texts"),
        pytest.param(["查一下查一下"], 1 / 3, id="distinct-grams"),
        pytest.param(["话费", "退款"], 1 / 2, id="shorter-than-a-gram"),
        pytest.param(["。", "断网了"], 1.0, id="no-tokens-left-out"),
        pytest.param(["。"], None, id="no-tokens-at-all"),
    ],
)
def test_seed_overlap(texts: list[str], expected: float | None) -> None:
    """Shares worked out manually: grams may occur in different seeds, of any length."""
    figures = diversity(texts, ["查一下话费", "宽带断网了"], "zh")
    assert figures.seed_ngram_overlap == pytest.approx(expected)


def test_the_example() -> None:
    """Check the example of the module docstring."""
    figures = diversity(["查一下话费", "宽带断网了"], ["想查一下话费"], "zh")
    assert figures == Diversity(2, 1.0, 1.0, 0.0, 0.5)


def test_without_seeds_nothing_overlaps() -> None:
    """Without seeds the overlap is 0, not None."""
    assert diversity(["查一下话费"], [], "zh").seed_ngram_overlap == 0.0


def test_without_texts_there_are_no_figures() -> None:
    """Without texts, all figures are None."""
    none = Diversity(0, None, None, None, None)
    assert diversity([], ["查一下话费"], "zh") == none
    assert diversity([], [], "en") == none


def test_texts_are_evenly_spaced() -> None:
    """Of three times `LOOKED_AT` texts, every third one is used."""
    mine = [f"a{i} b{i % 3} c d" for i in range(LOOKED_AT)]
    between = [text for one in mine for text in (one, "x x x x", "y y y y")]
    assert diversity(between, ["b0 c d"], "en") == diversity(mine, ["b0 c d"], "en")


def naive_self_bleu(texts: list[list[str]]) -> float | None:
    """Return self-BLEU by its definition, text by text and reference by reference."""
    if len(texts) < 2:
        return None
    scores = []
    for i, text in enumerate(texts):
        score = 1.0
        for n in (1, 2, 3, 4):
            mine = count_grams(text, n)
            others = [count_grams(other, n) for j, other in enumerate(texts) if j != i]
            matches = sum(min(mine[gram], max(other[gram] for other in others)) for gram in mine)
            added = 0 if n == 1 else 1
            score *= ((matches + added) / (sum(mine.values()) + added)) ** 0.25
        scores.append(score)
    return sum(scores) / len(scores)


def count_grams(text: list[str], n: int) -> Counter[str]:
    """Count each n-gram in a text of one-character tokens."""
    return Counter("".join(text[i : i + n]) for i in range(len(text) - n + 1))


@settings(deadline=None)
@given(texts=TEXTS)
def test_self_bleu_is_the_pairwise_definition(texts: list[str]) -> None:
    """Second-highest counts give the same result as comparing with every other text."""
    expected = naive_self_bleu(cut([tokens(text, "zh") for text in texts]))
    assert diversity(texts, [], "zh").self_bleu == pytest.approx(expected)


@settings(deadline=None)
@given(texts=TEXTS, seeds=TEXTS)
def test_figures_are_shares(texts: list[str], seeds: list[str]) -> None:
    """All figures are 0 to 1, and texts that are seeds overlap fully."""
    figures = diversity(texts, seeds, "zh")
    _, *shares = astuple(figures)
    assert all(share is None or 0 <= share <= 1 for share in shares)
    assert diversity(texts, texts, "zh").seed_ngram_overlap in (None, 1.0)


def test_fifty_long_texts_are_fast() -> None:
    """50 texts of 200 tokens take less than 0.2 s of processor time, the best of three."""
    rng = np.random.default_rng(3)
    texts = ["".join(rng.choice(list("查询话费宽带断网"), 200)) for _ in range(50)]
    spent = []
    for _ in range(3):
        start = time.process_time()
        diversity(texts, texts, "zh")
        spent.append(time.process_time() - start)
    assert min(spent) < 0.2
