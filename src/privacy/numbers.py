"""Find private numbers: phone, card and identity numbers by format and checksum, and codes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from src.config.data import Language
from src.privacy.digits import D
from src.privacy.kinds import Found
from src.privacy.patterns import Patterns

MOBILE = re.compile(r"1(?:3\d|4[014-9]|5[0-35-9]|6[2567]|7[0-8]|8\d|9[0-35-9])\d{8}")
BEFORE_MOBILE = re.compile(r"(?:0086|86|12593|17951|0)(?=1\d{10}$)")  # country, IP call, trunk
ABROAD = re.compile(r"07\d{9}|44(?:0)?7\d{9}")  # UK mobile numbers, in English texts
LANDLINE = re.compile(r"(?:010|02[0-57-9])[2-8]\d{7}|0[3-9]\d\d[2-8]\d{6,7}")
ID_CARD = re.compile(r"[1-8]\d{5}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dX]")
ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643-1999
BANK_CARD = re.compile(r"[34569]\d{15,18}")
PUBLIC = re.compile(r"[48]00\d{7}|106\d{5,15}|95\d{3,6}")
DATES = re.compile(r"(?:(?:19|20)\d\d){2,3}|(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
PRICES = re.compile(r"(?:[1-3]?[1-9]8){3,}")  # 三八五八八八一二八: a list of tariffs
TARIFF = re.compile(r"1?[1-9]8$")
TARIFF_AFTER = re.compile("套餐|[元块的那]")
AMOUNT_BEFORE = re.compile(rf"{D}[点.,]$|(?:周|星期|礼拜)$|[$£€¥￥]\s?$")
AMOUNT_AFTER = re.compile(
    r"\s?(?:[元块兆分毛角万千百十亿年月%]|积分|[.,点]\d|[mMgG](?![A-Za-z])|dollars|pounds|euros)"
)
OWN_WORD = frozenset("个下共直会次天块元月年位样些般定起种条张台部兆毛百十千万")  # as in 一下
LONG = 7  # min. digits of a private number that no word introduces
CODE = 4  # min. digits of a private number after a word such as 验证码
LONGEST = 24  # max. digits tried as one number


class Piece(NamedTuple):
    """A run of digits without a gap."""

    start: int
    end: int
    digits: str


def private_numbers(text: str, patterns: Patterns, allowed: frozenset[str]) -> Iterator[Found]:
    """Yield the private numbers of a text.

    Args:
        text: one utterance, or turns joined by the separator of the patterns.
        patterns: patterns of its language.
        allowed: public numbers in Arabic digits.
    """
    for chain in patterns.chain.finditer(text):
        pieces = [
            Piece(piece.start(), piece.end(), patterns.read(piece.group()))
            for piece in patterns.piece.finditer(text, chain.start(), chain.end())
        ]
        found = list(_known(text, _without_echo(pieces, text, patterns), patterns, allowed))
        if len(pieces) > 1 and not found:
            found = list(_known(text, pieces, patterns, allowed))
        yield from found
        for piece in pieces:
            if not any(one.start <= piece.start < one.end for one in found):
                yield from _other(text, piece, patterns, allowed)


def _without_echo(pieces: list[Piece], text: str, patterns: Patterns) -> list[Piece]:
    """Merge pieces with their repetition in the next turn (the other speaker reads them back)."""
    kept: list[Piece] = []
    for piece in pieces:
        last = kept[-1] if kept else None
        if last and last.digits == piece.digits and len(piece.digits) < LONG:
            between = text[last.end : piece.start]
            if patterns.separator and patterns.separator in between:
                kept[-1] = last._replace(end=piece.end)
                continue
        kept.append(piece)
    return kept


def _known(
    text: str, pieces: list[Piece], patterns: Patterns, allowed: frozenset[str]
) -> Iterator[Found]:
    """Yield numbers of kinds that can be checked, each from the longest matching run of pieces."""
    first = 0
    while first < len(pieces):
        found, after = _longest(text, pieces, first, patterns, allowed)
        if found and found.kind == "landline" and patterns.code.search(text, 0, found.start):
            found = Found("number", found.start, found.end)  # a broadband account may look like one
        if found:
            yield found
        first = after


def _longest(
    text: str, pieces: list[Piece], first: int, patterns: Patterns, allowed: frozenset[str]
) -> tuple[Found | None, int]:
    digits, best, after = "", None, first + 1
    for index in range(first, len(pieces)):
        piece = pieces[index]
        digits += piece.digits
        if len(digits) > LONGEST:
            break
        for read, end in _readings(digits, piece, text, allowed):
            if kind := _kind(read, patterns.language, allowed):
                start = pieces[first].start
                start -= text[start - 1 : start] in ("+", "＋")
                best, after = Found(kind, start, end), index + 1
                break
    return best, after


def _readings(
    digits: str, last: Piece, text: str, allowed: frozenset[str]
) -> Iterator[tuple[str, int]]:
    """Yield possible readings of the digits with their end: all, or without an unrelated ending.

    Such an ending is a last digit that starts another word (一下), a public number (幺零零八六), or
    a tariff (一三八套餐).
    """
    yield digits, last.end
    if digits.endswith("X") or (len(last.digits) > 1 and text[last.end : last.end + 1] in OWN_WORD):
        yield digits[:-1], last.end - 1
    if len(last.digits) == last.end - last.start:  # one character per digit
        public = [number for number in allowed if len(number) > CODE]
        if TARIFF_AFTER.match(text, last.end) and (tariff := TARIFF.search(last.digits)):
            public.append(tariff.group())
        for number in public:
            if last.digits.endswith(number) and last.digits != number:
                yield digits.removesuffix(number), last.end - len(number)


def _kind(digits: str, language: Language, allowed: frozenset[str]) -> str | None:
    bare = BEFORE_MOBILE.sub("", digits, count=1)
    if digits in allowed or bare in allowed or PUBLIC.fullmatch(digits):
        return None
    if MOBILE.fullmatch(bare) or (language == "en" and ABROAD.fullmatch(digits)):
        return "mobile"
    if LANDLINE.fullmatch(digits):
        return "landline"
    if ID_CARD.fullmatch(digits) and _id_check(digits):
        return "id_card"
    if BANK_CARD.fullmatch(digits) and _luhn(digits):
        return "bank_card"
    return None


def _id_check(digits: str) -> bool:
    """Return whether the check digit is right (ISO 7064 mod 11-2; zip skips that digit)."""
    total = sum(int(d) * weight for d, weight in zip(digits, ID_WEIGHTS, strict=False))
    return "10X98765432"[total % 11] == digits[-1]


def _luhn(digits: str) -> bool:
    """Return whether the check digit is right (ISO/IEC 7812-1)."""
    doubled = (sum(divmod(2 * int(d), 10)) for d in digits[-2::-2])
    return (sum(map(int, digits[::-2])) + sum(doubled)) % 10 == 0


def _other(text: str, piece: Piece, patterns: Patterns, allowed: frozenset[str]) -> Iterator[Found]:
    """Yield a long number of no known kind, or a shorter one after a word for a code."""
    before = text[max(0, piece.start - 30) : piece.start]
    named = patterns.code.search(before) is not None
    whole = (
        patterns.compact.match(text, piece.start) if named or patterns.language == "en" else None
    )
    end = whole.end() if whole else piece.end
    digits = patterns.read(whole.group() if whole else piece.digits).rstrip("X")
    if len(digits) < (CODE if named else LONG) or _is_public(digits, allowed):
        return
    if AMOUNT_BEFORE.search(before) or AMOUNT_AFTER.match(text, end):
        return
    if not named and (DATES.fullmatch(digits) or PRICES.fullmatch(digits)):
        return
    if whole and not named and not _is_phone(whole.group()):
        return
    yield Found("number", piece.start, end)


def _is_phone(spoken: str) -> bool:
    """Return whether an English number with gaps is a phone number, not dates or round numbers."""
    groups = re.findall(r"\d+", spoken)
    if len(groups) < 2 or len("".join(groups)) < LONG:
        return True
    plain = all(re.fullmatch(r"(?:19|20)\d\d|\d+00|\d{1,2}", group) for group in groups)
    return not plain and len("".join(groups)) > 8


def _is_public(digits: str, allowed: frozenset[str]) -> bool:
    """Return whether the number is public, or too short without the public ones at its ends."""
    if digits in allowed or PUBLIC.fullmatch(digits):
        return True
    if any(_stutters(digits, number) for number in allowed):
        return True
    services = [number for number in allowed if len(number) > CODE]
    rest = digits
    while cut := next((n for n in services if rest.startswith(n) or rest.endswith(n)), None):
        rest = rest.removeprefix(cut) if rest.startswith(cut) else rest.removesuffix(cut)
    return rest != digits and len(rest) < LONG


def _stutters(digits: str, number: str) -> bool:
    """Return whether the digits are the number with a part of it spoken twice: 10(08)086."""
    more = len(digits) - len(number)
    return 0 < more < len(number) and any(
        digits == number[:end] + number[end - more :] for end in range(more, len(number) + 1)
    )
