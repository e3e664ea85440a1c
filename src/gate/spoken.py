"""Write Arabic numbers as they are spoken in Chinese.

speak_digits("5G套餐128元")  ->  "五G套餐一百二十八元"
"""

from __future__ import annotations

import re
from collections.abc import Callable

from cn2an import an2cn

NUMBER = r"\d+(?:\.\d+)?"
ONE_BY_ONE = str.maketrans("0123456789", "零幺二三四五六七八九")
YEAR = str.maketrans("0123456789", "零一二三四五六七八九")
FULL_WIDTH = str.maketrans("０１２３４５６７８９", "0123456789")
LONG = 5  # min. digits of a code (10086, a phone number), unless a unit follows
LONGEST_AMOUNT = 12  # digits
CONTEXT = 8  # characters before a number that show whether it is a code
DIGIT = re.compile(r"\d", re.ASCII)
AMOUNT_UNIT = re.compile(r"\s*(?:元|块|兆|积分)")
CODE_BEFORE = re.compile(
    r"(?:[尾编单卡户证机账]号|号码|[前后][三四六八\d]位|密码|验证码|拨打?)[是为:：\s]*$"
)
MEASURE_WORD = re.compile(r"\s*(?:[个块元天年次张条位人家台部种周倍兆点]|小时|分钟)")


def speak_digits(text: str) -> str:
    """Replace every Arabic number with spoken Chinese.

    Amounts, decimals, percentages and fractions, ranges, dates and times are read as such. Numbers
    with five or more digits, with a leading zero, or after words such as 尾号 and 密码 are read
    digit by digit with 幺 for 1: 10086 -> 幺零零八六.
    """
    text = text.translate(FULL_WIDTH)
    if not DIGIT.search(text):  # every pattern needs a digit, and most turns have none
        return text
    for pattern, spoken in SPOKEN:
        text = pattern.sub(spoken, text)
    return text


def _chain(match: re.Match[str]) -> str:
    """Join the parts of a code (138-1234-5678), leave a range (3-5) unchanged."""
    parts = re.split(r"[- ]", match.group())
    if len(parts) > 2 or any(len(part) >= LONG or part.startswith("0") for part in parts):
        return "".join(parts).translate(ONE_BY_ONE)
    return match.group()


def _masked(match: re.Match[str]) -> str:
    """Speak the visible digits of a masked number (138****1234)."""
    return re.sub(r"\D", "", match.group()).translate(ONE_BY_ONE)


def _date(match: re.Match[str]) -> str:
    year, month, day = match.groups()
    return f"{year.translate(YEAR)}年{_amount(month)}月{_amount(day)}日"


def _time(match: re.Match[str]) -> str:
    hour, minute = match.groups()
    if minute == "00":
        return f"{_amount(hour)}点"
    return f"{_amount(hour)}点{'零' if minute[0] == '0' else ''}{_amount(minute)}"


def _fraction(match: re.Match[str]) -> str:
    above, below = match.groups()
    return f"{_amount(below)}分之{_amount(above)}"


def _number(match: re.Match[str]) -> str:
    number, text = match.group(), match.string
    whole = number.split(".")[0]
    is_amount = len(whole) < LONG or AMOUNT_UNIT.match(text, match.end()) is not None
    has_leading_zero = len(whole) > 1 and whole.startswith("0")
    before = text[max(0, match.start() - CONTEXT) : match.start()]
    if not is_amount or has_leading_zero or CODE_BEFORE.search(before):
        return number.translate(ONE_BY_ONE).replace(".", "点")
    if number == "2" and before[-1:] != "第" and MEASURE_WORD.match(text, match.end()):
        return "两"
    return _amount(number)


def _amount(number: str) -> str:
    whole, point, decimals = number.partition(".")
    whole = whole.lstrip("0") or "0"
    if len(whole) > LONGEST_AMOUNT:
        return number.translate(ONE_BY_ONE).replace(".", "点")
    spoken = str(an2cn(whole, "low"))
    return f"{spoken}点{decimals.translate(YEAR)}" if point else spoken


Spoken = str | Callable[[re.Match[str]], str]
SPOKEN: tuple[tuple[re.Pattern[str], Spoken], ...] = tuple(
    (re.compile(pattern, re.ASCII), spoken)
    for pattern, spoken in (
        (r"[¥￥]\s*(\d[\d,]*(?:\.\d+)?)\s*[元块]?", r"\1元"),
        (r"(?<=\d)[,，](?=\d{3}(?!\d))", ""),
        (r"(?<!\d)(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})(?!\d)日?", _date),
        (r"(?<!\d)\d{4}(?=年)", lambda match: match.group().translate(YEAR)),
        (r"(?<!\d)([01]?\d|2[0-4])[:：]([0-5]\d)(?!\d)", _time),
        (r"(?<!\d)\d+[xX*＊]{2,}\d*", _masked),
        (r"(?<![\d.])\d+(?:[- ]\d+)+(?![\d.])", _chain),
        (r"(?<=[\d%％元块兆MG])\s*[-~～—–]+\s*(?=\d)", "到"),
        (r"(?<=\d)\s*[x×*]\s*(?=\d)", "乘"),
        (rf"({NUMBER})\s*[%％]", lambda match: "百分之" + _amount(match.group(1))),
        (r"(?<!\d)(\d{1,2})/(\d{1,4})(?!\d)", _fraction),
        (NUMBER, _number),
    )
)
