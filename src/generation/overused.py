"""Overused n-grams: word sequences that too many samples of a class share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

OVERUSED_SHARE = 0.15  # minimum share of samples that contain an n-gram for it to be overused
NGRAM_LENGTH = {"zh": 6, "en": 4}  # characters, words


def overused_ngrams(texts: Sequence[str], most: int, language: str) -> list[str]:
    """Return at most `most` overused n-grams of characters (zh) or words (en), commonest first.

    Of overlapping n-grams only the most common one is returned.
    """
    length, glue = NGRAM_LENGTH[language], "" if language == "zh" else " "
    counts: Counter[str] = Counter()
    for text in texts:
        words = text.replace(" ", "") if language == "zh" else text.lower().split()
        runs = [glue.join(words[i : i + length]) for i in range(len(words) - length + 1)]
        counts.update(dict.fromkeys(runs, 1))  # a text counts once
    named: list[str] = []
    for run, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if len(named) == most or count < max(2, OVERUSED_SHARE * len(texts)):
            break
        if not any(_overlap(run, other) for other in named):
            named.append(run)
    return named


def _overlap(one: str, other: str) -> bool:
    """Whether both contain the same substring of half the longer one's length."""
    half = max(len(one), len(other)) // 2
    return any(one[i : i + half] in other for i in range(len(one) - half + 1))
