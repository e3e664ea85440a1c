"""Gate: verdicts on candidates, and what they depend on."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.config.data import DataParams
from src.config.filter import FilterParams
from src.errors import UserError
from src.gate.gate import Gate, Verdicts
from src.gate.overlap import FLOOR, SEARCH, Search
from src.records.samples import (
    Candidate,
    Fault,
    SampleScores,
    Screened,
    read_candidates,
    write_screened,
)

TRAIN = pd.DataFrame(
    {
        "row_id": ["r1", "r2", "r3"],
        "text": [
            "您好请讲[SEP]我想查一下上个月的话费账单",
            "您好[SEP]我的卡丢了想补一张新卡行不行",
            "您好[SEP]宽带断网两天了没人来修",
        ],
        "label": ["bill", "card", "net"],
    }
)
DEV = pd.DataFrame({"row_id": ["d1"], "text": ["喂你好[SEP]帮我看看这个月扣了多少钱"]})
TEST = pd.DataFrame({"row_id": ["t1"], "text": ["您好[SEP]我要把身份证号改一下资料填错了"]})

FINE = "您好请讲[SEP]上月咋多扣了我三十块钱"
OTHER = "喂你好[SEP]欠费停机了交完多久能打电话"
SHORT = "嗯[SEP]好"


def candidate(number: int, text: str, label: str = "bill") -> Candidate:
    """Return a minimal candidate like those of `generate`."""
    return Candidate(f"{label}-{number}", label, text, attempt=number)


def gate_of(params: FilterParams, data: DataParams, search: Search = SEARCH) -> Gate:
    """Return a gate on the rows above."""
    keywords = {"bill": ("话费", "扣")}
    return Gate(TRAIN, DEV, TEST, keywords, params, data, search=search)


@pytest.fixture
def gate(params: FilterParams, data: DataParams) -> Gate:
    """The gate with every rule but `keywords` on."""
    return gate_of(params, data)


def test_an_accepted_candidate_carries_style_and_scores(gate: Gate) -> None:
    """It has the matched text, the original candidate and all scores."""
    raw = "您好，请讲。[SEP]上月咋多扣了我30块钱？"
    (one,) = gate.screen([candidate(0, raw)]).accepted
    assert one.text == FINE
    assert one.candidate == candidate(0, raw)
    assert one.scores == SampleScores(
        chars=15,
        turns=2,
        language_share=1.0,
        loop_share=0.0,
        repeated_turns=0.0,
        distinct_bigrams=1.0,
        keyword_hits=1,
        seed_overlap=pytest.approx(2 / 13),
        contamination=0.0,
        contradiction=0.0,
        near_duplicate=0.0,
    )


@pytest.mark.parametrize(
    ("text", "reason", "detail"),
    [
        pytest.param("客服：您好[SEP]查话费", "format", "a role name: '客服：'", id="format"),
        pytest.param(SHORT, "length", "2 characters, outside 6 to 200", id="length"),
        pytest.param(
            "好的呢[SEP]好的呢[SEP]好的呢",
            "repetition",
            "1.00 of it is in loops, above 0.3",
            id="repetition",
        ),
        pytest.param(
            "您好请讲我想[SEP]查一下上个月的话费",
            "seed_similarity",
            "1.00 of it occurs in train row r1, above 0.85",
            id="seed-with-other-turns",
        ),
        pytest.param(
            "帮我看看，[SEP]这个月扣了多少钱？",
            "contamination",
            "1.00 of it occurs in held-out row d1, above 0.85",
            id="dev-row",
        ),
        pytest.param(
            "身份证号改一下[SEP]资料填错了",
            "contamination",
            "1.00 of it occurs in held-out row t1, above 0.85",
            id="test-row-of-any-class",
        ),
        pytest.param(
            "宽带断网，[SEP]两天了没人来修",
            "contradiction",
            "1.00 of it occurs in train row r3 of class 'net', above 0.85",
            id="train-row-of-another-class",
        ),
    ],
)
def test_a_rejected_candidate_says_why(gate: Gate, text: str, reason: str, detail: str) -> None:
    """The fault names the first rule that rejects it, and the finding."""
    verdicts = gate.screen([candidate(0, text)])
    assert verdicts.accepted == ()
    assert verdicts.rejected[0].fault == Fault(reason, detail)
    assert verdicts.rejected[0].candidate.text == text


def test_near_duplicates_are_of_accepted_candidates_of_the_class(gate: Gate) -> None:
    """Repeats of accepted candidates of the class are rejected, also with other turn boundaries."""
    verdicts = gate.screen(
        [
            candidate(0, FINE),
            candidate(1, FINE.replace("[SEP]", "，") + "[SEP]"),
            candidate(2, "您好请讲上月[SEP]咋多扣了我三十块钱"),
            candidate(3, FINE, "card"),
            candidate(4, OTHER),
        ]
    )
    assert [one.id for one in verdicts.accepted] == ["bill-0", "card-3", "bill-4"]
    assert [one.fault for one in verdicts.rejected] == [
        Fault("format", "1 turn, a dialogue needs 2"),
        Fault("near_duplicate", "1.00 of it occurs in candidate bill-0, above 0.85"),
    ]
    assert verdicts.rejected[1].known_scores.near_duplicate == 1.0


def test_counts_come_from_the_samples(gate: Gate) -> None:
    """Rate and reasons are derived from the samples; without samples the rate is 0."""
    verdicts = gate.screen([candidate(0, FINE), candidate(1, SHORT), candidate(2, FINE)])
    assert verdicts.acceptance_rate == pytest.approx(1 / 3)
    assert verdicts.rejected_by == Counter({"length": 1, "near_duplicate": 1})
    assert gate.screen([]) == Verdicts((), ())
    assert gate.screen([]).acceptance_rate == 0.0


def test_an_old_verdict_is_forgotten(gate: Gate, tmp_path: Path) -> None:
    """Rejected samples can be screened again with other settings."""
    old = Screened(candidate(0, FINE), FINE, fault=Fault("length", "too short"))
    write_screened(tmp_path / "rejected.jsonl", [old])
    (one,) = gate.screen(read_candidates(tmp_path / "rejected.jsonl")).accepted
    assert (one.candidate, one.fault) == (old.candidate, None)


def switched(params: FilterParams, section: str, *, on: bool) -> FilterParams:
    """Return the settings with one rule on or off."""
    rule = getattr(params, section).model_copy(update={"enabled": on})
    return params.model_copy(update={section: rule})


def test_style_off_leaves_the_text(params: FilterParams, data: DataParams) -> None:
    """Without the style transform the text is unchanged."""
    gate = gate_of(switched(params, "style", on=False), data)
    (one,) = gate.screen([candidate(0, "您好，请讲。[SEP]多扣了30块钱？")]).accepted
    assert one.text == one.candidate.text == "您好，请讲。[SEP]多扣了30块钱？"


def test_contamination_off_is_obeyed_scored_and_warned_about(
    params: FilterParams, data: DataParams, caplog: pytest.LogCaptureFixture
) -> None:
    """If it is off, copies are accepted, but the score and the log show it."""
    with caplog.at_level(logging.WARNING):
        gate = gate_of(switched(params, "contamination", on=False), data)
    assert "filter.contamination is off" in caplog.text
    (one,) = gate.screen([candidate(0, DEV["text"][0])]).accepted
    assert one.known_scores.contamination == 1.0


def test_given_keywords_go_before_mined_ones(params: FilterParams, data: DataParams) -> None:
    """Keywords set for a class replace those mined from train."""
    rule = params.keywords.model_copy(update={"enabled": True, "given": {"bill": ("发票",)}})
    gate = gate_of(params.model_copy(update={"keywords": rule}), data)
    assert gate.screen([candidate(0, FINE)]).rejected_by == {"keywords": 1}


def test_a_class_without_train_rows_is_named(gate: Gate) -> None:
    """Samples of an unknown class raise a UserError."""
    with pytest.raises(UserError, match="bills-0: class 'bills' has no train row"):
        gate.screen([candidate(0, FINE, "bills")])


def test_keywords_for_an_unknown_class_are_an_error(params: FilterParams, data: DataParams) -> None:
    """A misspelt class in the settings is an error."""
    rule = params.keywords.model_copy(update={"given": {"bills": ("发票",)}})
    with pytest.raises(UserError, match="no class 'bills' in train"):
        gate_of(params.model_copy(update={"keywords": rule}), data)


def test_a_text_that_was_seen_before_is_measured_as_if_new(
    params: FilterParams, data: DataParams
) -> None:
    """Results cached in earlier rounds, of any class, change no verdict and no score."""
    old = [candidate(0, FINE), candidate(1, OTHER, "card")]
    new = [candidate(2, OTHER), candidate(3, FINE, "card"), candidate(4, OTHER)]
    gate = gate_of(params, data)
    gate.screen(old)
    assert gate.screen(new) == gate_of(params, data).screen(new)
    assert gate.screen([*old, *new]) == gate_of(params, data).screen([*old, *new])


PIECES = [
    "您好请讲",
    "上月咋多扣了我三十块钱",
    "宽带断网了咋整",
    "客服：好",
    "嗯",
    "我卡丢了想补卡",
]
CANDIDATES = st.lists(
    st.tuples(
        st.lists(st.sampled_from(PIECES), min_size=1, max_size=4), st.sampled_from(["bill", "card"])
    ),
    max_size=12,
).map(
    lambda items: [
        candidate(i, "[SEP]".join(turns), label) for i, (turns, label) in enumerate(items)
    ]
)


def by_id(verdicts: Verdicts) -> dict[str, Screened]:
    """Return all samples by id."""
    return {one.id: one for one in verdicts.all}


@settings(deadline=None, max_examples=50)
@given(candidates=CANDIDATES, cut=st.integers(0, 12))
def test_a_verdict_depends_on_earlier_candidates_of_its_class_only(
    candidates: list[Candidate], cut: int, params: FilterParams, data: DataParams
) -> None:
    """Later candidates, other classes and earlier rounds change nothing; order is preserved."""
    whole = gate_of(params, data).screen(candidates)
    expected = by_id(whole)
    assert set(expected) == {one.id for one in candidates}
    for part in (whole.accepted, whole.rejected):
        attempts = [one.candidate.attempt for one in part]
        assert attempts == sorted(attempts)
    growing = gate_of(params, data)
    for screened in (
        growing.screen(candidates[:cut]),
        growing.screen([one for one in candidates if one.label == "card"]),
        growing.screen(candidates),
    ):
        assert all(one == expected[key] for key, one in by_id(screened).items())


@settings(deadline=None, max_examples=50)
@given(candidates=CANDIDATES, hole=st.integers(0, 11))
def test_with_many_rows_verdicts_stay_and_small_shares_are_0(
    candidates: list[Candidate], hole: int, params: FilterParams, data: DataParams
) -> None:
    """Shares above the floor do not change, even if a candidate is inserted later."""
    exact = by_id(gate_of(params, data).screen(candidates))
    gate = gate_of(params, data, Search(exact_rows=0, slack=1, chunk=2))
    gate.screen(candidates[:hole] + candidates[hole + 1 :])
    found = by_id(gate.screen(candidates))
    for key, one in exact.items():
        scores = one.known_scores
        for score in ("seed_overlap", "contamination", "contradiction", "near_duplicate"):
            if getattr(scores, score) <= FLOOR:
                first = key.endswith("-0") or score != "near_duplicate"
                small = 0.0 if first else getattr(found[key].known_scores, score)
                scores = replace(scores, **{score: small})
        exact[key] = replace(one, scores=scores)
    assert found == exact


def test_only_rows_of_other_classes_contradict(params: FilterParams, data: DataParams) -> None:
    """A copy of a row of its own class does not contradict; a text in two classes does."""
    no_seeds = switched(params, "seed_similarity", on=False)
    twin = TRAIN.iloc[[0]].assign(row_id="r9", label="net")
    gate = Gate(pd.concat([TRAIN, twin]), DEV, TEST, {}, no_seeds, data)
    copies = [candidate(0, TRAIN["text"][0], "net"), candidate(1, TRAIN["text"][1], "card")]
    verdicts = gate.screen(copies)
    (fine,), (bad,) = verdicts.accepted, verdicts.rejected
    assert bad.fault is not None
    assert (bad.id, bad.fault.rule) == ("net-0", "contradiction")
    assert "train row r1 of class 'bill'" in bad.fault.detail
    assert (fine.id, fine.known_scores.seed_overlap) == ("card-1", 1.0)
    assert fine.known_scores.contradiction < 0.5


def test_a_list_may_change_from_any_place(params: FilterParams, data: DataParams) -> None:
    """Longer, shorter or changed lists get the same verdicts as from a new gate."""
    first = [candidate(number, text) for number, text in enumerate((FINE, OTHER, SHORT))]
    again = candidate(3, FINE)
    gate = gate_of(params, data)
    lists = [
        first,
        [*first, again],
        [first[0], again, *first[1:]],
        first[:1],
        [again, *first],
        [replace(again, endpoint="another"), *first],
    ]
    for screened in lists:
        assert gate.screen(screened) == gate_of(params, data).screen(screened)
