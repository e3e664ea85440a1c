"""Checks on all candidates: label check, judges, reviewers' decisions, and selection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.config.filter import FilterParams, LabelParams
from src.errors import UserError
from src.gate.ngrams import Embed, Matrix
from src.gate.screening import best_first, with_judgements, with_label_scores
from src.judging.rubric import Judgement
from src.judging.votes import Vote
from src.records.samples import Candidate, SampleScores, Screened

RULE = LabelParams(enabled=True, min_score=0.5, action="drop")
NOBODY: set[str] = set()
# a is surely of its class; b's class is the likeliest, but not likely; c's is another
SCORES = pd.DataFrame(
    {
        "id": ["a", "b", "c"],
        "label_score": [0.9, 0.4, 0.1],
        "label_rank": [1, 1, 6],
        "neighbours": [0.8, 0.5, 0.0],
        "suggested": ["", "", "补卡"],
    }
)


NO_DOUBT = SampleScores(
    chars=9,
    turns=1,
    language_share=1.0,
    loop_share=0.0,
    repeated_turns=0.0,
    distinct_bigrams=1.0,
    keyword_hits=0,
    seed_overlap=0.0,
    contamination=0.0,
    contradiction=0.0,
    near_duplicate=0.0,
)


def sample(name: str, label: str = "缴费", score: float | None = None) -> Screened:
    """Return a candidate that passed the rules, optionally with a label score."""
    text = f"文{name}"
    return Screened(Candidate(name, label, text), text, replace(NO_DOUBT, label_score=score))


SAMPLES = [sample(name) for name in "abc"]


def altered(**changes: object) -> LabelParams:
    """Return the rule with some values changed."""
    return RULE.model_copy(update=changes)


def outcome(screened: list[Screened]) -> list[str]:
    """Return, per sample, the rule that rejected it, or its label."""
    return [one.label if one.fault is None else one.fault.rule for one in screened]


def details(screened: list[Screened]) -> list[str]:
    """Return, per sample, why it was rejected; empty if it was not."""
    return ["" if one.fault is None else one.fault.detail for one in screened]


@pytest.mark.parametrize(
    ("rule", "kept", "expected"),
    [
        pytest.param(RULE, NOBODY, ["缴费", "label_check", "label_check"], id="drop"),
        pytest.param(altered(min_score=0.4), NOBODY, ["缴费", "缴费", "label_check"], id="at-it"),
        pytest.param(altered(min_score=0.0), NOBODY, ["缴费"] * 3, id="no-threshold"),
        pytest.param(altered(enabled=False), NOBODY, ["缴费"] * 3, id="off"),
        pytest.param(
            altered(action="relabel"), NOBODY, ["缴费", "label_check", "补卡"], id="relabel"
        ),
        pytest.param(RULE, {"c"}, ["缴费", "label_check", "缴费"], id="people-accepted-it"),
        pytest.param(
            altered(action="relabel"), {"b", "c"}, ["缴费"] * 3, id="people-accepted-its-label"
        ),
    ],
)
def test_a_threshold_and_what_follows(
    rule: LabelParams, kept: set[str], expected: list[str]
) -> None:
    """Samples are rejected or moved to the more likely class; reviewers have the last word."""
    checked = with_label_scores(SAMPLES, SCORES, rule, kept)
    assert [one.id for one in checked] == ["a", "b", "c"]
    assert outcome(checked) == expected


def test_a_label_check_that_votes_drops_nothing_itself() -> None:
    """It only adds scores, whatever its rule decides."""
    for rule in (RULE, altered(action="relabel")):
        checked = with_label_scores(SAMPLES, SCORES, rule, NOBODY, decides=False)
        assert outcome(checked) == ["缴费"] * 3
        assert [one.known_scores.label_score for one in checked] == [0.9, 0.4, 0.1]


def test_the_reason_names_the_label() -> None:
    """All samples have scores; the reason has the probability and the more likely class."""
    checked = with_label_scores(SAMPLES, SCORES, RULE, NOBODY)
    scored = replace(NO_DOUBT, label_score=0.9, label_rank=1, neighbours=0.8)
    assert checked[0].scores == scored
    assert [one.suggested for one in checked] == ["", "", "补卡"]
    assert details(checked) == [
        "",
        "0.40 likely to belong to its class, below 0.5",
        "0.10 likely to belong to its class, below 0.5; 补卡 is more likely",
    ]


def test_a_moved_sample_remembers_its_class() -> None:
    """A relabelled sample has no fault and keeps its old class in `label_before`."""
    *_, moved = with_label_scores(SAMPLES, SCORES, altered(action="relabel"), NOBODY)
    assert (moved.label, moved.candidate.label_before) == ("补卡", "缴费")
    assert moved.accepted


@pytest.mark.parametrize("enabled", [True, False], ids=["on", "off"])
def test_a_sample_without_scores_is_named(*, enabled: bool) -> None:
    """Missing scores are an error even if the rule is off, because selection needs them."""
    with pytest.raises(UserError, match=r"candidate new has no label score; run `python -m src"):
        with_label_scores([sample("new")], SCORES, altered(enabled=enabled), NOBODY)


def says(points: float, judge: str = "glm4") -> Judgement:
    """Return a judgement with the same points for all criteria."""
    return Judgement(judge, judge, points, points, points, best_label="补卡", reason="跑题")


def voting(params: FilterParams, vote: Vote = "majority", *, classifier: bool) -> FilterParams:
    """Judges accept six points or more; the label check accepts 0.5 or more."""
    judge = params.judge.model_copy(update={"vote": vote, "classifier": classifier})
    return params.model_copy(update={"judge": judge, "label_check": RULE})


@pytest.mark.parametrize(
    ("judged", "kept", "reason", "votes"),
    [
        pytest.param([says(9)], NOBODY, None, {"glm4": True}, id="accepted"),
        pytest.param([says(3)], NOBODY, "judge", {"glm4": False}, id="rejected"),
        pytest.param([says(3)], {"a"}, None, {"glm4": False}, id="rejected-but-people-accepted-it"),
        pytest.param(
            [says(9), says(3, "b"), says(3, "c")],
            NOBODY,
            "judge",
            {"glm4": True, "b": False, "c": False},
            id="outvoted",
        ),
        pytest.param([], NOBODY, None, {}, id="no-votes"),
    ],
)
def test_what_judges_say(
    judged: list[Judgement],
    kept: set[str],
    reason: str | None,
    votes: dict[str, bool],
    params: FilterParams,
) -> None:
    """A sample is rejected by the votes; without votes it is kept and has no judge scores."""
    (checked,) = with_judgements([sample("a", score=0.9)], {"a": judged}, params, kept)
    assert (checked.fault.rule if checked.fault else None) == reason
    assert checked.votes == votes
    expected = sum(judgement.score for judgement in judged) / len(judged) if judged else None
    assert checked.known_scores.judge_score == (pytest.approx(expected) if judged else None)
    assert checked.known_scores.chars == 9


def test_what_judges_say_is_given_as_the_reason(params: FilterParams) -> None:
    """The reason quotes the judges; samples without judgements are kept in order."""
    samples = [sample("a", score=0.9), sample("b", score=0.9)]
    checked = with_judgements(samples, {"a": [says(3)]}, params, NOBODY)
    assert details(checked) == ["glm4: label consistency 3 < 6, best label 补卡 (跑题)", ""]
    assert checked[1].accepted
    assert checked[1].votes == {}


@pytest.mark.parametrize(
    ("classifier", "stated"),
    [
        pytest.param(
            True,
            [
                "",
                "classifier: 0.40 likely to belong to its class, below 0.5",
                "glm4: label consistency 3 < 6, best label 补卡 (跑题); "
                "classifier: 0.10 likely to belong to its class, below 0.5; 补卡 is more likely",
            ],
            id="votes",
        ),
        pytest.param(
            False, ["", "", "glm4: label consistency 3 < 6, best label 补卡 (跑题)"], id="does-not"
        ),
    ],
)
def test_the_label_check_votes_by_its_rule(
    classifier: bool, stated: list[str], params: FilterParams
) -> None:
    """It votes alone on a; on b it ties with the judge; both vote against c."""
    scored = with_label_scores(SAMPLES, SCORES, RULE, NOBODY, decides=False)
    judged = {"b": [says(9)], "c": [says(3)]}
    rules = voting(params, classifier=classifier)
    checked = with_judgements(scored, judged, rules, NOBODY)
    assert details(checked) == stated
    assert outcome(checked) == ["judge" if detail else "缴费" for detail in stated]
    own = [{"classifier": vote} if classifier else {} for vote in (True, False, False)]
    others = [{}, {"glm4": True}, {"glm4": False}]
    assert [one.votes for one in checked] == [a | b for a, b in zip(own, others, strict=True)]


@pytest.mark.parametrize(
    ("vote", "accepted"),
    [
        pytest.param("majority", "abcde", id="majority"),
        pytest.param("weighted", "abc", id="weighted"),
    ],
)
def test_weights_are_those_of_all_samples(vote: Vote, accepted: str, params: FilterParams) -> None:
    """The third judge accepts everything, so unweighted ties of the others become majorities."""
    panel = {"one": "++++----", "two": "+++-+---", "three": "++++++++"}
    samples = [sample(name, score=0.9) for name in "abcdefgh"]
    judged = {
        name: [says(9 if marks[number] == "+" else 3, judge) for judge, marks in panel.items()]
        for number, name in enumerate("abcdefgh")
    }
    checked = with_judgements(samples, judged, voting(params, vote, classifier=False), NOBODY)
    assert "".join(one.id for one in checked if one.accepted) == accepted


def one_hot(width: int) -> Embed:
    """Embed `文3` in direction 3, so that a text only covers itself."""

    def embed(texts: Sequence[str]) -> Matrix:
        return np.eye(width, dtype=np.float32)[[int(text[1:]) % width for text in texts]]

    return embed


TRAIN = pd.DataFrame({"text": ["文0", "文5"], "label": ["缴费", "补卡"]})


def test_the_likeliest_come_first_where_there_are_more_than_needed() -> None:
    """Trade 0 orders by label score; the remaining samples follow in their order."""
    accepted = [sample(str(n), score=score) for n, score in enumerate([0.5, 0.9, 0.6, 0.8])]
    ordered = best_first(accepted, {"缴费": 2}, TRAIN, one_hot(9), 0.0, None)
    assert [one.id for one in ordered] == ["1", "3", "0", "2"]


def test_what_real_rows_cover_comes_last() -> None:
    """Trade 1 orders by coverage: a copy of a real row or of another sample adds nothing."""
    accepted = [
        sample("0", score=0.9),  # as the real row
        sample("1", score=0.9),
        sample("10", score=0.9),  # as the one before
        sample("2", score=0.1),
    ]
    ordered = best_first(accepted, {"缴费": 2}, TRAIN, one_hot(9), 1.0, None)
    assert [one.id for one in ordered] == ["1", "2", "0", "10"]


@pytest.mark.parametrize(
    "needed",
    [
        pytest.param({"缴费": 3}, id="as-many-as-needed"),
        pytest.param({"缴费": 9}, id="fewer-than-needed"),
        pytest.param({}, id="none-needed"),
        pytest.param({"补卡": 1}, id="another-class"),
    ],
)
def test_without_a_choice_the_order_stays(needed: dict[str, int]) -> None:
    """Nothing is embedded if no selection is needed."""

    def embed(texts: object) -> np.ndarray:
        raise AssertionError(texts)

    accepted = [sample(str(n), score=n / 9) for n in range(3)]
    assert best_first(accepted, needed, TRAIN, embed, 0.5, None) == accepted


@given(
    labels=st.lists(st.sampled_from(["缴费", "补卡"]), max_size=12),
    needed=st.dictionaries(st.sampled_from(["缴费", "补卡"]), st.integers(0, 8)),
    trade=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_nothing_is_lost_by_choosing(
    labels: list[str], needed: dict[str, int], trade: float
) -> None:
    """Each sample occurs once and unchanged; classes without selection keep their order."""
    accepted = [sample(str(n), label, (7 * n % 5) / 5) for n, label in enumerate(labels)]
    ordered = best_first(accepted, needed, TRAIN, one_hot(9), trade, None)
    assert sorted(ordered, key=lambda one: int(one.id)) == accepted
    for label in ("缴费", "补卡"):
        mine = [one for one in accepted if one.label == label]
        if not 0 < needed.get(label, 0) < len(mine):
            assert [one for one in ordered if one.label == label] == mine
