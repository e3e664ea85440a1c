"""Measure one candidate on its own, for the rules and for its scores.

measure_candidate("客服：您好", "客服您好", keywords=(), data=params.data).loop_share
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from src.config.data import DataParams
from src.data.dialogue import plain, split_turns
from src.gate.overlap import NOT_WORD
from src.records.samples import SampleScores

# A loop: a unit of 1 to 12 characters, at least 3 times in a row.
LOOP = re.compile(r"(.{1,12}?)\1{2,}", re.DOTALL)
WINDOW = 120  # characters in which bigrams are counted; longer texts repeat more anyway
TURN_BIGRAMS = 4  # min. distinct bigrams of a turn to count as repeated; below are 嗯, 好的
SAME_TURN = 0.7  # min. share of the smaller turn's bigrams that the other turn has

# A Chinese character counts as much as a Latin word: "volte" is one foreign word, not five.
LATIN = r"[A-Za-z\u00c0-\u024f]+"
WORD = re.compile(rf"{LATIN}|[^\W\d_]")
OF_LANGUAGE = {"zh": re.compile(r"[\u3400-\u9fff〇]"), "en": re.compile(LATIN)}


@dataclass(frozen=True)
class Overlap:
    """The largest share of a text's 3-grams that occurs in one other row, and that row's id."""

    share: float
    row: str


NOWHERE = Overlap(0.0, "")


@dataclass(frozen=True)
class Measurements:
    """Everything that the rules know about one candidate.

    Attributes:
        text: the text after the style transform.
        raw_turns: the turns as the model wrote them.
        turns: the turns of `text`.
        has_turns: whether rows are dialogues.
        chars: characters of `text` without turn separators.
        language: code of the expected language.
        language_share: share of the words that are in that language.
        loop_share: share of the characters that are in loops.
        times_in_a_row: consecutive repeats of the most repeated unit; 1 without loops.
        repeats: number of turns that repeat an earlier one.
        repeated_turns: the same as a share of all turns long enough to repeat.
        distinct_bigrams: share of distinct bigrams in the worst window.
        keywords: number of keywords of its class.
        keyword_hits: number of those that occur in the text.
        seed: overlap with train rows of its class.
        masked: the text with its private data replaced.
        private: pairs of kind and count of private data.
        held_out: overlap with dev and test rows.
        other: overlap with train rows of other classes.
        earlier: overlap with candidates of its class accepted before.
    """

    text: str
    raw_turns: tuple[str, ...]
    turns: tuple[str, ...]
    has_turns: bool
    chars: int
    language: str
    language_share: float
    loop_share: float
    times_in_a_row: int
    repeats: int
    repeated_turns: float
    distinct_bigrams: float
    keywords: int
    keyword_hits: int
    seed: Overlap = NOWHERE
    masked: str = ""
    private: tuple[tuple[str, int], ...] = ()
    held_out: Overlap = NOWHERE
    other: Overlap = NOWHERE
    earlier: Overlap = NOWHERE

    def scores(self) -> SampleScores:
        """Return the scores that are written for every candidate, accepted or not."""
        return SampleScores(
            chars=self.chars,
            turns=len(self.turns),
            language_share=self.language_share,
            loop_share=self.loop_share,
            repeated_turns=self.repeated_turns,
            distinct_bigrams=self.distinct_bigrams,
            keyword_hits=self.keyword_hits,
            seed_overlap=self.seed.share,
            contamination=self.held_out.share,
            contradiction=self.other.share,
            near_duplicate=self.earlier.share,
        )


def measure_candidate(
    raw: str, text: str, keywords: Sequence[str], data: DataParams
) -> Measurements:
    """Measure one candidate; overlaps and private data are left at their defaults.

    Args:
        raw: the text as the model wrote it, turns joined by the data's separator.
        text: the same text after the style transform.
        keywords: keywords of its class.
        data: turn separator and language.
    """
    turns = split_turns(text, data.turn_separator)
    words = "".join(NOT_WORD.sub("", turn.lower()) for turn in turns)
    loops = [(len(m.group()), len(m.group()) // len(m.group(1))) for m in LOOP.finditer(words)]
    repeats, counted = _repeated_turns(turns)
    units = WORD.findall(plain(raw, data.turn_separator))
    mine = len(OF_LANGUAGE[data.language].findall(" ".join(units)))  # at most one per unit
    return Measurements(
        text=text,
        raw_turns=tuple(split_turns(raw, data.turn_separator)),
        turns=tuple(turns),
        has_turns=data.turn_separator is not None,
        chars=sum(map(len, turns)),
        language=data.language,
        language_share=_share(mine, units),
        loop_share=_share(sum(length for length, _ in loops), words),
        times_in_a_row=max((times for _, times in loops), default=1),
        repeats=repeats,
        repeated_turns=repeats / max(1, counted),
        distinct_bigrams=_distinct_bigrams(words),
        keywords=len(keywords),
        keyword_hits=_keyword_hits(plain(text, data.turn_separator), keywords, data.language),
    )


def _share(part: int, whole: Sequence[str]) -> float:
    return part / len(whole) if whole else 0.0


def _bigrams(text: str) -> set[str]:
    return {text[i : i + 2] for i in range(len(text) - 1)}


def _repeated_turns(turns: Iterable[str]) -> tuple[int, int]:
    """Return how many turns repeat an earlier one, and how many are long enough to."""
    found = [_bigrams(NOT_WORD.sub("", turn.lower())) for turn in turns]
    long = [bigrams for bigrams in found if len(bigrams) >= TURN_BIGRAMS]
    repeats = sum(
        any(len(turn & other) >= SAME_TURN * min(len(turn), len(other)) for other in long[:i])
        for i, turn in enumerate(long)
    )
    return repeats, len(long)


def _distinct_bigrams(words: str) -> float:
    """Return distinct / all bigrams of the window where that share is lowest."""
    last = max(1, len(words) - WINDOW // 2)
    windows = [words[start : start + WINDOW] for start in range(0, last, WINDOW // 2)]
    return min(len(_bigrams(w)) / (len(w) - 1) if len(w) > 1 else 1.0 for w in windows)


def _keyword_hits(words: str, keywords: Sequence[str], language: str) -> int:
    words = words.lower()
    if language == "zh":
        return sum(keyword.lower() in words for keyword in keywords)
    return sum(
        re.search(rf"(?<!\w){re.escape(keyword.lower())}(?!\w)", words) is not None
        for keyword in keywords
    )
