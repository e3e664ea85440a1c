"""How far reviewers agree, and what share of the samples they reject.

reject_rate(decisions, population=1600)
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations

from src.records.decisions import Decision
from src.records.metrics.filter import PairAgreement, RejectRate, ReviewerAgreement
from src.review.decisions import verdicts
from src.stats import cohen_kappa, wilson


def reviewer_agreement(decisions: Iterable[Decision]) -> ReviewerAgreement:
    """ReviewerAgreement among reviewers; a relabel agrees with one to the same class only."""
    by_reviewer: dict[str, dict[str, str]] = defaultdict(dict)
    for one in decisions:
        to = f" {one.label}" if one.decision == "relabel" else ""
        by_reviewer[one.reviewer][one.id] = one.decision + to
    seen = Counter(sample for answers in by_reviewer.values() for sample in answers)
    pairs = tuple(_pairs(by_reviewer))
    compared = sum(pair.shared for pair in pairs)
    return ReviewerAgreement(
        sum(count > 1 for count in seen.values()),
        sum(pair.agreed for pair in pairs) / compared if compared else None,
        pairs,
    )


def _pairs(by_reviewer: dict[str, dict[str, str]]) -> Iterator[PairAgreement]:
    for one, other in combinations(sorted(by_reviewer), 2):
        shared = by_reviewer[one].keys() & by_reviewer[other].keys()
        answers = [(by_reviewer[one][sample], by_reviewer[other][sample]) for sample in shared]
        if answers:
            agreed = sum(first == second for first, second in answers)
            kappa = cohen_kappa(*zip(*answers, strict=True)) if len(answers) > 1 else None
            yield PairAgreement((one, other), len(answers), agreed, kappa)


def reject_rate(
    decisions: Iterable[Decision], population: int, confidence: float = 0.95
) -> RejectRate | None:
    """What share of the samples people reject; None where nothing is decided.

    With Wilson's interval (`stats.wilson`). A queue draws more of small classes than their share,
    so what is expected in the population leans towards those.

    Args:
        decisions: those on samples of the population; one verdict a sample counts.
        population: samples, at least as many as are decided.
        confidence: of the interval, between 0 and 1.

    Raises:
        ValueError: the population is smaller than what is decided of it.
    """
    final = verdicts(decisions).values()
    n, rejected = len(final), sum(one.decision == "reject" for one in final)
    if population < n:
        raise ValueError(f"{n} samples are decided, of a population of {population}")
    if n == 0:
        return None
    rate = wilson(rejected, n, confidence)
    expected = round(rate.value * population)
    return RejectRate(rejected, n, rate.value, rate.low, rate.high, population, expected)
