"""Votes of the judges on a sample, their weights and their agreement.

    judgement = read_judgement(reply, labels, judge="glm4", model="glm-4-9b-chat")
    faults = faults_of([judgement, other], params.filter.judge)
    verdict = decide([judgement, other], faults, params.filter.judge.vote)
    verdict.accepted, verdict.votes, verdict.best_label  ->  False, {"glm4": False}, "办理取消"

Judges give three scores from 0 to 10. Label consistency has its own threshold, since a fluent
sample of the wrong class can have a good overall score. src/judging/ask.py sends the requests, and
no model judges its own text. With `filter.judge.classifier` the label check votes as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from src.config.filter import JudgeParams
from src.judging.rubric import Judgement
from src.stats import cohen_kappa

CLASSIFIER = "classifier"  # name of the label check as a voter
Vote = Literal["majority", "weighted", "all", "any"]
Faults = Mapping[str, str | None]  # voter -> why it rejects, None if it accepts


@dataclass(frozen=True)
class JudgeScores:
    """Mean scores of the judges, 0 to 10, and the accepting share of votes; None without any.

    The fields are those of `SampleScores`.
    """

    judge_label_consistency: float | None = None
    judge_completeness: float | None = None
    judge_naturalness: float | None = None
    judge_score: float | None = None
    judge_accepts: float | None = None


@dataclass(frozen=True)
class VoteResult:
    """The result of the vote on a sample.

    Attributes:
        accepted: None if there were no votes; such a sample is kept.
        votes: voter -> whether it accepts.
        scores: mean scores of the judges, and the accepting share of votes by weight.
        best_label: the class named by more than half of the judges, which may be the sample's own.
        detail: why it was rejected or why there were no votes; otherwise empty.
    """

    accepted: bool | None
    votes: dict[str, bool]
    scores: JudgeScores
    best_label: str | None
    detail: str


def faults_of(
    judgements: Sequence[Judgement], rule: JudgeParams, label_fault: str | None = None
) -> Faults:
    """Return per voter why it rejects a sample, or None.

    Args:
        judgements: of the judges that did not abstain.
        rule: thresholds of the judges, and whether the label check votes.
        label_fault: why the label check rejects the sample, or None.
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
) -> VoteResult:
    """Return the result of the vote on one sample.

    Args:
        judgements: of the judges that did not abstain.
        faults: of all voters, see `faults_of`.
        vote: how many must accept; a tie is not a majority.
        weights: voter -> weight, from `vote_weights`; equal weights by default.
    """
    if not faults:
        return VoteResult(None, {}, JudgeScores(), None, "no judge of another model responded")
    votes = accepting(faults)
    weight = {voter: (weights or {}).get(voter, 1.0) for voter in votes}
    if not sum(weight.values()):  # only voters with weight 0 voted on this sample
        weight = dict.fromkeys(votes, 1.0)
    share = sum(weight[voter] for voter, yes in votes.items() if yes) / sum(weight.values())
    most = round(share, 9) > 0.5  # rounding: a tie may be off by 1e-16
    accepted = {
        "majority": most,
        "weighted": most,
        "all": all(votes.values()),
        "any": any(votes.values()),
    }[vote]
    detail = "" if accepted else "; ".join(fault for fault in faults.values() if fault)
    return VoteResult(accepted, votes, _scores(judgements, share), _most_named(judgements), detail)


def accepting(faults: Faults) -> dict[str, bool]:
    """Return voter -> whether it accepts."""
    return {voter: fault is None for voter, fault in faults.items()}


def vote_weights(votes: Sequence[Mapping[str, bool]]) -> dict[str, float]:
    """Return the weight of each voter: its mean agreement with the other voters, beyond chance.

    Agreement is Cohen's kappa (Cohen 1960) over the samples that both voted on, at least 0. So a
    voter that accepts everything, or votes at random, has no weight. If all weights would be 0,
    they are all 1.

    Args:
        votes: per sample, voter -> whether it accepts.
    """
    voters = sorted({voter for each in votes for voter in each})
    found: dict[str, list[float]] = {voter: [] for voter in voters}
    for one, other in combinations(voters, 2):
        both = [(each[one], each[other]) for each in votes if one in each and other in each]
        if both:
            agreed = max(cohen_kappa(*zip(*both, strict=True)) or 0.0, 0.0)
            found[one].append(agreed)
            found[other].append(agreed)
    weights = {voter: sum(each) / len(each) if each else 0.0 for voter, each in found.items()}
    return weights if any(weights.values()) else dict.fromkeys(voters, 1.0)


def observed_agreement(votes: Sequence[Mapping[str, bool]]) -> float | None:
    """Return the share of pairs of votes on a sample that are equal; None without a pair.

    Args:
        votes: per sample, voter -> whether it accepts.
    """
    pairs = _pairs(votes)
    return sum(one == other for one, other in pairs) / len(pairs) if pairs else None


def kappa(votes: Sequence[Mapping[str, bool]]) -> float | None:
    """Return the agreement beyond chance, at most 1; None without a pair or if all votes are equal.

    This is Fleiss' kappa (Fleiss 1971); for two judges it is Scott's pi. Chance is the probability
    that two votes drawn from all votes are equal. Pairs with a judge that abstains are left out.

    Args:
        votes: per sample, voter -> whether it accepts.
    """
    pairs = _pairs(votes)
    every = [vote for pair in pairs for vote in pair]
    if len(set(every)) < 2:
        return None
    accepting = sum(every) / len(every)
    chance = accepting**2 + (1 - accepting) ** 2
    return (sum(one == other for one, other in pairs) / len(pairs) - chance) / (1 - chance)


def _pairs(votes: Sequence[Mapping[str, bool]]) -> list[tuple[bool, bool]]:
    """Return all pairs of votes on the same sample."""
    return [pair for each in votes for pair in combinations(each.values(), 2)]


def _fault(judgement: Judgement, rule: JudgeParams) -> str | None:
    """Return why a judge rejects a sample, or None."""
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


def _scores(judgements: Sequence[Judgement], share: float) -> JudgeScores:
    return JudgeScores(
        judge_label_consistency=_mean(one.label_consistency for one in judgements),
        judge_completeness=_mean(one.completeness for one in judgements),
        judge_naturalness=_mean(one.naturalness for one in judgements),
        judge_score=_mean(one.score for one in judgements),
        judge_accepts=share,
    )


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return sum(found) / len(found) if found else None


def _most_named(judgements: Sequence[Judgement]) -> str | None:
    named = Counter(judgement.best_label for judgement in judgements).most_common(1)
    return next((label for label, n in named if label and 2 * n > len(judgements)), None)
