"""Find private data in calls and utterances, and replace it with spoken placeholders.

    find_private("我叫张伟号码是幺三八零零幺三八零零零", "zh", ["10086"])
    -> [Found("name", 2, 4), Found("mobile", 7, 18)]
    mask("我叫张伟号码是幺三八零零幺三八零零零", "zh", ["10086"])
    -> ("我叫某某号码是某号码", Counter(name=1, mobile=1))

Transcripts spell numbers out, so every kind of number is read in Arabic, spoken and mixed digits,
across fillers (幺三五嗯八八六七) and, given the turn separator, across turns (best effort). The kind
`number` covers long numbers of no other kind: account and order numbers, codes after words such as
验证码, and misheard phone numbers, which a checksum cannot recognise.

This uses rules, not a model: names are found after words that introduce them, addresses by their
numbers. It does not mask a surname with a title (王女士), an address without a number, or a number
that is partly masked already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from src.config.data import Language
from src.privacy.digits import FILLER_TURN
from src.privacy.kinds import Found
from src.privacy.numbers import private_numbers
from src.privacy.patterns import Patterns, patterns_for

WORDS: dict[Language, dict[str, str]] = {
    "zh": {"email": "某邮箱", "plate": "某车牌", "address": "某地址", "name": "某某"},
    "en": {
        "email": "some email",
        "plate": "some plate",
        "address": "some address",
        "name": "some name",
    },
}
NUMBER_WORD: dict[Language, str] = {"zh": "某号码", "en": "some number"}


def find_private(
    text: str, language: Language, allowed: Sequence[str], separator: str | None = None
) -> list[Found]:
    """Return the private data in the text, in order and without overlaps.

    Args:
        text: one utterance, or turns joined by the separator.
        language: language of the words around the data; Arabic digits are read in both.
        allowed: public numbers in Arabic digits ("10086"), allowed in every spelling, also with
            an area code before or a menu choice after them. Hotlines (400, 800, 95) and senders
            of mass messages (106) are always allowed.
        separator: turn separator; a number may continue across it.
    """
    patterns = patterns_for(language, separator)
    found: list[Found] = []
    # The first match wins, and an e-mail address may contain a phone number.
    for finds in (_worded(text, patterns), private_numbers(text, patterns, frozenset(allowed))):
        for one in finds:
            if all(one.end <= other.start or other.end <= one.start for other in found):
                found.append(one)
    return sorted(found, key=lambda one: one.start)


def mask(
    text: str, language: Language, allowed: Sequence[str], separator: str | None = None
) -> tuple[str, Counter[str]]:
    """Return the text with private data replaced, and the number of replacements per kind.

    Turn boundaries are kept: if a number spans several turns, each part is replaced. It repeats
    until nothing is found, so masking again changes nothing.
    """
    counts: Counter[str] = Counter()
    while found := find_private(text, language, allowed, separator):
        counts.update(one.kind for one in found)
        for one in reversed(found):
            word = WORDS[language].get(one.kind, NUMBER_WORD[language])
            hidden = _hide(text[one.start : one.end], word, separator)
            text = text[: one.start] + hidden + text[one.end :]
    return text, counts


def _hide(private: str, word: str, separator: str | None) -> str:
    """Return the placeholder for each turn of the match; turns of fillers only are kept."""
    if separator is None or separator not in private:
        return word
    turns = private.split(separator)
    return separator.join(turn if FILLER_TURN.fullmatch(turn) else word for turn in turns)


def _worded(text: str, patterns: Patterns) -> Iterator[Found]:
    """Yield data found by word patterns; if a pattern has a named group, only that group."""
    for kind, hint, pattern in patterns.worded:
        if hint.search(text):
            for match in pattern.finditer(text):
                start, end = match.span(match.lastgroup or 0)
                yield Found(kind, start, end)
