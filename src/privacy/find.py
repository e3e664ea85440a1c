"""Find private data in calls and utterances, and put spoken placeholders instead of it.

    find_private("我叫张伟号码是幺三八零零幺三八零零零", "zh", ["10086"])
    -> [Found("name", 2, 4), Found("mobile", 7, 18)]
    mask("我叫张伟号码是幺三八零零幺三八零零零", "zh", ["10086"])
    -> ("我叫某某号码是某号码", Counter(name=1, mobile=1))

Transcripts spell numbers out, so every kind of number is read in Arabic, spoken and mixed digits,
across fillers (幺三五嗯八八六七) and, given the turn separator, across turns (best effort).
`number` stands for what is long but none of the other kinds: account and order numbers, codes
after words such as 验证码, and misheard phone numbers, which a checksum cannot recognise.

Rules, not a model: a name is found after words that introduce one, an address by its numbers. A
bare surname with a title (王女士), an address without a number and a partly masked number are kept.
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
    """What is private in the text, in order, without overlaps.

    Args:
        text: One utterance, or turns joined by the separator.
        language: Language of the words around the data; Arabic digits are read in both.
        allowed: Public numbers in Arabic digits ("10086"), allowed in every spelling, also with
            an area code before or a menu choice behind. Hotlines 400, 800 and 95 and the senders
            of mass messages (106) always are.
        separator: Turn separator; a number told in pieces is followed over it.
    """
    patterns = patterns_for(language, separator)
    found: list[Found] = []
    # The order decides whose claim stands: an e-mail address may hold a phone number.
    for finds in (_worded(text, patterns), private_numbers(text, patterns, frozenset(allowed))):
        for one in finds:
            if all(one.end <= other.start or other.end <= one.start for other in found):
                found.append(one)
    return sorted(found, key=lambda one: one.start)


def mask(
    text: str, language: Language, allowed: Sequence[str], separator: str | None = None
) -> tuple[str, Counter[str]]:
    """The text with private data replaced, and how many of each kind were.

    Turns stay turns: of a number told over several, each part is replaced. Nothing is found in
    the result, so that masking again changes nothing.
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
    """A turn in between that is but a filler is no part of the number."""
    if separator is None or separator not in private:
        return word
    turns = private.split(separator)
    return separator.join(turn if FILLER_TURN.fullmatch(turn) else word for turn in turns)


def _worded(text: str, patterns: Patterns) -> Iterator[Found]:
    """What is told by words; a pattern with a named group stands for that group alone."""
    for kind, hint, pattern in patterns.worded:
        if hint.search(text):
            for match in pattern.finditer(text):
                start, end = match.span(match.lastgroup or 0)
                yield Found(kind, start, end)
