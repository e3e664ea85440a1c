"""Funnel: every candidate is counted once, by class, endpoint, rule and vote."""

from __future__ import annotations

import pytest

from src.gate.funnel import filter_metrics
from src.gate.gate import Verdicts
from src.records.decisions import Decision
from src.records.metrics.filter import (
    BiasReport,
    ClassFunnel,
    ModelFunnel,
    Review,
    ReviewerAgreement,
    Voter,
)
from src.records.samples import Candidate, Fault, Screened

BIAS = BiasReport({}, {}, (), ())


def sample(name: str, label: str = "缴费", rule: str = "", endpoint: str = "glm4") -> Screened:
    """Return an accepted sample, or one that a rule rejected."""
    candidate = Candidate(name, label, f"文{name}", endpoint=endpoint)
    return Screened(candidate, f"文{name}", fault=Fault(rule, "") if rule else None)


def says(name: str, choice: str, reviewer: str = "李") -> Decision:
    """Return one reviewer's decision on a sample."""
    return Decision(name, choice, "缴费", "", reviewer, "2026-01-01T00:00:00.000000+00:00")


def test_every_candidate_is_counted_once() -> None:
    """Candidates are counted per class and endpoint; those without endpoint in no model."""
    moved = Screened(Candidate("b", "补卡", "文b", label_before="缴费"), "文b", private={"name": 2})
    kept = Screened(sample("a").candidate, "文a", private={"name": 1, "mobile": 1})
    lost = [sample("c", rule="length"), sample("d", rule="length"), sample("e", "补卡", "format")]
    metrics = filter_metrics(Verdicts((kept, moved), tuple(lost)), [], BIAS)
    assert (metrics.candidates, metrics.accepted, metrics.acceptance_rate) == (5, 2, 0.4)
    assert metrics.rejected_by == {"length": 2, "format": 1}
    assert metrics.relabelled == 1
    assert metrics.private == {"name": 3, "mobile": 1}
    assert metrics.per_model == {"glm4": ModelFunnel(4, 1)}
    assert metrics.per_class == {
        "缴费": ClassFunnel(3, 1, {"length": 2}),
        "补卡": ClassFunnel(2, 1, {"format": 1}),
    }
    assert (metrics.judges, metrics.judges_agreement, metrics.judges_kappa) == ({}, None, None)
    assert metrics.review == Review(0, None, ReviewerAgreement(0, None, ()), 0)


def test_voters_are_counted_wherever_their_samples_went() -> None:
    """Two voters agree on three of four samples."""
    votes = [(True, True), (True, False), (False, False), (True, True)]
    screened = [
        Screened(Candidate(str(n), "缴费", ""), "", votes={"a": one, "b": other})
        for n, (one, other) in enumerate(votes)
    ]
    metrics = filter_metrics(Verdicts(tuple(screened[:2]), tuple(screened[2:])), [], BIAS)
    # kappa: 3 of 4 agree; by chance 3/4 * 2/4 + 1/4 * 2/4 = 1/2
    assert metrics.judges == {
        "a": Voter(4, 3, pytest.approx(0.5)),
        "b": Voter(4, 2, pytest.approx(0.5)),
    }
    assert metrics.judges_agreement == 0.75


def test_people_are_heard_on_what_the_gate_let_pass() -> None:
    """Only decisions on samples that passed the rules count, except for overruled accepts."""
    verdicts = Verdicts(
        (sample("a"), sample("b"), sample("c")),
        (sample("d", rule="review"), sample("e", rule="length"), sample("f", rule="length")),
    )
    decided = [
        says("a", "accept"),
        says("a", "accept", "王"),
        says("d", "reject"),
        says("e", "accept"),
        says("f", "reject"),
    ]
    review = filter_metrics(verdicts, decided, BIAS).review
    assert review.decided == 2
    assert review.rejected is not None
    assert (review.rejected.rate, review.rejected.population) == (0.5, 4)
    assert review.rejected.expected == 2
    assert (review.reviewers.shared, review.reviewers.rate) == (1, 1.0)
    assert review.accepted_but_dropped_by_the_gate == 1


def test_nothing_screened_has_a_rate_of_0() -> None:
    """A run without candidates also has metrics."""
    metrics = filter_metrics(Verdicts((), ()), [], BIAS)
    assert (metrics.candidates, metrics.acceptance_rate, metrics.per_class) == (0, 0.0, {})
