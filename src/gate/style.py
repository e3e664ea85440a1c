"""Match the surface style of candidates to the real rows: punctuation, digits, letter case.

    surface = measure_surface(train["text"], "[SEP]")
    match_surface("您好，请讲。[SEP]5G套餐128元？", surface, "[SEP]", "zh")
    -> "您好请讲[SEP]五g套餐一百二十八元"

This transforms texts and never rejects them. Language models write tidy text; a classifier that is
trained on it and then applied to transcripts would learn the tidiness.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from src.config.data import DataParams, Language
from src.data.dialogue import join_turns, split_turns
from src.gate.spoken import speak_digits
from src.records.samples import Candidate

COMMON = 0.01  # min. share of rows for a feature to belong to the style of the real rows
WORD_MARKS = "'’-"  # inside a word, these are not punctuation
WORD_MARK = re.compile(r"(?<=\w)['’-](?=\w)")
PUNCTUATION = re.compile(r"[^\w\s]|_")
STRIPPED = re.compile(r"(?!(?<=\d)\.(?=\d))[^\w\s]|_")  # a decimal point is part of its number


@dataclass(frozen=True)
class Surface:
    """What at least `COMMON` of the real rows contain.

    `marks` are the apostrophes and hyphens inside their words.
    """

    punctuation: bool
    digits: bool
    upper_case: bool
    spaces: bool
    marks: str


def is_common(pattern: re.Pattern[str], rows: Iterable[str]) -> bool:
    """Return whether at least `COMMON` of the rows (and at least one) contain the pattern."""
    found = [pattern.search(row) is not None for row in rows]
    return sum(found) > 0 and sum(found) >= COMMON * len(found)


def measure_surface(texts: Iterable[str], separator: str | None) -> Surface:
    """Return the surface of texts, ignoring turn separators."""
    rows = ["".join(split_turns(text, separator)) for text in texts]
    return Surface(
        punctuation=is_common(PUNCTUATION, (WORD_MARK.sub("", row) for row in rows)),
        digits=is_common(re.compile(r"\d"), rows),
        upper_case=is_common(re.compile(r"[A-Z]"), rows),
        spaces=is_common(re.compile(r"\s"), rows),
        marks="".join(
            mark for mark in WORD_MARKS if is_common(re.compile(rf"\w{re.escape(mark)}\w"), rows)
        ),
    )


def in_style(
    candidates: Iterable[Candidate], texts: Iterable[str], data: DataParams
) -> list[Candidate]:
    """Return the candidates with their texts in the style of the train rows, as the gate does.

    Args:
        candidates: candidates as generated.
        texts: texts of the train rows.
        data: turn separator and language.
    """
    separator, language = data.turn_separator, data.language
    surface = measure_surface(texts, separator)
    return [
        replace(one, text=match_surface(one.text, surface, separator, language))
        for one in candidates
    ]


def match_surface(text: str, surface: Surface, separator: str | None, language: Language) -> str:
    """Remove from each turn what the real rows do not have.

    Arabic digits are written as words in Chinese only. English digits stay, because there is no
    single way to say them and this is untested on such rows. The function is idempotent.
    """
    turns = (_match_turn(turn, surface, language) for turn in split_turns(text, separator))
    return join_turns([turn for turn in turns if turn], separator)


def _match_turn(turn: str, surface: Surface, language: Language) -> str:
    if language == "zh" and not surface.digits:
        turn = speak_digits(turn)
    if "’" not in surface.marks and "'" in surface.marks:
        turn = turn.replace("’", "'")
    if not surface.punctuation:
        turn = _strip_punctuation(turn, surface.marks, gap="" if language == "zh" else " ")
    if not surface.upper_case:
        turn = turn.lower()
    return (" " if surface.spaces else "").join(turn.split())


def _strip_punctuation(turn: str, marks: str, gap: str) -> str:
    """Drop apostrophes in words, replace other marks with `gap`, keep `marks` inside words."""

    def drop(match: re.Match[str]) -> str:
        in_word = WORD_MARK.match(match.string, match.start())
        if in_word and match.group() in marks:
            return match.group()
        return "" if in_word and match.group() in "'’" else gap

    return STRIPPED.sub(drop, turn)
