"""All that can be measured on one candidate alone.

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

# A repeat inside a text: 1 to 12 characters, at least 3 times in a row.
LOOP = re.compile(r"(.{1,12}?)\1{2,}", re.DOTALL)
WINDOW = 120  # characters over which bigrams are counted, as longer text repeats more
TURN_BIGRAMS = 4  # distinct ones from which a turn can repeat another; shorter ones are 嗯, 好的
SAME_TURN = 0.7  # share of the smaller turn's bigrams that stands in the other one

# A Chinese character counts as much as a Latin word: volte in a call is one foreign word, not five.
LATIN = r"[A-Za-z\u00c0-\u024f]+"
WORD = re.compile(rf"{LATIN}|[^\W\d_]")
OF_LANGUAGE = {"zh": re.compile(r"[\u3400-\u9fff〇]"), "en": re.compile(LATIN)}


@dataclass(frozen=True)
class Overlap:
    """The largest share of a text that stands in one other row, and which row that is."""

    share: float
    row: str


NOWHERE = Overlap(0.0, "")


@dataclass(frozen=True)
class Measurements:
    """One candidate as the rules see it: measured once, asked often.

    `raw_turns` are as the model wrote them, `text` and its `turns` and `chars` are after the style
    transform; `times_in_a_row` is how often the most repeated unit stands there;
    `keyword_hits` of `keywords` stand in the text; `masked` is the text without the private data
    that `private` counts by kind. The overlaps are with train rows of its class, with dev and test
    rows, with train rows of other classes, and with candidates of its class accepted before.
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
        """What is written beside every candidate, accepted or not."""
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
    """All that can be measured on one candidate alone.

    Args:
        raw: as the model wrote it, turns joined by the data's separator.
        text: the same after the style transform.
        keywords: of its class.
        data: turn separator and language.
    """
    turns = split_turns(text, data.turn_separator)
    words = "".join(NOT_WORD.sub("", turn.lower()) for turn in turns)
    loops = [(len(m.group()), len(m.group()) // len(m.group(1))) for m in LOOP.finditer(words)]
    repeats, counted = _repeated_turns(turns)
    units = WORD.findall(plain(raw, data.turn_separator))
    mine = len(OF_LANGUAGE[data.language].findall(" ".join(units)))  # at most one a unit
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
    """Turns that say an earlier one again, and all turns long enough to."""
    found = [_bigrams(NOT_WORD.sub("", turn.lower())) for turn in turns]
    long = [bigrams for bigrams in found if len(bigrams) >= TURN_BIGRAMS]
    repeats = sum(
        any(len(turn & other) >= SAME_TURN * min(len(turn), len(other)) for other in long[:i])
        for i, turn in enumerate(long)
    )
    return repeats, len(long)


def _distinct_bigrams(words: str) -> float:
    """Distinct bigrams a bigram, in the window that is poorest in them."""
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
