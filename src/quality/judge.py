"""What models that judge a sample say of it, and what follows from their votes.

    judgement = read_judgement(reply, labels, judge="glm4", model="glm-4-9b-chat")
    verdict = decide([judgement, other], candidate["model"], params.filter.judge)
    verdict.accepted, verdict.best_label  ->  False, "办理取消"

Three scores from 0 to 10. Label consistency has a threshold of its own: a good overall score is
easily had by a fluent sample of the wrong class. No model passes a text of its own alone, since
models prefer what they wrote themselves (Panickssery et al. 2024). src/quality/judging.py asks.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from src.config import JudgeRule
from src.data.schema import LabelInfo

WEIGHTS = {"label_consistency": 40, "completeness": 35, "naturalness": 25}  # per cent of the score
MOST_POINTS = 10
REASON_CHARS = 200

DECODER = json.JSONDecoder()
POINTS = re.compile(r"(\d+(?:\.\d+)?)\s*(?:/\s*10|分|points?)?")
# A score wherever it stands, but no range such as "0-10", which repeats the question.
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
        model: that it asked.
        label_consistency: whether the sample is of its class and of no other.
        completeness: whether it says what is wanted and breaks nowhere off.
        naturalness: whether people speak or write like that.
        best_label: the class that fits best; empty where the judge named none that exists.
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
        """Mean of the three by `WEIGHTS`."""
        points = sum(weight * float(getattr(self, name)) for name, weight in WEIGHTS.items())
        return round(points / 100, 6)  # 7, 7 and 7 are 7


@dataclass(frozen=True)
class Verdict:
    """What the judges together say of a sample.

    Attributes:
        accepted: None where nobody could judge; such a sample is kept.
        scores: means over the judges that count, and the share of them that accepts; the same
            names whatever the verdict, None where nobody could judge.
        best_label: the class that more than half of the judges name, be it the sample's own.
        detail: why it was rejected, or why nobody could judge; else empty.
    """

    accepted: bool | None
    scores: dict[str, float | None]
    best_label: str | None
    detail: str


def read_judgement(
    text: str, labels: Mapping[str, LabelInfo], judge: str = "", model: str = ""
) -> Judgement | None:
    """A judge's reply, or None where it holds no judgement, an impossible score or two judgements.

    JSON is taken wherever it stands; where it is broken (full-width punctuation, quotes inside the
    reason, an end that was cut), each field is looked for by its name.

    Args:
        text: the reply, without thoughts.
        labels: by class name; a judge may give the name, the id, or both.
        judge: name of the endpoint.
        model: that it asked.
    """
    found = [fields for fields in _objects(text) if fields.keys() >= WEIGHTS.keys()]
    # of a reply that also quotes a judgement out of the sample, nobody knows which one is meant
    read = {_read(fields, labels, judge, model) for fields in found or _loose_fields(text)}
    return read.pop() if len(read) == 1 else None


def decide(judgements: Sequence[Judgement], model_of_candidate: str, rule: JudgeRule) -> Verdict:
    """The vote on one sample.

    Args:
        judgements: of those that did not abstain.
        model_of_candidate: judges with this model only count beside one with another.
        rule: thresholds of a judge, and how many must accept; a tie is no majority.
    """
    if not judgements:
        return Verdict(None, _scores((), rule), None, "no judge gave an answer")
    own = _model_name(model_of_candidate)
    if all(_model_name(judgement.model) == own for judgement in judgements):
        return Verdict(None, _scores((), rule), None, "only its own model judged it")
    faults = [_fault(judgement, rule) for judgement in judgements]
    accepting = faults.count(None)
    accepted = {
        "majority": 2 * accepting > len(faults),
        "all": accepting == len(faults),
        "any": accepting > 0,
    }[rule.vote]
    detail = "" if accepted else "; ".join(fault for fault in faults if fault)
    return Verdict(accepted, _scores(judgements, rule), _most_named(judgements), detail)


def agreement(judged: Sequence[Sequence[Judgement]], rule: JudgeRule) -> float | None:
    """Share of pairs of judges that both accept or both reject a sample; None without a pair.

    Args:
        judged: the judgements of each sample.
        rule: thresholds of a judge.
    """
    pairs = _pairs(judged, rule)
    return sum(one == other for one, other in pairs) / len(pairs) if pairs else None


def kappa(judged: Sequence[Sequence[Judgement]], rule: JudgeRule) -> float | None:
    """The agreement beyond chance, 1 at most; None without a pair, or where all votes are equal.

    Fleiss' kappa (Fleiss 1971), of two judges Scott's pi: chance is that two votes drawn from all
    of them are equal. A judge that abstains leaves its pairs out.

    Args:
        judged: the judgements of each sample.
        rule: thresholds of a judge.
    """
    pairs = _pairs(judged, rule)
    votes = [vote for pair in pairs for vote in pair]
    if len(set(votes)) < 2:
        return None
    accepting = sum(votes) / len(votes)
    chance = accepting**2 + (1 - accepting) ** 2
    return (sum(one == other for one, other in pairs) / len(pairs) - chance) / (1 - chance)


def _pairs(judged: Sequence[Sequence[Judgement]], rule: JudgeRule) -> list[tuple[bool, bool]]:
    """Whether each of two judges of the same sample accepts it, for all such two."""
    votes = ([_fault(judgement, rule) is None for judgement in each] for each in judged)
    return [pair for each in votes for pair in combinations(each, 2)]


def _fault(judgement: Judgement, rule: JudgeRule) -> str | None:
    """Why a judge rejects."""
    if judgement.label_consistency < rule.min_label_consistency:
        what = f"label consistency {judgement.label_consistency:g} < {rule.min_label_consistency:g}"
        if judgement.best_label:
            what += f", best label {judgement.best_label}"
    elif judgement.score < rule.min_score:
        what = f"score {judgement.score:g} < {rule.min_score:g}"
    else:
        return None
    reason = f" ({judgement.reason})" if judgement.reason else ""
    return f"{judgement.judge}: {what}{reason}"


def _scores(judgements: Sequence[Judgement], rule: JudgeRule) -> dict[str, float | None]:
    values = {
        f"judge_{name}": [float(getattr(judgement, name)) for judgement in judgements]
        for name in (*WEIGHTS, "score")
    }
    values["judge_accepts"] = [float(_fault(judgement, rule) is None) for judgement in judgements]
    return {name: sum(each) / len(each) if each else None for name, each in values.items()}


def _most_named(judgements: Sequence[Judgement]) -> str | None:
    label, count = Counter(judgement.best_label for judgement in judgements).most_common(1)[0]
    return label if label and 2 * count > len(judgements) else None


def _model_name(model: str) -> str:
    """A model's name without its vendor, which one endpoint may ask for and another not."""
    return model.rpartition("/")[2].casefold()


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """JSON objects in the text, in order, and those that stand in their fields."""
    place = text.find("{")
    while place >= 0:
        end = place + 1
        try:
            value, end = DECODER.raw_decode(text, place)
            yield value
            yield from (field for field in value.values() if isinstance(field, dict))
        except (ValueError, RecursionError):  # braces, hundreds deep
            pass
        place = text.find("{", end)


def _loose_fields(text: str) -> list[dict[str, Any]]:
    """One set of fields, found by their names, if each score stands there with one value only."""
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
    """A number from 0 to 10, also as a text such as "8", "８分" or "8/10"."""
    if isinstance(value, str):
        found = POINTS.fullmatch(unicodedata.normalize("NFKC", value).strip())
        value = float(found[1]) if found else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= MOST_POINTS else None


def _known_label(said: str, labels: Mapping[str, LabelInfo]) -> str:
    """The class that is meant by its name, its id, or both; empty where none or several may be."""
    if said in labels:
        return said
    meant = {
        name
        for name, info in labels.items()
        for form in (name, info.id, info.id + name, name + info.id)
        if form and _letters(form) == _letters(said)
    }
    return meant.pop() if len(meant) == 1 else ""


def _letters(text: str) -> str:
    """Letters and digits alone, in one form."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text)).casefold()
