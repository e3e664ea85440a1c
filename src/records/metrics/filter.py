"""metrics/filter.json: verdicts on the candidates, judges, reviewers, and bias of the samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ComparedWith = Literal["class", "all", "even"]
Pair = tuple[float, float]  # samples, real rows


@dataclass(frozen=True)
class ClassFunnel:
    """Candidates of one class.

    Attributes:
        candidates: number of candidates.
        accepted: how many of them the gate accepted.
        rejected_by: rule -> candidates that it rejected first.
    """

    candidates: int
    accepted: int
    rejected_by: Mapping[str, int]


@dataclass(frozen=True)
class ModelFunnel:
    """Candidates of one endpoint.

    Attributes:
        candidates: number of candidates.
        accepted: how many of them the whole gate accepted, label check and judges included.
    """

    candidates: int
    accepted: int


@dataclass(frozen=True)
class Voter:
    """A judge, or the label check where it votes.

    Attributes:
        judged: samples that it voted on.
        accepted: samples that it voted to accept.
        weight: mean Cohen's kappa with the other voters, each at least 0; 1 for every voter if
            all weights would be 0.
    """

    judged: int
    accepted: int
    weight: float


@dataclass(frozen=True)
class PairAgreement:
    """Agreement of two reviewers.

    Attributes:
        reviewers: their names.
        shared: samples that both decided on.
        agreed: samples on which their decisions are the same.
        kappa: Cohen's kappa; None with fewer than two shared samples, or if both made one and the
            same decision on all of them, because chance alone explains that.
    """

    reviewers: tuple[str, str]
    shared: int
    agreed: int
    kappa: float | None


@dataclass(frozen=True)
class ReviewerAgreement:
    """Agreement of reviewers on samples that several of them decided on.

    Attributes:
        shared: samples with decisions of two or more reviewers.
        rate: equal pairs / all pairs of decisions on the same sample; None without a pair.
        pairs: one entry per pair of reviewers with shared samples, sorted by name.
    """

    shared: int
    rate: float | None
    pairs: tuple[PairAgreement, ...]


@dataclass(frozen=True)
class RejectRate:
    """Share of decided samples that reviewers reject, with its interval.

    Attributes:
        rejected: samples whose final decision is reject.
        decided: samples with a decision.
        rate: rejected / decided.
        low: lower end of Wilson's 95 % interval.
        high: upper end of Wilson's 95 % interval.
        population: samples from which the decided ones were drawn.
        expected: rate * population, rounded.
    """

    rejected: int
    decided: int
    rate: float
    low: float
    high: float
    population: int
    expected: int


@dataclass(frozen=True)
class Review:
    """Decisions of reviewers.

    Attributes:
        decided: samples that passed the gate and have a decision.
        rejected: how many of them are rejected; None without decisions.
        reviewers: agreement of the reviewers on these samples.
        accepted_but_dropped_by_the_gate: decisions to accept a sample that the gate rejected.
    """

    decided: int
    rejected: RejectRate | None
    reviewers: ReviewerAgreement
    accepted_but_dropped_by_the_gate: int


@dataclass(frozen=True)
class BiasGroup:
    """Samples and real rows of one class, or of all classes. Each pair is (samples, real rows).

    Attributes:
        count: number of texts.
        openings: opening -> share of the texts, for the most frequent openings.
        genders: gender words -> share of the texts.
        regions: region -> share of the texts, for the most frequent regions.
        chars: "mean", and over all classes "p10", "p50" and "p90" -> characters.
        turns: the same keys -> turns.
    """

    count: tuple[int, int]
    openings: Mapping[str, Pair]
    genders: Mapping[str, Pair]
    regions: Mapping[str, Pair]
    chars: Mapping[str, Pair]
    turns: Mapping[str, Pair]


@dataclass(frozen=True)
class Difference:
    """One difference between samples and real rows.

    Attributes:
        label: the class; "" for all classes.
        facet: openings, genders, regions, chars, turns, or "attribute <name>".
        value: the value whose shares are compared; "mean" for lengths.
        synthetic: share of the samples with this value, or their mean length.
        real: the same for the real rows; for an attribute, the even share, because real rows have
            no attributes.
        difference: synthetic - real; for lengths, in standard deviations.
        synthetic_count: samples compared.
        real_count: real rows compared; 0 for an attribute.
        compared_with: "class": real rows of the same class or classes; "all": all train rows,
            because the class has fewer than `differences.FEW`; "even": the even share.
        at_least: the part of the difference that chance does not explain, -1 to 1
            (`diagnostics/bias.py`); 0 or less if chance could explain all of it.
    """

    label: str
    facet: str
    value: str
    synthetic: float
    real: float
    difference: float
    synthetic_count: int
    real_count: int
    compared_with: ComparedWith
    at_least: float


@dataclass(frozen=True)
class LargestDifference(Difference):
    """One of the largest differences.

    Attributes:
        also_in: number of other classes with the same difference beyond chance.
    """

    also_in: int


@dataclass(frozen=True)
class BiasReport:
    """How the samples differ from the real rows.

    Without samples or without real rows, everything except `attributes` is empty.

    Attributes:
        per_class: label -> figures of the class.
        attributes: name -> value -> (share of the samples, even share).
        compared_with_all: classes with so few real rows that they are compared with all train rows.
        largest: by descending `at_least`.
        overall: figures over all classes that have samples.
    """

    per_class: Mapping[str, BiasGroup]
    attributes: Mapping[str, Mapping[str, Pair]]
    compared_with_all: tuple[str, ...]
    largest: tuple[LargestDifference, ...]
    overall: BiasGroup | None = None


@dataclass(frozen=True)
class FilterMetrics:
    """The whole gate.

    Attributes:
        candidates: number of candidates.
        accepted: accepted candidates.
        acceptance_rate: accepted / candidates; 0 without candidates.
        rejected_by: rule -> candidates that it rejected first.
        relabelled: accepted samples that count for another class than they were written for.
        private: kind of private data -> occurrences found in the candidates.
        per_model: endpoint -> its candidates; candidates without an endpoint are left out.
        per_class: label -> candidates of the class.
        judges_agreement: observed agreement over all pairs of votes on the same sample; None
            without a pair.
        judges_kappa: Fleiss' kappa; None without a pair, or if all votes are equal.
        judges: voter -> its votes and weight.
        review: decisions of reviewers.
        bias: differences between the accepted samples and the real rows.
    """

    candidates: int
    accepted: int
    acceptance_rate: float
    rejected_by: Mapping[str, int]
    relabelled: int
    private: Mapping[str, int]
    per_model: Mapping[str, ModelFunnel]
    per_class: Mapping[str, ClassFunnel]
    judges_agreement: float | None
    judges_kappa: float | None
    judges: Mapping[str, Voter]
    review: Review
    bias: BiasReport
