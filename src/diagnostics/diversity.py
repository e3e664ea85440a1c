"""Measure how much the samples of a class differ from each other and from its real rows.

    diversity(["查一下话费", "宽带断网了"], seeds=["想查一下话费"], language="zh")
    # Diversity(samples=2, distinct_1=1.0, distinct_2=1.0, self_bleu=0.0, seed_ngram_overlap=0.5)

Few distinct n-grams and a high self-BLEU mean that the model repeats itself; a high seed overlap
means that it copies its seed examples. With more or longer texts, distinct n-grams fall and
self-BLEU rises, so all texts of a class are cut to one length and at most `LOOKED_AT` are used.
Only compare classes with the same `samples`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from src.config.data import Language
from src.gate.overlap import NOT_WORD, SIZE
from src.records.metrics.generate import Diversity

LOOKED_AT = 50  # max. texts used per class
SHORTER = 25  # percentile of lengths that texts are cut to; shorter texts are left out
ORDER = 4  # of BLEU: n-grams of 1 to 4 tokens, so texts need at least 4 tokens
APOSTROPHES = str.maketrans("", "", "'’")  # don't is one word, however it is written

Grams = list[tuple[str, ...]]


def diversity(texts: Sequence[str], seeds: Sequence[str], language: Language) -> Diversity:
    """Return diversity figures for the samples of one class; None where not computable.

    Args:
        texts: the samples of the class, turns joined by spaces. If there are more than
            `LOOKED_AT`, only that many are used, evenly spaced through the list.
        seeds: the class's real train rows, turns joined by spaces.
        language: defines a token: a letter or number in Chinese, a word in English; in lower
            case, without punctuation.

    Returns:
        - samples: how many texts were used.
        - distinct_1, distinct_2: distinct / all n-grams of the texts together (Li et al. 2016,
          "A Diversity-Promoting Objective Function"), 0 to 1; cut as for self-BLEU.
        - self_bleu: mean BLEU-4 of each text with all others as references (Zhu et al. 2018,
          "Texygen"), 0 to 1. Texts are cut to the 25th percentile of their lengths, at least 4
          tokens, and shorter ones are left out, so no brevity penalty applies. None for one text.
        - seed_ngram_overlap: mean share of a text's distinct token 3-grams that occur in any seed,
          0 to 1, for uncut texts. A text with 1 or 2 tokens is its own only gram; texts without
          tokens are left out.
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
    """Split into letters and numbers in Chinese, into words in English; in lower case."""
    if language == "zh":
        return list(NOT_WORD.sub("", text.lower()))
    return NOT_WORD.sub(" ", text.lower().translate(APOSTROPHES)).split()


def cut(texts: Sequence[list[str]]) -> list[list[str]]:
    """Cut texts to the 25th percentile of their lengths, at least `ORDER`; drop shorter texts."""
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
    """Return the mean BLEU of equally long texts, smoothed for n > 1 (Lin and Och 2004, "ORANGE").

    The smoothing adds one to matches and totals.
    """
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
    """Count the n-grams of each text that occur in the others, shape (texts,).

    Each count of a gram is clipped to its highest count in one other text. In all cases, that is
    the minimum of its own count and the second-highest count of all texts.
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
