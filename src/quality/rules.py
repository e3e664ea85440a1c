"""The rules of the quality gate: each says why a candidate is dropped, or None.

    limits = limits_from_train(train, params.filter.length, params.data)
    sample = measure("客服：您好", "客服您好", keywords=(), data=params.data)
    first_fault(sample, params.filter, limits)  ->  ("format", "a role name: '客服：'")

`RULES` stands in the order in which they are asked, cheapest first, named as in params.yaml.
Limits that are constants here were set on real text that no rule may drop: the 161 real CMCC-34
calls, the stand-in's train rows and the train rows of banking77. Next to each constant stands the
worst value among them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from src.config import DataParams, FilterParams, LengthRule, OverlapRule
from src.data.dialogue import plain, split_turns
from src.quality.style import is_common

MIN_TURNS = 2  # of a dialogue, where rows have turns

# A repeat inside a text: 1 to 12 characters, at least 3 times in a row.
LOOP = re.compile(r"(.{1,12}?)\1{2,}", re.DOTALL)
MAX_TIMES = 8  # in a row, however long the text is; real text: 6
WINDOW = 120  # characters over which bigrams are counted, as longer text repeats more
MIN_DISTINCT_BIGRAMS = 0.5  # share in the worst window; real text: 0.54
TURN_BIGRAMS = 4  # distinct ones from which a turn can repeat another; shorter ones are 嗯, 好的
SAME_TURN = 0.7  # share of the smaller turn's bigrams that stands in the other one
MIN_REPEATS = 2  # one turn may repeat another: an agent says what the caller has just said

GOES_ON = re.compile(r"[，,、：:；;]$")
ENDED = re.compile(r"[。！？!?.…~～)）”\"』」]$")
LAST_WORD = re.compile(  # with which people end without a mark
    r"(?:再见|拜拜|谢谢|愉快|[了吧吗呢啊呀嘛哦的好是嗯]|\b(?:bye|you|thanks|ok|okay|yes|no))$",
    re.IGNORECASE,
)
CUT_SHOWN = 12  # characters

NOT_WORD = re.compile(r"[\W_]+")
# A Chinese character counts as much as a Latin word: volte in a call is one foreign word, not five.
LATIN = r"[A-Za-z\u00c0-\u024f]+"
WORD = re.compile(rf"{LATIN}|[^\W\d_]")
OF_LANGUAGE = {"zh": re.compile(r"[\u3400-\u9fff〇]"), "en": re.compile(LATIN)}

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
class Overlap:
    """The largest share of a text that stands in one other row, and which row that is."""

    share: float
    row: str


NOWHERE = Overlap(0.0, "")


@dataclass(frozen=True)
class Sample:
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

    def scores(self) -> dict[str, float]:
        """What is written beside every candidate, accepted or not."""
        return {
            "chars": self.chars,
            "turns": len(self.turns),
            "language_share": self.language_share,
            "loop_share": self.loop_share,
            "repeated_turns": self.repeated_turns,
            "distinct_bigrams": self.distinct_bigrams,
            "keyword_hits": self.keyword_hits,
            "seed_overlap": self.seed.share,
            "contamination": self.held_out.share,
            "contradiction": self.other.share,
            "near_duplicate": self.earlier.share,
        }


@dataclass(frozen=True)
class Limits:
    """What only the train rows can tell: bounds on length, and which leftovers are real text."""

    min_chars: int
    max_chars: int
    min_turns: int
    max_turns: int
    leftovers: tuple[tuple[str, re.Pattern[str]], ...]


def limits_from_train(train: pd.DataFrame, rule: LengthRule, data: DataParams) -> Limits:
    """Bounds given in the rule, else the quantiles of the train rows, rounded outwards.

    Samples are written after excerpts of calls, so they are shorter than the calls themselves: a
    lower quantile well under the median keeps the rule from dropping all of them.

    A leftover that real rows show as well (`style.COMMON`) is not looked for: some sets do have
    role names. A class name is looked for only if it has a mark that nobody speaks (`/`, `_`, a
    bracket): the words of 办理缴费 are what a caller may well say.

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


# --- measuring ------------------------------------------------------------------------------


