"""The rules of the quality gate: each returns why a candidate is rejected, or None.

    limits = limits_from_train(train, params.filter.length, params.data)
    sample = measure_candidate("客服：您好", "客服您好", keywords=(), data=params.data)
    first_fault(sample, params.filter, limits)  ->  Fault("format", "a role name: '客服：'")

To add a rule, write a function like those below, add it to `RULES`, and add a section of the same
name, with a switch `enabled`, to `src/config/filter.py` and params.yaml. `RULES` lists the rules in
the order in which they run, cheapest first.

Limits that are constants here were tuned so that no rule rejects real text: the 161 real CMCC-34
calls, the stand-in's train rows and the train rows of banking77. The comment next to a constant
gives the most extreme value in that text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from src.config.filter import FilterParams, OverlapParams
from src.gate.limits import Limits
from src.gate.measurements import Measurements, Overlap
from src.records.samples import Fault

MIN_TURNS = 2  # in a dialogue; not checked if rows have no turns
MAX_TIMES = 8  # consecutive repeats, for texts of any length; real text: 6
MIN_DISTINCT_BIGRAMS = 0.5  # share in the worst window; real text: 0.54
MIN_REPEATS = 2  # one repeated turn is normal: an agent confirms what the caller told
CONTINUES = re.compile(r"[，,、：:；;]$")
ENDED = re.compile(r"[。！？!?.…~～)）”\"』」]$")
LAST_WORD = re.compile(  # words that end a sentence even without a punctuation mark
    r"(?:再见|拜拜|谢谢|愉快|[了吧吗呢啊呀嘛哦的好是嗯]|\b(?:bye|you|thanks|ok|okay|yes|no))$",
    re.IGNORECASE,
)
CUT_SHOWN = 12  # characters quoted from the end of a cut text


def format_fault(sample: Measurements, params: FilterParams, limits: Limits) -> str | None:
    """Reject empty texts, monologues, prompt leftovers, cut texts and other languages."""
    if not sample.turns:
        return "empty"
    for turn in sample.raw_turns:
        for name, pattern in limits.leftovers:
            if found := pattern.search(turn):
                return f"{name}: {found.group()!r}"
    if sample.has_turns and len(sample.turns) < MIN_TURNS:
        return f"{len(sample.turns)} turn, a dialogue needs {MIN_TURNS}"
    if sample.has_turns and _is_cut(sample.raw_turns):
        return f"cut off: {sample.raw_turns[-1][-CUT_SHOWN:]!r}"
    least = params.format.min_language_share
    if sample.language_share < least:
        return f"{sample.language_share:.2f} of the words are {sample.language}, below {least}"
    return None


def _is_cut(turns: Sequence[str]) -> bool:
    """Return whether the last turn stops in the middle of a sentence.

    It does if it ends with a comma, or without a mark while the turns before end with one.
    """
    *before, last = turns
    if CONTINUES.search(last):
        return True
    ended = sum(ENDED.search(turn) is not None for turn in before)
    is_punctuated = len(before) >= MIN_TURNS and 2 * ended >= len(before)
    return is_punctuated and not ENDED.search(last) and not LAST_WORD.search(last)


def length_fault(sample: Measurements, params: FilterParams, limits: Limits) -> str | None:
    """Reject texts with fewer or more characters or turns than nearly all train rows."""
    bounds = (
        (sample.chars, limits.min_chars, limits.max_chars, "characters"),
        (len(sample.turns), limits.min_turns, limits.max_turns, "turns"),
    )
    for value, low, high, unit in bounds:
        if not low <= value <= high:
            return f"{value} {unit}, outside {low} to {high}"
    return None


def repetition_fault(sample: Measurements, params: FilterParams, limits: Limits) -> str | None:
    """Reject loops of characters or words, repeated turns, and texts with few distinct bigrams."""
    rule = params.repetition
    if sample.times_in_a_row > MAX_TIMES:
        return f"the same {sample.times_in_a_row} times in a row, over {MAX_TIMES}"
    if sample.loop_share > rule.max_loop_share:
        return f"{sample.loop_share:.2f} of it is in loops, above {rule.max_loop_share}"
    if sample.repeats >= MIN_REPEATS and sample.repeated_turns > rule.max_repeated_turns:
        return f"{sample.repeated_turns:.2f} of its turns repeat, above {rule.max_repeated_turns}"
    if sample.distinct_bigrams < MIN_DISTINCT_BIGRAMS:
        return f"{sample.distinct_bigrams:.2f} distinct bigrams, below {MIN_DISTINCT_BIGRAMS}"
    return None


def keywords_fault(sample: Measurements, params: FilterParams, limits: Limits) -> str | None:
    """Reject texts with too few keywords of their class; classes without keywords need none."""
    least = min(params.keywords.min_hits, sample.keywords)
    if sample.keyword_hits < least:
        return f"{sample.keyword_hits} of {sample.keywords} keywords, below {least}"
    return None


def pii_fault(sample: Measurements, params: FilterParams, limits: Limits) -> str | None:
    """Reject private data if `pii.action` is `drop`."""
    if params.pii.action == "drop" and sample.private:
        return "private data: " + ", ".join(f"{count} {kind}" for kind, count in sample.private)
    return None


def seed_fault(sample: Measurements, params: FilterParams, limits: Limits) -> str | None:
    """Reject copies of a train row of the same class."""
    return _copied(sample.seed, params.seed_similarity, "train row")


def contamination_fault(sample: Measurements, params: FilterParams, limits: Limits) -> str | None:
    """Reject copies of a dev or test row."""
    return _copied(sample.held_out, params.contamination, "held-out row")


def contradiction_fault(sample: Measurements, params: FilterParams, limits: Limits) -> str | None:
    """Reject copies of a train row of another class."""
    return _copied(sample.other, params.contradiction, "train row")


def duplicate_fault(sample: Measurements, params: FilterParams, limits: Limits) -> str | None:
    """Reject copies of an earlier accepted candidate of the same class."""
    return _copied(sample.earlier, params.near_duplicate, "candidate")


def _copied(overlap: Overlap, rule: OverlapParams, kind: str) -> str | None:
    if overlap.share > rule.max_overlap:
        return f"{overlap.share:.2f} of it occurs in {kind} {overlap.row}, above {rule.max_overlap}"
    return None


Rule = Callable[[Measurements, FilterParams, Limits], str | None]
RULES: tuple[tuple[str, Rule], ...] = (
    ("format", format_fault),
    ("length", length_fault),
    ("repetition", repetition_fault),
    ("keywords", keywords_fault),
    ("pii", pii_fault),
    ("seed_similarity", seed_fault),
    ("contamination", contamination_fault),
    ("contradiction", contradiction_fault),
    ("near_duplicate", duplicate_fault),  # last: depends on which candidates the others accept
)


def first_fault(sample: Measurements, params: FilterParams, limits: Limits) -> Fault | None:
    """Return the fault of the first enabled rule that rejects the sample, or None."""
    for name, rule in RULES:
        if getattr(params, name).enabled and (detail := rule(sample, params, limits)):
            return Fault(name, detail)
    return None
