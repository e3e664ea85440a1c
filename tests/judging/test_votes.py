"""The vote of several judges, and their agreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from itertools import permutations
from random import Random
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.config.filter import JudgeParams
from src.judging.rubric import Judgement
from src.judging.votes import (
    CLASSIFIER,
    JudgeScores,
    Vote,
    VoteResult,
    decide,
    faults_of,
    kappa,
    observed_agreement,
    vote_weights,
)
from src.records.samples import SampleScores

VOTES: tuple[Vote, ...] = get_args(Vote)
VOTERS = "abcdef"

RULE = JudgeParams(
    enabled=True,
    endpoints=("a", "b"),
    classifier=False,
    min_label_consistency=7,
    min_score=6,
    vote="majority",
)
WITH_CLASSIFIER = RULE.model_copy(update={"classifier": True})


def judged(*scores: float, judge: str = "a", model: str = "m", best: str = "补换卡") -> Judgement:
    """A judgement with these three scores."""
    return Judgement(judge, model, *scores, best_label=best, reason="")


def voted(judgements: Sequence[Judgement], vote: Vote = "majority") -> VoteResult:
    """Return the result of their vote."""
    return decide(judgements, faults_of(judgements, RULE), vote)


def ballot(marks: str) -> dict[str, bool]:
    """Votes of a, b, c ...: + accepts, - rejects, . abstains."""
    return {voter: mark == "+" for voter, mark in zip(VOTERS, marks, strict=False) if mark != "."}


def faults(marks: str) -> dict[str, str | None]:
    """Why a, b, c ... reject."""
    return {voter: None if yes else f"{voter}: no" for voter, yes in ballot(marks).items()}


def panel(marks: str) -> list[Judgement]:
    """Judges who vote like that, by their label consistency."""
    return [judged(9 if yes else 2, 9, 9, judge=voter) for voter, yes in ballot(marks).items()]


@pytest.mark.parametrize(
    ("marks", "majority", "every", "one"),
    [
        pytest.param("+", True, True, True, id="1-of-1"),
        pytest.param("-", False, False, False, id="0-of-1"),
        pytest.param("+-", False, False, True, id="tie-is-no-majority"),
        pytest.param("++-", True, False, True, id="2-of-3"),
        pytest.param("+--", False, False, True, id="1-of-3"),
        pytest.param("+++", True, True, True, id="3-of-3"),
        pytest.param("--", False, False, False, id="0-of-2"),
    ],
)
def test_votes(marks: str, majority: bool, every: bool, one: bool) -> None:
    """How many must accept, in any order of judges; equal weights by default."""
    for order in permutations(panel(marks)):
        accepted = {vote: voted(order, vote).accepted for vote in VOTES}
        assert accepted == {"majority": majority, "weighted": majority, "all": every, "any": one}
        assert voted(order).votes == ballot(marks)


@pytest.mark.parametrize(
    ("scores", "accepted"),
    [
        pytest.param((7, 5.2, 5.6), True, id="both-just-met"),  # 2.8 + 1.82 + 1.4 = 6.02
        pytest.param((6.9, 10, 10), False, id="a-good-score-does-not-make-up-for-the-wrong-label"),
        pytest.param((7, 5, 5), False, id="score-5.8"),
        pytest.param((10, 0, 8), True, id="score-6"),
    ],
)
def test_both_thresholds_are_of_each_judge(scores: tuple[float, ...], accepted: bool) -> None:
    """Label consistency and the weighted score each have one; a value at it passes."""
    assert voted([judged(*scores)]).accepted is accepted


def test_a_rejection_says_who_and_why() -> None:
    """Each judge that rejects, with its score, the threshold and its reason."""
    judgements = [
        Judgement("glm4", "g", 3, 9, 9, "办理取消", "客户要退订"),
        judged(9, 9, 9, judge="qwen"),
        judged(7, 5, 5, judge="deepseek"),
    ]
    verdict = voted(judgements)
    assert verdict.accepted is False
    assert verdict.detail == (
        "glm4: label consistency 3 < 7, best label 办理取消 (客户要退订); deepseek: score 5.8 < 6"
    )


def test_scores_are_means_over_the_judges() -> None:
    """And the share of judges that accept."""
    verdict = voted([judged(8, 6, 4), judged(2, 10, 6, judge="b")])
    assert asdict(verdict.scores) == {
        "judge_label_consistency": 5.0,
        "judge_completeness": 8.0,
        "judge_naturalness": 5.0,
        "judge_score": pytest.approx((6.3 + 5.8) / 2),
        "judge_accepts": 0.5,
    }


UNLIKELY = "0.10 likely to be of its class, under 0.3"


@pytest.mark.parametrize(
    ("marks", "fault", "accepted", "detail"),
    [
        pytest.param("+-", None, True, "", id="turns-a-tie"),
        pytest.param(
            "+-",
            UNLIKELY,
            False,
            f"b: label consistency 2 < 7, best label 补换卡; classifier: {UNLIKELY}",
            id="the-other-way",
        ),
        pytest.param("++", UNLIKELY, True, "", id="outvoted"),
        pytest.param("", None, True, "", id="alone"),
        pytest.param("", UNLIKELY, False, f"classifier: {UNLIKELY}", id="alone-against-it"),
    ],
)
def test_the_classifier_votes(marks: str, fault: str | None, accepted: bool, detail: str) -> None:
    """Like a judge, also if no judge responded; it gives no scores."""
    judgements = panel(marks)
    verdict = decide(judgements, faults_of(judgements, WITH_CLASSIFIER, fault), "majority")
    assert (verdict.accepted, verdict.detail) == (accepted, detail)
    assert verdict.votes == {**ballot(marks), CLASSIFIER: fault is None}
    accepts = sum(verdict.votes.values()) / len(verdict.votes)
    assert verdict.scores.judge_accepts == pytest.approx(accepts)
    without = voted(judgements).scores
    assert replace(verdict.scores, judge_accepts=None) == replace(without, judge_accepts=None)


def test_a_classifier_without_a_vote_decides_nothing() -> None:
    """The label check then rejects on its own."""
    assert faults_of(panel("+"), RULE, UNLIKELY) == {"a": None}


# 8 samples: a and b agree on 6, each accepts 4, so that chance is 1/2 and kappa 1/2
A, B = "++++----", "+++-+---"


@pytest.mark.parametrize(
    ("voters", "expected"),
    [
        pytest.param((), (), id="no-voters"),
        pytest.param((A,), (1,), id="one"),
        pytest.param((A, B), (1 / 2, 1 / 2), id="two-count-the-same"),
        pytest.param((A, B, A), (3 / 4, 1 / 2, 3 / 4), id="mean-over-the-others"),
        pytest.param((A, B, "++++++++"), (1 / 4, 1 / 4, 0), id="one-always-accepts"),
        pytest.param((A, B, "++---++-"), (1 / 4, 1 / 4, 0), id="one-at-random"),
        pytest.param((A, B, "----++++"), (1 / 4, 1 / 4, 0), id="one-votes-the-other-way"),
        pytest.param((f"{A}.", f"{B}.", "........+"), (1 / 2, 1 / 2, 0), id="one-with-no-other"),
        pytest.param((f"{A}.", f"{B}+", f"{A}."), (3 / 4, 1 / 2, 3 / 4), id="common-samples-only"),
        pytest.param(("++..", "..+-"), (1, 1), id="unknown"),
        pytest.param(("++++", "++++"), (1, 1), id="all-votes-equal"),
        pytest.param(("++--", "--++"), (1, 1), id="all-against-all"),
        pytest.param(
            ("+++---------", "++-++++++---", "+" * 12),
            (1, 1, 1),
            id="chance-of-thirds",
        ),
    ],
)
def test_weights(voters: tuple[str, ...], expected: tuple[float, ...]) -> None:
    """Mean kappa with the other voters, at least 0; all 1 if it is 0 for all."""
    votes = [ballot("".join(marks)) for marks in zip(*voters, strict=True)]
    assert vote_weights(votes) == dict(zip(VOTERS, expected, strict=False))


@pytest.mark.parametrize(
    ("marks", "weights", "accepts"),
    [
        pytest.param("++-", (0.25, 0.25, 0), 1.0, id="no-weight-no-say"),
        pytest.param("+-+", (0.25, 0.25, 0), 0.5, id="nor-in-a-tie"),
        pytest.param("+--", (0.75, 0.25, 0.25), 0.6, id="one-outweighs-two"),
        pytest.param("+-.", (0.75, 0.25, 0.25), 0.75, id="of-those-who-voted"),
        pytest.param("..+", (0.25, 0.25, 0), 1.0, id="no-weight-alone"),
        pytest.param("..-", (0.25, 0.25, 0), 0.0, id="no-weight-alone-against-it"),
        pytest.param(".++-", (0.25, 0, 0, 0), 2 / 3, id="no-weight-among-such"),
        pytest.param("+-", (), 0.5, id="no-weights"),
        pytest.param(
            "-++",
            (0.3, 0.2, 0.1),
            0.5,
            id="tie-of-decimals",
        ),
    ],
)
def test_weighted_votes(marks: str, weights: tuple[float, ...], accepts: float) -> None:
    """More than half of the weight; if no voter has any, all count the same."""
    weight = dict(zip(VOTERS, weights, strict=False))
    verdict = decide((), faults(marks), "weighted", weight)
    assert verdict.scores.judge_accepts == pytest.approx(accepts)
    assert verdict.accepted is (accepts > 0.5)


MARKS = st.text("+-.", min_size=1, max_size=len(VOTERS))
# so that sums are exact
EIGHTHS = st.integers(0, 8).map(lambda eighths: eighths / 8)


@settings(deadline=None)  # the first one imports scikit-learn
@given(votes=st.lists(MARKS.map(ballot)), seed=st.randoms(use_true_random=False))
def test_weights_are_shares(votes: list[dict[str, bool]], seed: Random) -> None:
    """Each voter has one, not all are 0, and the order of samples and voters is irrelevant."""
    weights = vote_weights(votes)
    assert weights.keys() == {voter for each in votes for voter in each}
    assert all(0 <= weight <= 1 for weight in weights.values())
    assert any(weights.values()) or not weights
    mixed = [dict(seed.sample(list(each.items()), len(each))) for each in votes]
    seed.shuffle(mixed)
    assert vote_weights(mixed) == weights


@given(marks=MARKS, weight=EIGHTHS)
def test_equal_weights_are_a_majority(marks: str, weight: float) -> None:
    """Whatever their value, or without weights."""
    weights = dict.fromkeys(VOTERS, weight)
    assert decide((), faults(marks), "weighted", weights) == decide((), faults(marks), "majority")


@given(
    marks=MARKS,
    weights=st.lists(EIGHTHS, min_size=len(VOTERS), max_size=len(VOTERS)),
    seed=st.randoms(use_true_random=False),
)
def test_the_order_of_voters_decides_nothing(
    marks: str, weights: list[float], seed: Random
) -> None:
    """Nor does it change the accepting share."""
    of_each, given_ = dict(zip(VOTERS, weights, strict=True)), faults(marks)
    mixed = dict(seed.sample(list(given_.items()), len(given_)))
    one, other = (decide((), each, "weighted", of_each) for each in (given_, mixed))
    assert (one.accepted, one.votes, one.scores) == (other.accepted, other.votes, other.scores)


def test_an_unjudged_sample_has_no_scores() -> None:
    """They are unknown, and the reason is reported."""
    unjudged = voted([])
    assert set(asdict(unjudged.scores).values()) == {None}
    assert (unjudged.accepted, unjudged.best_label, unjudged.votes) == (None, None, {})
    assert unjudged.detail == "no judge of another model responded"


@pytest.mark.parametrize(
    ("named", "best"),
    [
        pytest.param(["办理取消"], "办理取消", id="one"),
        pytest.param(["办理取消", "补换卡"], None, id="tie"),
        pytest.param(["办理取消", "办理取消", "补换卡"], "办理取消", id="2-of-3"),
        pytest.param(["办理取消", "", ""], None, id="most-name-none"),
        pytest.param(["办理取消", ""], None, id="half"),
    ],
)
def test_more_than_half_of_the_judges_suggest_a_label(named: list[str], best: str | None) -> None:
    """Judges that name no class count against it, in any order."""
    for order in permutations(named):
        judgements = [
            judged(2, 9, 9, judge=judge, best=label)
            for judge, label in zip(VOTERS, order, strict=False)
        ]
        assert voted(judgements).best_label == best


@pytest.mark.parametrize(
    ("samples", "share"),
    [
        pytest.param([], None, id="none"),
        pytest.param(["+", "-", ""], None, id="no-pairs"),
        pytest.param(["++", "--"], 1.0, id="always"),
        pytest.param(["+-"], 0.0, id="never"),
        pytest.param(["++-"], 1 / 3, id="three-pairs"),
        pytest.param(["++-", "-.-", "+"], 2 / 4, id="pairs-count-not-samples"),
    ],
)
def test_agreement(samples: list[str], share: float | None) -> None:
    """The share of pairs of judges with the same vote."""
    votes = [ballot(marks) for marks in samples]
    assert observed_agreement(votes) == (None if share is None else pytest.approx(share))


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        pytest.param([], None, id="none"),
        pytest.param(["+", "-"], None, id="no-pairs"),
        pytest.param(["++", "++"], None, id="all-votes-equal"),
        pytest.param(["++", "--"], 1.0, id="always"),
        pytest.param(["+-"], -1.0, id="never"),
        # 3 of 4 pairs agree; of 8 votes 5 accept: chance 34/64
        pytest.param(["++", "+-", "++", "--"], 7 / 15, id="two-judges"),
        # 4 of 6 pairs agree; of 12 votes in them 10 accept: chance 13/18
        pytest.param(["++-", "+++"], -1 / 5, id="three-judges"),
    ],
)
def test_kappa(samples: list[str], expected: float | None) -> None:
    """The agreement beyond that of votes drawn from all of them."""
    votes = [ballot(marks) for marks in samples]
    assert kappa(votes) == (None if expected is None else pytest.approx(expected))


def test_scores_of_judges_are_fields_of_a_samples_scores() -> None:
    """So that they can be merged into them."""
    names = {field.name for field in fields(JudgeScores)}
    assert names == {f.name for f in fields(SampleScores) if f.name.startswith("judge_")}
