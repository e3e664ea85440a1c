"""A judge's three scores of one sample, and the parser of its reply.

    judgement = read_judgement(reply, labels, judge="glm4", model="glm-4-9b-chat")

Label consistency has its own threshold, since a fluent sample of the wrong class can have a good
overall score.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from src.data.schema import LabelInfo

WEIGHTS = {"label_consistency": 40, "completeness": 35, "naturalness": 25}  # percent of the score
MOST_POINTS = 10
REASON_CHARS = 200
DECODER = json.JSONDecoder()
POINTS = re.compile(r"(\d+(?:\.\d+)?)\s*(?:/\s*10|分|points?)?")

# A score anywhere in the text, but not a range such as "0-10", which repeats the question.
LOOSE_POINTS = {
    name: re.compile(
        rf"\b{name}\b[\"'*]*\s*[:=][\s\"'*]*(-?\d+(?:\.\d+)?)(?!\.?\d)(?!\s*[-~]\s*\d)",
        re.IGNORECASE,
    )
    for name in WEIGHTS
}

LOOSE_TEXT = {
    name: re.compile(rf"\b{name}\b[\"'*]*\s*[:=][\s\"'*]*([^{end}]*)", re.IGNORECASE)
    for name, end in (("best_label", "\"'\n},"), ("reason", '"\n}'))
}
STRAIGHT = str.maketrans("“”‘’", "\"\"''")


@dataclass(frozen=True)
class Judgement:
    """One judge's scores of one sample, each from 0 to 10.

    Attributes:
        judge: name of the endpoint.
        model: name of its model.
        label_consistency: whether the sample belongs to its class and to no other.
        completeness: whether the request is clear and the text does not break off.
        naturalness: whether people speak or write like that.
        best_label: the class that fits best; empty if the judge named no existing class.
        reason: in the judge's words.
    """

    judge: str
    model: str
    label_consistency: float
    completeness: float
    naturalness: float
    best_label: str
    reason: str

    @property
    def score(self) -> float:
        """Mean of the three scores, weighted by `WEIGHTS`."""
        points = sum(weight * float(getattr(self, name)) for name, weight in WEIGHTS.items())
        return round(points / 100, 6)  # so that 7, 7 and 7 give exactly 7


def read_judgement(
    text: str, labels: Mapping[str, LabelInfo], judge: str = "", model: str = ""
) -> Judgement | None:
    """Return the judgement in a reply, or None if it has none, several, or an impossible score.

    JSON is found anywhere in the text. If it is broken (full-width punctuation, quotes inside the
    reason, a cut end), each field is searched by its name.

    Args:
        text: the reply, without reasoning text.
        labels: class name -> class; a judge may give the name, the id, or both.
        judge: name of the endpoint.
        model: name of its model.
    """
    found = [fields for fields in _objects(text) if fields.keys() >= WEIGHTS.keys()]
    # a reply may also quote a judgement from the sample; then it is unclear which one is meant
    read = {_read(fields, labels, judge, model) for fields in found or _loose_fields(text)}
    return read.pop() if len(read) == 1 else None


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield JSON objects in the text, in order, and objects directly inside them."""
    position = text.find("{")
    while position >= 0:
        end = position + 1
        try:
            value, end = DECODER.raw_decode(text, position)
            yield value
            yield from (field for field in value.values() if isinstance(field, dict))
        except (ValueError, RecursionError):  # hundreds of nested braces
            pass
        position = text.find("{", end)


def _loose_fields(text: str) -> list[dict[str, Any]]:
    """Return the fields found by their names, if each score has exactly one value."""
    text = unicodedata.normalize("NFKC", text).translate(STRAIGHT)
    fields: dict[str, Any] = {}
    for name, pattern in LOOSE_POINTS.items():
        values = set(pattern.findall(text))
        if len(values) != 1:
            return []
        fields[name] = values.pop()
    for name, pattern in LOOSE_TEXT.items():
        found = pattern.search(text)
        fields[name] = found[1].strip(" '") if found else ""
    return [fields]


def _read(
    fields: dict[str, Any], labels: Mapping[str, LabelInfo], judge: str, model: str
) -> Judgement | None:
    points = {name: _points(fields[name]) for name in WEIGHTS}
    given = {name: value for name, value in points.items() if value is not None}
    if len(given) < len(WEIGHTS):
        return None
    best_label = _known_label(str(fields.get("best_label") or ""), labels)
    reason = " ".join(str(fields.get("reason") or "").split())[:REASON_CHARS]
    return Judgement(judge, model, **given, best_label=best_label, reason=reason)


def _points(value: Any) -> float | None:  # noqa: ANN401  (any JSON value)
    """Return a number from 0 to 10, also from a text such as "8", "８分" or "8/10"."""
    if isinstance(value, str):
        found = POINTS.fullmatch(unicodedata.normalize("NFKC", value).strip())
        value = float(found[1]) if found else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= MOST_POINTS else None


def _known_label(named: str, labels: Mapping[str, LabelInfo]) -> str:
    """Return the class with this name, id, or both; empty if none or several match."""
    if named in labels:
        return named
    meant = {
        name
        for name, info in labels.items()
        for form in (name, info.id, info.id + name, name + info.id)
        if form and _letters(form) == _letters(named)
    }
    return meant.pop() if len(meant) == 1 else ""


def _letters(text: str) -> str:
    """Return only letters and digits, normalized."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text)).casefold()
