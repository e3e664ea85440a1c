"""What models that judge a sample say of it, and what follows from their votes.

    judgement = read_judgement(reply, labels, judge="glm4", model="glm-4-9b-chat")
    faults = faults_of([judgement, other], params.filter.judge)
    verdict = decide([judgement, other], faults, params.filter.judge.vote)
    verdict.accepted, verdict.votes, verdict.best_label  ->  False, {"glm4": False}, "办理取消"

Three scores from 0 to 10. Label consistency has a threshold of its own: a good overall score is
easily had by a fluent sample of the wrong class. src/quality/judging.py asks, and never a model
about its own text. With `filter.judge.classifier` the label check has a vote among the judges.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

from src.config import JudgeRule
from src.data.schema import LabelInfo

WEIGHTS = {"label_consistency": 40, "completeness": 35, "naturalness": 25}  # per cent of the score
CLASSIFIER = "classifier"  # the voter that is no model: the label check
MOST_POINTS = 10
REASON_CHARS = 200

Vote = Literal["majority", "weighted", "all", "any"]
Faults = Mapping[str, str | None]  # voter -> why it rejects, None where it accepts

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
    """What the voters together say of a sample.

    Attributes:
        accepted: None where nobody could judge; such a sample is kept.
        votes: of each voter, whether it accepts.
        scores: means over the judges, and the share of the votes that accepts, by weight; the same
            names whatever the verdict, None where nobody could judge.
        best_label: the class that more than half of the judges name, be it the sample's own.
        detail: why it was rejected, or why nobody could judge; else empty.
    """

    accepted: bool | None
    votes: dict[str, bool]
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


def faults_of(
    judgements: Sequence[Judgement], rule: JudgeRule, label_fault: str | None = None
) -> Faults:
    """Of each voter, why it rejects a sample.

    Args:
        judgements: of those that did not abstain.
        rule: thresholds of a judge, and whether the classifier has a vote.
        label_fault: why the label check rejects it, or None.
    """
    faults = {judgement.judge: _fault(judgement, rule) for judgement in judgements}
    if rule.classifier:
        faults[CLASSIFIER] = f"{CLASSIFIER}: {label_fault}" if label_fault else None
    return faults


def decide(
    judgements: Sequence[Judgement],
    faults: Faults,
    vote: Vote,
    weights: Mapping[str, float] | None = None,
) -> Verdict:
    """The vote on one sample.

    Args:
        judgements: of those that did not abstain.
        faults: of all who vote, see `faults_of`.
        vote: how many must accept; a tie is no majority.
        weights: of voters, from `vote_weights`; all the same without.
    """
    if not faults:
        return Verdict(None, {}, _scores((), None), None, "no judge of another model answered")
    votes = accepting(faults)
    weight = {voter: (weights or {}).get(voter, 1.0) for voter in votes}
    if not sum(weight.values()):  # voters that count little elsewhere are all that there is here
        weight = dict.fromkeys(votes, 1.0)
    share = sum(weight[voter] for voter, yes in votes.items() if yes) / sum(weight.values())
    most = round(share, 9) > 0.5  # sums of decimals may miss a tie by 1e-16
    accepted = {
        "majority": most,
        "weighted": most,
        "all": all(votes.values()),
        "any": any(votes.values()),
    }[vote]
    detail = "" if accepted else "; ".join(fault for fault in faults.values() if fault)
    return Verdict(accepted, votes, _scores(judgements, share), _most_named(judgements), detail)


def accepting(faults: Faults) -> dict[str, bool]:
    """Of each voter, whether it accepts."""
    return {voter: fault is None for voter, fault in faults.items()}


def vote_weights(votes: Sequence[Mapping[str, bool]]) -> dict[str, float]:
    """How much each voter counts: its mean agreement with each other one, beyond chance.

    Cohen's kappa (Cohen 1960) over the samples that both voted on, at least 0: who accepts
    everything, or whatever chance says, has no say. All count 1 where that tells nobody apart.

    Args:
        votes: of each sample, voter -> whether it accepts.
    """
    voters = sorted({voter for each in votes for voter in each})
    found: dict[str, list[float]] = {voter: [] for voter in voters}
    for one, other in combinations(voters, 2):
        both = [(each[one], each[other]) for each in votes if one in each and other in each]
        if both:
            agreed = max(_cohen(both), 0.0)
            found[one].append(agreed)
            found[other].append(agreed)
    weights = {voter: sum(each) / len(each) if each else 0.0 for voter, each in found.items()}
    return weights if any(weights.values()) else dict.fromkeys(voters, 1.0)


def agreement(votes: Sequence[Mapping[str, bool]]) -> float | None:
    """Share of pairs of voters that both accept or both reject a sample; None without a pair.

    Args:
        votes: of each sample, voter -> whether it accepts.
    """
    pairs = _pairs(votes)
    return sum(one == other for one, other in pairs) / len(pairs) if pairs else None


def kappa(votes: Sequence[Mapping[str, bool]]) -> float | None:
    """The agreement beyond chance, 1 at most; None without a pair, or where all votes are equal.

    Fleiss' kappa (Fleiss 1971), of two judges Scott's pi: chance is that two votes drawn from all
    of them are equal. A judge that abstains leaves its pairs out.

    Args:
        votes: of each sample, voter -> whether it accepts.
    """
    pairs = _pairs(votes)
    every = [vote for pair in pairs for vote in pair]
    if len(set(every)) < 2:
        return None
    accepting = sum(every) / len(every)
    chance = accepting**2 + (1 - accepting) ** 2
    return (sum(one == other for one, other in pairs) / len(pairs) - chance) / (1 - chance)


def _pairs(votes: Sequence[Mapping[str, bool]]) -> list[tuple[bool, bool]]:
    """The votes of each two voters on the same sample."""
    return [pair for each in votes for pair in combinations(each.values(), 2)]


def _cohen(both: Sequence[tuple[bool, bool]]) -> float:
    """Cohen's kappa of two voters; 0 where one of them, or both, always votes the same."""
    n, agreed = len(both), sum(one == other for one, other in both)
    first, second = (sum(votes) for votes in zip(*both, strict=True))
    chance = first * second + (n - first) * (n - second)  # of n x n; whole, so that 0 is 0
    return (n * agreed - chance) / (n * n - chance) if chance < n * n else 0.0


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


def _scores(judgements: Sequence[Judgement], share: float | None) -> dict[str, float | None]:
    values = {
        f"judge_{name}": [float(getattr(judgement, name)) for judgement in judgements]
        for name in (*WEIGHTS, "score")
    }
    means = {name: sum(each) / len(each) if each else None for name, each in values.items()}
    return means | {"judge_accepts": share}


def _most_named(judgements: Sequence[Judgement]) -> str | None:
    named = Counter(judgement.best_label for judgement in judgements).most_common(1)
    return next((label for label, n in named if label and 2 * n > len(judgements)), None)


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
