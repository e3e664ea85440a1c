"""How much the samples of one class differ from each other, and from its real rows.

    diversity(["查一下话费", "宽带断网了"], seeds=["想查一下话费"], language="zh")
    # Diversity(samples=2, distinct_1=1.0, distinct_2=1.0, self_bleu=0.0, seed_ngram_overlap=0.5)

Few distinct n-grams and a high self-BLEU are a model that says the same thing over and over; a
high seed overlap is one that says what it was shown. Distinct n-grams fall and self-BLEU rises
with the length and the number of texts, so all texts of a class are cut to one length and only
`LOOKED_AT` of them are looked at. Compare classes with the same `samples`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from src.config.data import Language
from src.gate.overlap import NOT_WORD, SIZE
from src.records.metrics.generate import Diversity

LOOKED_AT = 50  # texts of a class at most
SHORTER = 25  # per cent of the texts that are too short for the common length and left out
ORDER = 4  # of BLEU: n-grams of 1 to 4 tokens, so that a text has at least 4
APOSTROPHES = str.maketrans("", "", "'’")  # don't is one word, however it is written

Grams = list[tuple[str, ...]]


def diversity(texts: Sequence[str], seeds: Sequence[str], language: Language) -> Diversity:
    """Figures on the samples of one class, each None where nothing can be computed.

    Args:
        texts: the samples of the class, turns joined by spaces. Of more than `LOOKED_AT`, so many
            are looked at, evenly spaced through the list.
        seeds: the class's real train rows, turns joined by spaces.
        language: what a token is: a letter or number in Chinese, a word in English; in lower
            case, without punctuation.

    Returns:
        - samples: how many texts were looked at.
        - distinct_1, distinct_2: distinct over all n-grams of the texts together (Li et al. 2016,
          "A Diversity-Promoting Objective Function"), 0 to 1; cut as for self-BLEU.
        - self_bleu: mean BLEU-4 of each text with all others as references (Zhu et al. 2018,
          "Texygen"), 0 to 1. Texts are cut to the 25th percentile of their lengths, at least 4
          tokens, and shorter ones left out: there is no brevity penalty. None for one text.
        - seed_ngram_overlap: mean share of a text's distinct token 3-grams that stand in any seed, 0 to
          1; whole texts, of which one with 1 or 2 tokens is its own only gram and one without
          tokens is left out.
    """
    count = min(LOOKED_AT, len(texts))
    looked_at = [tokens(texts[i * len(texts) // count], language) for i in range(count)]
    equal = cut(looked_at)
    return Diversity(
        samples=count,
        distinct_1=_distinct(equal, 1),
        distinct_2=_distinct(equal, 2),
        self_bleu=_self_bleu(equal),
        seed_ngram_overlap=_seed_overlap(looked_at, [tokens(seed, language) for seed in seeds]),
    )


def tokens(text: str, language: Language) -> list[str]:
    """Letters and numbers one by one in Chinese, words in English; in lower case."""
    if language == "zh":
        return list(NOT_WORD.sub("", text.lower()))
    return NOT_WORD.sub(" ", text.lower().translate(APOSTROPHES)).split()


def cut(texts: Sequence[list[str]]) -> list[list[str]]:
    """The texts cut to their 25th percentile of tokens, at least `ORDER`, without shorter ones."""
    if not texts:
        return []
    length = max(ORDER, int(np.percentile([len(text) for text in texts], SHORTER)))
    return [text[:length] for text in texts if len(text) >= length]


def _grams(text: list[str], n: int) -> Grams:
    return list(zip(*(text[i:] for i in range(n)), strict=False))


def _distinct(texts: list[list[str]], n: int) -> float | None:
    grams = [gram for text in texts for gram in _grams(text, n)]
    return len(set(grams)) / len(grams) if grams else None


def _self_bleu(texts: list[list[str]]) -> float | None:
    """Of texts with equal length; add-one smoothing of n > 1 (Lin and Och 2004, "ORANGE")."""
    if len(texts) < 2:
        return None
    precisions = []
    for n in range(1, ORDER + 1):
        counts = [Counter(_grams(text, n)) for text in texts]
        matches = _clipped_matches(counts)
        added = int(n > 1)
        precisions.append((matches + added) / (len(texts[0]) - n + 1 + added))
    return float(np.mean(np.prod(precisions, axis=0) ** (1 / ORDER)))


def _clipped_matches(counts: list[Counter[tuple[str, ...]]]) -> np.ndarray:
    """N-grams of each text that stand in the others, shape (texts,).

    A gram counts as often as in the other text that has most of it. Whether or not a text has
    most of it itself, this is the second-highest count of all texts or its own, if that is less.
    """
    highest: dict[tuple[str, ...], int] = {}
    second: dict[tuple[str, ...], int] = {}
    for text in counts:
        for gram, times in text.items():
            most = highest.get(gram, 0)
            highest[gram] = max(most, times)
            second[gram] = max(second.get(gram, 0), min(most, times))
    return np.array([sum(min(times, second[g]) for g, times in text.items()) for text in counts])


def _seed_overlap(texts: list[list[str]], seeds: list[list[str]]) -> float | None:
    sizes = [min(SIZE, len(text)) for text in texts if text]
    if not sizes:
        return None
    found = {gram for seed in seeds for n in sorted(set(sizes)) for gram in _grams(seed, n)}
    own = [set(_grams(text, min(SIZE, len(text)))) for text in texts if text]
    return float(np.mean([len(grams & found) / len(grams) for grams in own]))
