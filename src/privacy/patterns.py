"""The patterns of one language and turn separator, compiled once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from src.config.data import Language
from src.privacy.digits import FILLER, HEARING, D, E, read_chinese, read_english
from src.privacy.wording import (
    COUNTING,
    EMAIL,
    ENGLISH_ADDRESS,
    ENGLISH_EMAIL,
    ENGLISH_NAMES,
    PLATE,
    address_pattern,
    any_of,
    name_pattern,
)


@dataclass(frozen=True)
class Patterns:
    """Compiled patterns; `hint` is a cheap pattern that is tried before the full one."""

    language: Language
    separator: str | None
    chain: re.Pattern[str]
    piece: re.Pattern[str]
    compact: re.Pattern[str]
    code: re.Pattern[str]
    worded: tuple[tuple[str, re.Pattern[str], re.Pattern[str]], ...]  # kind, hint, pattern

    def read(self, spoken: str) -> str:
        """Return the Arabic digits of a spoken number."""
        return read_chinese(spoken) if self.language == "zh" else read_english(spoken)


@lru_cache
def patterns_for(language: Language, separator: str | None) -> Patterns:
    """Return the patterns for a language and turn separator."""
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
            ("email", re.compile(r"@|艾特|爱特|at"), any_of(EMAIL)),
            ("plate", re.compile(PLATE[0]), any_of(PLATE)),
            (
                "address",
                re.compile(rf"{COUNTING}[号弄栋幢座单组队社楼层]|[A-Za-z][座栋区]"),
                address_pattern(gap),
            ),
            ("name", re.compile("我[叫是]|姓|名|人|主|先生|女士|小姐|称呼"), name_pattern(turn)),
        ),
    )


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
            ("email", re.compile(r"@|\bat\b"), any_of(ENGLISH_EMAIL)),
            ("address", re.compile(r"\d|(?i:street|road|avenue|lane)"), any_of(ENGLISH_ADDRESS)),
            ("name", re.compile(r"(?i:name|called)"), any_of(ENGLISH_NAMES)),
        ),
    )