def measure(raw: str, text: str, keywords: Sequence[str], data: DataParams) -> Sample:
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
    return Sample(
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


# --- rules ----------------------------------------------------------------------------------


def format_fault(sample: Sample, params: FilterParams, limits: Limits) -> str | None:
    """Nothing, a monologue, leftovers of prompt and numbering, or another language."""
    if not sample.turns:
        return "empty"
    for turn in sample.raw_turns:
        for name, pattern in limits.leftovers:
            if found := pattern.search(turn):
                return f"{name}: {found.group()!r}"
    if sample.has_turns and len(sample.turns) < MIN_TURNS:
        return f"{len(sample.turns)} turn, a dialogue has {MIN_TURNS}"
    if sample.has_turns and _is_cut(sample.raw_turns):
        return f"it breaks off: {sample.raw_turns[-1][-CUT_SHOWN:]!r}"
    least = params.format.min_language_share
    if sample.language_share < least:
        return f"{sample.language_share:.2f} of the words are {sample.language}, under {least}"
    return None


def _is_cut(turns: Sequence[str]) -> bool:
    """Whether the last turn stops in the middle of a sentence.

    After a comma it does; without a mark at its end it does if the turns before have one.
    """
    *before, last = turns
    if GOES_ON.search(last):
        return True
    ended = sum(ENDED.search(turn) is not None for turn in before)
    is_punctuated = len(before) >= MIN_TURNS and 2 * ended >= len(before)
    return is_punctuated and not ENDED.search(last) and not LAST_WORD.search(last)


def length_fault(sample: Sample, params: FilterParams, limits: Limits) -> str | None:
    """Fewer or more characters or turns than nearly all train rows."""
    bounds = (
        (sample.chars, limits.min_chars, limits.max_chars, "characters"),
        (len(sample.turns), limits.min_turns, limits.max_turns, "turns"),
    )
    for value, low, high, unit in bounds:
        if not low <= value <= high:
            return f"{value} {unit}, outside {low} to {high}"
    return None


def repetition_fault(sample: Sample, params: FilterParams, limits: Limits) -> str | None:
    """Loops of characters or words, turns that say the same again, text out of few bigrams."""
    rule = params.repetition
    if sample.times_in_a_row > MAX_TIMES:
        return f"the same {sample.times_in_a_row} times in a row, over {MAX_TIMES}"
    if sample.loop_share > rule.max_loop_share:
        return f"{sample.loop_share:.2f} of it are loops, over {rule.max_loop_share}"
    if sample.repeats >= MIN_REPEATS and sample.repeated_turns > rule.max_repeated_turns:
        return f"{sample.repeated_turns:.2f} of its turns repeat, over {rule.max_repeated_turns}"
    if sample.distinct_bigrams < MIN_DISTINCT_BIGRAMS:
        return f"{sample.distinct_bigrams:.2f} distinct bigrams, under {MIN_DISTINCT_BIGRAMS}"
    return None


def keywords_fault(sample: Sample, params: FilterParams, limits: Limits) -> str | None:
    """Too few keywords of the class; a class without keywords asks for none."""
    least = min(params.keywords.min_hits, sample.keywords)
    if sample.keyword_hits < least:
        return f"{sample.keyword_hits} of {sample.keywords} keywords, under {least}"
    return None


def pii_fault(sample: Sample, params: FilterParams, limits: Limits) -> str | None:
    """Private data that is to be dropped, not replaced."""
    if params.pii.action == "drop" and sample.private:
        return "private data: " + ", ".join(f"{count} {kind}" for kind, count in sample.private)
    return None


def seed_fault(sample: Sample, params: FilterParams, limits: Limits) -> str | None:
    """A copy of a train row of its class."""
    return _copied(sample.seed, params.seed_similarity, "train row")


def contamination_fault(sample: Sample, params: FilterParams, limits: Limits) -> str | None:
    """A copy of a dev or test row."""
    return _copied(sample.held_out, params.contamination, "held-out row")


def contradiction_fault(sample: Sample, params: FilterParams, limits: Limits) -> str | None:
    """A copy of a train row of another class."""
    return _copied(sample.other, params.contradiction, "train row")


def duplicate_fault(sample: Sample, params: FilterParams, limits: Limits) -> str | None:
    """A copy of a candidate of its class that was accepted before."""
    return _copied(sample.earlier, params.near_duplicate, "candidate")


def _copied(overlap: Overlap, rule: OverlapRule, kind: str) -> str | None:
    if overlap.share > rule.max_overlap:
        return f"{overlap.share:.2f} of it stands in {kind} {overlap.row}, over {rule.max_overlap}"
    return None


Rule = Callable[[Sample, FilterParams, Limits], str | None]
RULES: tuple[tuple[str, Rule], ...] = (
    ("format", format_fault),
    ("length", length_fault),
    ("repetition", repetition_fault),
    ("keywords", keywords_fault),
    ("pii", pii_fault),
    ("seed_similarity", seed_fault),
    ("contamination", contamination_fault),
    ("contradiction", contradiction_fault),
    ("near_duplicate", duplicate_fault),  # last: it depends on what the others accept
)


def first_fault(sample: Sample, params: FilterParams, limits: Limits) -> tuple[str, str] | None:
    """Name and detail of the first enabled rule that drops the sample."""
    for name, rule in RULES:
        if getattr(params, name).enabled and (detail := rule(sample, params, limits)):
            return name, detail
    return None
