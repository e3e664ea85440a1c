"""How far reviewers agree, and what share of the samples they reject.

reject_rate(decisions, population=1600)
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

from src.records.decisions import Decision
from src.review.decisions import verdicts


@dataclass(frozen=True)
class PairAgreement:
    """Two reviewers: the samples both decided on, and Cohen's kappa.

    Kappa is None below two shared samples, and where both gave one and the same answer to all of
    them, so that chance alone explains it.
    """

    reviewers: tuple[str, str]
    shared: int
    agreed: int
    kappa: float | None


@dataclass(frozen=True)
class Agreement:
    """How far reviewers agree on samples that several of them decided on.

    Attributes:
        shared: samples with two reviewers or more.
        rate: share of the pairs of decisions on one sample that are the same; None without one.
        pairs: each two reviewers who share a sample, by name.
    """

    shared: int
    rate: float | None
    pairs: tuple[PairAgreement, ...]


def agreement(decisions: Iterable[Decision]) -> Agreement:
    """Agreement among reviewers; a relabel agrees with one to the same class only.

    Kappa as in Cohen, A coefficient of agreement for nominal scales, 1960.
    """
    by_reviewer: dict[str, dict[str, str]] = defaultdict(dict)
    for one in decisions:
        to = f" {one.label}" if one.decision == "relabel" else ""
        by_reviewer[one.reviewer][one.id] = one.decision + to
    seen = Counter(sample for answers in by_reviewer.values() for sample in answers)
    pairs = tuple(_pairs(by_reviewer))
    compared = sum(pair.shared for pair in pairs)
    return Agreement(
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
            yield PairAgreement((one, other), len(answers), agreed, _kappa(answers))


def _kappa(answers: Sequence[tuple[str, str]]) -> float | None:
    n = len(answers)
    first, second = Counter(a for a, _ in answers), Counter(b for _, b in answers)
    agreed = sum(a == b for a, b in answers)
    # In whole numbers (n times the agreement expected by chance), so that 1 is exactly 1.
    chance = sum(first[answer] * second[answer] for answer in first)
    if n < 2 or chance == n * n:
        return None
    return (agreed * n - chance) / (n * n - chance)


@dataclass(frozen=True)
class RejectRate:
    """Share of rejected samples among the decided, with its interval.

    Attributes:
        rejected: samples.
        decided: samples.
        rate: rejected / decided.
        low: of the interval.
        high: of the interval.
        population: samples that the decided ones were drawn from.
    """

    rejected: int
    decided: int
    rate: float
    low: float
    high: float
    population: int

    @property
    def expected(self) -> int:
        """Samples of the population that people would reject, if the decided stand for it."""
        return round(self.rate * self.population)


def reject_rate(
    decisions: Iterable[Decision], population: int, confidence: float = 0.95
) -> RejectRate | None:
    """What share of the samples people reject; None where nothing is decided.

    Wilson's interval (Probable inference, the law of succession, and statistical inference,
    1927), which holds for few samples and near 0 and 1. A queue draws more of small classes than
    their share, so what is expected in the population leans towards those.

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
    rate, z = rejected / n, NormalDist().inv_cdf(0.5 + confidence / 2)
    centre = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * (rate * (1 - rate) / n + z**2 / (4 * n**2)) ** 0.5 / (1 + z**2 / n)
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return RejectRate(rejected, n, rate, low, high, population)
