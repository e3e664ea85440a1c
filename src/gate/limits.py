"""Limits taken from the train rows: length bounds, and which leftovers are not real text.

limits = limits_from_train(train, params.filter.length, params.data)
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from src.config.data import DataParams
from src.config.filter import LengthParams
from src.data.dialogue import split_turns
from src.gate.style import is_common

_ROLES = (
    "客服|坐席|座席|话务员|接线员|客户|用户|顾客|来电人|来电者|机主|主叫|被叫|甲|乙|问|答|[AQ]|"
    "agent|customer|caller|operator|representative|assistant|user|system|human|bot"
)
_UNITS = "通话|对话|电话|示例|样本|样例|例句|例子|例|通|条"
_UNITS_EN = "call|dialogue|example|sample|utterance|query|question|message|request"
_HEADS = (
    "类型|类别|意图|标签|定义|说明|例如|比如|典型诉求|诉求|要求|通话记录|示例|"
    "output|intent|label|category|class|definition|meaning|for example|typical requests"
)

LEFTOVERS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern, re.IGNORECASE))
    for name, pattern in (
        ("a role name", rf"^(?:{_ROLES})\s*\d*\s*[:：]"),
        ("numbering", r"^(?:[(（]?\d{1,3}[.、)）:：]\s*(?!\d)|[-*•#]+\s|[①-⑳])"),
        ("numbering", rf"(?:{_UNITS}|\b(?:{_UNITS_EN}))\s*#?[\d一二三四五六七八九十]+\s*[:：]"),
        ("numbering", rf"^(?:通话|对话|示例|{_UNITS_EN})\s*\d+$"),
        ("prompt text", rf"^(?:{_HEADS})\s*[:：]|^以下是|^here (?:is|are)\b.*:"),
        ("prompt text", r"作为(?:一个|一名)?(?:ai|人工智能|语言模型)|\bas an ai\b"),
        ("markup", r"```|(?<![\d*])\*\*\w|<[^<>]{1,20}>|<\||\|>|[{}]|\\n"),
        ("a placeholder", r"[\[【][^\]】]{1,20}[\]】]|_{2,}|(?<![a-z\d])x{2,}(?![a-z\d])"),
        ("a broken character", "\ufffd"),
    )
)


@dataclass(frozen=True)
class Limits:
    """Length bounds of a text, and named patterns of prompt leftovers to reject."""

    min_chars: int
    max_chars: int
    min_turns: int
    max_turns: int
    leftovers: tuple[tuple[str, re.Pattern[str]], ...]


def limits_from_train(train: pd.DataFrame, rule: LengthParams, data: DataParams) -> Limits:
    """Return the bounds set in the rule, else the quantiles of train, rounded outwards.

    Samples are modelled on excerpts of calls and so are shorter than whole calls. A lower quantile
    well below the median keeps the rule from rejecting all of them.

    Leftovers that are common in real rows (`style.COMMON`) are not rejected: some data sets do have
    role names. A class name is rejected only if it contains a mark that is never spoken (`/`, `_`,
    a bracket): a caller may well say 办理缴费.

    Args:
        train: columns text, label.
        rule: `filter.length`.
        data: turn separator.
    """
    calls = [split_turns(text, data.turn_separator) for text in train["text"]]
    chars = _bounds([sum(map(len, call)) for call in calls], rule.quantiles)
    turns = _bounds([len(call) for call in calls], rule.quantiles)
    rows = ["\n".join(call) for call in calls]
    return Limits(
        min_chars=chars[0] if rule.min_chars is None else rule.min_chars,
        max_chars=chars[1] if rule.max_chars is None else rule.max_chars,
        min_turns=turns[0] if rule.min_turns is None else rule.min_turns,
        max_turns=turns[1] if rule.max_turns is None else rule.max_turns,
        leftovers=tuple(
            (name, pattern)
            for name, pattern in (
                *LEFTOVERS,
                *_broken_separator(data.turn_separator),
                *_class_names(set(train["label"])),
            )
            if not is_common(re.compile(pattern.pattern, pattern.flags | re.MULTILINE), rows)
        ),
    )


def _bounds(values: list[int], quantiles: tuple[float, float]) -> tuple[int, int]:
    low, high = np.quantile(values, quantiles)
    return math.floor(low), math.ceil(high)


def _broken_separator(separator: str | None) -> list[tuple[str, re.Pattern[str]]]:
    mark = (separator or "").strip()
    if len(mark) <= 2:
        return []
    beginnings = "|".join(re.escape(mark[:end]) for end in range(1, len(mark) - 1))
    pattern = f"{re.escape(mark[:-1])}|{re.escape(mark[1:])}|(?:{beginnings})$"
    return [("a broken turn separator", re.compile(pattern))]


def _class_names(labels: set[str]) -> list[tuple[str, re.Pattern[str]]]:
    names = [re.escape(label) for label in sorted(labels) if re.search(r"\w[^\w\s]|_", label)]
    return [("a class name", re.compile("|".join(names)))] if names else []
