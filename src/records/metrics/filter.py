"""metrics/filter.json: what became of the candidates, who judged them, and how they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ComparedWith = Literal["class", "all", "even"]
Pair = tuple[float, float]  # of the samples, of the real rows


@dataclass(frozen=True)
class ClassFunnel:
    """One class: its candidates, those accepted, and the rules that dropped the others."""

    candidates: int
    accepted: int
    rejected_by: Mapping[str, int]


@dataclass(frozen=True)
class ModelFunnel:
    """Samples of one endpoint before and after the whole gate, label check and judges included."""

    candidates: int
    accepted: int


@dataclass(frozen=True)
class Voter:
    """One who voted: samples seen and accepted, and how much the vote counts by agreement."""

    judged: int
    accepted: int
    weight: float


@dataclass(frozen=True)
class PairAgreement:
    """Two reviewers: the samples both decided on, and Cohen's kappa.

    Kappa is None below two shared samples, and where both gave one and the same response to all of
    them, so that chance alone explains it.
    """

    reviewers: tuple[str, str]
    shared: int
    agreed: int
    kappa: float | None


@dataclass(frozen=True)
class ReviewerAgreement:
    """How far reviewers agree on samples that several of them decided on.

    Attributes:
        shared: samples with two reviewers or more.
        rate: share of the pairs of decisions on one sample that are the same; None without one.
        pairs: each two reviewers who share a sample, by name.
    """

    shared: int
    rate: float | None
    pairs: tuple[PairAgreement, ...]


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
        expected: of these, how many people would reject, if the decided stand for them.
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
    """What people decided.

    Attributes:
        decided: samples that the gate let pass and somebody decided on.
        rejected: None where nothing is decided.
        reviewers: on the same samples.
        accepted_but_dropped_by_the_gate: decisions to accept a sample that the gate dropped.
    """

    decided: int
    rejected: RejectRate | None
    reviewers: ReviewerAgreement
    accepted_but_dropped_by_the_gate: int


@dataclass(frozen=True)
class BiasGroup:
    """Samples beside real rows, of all classes or of one.

    Attributes:
        count: texts.
        openings: the most frequent ones -> shares.
        genders: value -> shares.
        regions: the most frequent ones -> shares.
        chars: mean, and of all classes quantiles -> characters.
        turns: the same -> turns.
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
        label: the class, "" for all classes.
        facet: openings, genders, regions, chars, turns, or "attribute " and its name.
        value: whose shares are compared; "mean" of lengths.
        synthetic: share of the samples, or their mean length.
        real: the same of the real rows; of an attribute the even share, as real rows have none.
        difference: synthetic - real; of lengths in standard deviations.
        synthetic_count: samples compared.
        real_count: real rows compared, 0 for an attribute.
        compared_with: "class", rows of the same class or classes; "all" train rows, where those
            are fewer than `differences.FEW`; "even" for an attribute.
        at_least: size of the difference beyond chance, -1 to 1, see `diagnostics/bias.py`; 0 or less
            where it could be chance.
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
    """One of the largest; `also_in` other classes the same one is beyond chance, too."""

    also_in: int


@dataclass(frozen=True)
class BiasReport:
    """How the samples differ from the real rows; all but `attributes` empty without either.

    Attributes:
        overall: all classes.
        per_class: by label.
        attributes: name -> value -> share of the samples, even share.
        compared_with_all: classes with too few real rows, which are compared with all rows.
        largest: the surest first.
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
        candidates: all.
        accepted: of them.
        acceptance_rate: accepted / candidates, 0 without any.
        rejected_by: by the first rule that dropped a candidate.
        relabelled: accepted ones that count for another class than they were written for.
        private: pieces of private data found, by kind.
        per_model: by endpoint.
        per_class: by label.
        judges_agreement: share of pairs of voters that agree; None without a pair.
        judges_kappa: Fleiss' kappa; None without a pair, or where all votes are equal.
        judges: by voter.
        review: of people.
        bias: against the real rows.
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
