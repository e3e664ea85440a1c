"""Agreement among reviewers, and the share of samples that they reject.

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
    """Compare every pair of reviewers; relabels agree only if they name the same class."""
    by_reviewer: dict[str, dict[str, str]] = defaultdict(dict)
    for one in decisions:
        to = f" {one.label}" if one.decision == "relabel" else ""
        by_reviewer[one.reviewer][one.id] = one.decision + to
    seen = Counter(sample for given in by_reviewer.values() for sample in given)
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
        both = [(by_reviewer[one][sample], by_reviewer[other][sample]) for sample in shared]
        if both:
            agreed = sum(first == second for first, second in both)
            kappa = cohen_kappa(*zip(*both, strict=True)) if len(both) > 1 else None
            yield PairAgreement((one, other), len(both), agreed, kappa)


def reject_rate(
    decisions: Iterable[Decision], population: int, confidence: float = 0.95
) -> RejectRate | None:
    """Return the share of samples that reviewers reject; None without decisions.

    The interval is Wilson's (`stats.wilson`). The queue oversamples small classes, so the number
    expected in the population is biased towards them.

    Args:
        decisions: decisions on samples of the population; one verdict per sample counts.
        population: number of samples, at least the number of decided ones.
        confidence: level of the interval, between 0 and 1.

    Raises:
        ValueError: the population is smaller than the number of decided samples.
    """
    final = verdicts(decisions).values()
    n, rejected = len(final), sum(one.decision == "reject" for one in final)
    if population < n:
        raise ValueError(f"{n} samples are decided, but the population is {population}")
    if n == 0:
        return None
    rate = wilson(rejected, n, confidence)
    expected = round(rate.value * population)
    return RejectRate(rejected, n, rate.value, rate.low, rate.high, population, expected)
