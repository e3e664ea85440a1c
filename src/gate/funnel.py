"""metrics/filter.json: the verdicts, the votes of judges and the decisions of reviewers.

metrics = filter_metrics(verdicts, read_decisions(DECISIONS), bias)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from src.gate.gate import REVIEW, Verdicts, reasons
from src.judging.votes import kappa, observed_agreement, vote_weights
from src.records.decisions import Decision
from src.records.metrics.filter import (
    BiasReport,
    ClassFunnel,
    FilterMetrics,
    ModelFunnel,
    Review,
    Voter,
)
from src.review.agreement import reject_rate, reviewer_agreement


def filter_metrics(
    verdicts: Verdicts, decided: Sequence[Decision], bias: BiasReport
) -> FilterMetrics:
    """Return the metrics of the whole gate.

    Args:
        verdicts: final verdicts, after rules, label check and judges.
        decided: all decisions, each of one reviewer on one sample.
        bias: bias report of the accepted samples.
    """
    private: Counter[str] = Counter()
    for one in verdicts.all:
        private.update(one.private)
    votes = [one.votes for one in verdicts.all if one.votes is not None]
    return FilterMetrics(
        candidates=len(verdicts.all),
        accepted=len(verdicts.accepted),
        acceptance_rate=verdicts.acceptance_rate,
        rejected_by=verdicts.rejected_by,
        relabelled=sum(one.candidate.label_before is not None for one in verdicts.accepted),
        private=private,
        per_model=_per_model(verdicts),
        per_class=_per_class(verdicts),
        judges_agreement=observed_agreement(votes),
        judges_kappa=kappa(votes),
        judges=_judges(votes),
        review=_review(decided, verdicts),
        bias=bias,
    )


def _per_class(verdicts: Verdicts) -> dict[str, ClassFunnel]:
    found: dict[str, ClassFunnel] = {}
    for label in sorted({one.label for one in verdicts.all}):
        accepted = sum(one.label == label for one in verdicts.accepted)
        lost = reasons(one for one in verdicts.rejected if one.label == label)
        found[label] = ClassFunnel(accepted + lost.total(), accepted, lost)
    return found


def _per_model(verdicts: Verdicts) -> dict[str, ModelFunnel]:
    """Count by endpoint; samples without a known endpoint are left out."""
    written = Counter(one.candidate.endpoint for one in verdicts.all)
    passed = Counter(one.candidate.endpoint for one in verdicts.accepted)
    return {
        name: ModelFunnel(count, passed[name]) for name, count in sorted(written.items()) if name
    }


def _judges(votes: Sequence[Mapping[str, bool]]) -> dict[str, Voter]:
    """Return, per voter, how many samples it saw and accepted, and the weight of its vote."""
    votes_of: dict[str, list[bool]] = {}
    for each in votes:
        for voter, vote in each.items():
            votes_of.setdefault(voter, []).append(vote)
    weights = vote_weights(votes)
    return {
        voter: Voter(len(mine), sum(mine), weights[voter])
        for voter, mine in sorted(votes_of.items())
    }


def _review(decided: Sequence[Decision], verdicts: Verdicts) -> Review:
    """Summarise decisions on samples that passed the gate, with the interval of the reject rate."""
    passed = {one.id for one in verdicts.all if one.fault is None or one.fault.rule == REVIEW}
    mine = [decision for decision in decided if decision.id in passed]
    rate = reject_rate(mine, len(passed))
    return Review(
        decided=rate.decided if rate else 0,
        rejected=rate,
        reviewers=reviewer_agreement(mine),
        accepted_but_dropped_by_the_gate=sum(
            one.decision == "accept" for one in decided if one.id not in passed
        ),
    )
