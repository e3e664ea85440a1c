"""Find private data in calls and utterances, and put words that stand in speech in its place.

    find_private("我叫张伟号码是幺三八零零幺三八零零零", "zh", ["10086"])
    -> [Found("name", 2, 4), Found("mobile", 7, 18)]
    mask("我叫张伟号码是幺三八零零幺三八零零零", "zh", ["10086"])
    -> ("我叫某某号码是某号码", Counter(name=1, mobile=1))

Transcripts spell numbers out, so every kind of number is read in Arabic, spoken and mixed digits,
across fillers (幺三五嗯八八六七) and, given the turn separator, across turns (best effort).
`number` stands for what is long but none of the other kinds: account and order numbers, codes
after words such as 验证码, and misheard phone numbers, which a checksum cannot recognise.

Rules, not a model: a name is found after words that introduce one, an address by its numbers. A
bare surname with a title (王女士), a place without a number and a partly masked number are kept.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

Language = Literal["zh", "en"]

KINDS = (
    "mobile",
    "landline",
    "id_card",
    "bank_card",
    "email",
    "plate",
    "address",
    "name",
    "number",
)
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


@dataclass(frozen=True)
class Found:
    """One piece of private data: `text[start:end]`, of one of `KINDS`."""

    kind: str
    start: int
    end: int


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
    patterns = _patterns(language, separator)
    found: list[Found] = []
    # The order decides whose claim stands: an e-mail address may hold a phone number.
    for finds in (_worded(text, patterns), _numbers(text, patterns, frozenset(allowed))):
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


# --- numbers --------------------------------------------------------------------------------

SPOKEN = dict(zip("零〇洞幺一二两三四五六七八九", "00011223456789", strict=True))
FULL_WIDTH = dict(zip("０１２３４５６７８９", "0123456789", strict=True))
TO_ARABIC = str.maketrans(SPOKEN | FULL_WIDTH | dict.fromkeys("xX叉", "X"))
ENGLISH = dict(
    zip(
        ["zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
        "00123456789",
        strict=True,
    )
)

D = "[0-9０-９" + "".join(SPOKEN) + "]"
E = rf"(?:\d|\b(?:{'|'.join(ENGLISH)})\b)"
FILLER = "(?:那个|就是|然后|[嗯呃啊哦额哎诶唉嘛])"
HEARING = (
    r"(?:[嗯呃啊哦额哎诶唉对好是行的]|那个|您说|请说|您?继续|接着说|然后呢?|还有呢?|后面呢?|\s)"
)
FILLER_TURN = re.compile(f"{HEARING}*")
MANY = re.compile(r"([2-9])个(\d)")  # 三个八
MULTIPLE = re.compile(r"(double|triple)[\s-]+(\w+)", re.IGNORECASE)

MOBILE = re.compile(r"1(?:3\d|4[014-9]|5[0-35-9]|6[2567]|7[0-8]|8\d|9[0-35-9])\d{8}")
BEFORE_MOBILE = re.compile(r"(?:0086|86|12593|17951|0)(?=1\d{10}$)")  # country, IP call, trunk
ABROAD = re.compile(r"07\d{9}|44(?:0)?7\d{9}")  # as told in English
LANDLINE = re.compile(r"(?:010|02[0-57-9])[2-8]\d{7}|0[3-9]\d\d[2-8]\d{6,7}")
ID_CARD = re.compile(r"[1-8]\d{5}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dX]")
ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643-1999
BANK_CARD = re.compile(r"[34569]\d{15,18}")
PUBLIC = re.compile(r"[48]00\d{7}|106\d{5,15}|95\d{3,6}")
DATES = re.compile(r"(?:(?:19|20)\d\d){2,3}|(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
PRICES = re.compile(r"(?:[1-3]?[1-9]8){3,}")  # 三八五八八八一二八: tariffs one after the other
TARIFF = re.compile(r"1?[1-9]8$")
TARIFF_AFTER = re.compile("套餐|[元块的那]")
AMOUNT_BEFORE = re.compile(rf"{D}[点.,]$|(?:周|星期|礼拜)$|[$£€¥￥]\s?$")
AMOUNT_AFTER = re.compile(
    r"\s?(?:[元块兆分毛角万千百十亿年月%]|积分|[.,点]\d|[mMgG](?![A-Za-z])|dollars|pounds|euros)"
)
OWN_WORD = frozenset("个下共直会次天块元月年位样些般定起种条张台部兆毛百十千万")  # 一下 behind

LONG = 7  # digits from which a number without a name is private
CODE = 4  # digits from which it is behind a word such as 验证码
LONGEST = 24  # digits that are tried together


class Piece(NamedTuple):
    """Digits that follow each other without a gap."""

    start: int
    end: int
    digits: str


def _numbers(text: str, patterns: Patterns, allowed: frozenset[str]) -> Iterator[Found]:
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
    """Pieces that the other side reads back are one with what they repeat."""
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
    """Numbers of a kind that can be checked, each the longest run of pieces that makes one."""
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
    """The digits and where they end: all, or without what belongs to the words behind.

    That is a last digit that starts a word of its own (一下), a public number (幺零零八六), or a
    tariff (一三八套餐).
    """
    yield digits, last.end
    if digits.endswith("X") or (len(last.digits) > 1 and text[last.end : last.end + 1] in OWN_WORD):
        yield digits[:-1], last.end - 1
    if len(last.digits) == last.end - last.start:  # one character a digit
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
    """Whether the last digit checks the others (ISO 7064 mod 11-2, zip leaves it out)."""
    total = sum(int(d) * weight for d, weight in zip(digits, ID_WEIGHTS, strict=False))
    return "10X98765432"[total % 11] == digits[-1]


def _luhn(digits: str) -> bool:
    """Whether the last digit checks the others (ISO/IEC 7812-1)."""
    doubled = (sum(divmod(2 * int(d), 10)) for d in digits[-2::-2])
    return (sum(map(int, digits[::-2])) + sum(doubled)) % 10 == 0


def _other(text: str, piece: Piece, patterns: Patterns, allowed: frozenset[str]) -> Iterator[Found]:
    """A long number of no known kind, or a shorter one behind a word that says it is a code."""
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


def _is_phone(told: str) -> bool:
    """English numbers with gaps: 555-010-0199, but no dates, years or round numbers."""
    groups = re.findall(r"\d+", told)
    if len(groups) < 2 or len("".join(groups)) < LONG:
        return True
    plain = all(re.fullmatch(r"(?:19|20)\d\d|\d+00|\d{1,2}", group) for group in groups)
    return not plain and len("".join(groups)) > 8


def _is_public(digits: str, allowed: frozenset[str]) -> bool:
    """Whether little is left of the number without the public ones at its ends."""
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
    """Whether the digits are the number with some of it said twice: 10(08)086."""
    more = len(digits) - len(number)
    return 0 < more < len(number) and any(
        digits == number[:end] + number[end - more :] for end in range(more, len(number) + 1)
    )


def _read_chinese(told: str) -> str:
    digits = told.translate(TO_ARABIC)
    if "个" in digits:
        digits = MANY.sub(lambda match: int(match[1]) * match[2], digits)
    return re.sub(r"[^\dX]", "", digits)


def _read_english(told: str) -> str:
    told = MULTIPLE.sub(lambda m: f"{m[2]} " * (2 if m[1].lower() == "double" else 3), told)
    return "".join(ENGLISH.get(word.lower(), word) for word in re.findall(r"\d+|[A-Za-z]+", told))


# --- e-mail, plates, addresses and names ------------------------------------------------------

LOCAL = rf"(?:[A-Za-z0-9._%+-]|{D})"
EMAIL = (
    r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+",
    rf"{LOCAL}(?:(?:点|下划线|横杠)?{LOCAL})*(?:@|艾特|爱特|\s?at\s?)"
    rf"(?:[A-Za-z0-9-]|{D})+(?:\s?(?:点|dot|\.)\s?(?:com|cn|net|org|edu|康姆))+",
)
MAIL_HOST = "(?:gmail|yahoo|hotmail|outlook|icloud|aol|qq|163|protonmail|proton|live|msn)"
WORD_DOT = r"[\w+-]+(?:\s(?:dot|underscore)\s[\w+-]+)*"
ENGLISH_EMAIL = (
    EMAIL[0],
    rf"(?i:\b{WORD_DOT}\sat\s{MAIL_HOST}(?:\sdot\s|\.)\w+(?:\sdot\s\w+)?)",
    rf"(?i:(?<=mail\sis\s){WORD_DOT}\sat\s[\w-]+(?:\sdot\s\w+)+)",
)

PLATE = (
    rf"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Za-z][·\s.-]?"
    rf"(?=(?:[A-Za-z]?{D}){{3}}|[A-Za-z]{{2}}{D}{{3}})"
    rf"(?:[A-Ka-k](?:[A-HJ-NP-Za-hj-np-z]|{D}){D}{{4}}|{D}{{5}}[A-Ka-k]"
    rf"|(?:[A-HJ-NP-Za-hj-np-z]|{D}){{5}})(?![A-Za-z0-9])",
)

COUNTING = "[0-9０-９零〇幺一二两三四五六七八九十百千]"
COUNT = COUNTING + "{1,6}"
PLACE = r"[^\WA-Za-z0-9我你您他她的在住是到去这那哪个们啊呃嗯哎呢吧了就往来从离叫啥着于查询知]"
ROOM = rf"(?:{COUNT}(?:室|房)|{D}{{3,4}}(?!{D}|[年兆块元个GgMm%百千万]))"
ENGLISH_COUNT = (
    r"(?:\d{1,5}[A-Za-z]?|(?i:(?:(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)\s)?"
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)))"
)
NO_STREET_NAME = (
    r"(?:the|an?|on|in|at|of|to|and|or|my|your|this|that|is|are|was|by|for|per|more|times?|days?|"
    r"weeks?|years?|months?|hours?|minutes?|miles?|am|pm|dollars|pounds|people|cards?|business|from)\b"
)
ENGLISH_ADDRESS = (
    rf"\b{ENGLISH_COUNT}\s(?:(?!(?i:{NO_STREET_NAME}))[A-Za-z']+\s){{1,3}}"
    r"(?i:street|st|road|rd|avenue|ave|lane|boulevard|blvd|drive|crescent|terrace)\b",
    r"\b[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2}\b",
)

SURNAME = (
    "(?:欧阳|上官|司马|诸葛|司徒|东方|慕容|尉迟|夏侯|皇甫|令狐|"
    "[王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁"
    "任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔"
    "向汤常温康施牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕"
    "单季裴霍涂苗曲盛翁骆蓝路游辛靳管柴蒙鲍华喻祁蒲房滕屈饶解牟艾尤阳时穆司卓古吉缪简车项连芦麦褚娄窦"
    "戚岑景党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边卞姬师和仇栾隋商刁沙荣巫寇桑郎甄丛仲虞敖巩明佘池查麻"
    "苑迟邝])"
)
NO_NAME = (
    "(?:马上|方便|关机|何时|常用|全|和|应该|高亮|成功|单位|单独|公司|安装|时候|高级|解|查|连|江苏|江西|"
    "安徽|华为|向|万一|于是|易|明天|明白|明年|师傅|包月|包年|费用|金卡|白金|时间|路由|古|边)"
)
GIVEN = (
    "[^\\W0-9A-Za-z_零〇幺我你您他她它的是了吗呢吧啊呃嗯哎哦喂对电话号码身份证手机这那想要查办不没有就在和"
    "跟与还也都先请给帮把被从到去来说问什么啥怎谁个哪某本单位住女客行叫姓名]"
)
FULL_NAME = f"(?!{NO_NAME}){SURNAME}{GIVEN}{{1,2}}"
OF_A_THING = "餐务件动铃声歌区站店包器卡网"  # 套餐名字, 小区名字
NAMES = (
    rf"(?:我叫|本人叫|(?:机主|户主|联系人|收件人|持卡人|户名)(?:姓名|名字)?(?:是|叫|为|[:：])|"
    rf"姓名(?:是|叫|为|[:：\s])?|(?<![{OF_A_THING}])(?<![{OF_A_THING}]的)名字[呢嘛]?(?:是|叫|为|[:：])|"
    rf"(?<=姓.)名?叫){FILLER}?(?P<a>{FULL_NAME})",
    rf"(?<!百)姓(?P<b>{SURNAME})(?!名)",
    rf"[是叫](?P<c>{FULL_NAME})(?=先生|女士|小姐|本人)",
)
NO_ENGLISH_NAME = (
    r"(?:not|wrong|spelled|spelt|misspelled|mis|on|in|the|incorrect|different|showing|being|an?|"
    r"changed|now|still|listed|my|your|too|also|correct|missing|about|to|going|some|by|and|i|but|"
    r"because|from|for|with|please|can|what|at|is|it|no|never|already|under|written|printed|so|"
    r"that|this|here|when|changing|legally|getting|out|back|as|or|if|how|once|twice)\b"
)
ENGLISH_NAMES = (
    r"(?<!\w)(?i:name is)\s(?P<b>[A-Z][a-z'-]+\s[A-Z][\w'-]+)",
    rf"(?:(?i:\bmy name(?:\sis|'s)|\bi'?\s?a?m called))\s(?P<a>(?!(?i:{NO_ENGLISH_NAME}))"
    rf"(?:[A-Z][\w'-]+(?:\s(?!I\b)[A-Z][\w'-]+){{0,2}}|[a-z][a-z'-]+))",
)


@dataclass(frozen=True)
class Patterns:
    """Compiled for one language and turn separator; the `hint`s are cheap and come first."""

    language: Language
    separator: str | None
    chain: re.Pattern[str]
    piece: re.Pattern[str]
    compact: re.Pattern[str]
    code: re.Pattern[str]
    worded: tuple[tuple[str, re.Pattern[str], re.Pattern[str]], ...]  # kind, hint, pattern

    def read(self, told: str) -> str:
        """The Arabic digits of a number as it was told."""
        return _read_chinese(told) if self.language == "zh" else _read_english(told)


def _worded(text: str, patterns: Patterns) -> Iterator[Found]:
    """What is told by words; a pattern with a named group stands for that group alone."""
    for kind, hint, pattern in patterns.worded:
        if hint.search(text):
            for match in pattern.finditer(text):
                start, end = match.span(match.lastgroup or 0)
                yield Found(kind, start, end)


@lru_cache
def _patterns(language: Language, separator: str | None) -> Patterns:
    return _chinese(separator) if language == "zh" else _english(separator)


def _chinese(separator: str | None) -> Patterns:
    turn = re.escape(separator) if separator else r"(?!)"
    between = rf"(?:{turn}(?:{HEARING}{{1,6}}{turn})?)"
    gap = rf"(?:[\s\-—·,，、.()（）]|{FILLER}|{between}){{0,4}}?"
    digit = rf"(?:[二两三四五六七八九3-9]个(?={D})|{D})"
    code = (
        "(?:验证码|校验码|动态码|密码|工号|卡号|账号|帐号|账户|户号|单号|证号|证件号|编号|流水号|会员号|"
        "后六位|序列号|串号|微信号?|[qQ]{2}号?)"
        rf"(?:[是为呢啊嗯呃哦:：\s]|就是|号码?|多少|报一?下|说一?下|告诉我|一下|给我|{turn}){{0,6}}$"
    )
    return Patterns(
        language="zh",
        separator=separator,
        chain=re.compile(rf"{digit}(?:{gap}{digit}){{3,}}(?:{gap}[xX叉](?![xX*]))?"),
        piece=re.compile(rf"(?:{digit})+[xX叉]?|[xX叉]"),
        compact=re.compile(rf"{D}+(?:[ -]{D}+)*"),
        code=re.compile(code),
        worded=(
            ("email", re.compile(r"@|艾特|爱特|at"), _any(EMAIL)),
            ("plate", re.compile(PLATE[0]), _any(PLATE)),
            (
                "address",
                re.compile(rf"{COUNTING}[号弄栋幢座单组队社楼层]|[A-Za-z][座栋区]"),
                _place(gap),
            ),
            ("name", re.compile("我[叫是]|姓|名|人|主|先生|女士|小姐|称呼"), _name(turn)),
        ),
    )


def _any(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


def _place(gap: str) -> re.Pattern[str]:
    """Road with a house number, or two of building, entrance and room, or a named estate."""
    numbered = rf"{COUNT}(?:号楼|[栋幢座])"
    building = rf"(?:{numbered}|[A-Za-z](?:号楼|[栋幢座]))"
    unit = rf"{COUNT}(?:单元|门)"
    floor = rf"{COUNT}(?:楼|层)"
    inner = rf"(?:{gap}{building})?(?:{gap}{unit})?(?:{gap}{floor})?(?:{gap}{ROOM})?"
    no_road = "线网电光修走铁公马一回套思各条道个这那哪几两多问带过上销出"
    return re.compile(
        rf"{PLACE}{{1,20}}(?:(?<![{no_road}])路|(?<![逛上])街|大道|胡同|巷)(?:{COUNT}弄)?"
        rf"{COUNT}(?:号楼|号(?![码段卡线键])院?){inner}"
        rf"|{PLACE}{{2,10}}(?:小区|花园|公寓|家园|家属院|新村|苑|大厦|大楼|广场)"
        rf"(?:[A-Za-z]区)?(?:{numbered}{inner}|[A-Za-z][座栋]{gap}{ROOM}|{unit}{inner}|{floor}{gap}{ROOM}|{ROOM})"
        rf"|{PLACE}{{2,10}}[村屯乡镇]{COUNT}[组队社](?:{COUNT}号)?"
        rf"|{building}{gap}(?:{unit}(?:{gap}{floor})?(?:{gap}{ROOM})?|{ROOM})"
        rf"|{unit}{gap}(?:{floor}{gap})?{ROOM}"
        rf"|{floor}{gap}{COUNT}室"
    )


def _name(turn: str) -> re.Pattern[str]:
    """Names behind words that introduce them, and whole turns that answer a question for one."""
    answer = (
        rf"(?:贵姓|称呼|姓名|名字|叫什么|叫啥)(?:(?!{turn}).){{0,8}}{turn}"
        rf"(?:(?:{FILLER}|[对好是的]){{1,3}}{turn})?{FILLER}?我?[叫是姓]?"
        rf"(?P<d>{FULL_NAME}|(?<=姓){SURNAME})(?={turn}|$)"
        rf"|我是(?P<e>{FULL_NAME})(?={turn}|$|[我，,。])"
    )
    return _any((*NAMES, answer))


def _english(separator: str | None) -> Patterns:
    token = rf"(?:(?:double|triple)[\s-]+)?{E}"
    return Patterns(
        language="en",
        separator=separator,
        chain=re.compile(rf"{token}(?:[\s()-]{{0,2}}{token}){{3,}}", re.IGNORECASE),
        piece=re.compile(rf"{token}(?:{token})*", re.IGNORECASE),
        compact=re.compile(rf"{token}(?:[\s()-]{{0,2}}{token})*", re.IGNORECASE),
        code=re.compile(
            r"(?:code|password|passcode|pin|account number|card number|order number)"
            r"(?:\s(?:is|was|number))?[\s:]*$",
            re.IGNORECASE,
        ),
        worded=(
            ("email", re.compile(r"@|\bat\b"), _any(ENGLISH_EMAIL)),
            ("address", re.compile(r"\d|(?i:street|road|avenue|lane)"), _any(ENGLISH_ADDRESS)),
            ("name", re.compile(r"(?i:name|called)"), _any(ENGLISH_NAMES)),
        ),
    )
