"""Gate: verdicts on candidates, and what they may depend on."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.config.data import DataParams
from src.config.filter import FilterParams
from src.errors import UserError
from src.gate import overlap
from src.gate.gate import Gate, Verdicts
from src.gate.overlap import References

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


def candidate(number: int, text: str, label: str = "bill") -> dict[str, Any]:
    """A candidate as `generate` writes it, shortened."""
    return {"id": f"{label}-{number}", "label": label, "text": text, "attempt": number}


def gate_of(params: FilterParams, data: DataParams) -> Gate:
    """A gate on the rows above."""
    keywords = {"bill": ("话费", "扣")}
    return Gate(TRAIN, DEV, TEST, keywords, params, data)


@pytest.fixture
def gate(params: FilterParams, data: DataParams) -> Gate:
    """The gate with every rule on but the keywords."""
    return gate_of(params, data)


def test_an_accepted_candidate_carries_style_and_scores(gate: Gate) -> None:
    """The text in real style, the text before, all scores, and what it came with."""
    raw = "您好，请讲。[SEP]上月咋多扣了我30块钱？"
    (record,) = gate.screen([candidate(0, raw)]).accepted
    assert record["text"] == FINE
    assert record["text_before_style"] == raw
    assert record["attempt"] == 0
    assert record["scores"] == {
        "chars": 15,
        "turns": 2,
        "language_share": 1.0,
        "loop_share": 0.0,
        "repeated_turns": 0.0,
        "distinct_bigrams": 1.0,
        "keyword_hits": 1,
        "seed_overlap": pytest.approx(2 / 13),
        "contamination": 0.0,
        "contradiction": 0.0,
        "near_duplicate": 0.0,
    }


@pytest.mark.parametrize(
    ("text", "reason", "detail"),
    [
        pytest.param("客服：您好[SEP]查话费", "format", "a role name: '客服：'", id="format"),
        pytest.param(SHORT, "length", "2 characters, outside 6 to 200", id="length"),
        pytest.param(
            "好的呢[SEP]好的呢[SEP]好的呢",
            "repetition",
            "1.00 of it are loops, over 0.3",
            id="repetition",
        ),
        pytest.param(
            "您好请讲我想[SEP]查一下上个月的话费",
            "seed_similarity",
            "1.00 of it stands in train row r1, over 0.85",
            id="seed-with-other-turns",
        ),
        pytest.param(
            "帮我看看，[SEP]这个月扣了多少钱？",
            "contamination",
            "1.00 of it stands in held-out row d1, over 0.85",
            id="dev-row",
        ),
        pytest.param(
            "身份证号改一下[SEP]资料填错了",
            "contamination",
            "1.00 of it stands in held-out row t1, over 0.85",
            id="test-row-of-any-class",
        ),
        pytest.param(
            "宽带断网，[SEP]两天了没人来修",
            "contradiction",
            "1.00 of it stands in train row r3 of class 'net', over 0.85",
            id="train-row-of-another-class",
        ),
    ],
)
def test_a_rejected_candidate_says_why(gate: Gate, text: str, reason: str, detail: str) -> None:
    """The first rule that drops it, and what it found."""
    verdicts = gate.screen([candidate(0, text)])
    assert verdicts.accepted == ()
    assert (verdicts.rejected[0]["reason"], verdicts.rejected[0]["detail"]) == (reason, detail)
    assert verdicts.rejected[0]["text_before_style"] == text


def test_near_duplicates_are_of_accepted_candidates_of_the_class(gate: Gate) -> None:
    """A repeat is dropped, also in other turns; one of a rejected or other class's is not."""
    verdicts = gate.screen(
        [
            candidate(0, FINE),
            candidate(1, FINE.replace("[SEP]", "，") + "[SEP]"),
            candidate(2, "您好请讲上月[SEP]咋多扣了我三十块钱"),
            candidate(3, FINE, "card"),
            candidate(4, OTHER),
        ]
    )
    assert [record["id"] for record in verdicts.accepted] == ["bill-0", "card-3", "bill-4"]
    assert [(r["reason"], r["detail"]) for r in verdicts.rejected] == [
        ("format", "1 turn, a dialogue has 2"),
        ("near_duplicate", "1.00 of it stands in candidate bill-0, over 0.85"),
    ]
    assert verdicts.rejected[1]["scores"]["near_duplicate"] == 1.0


def test_counts_come_from_the_records(gate: Gate) -> None:
    """Rate and reasons are derived; nothing screened is a rate of 0."""
    verdicts = gate.screen([candidate(0, FINE), candidate(1, SHORT), candidate(2, FINE)])
    assert verdicts.acceptance_rate == pytest.approx(1 / 3)
    assert verdicts.rejected_by == Counter({"length": 1, "near_duplicate": 1})
    assert gate.screen([]) == Verdicts((), ())
    assert gate.screen([]).acceptance_rate == 0.0


def test_an_old_verdict_is_forgotten(gate: Gate) -> None:
    """Rejected records can be screened again, after the settings were changed."""
    old = {**candidate(0, FINE), "reason": "length", "detail": "too short"}
    (record,) = gate.screen([old]).accepted
    assert "reason" not in record
    assert "detail" not in record


def switched(params: FilterParams, section: str, *, on: bool) -> FilterParams:
    """The settings with one rule on or off."""
    rule = getattr(params, section).model_copy(update={"enabled": on})
    return params.model_copy(update={section: rule})


def test_style_off_leaves_the_text(params: FilterParams, data: DataParams) -> None:
    """Without the transformation text and text_before_style are the same."""
    gate = gate_of(switched(params, "style", on=False), data)
    (record,) = gate.screen([candidate(0, "您好，请讲。[SEP]多扣了30块钱？")]).accepted
    assert record["text"] == record["text_before_style"] == "您好，请讲。[SEP]多扣了30块钱？"


def test_contamination_off_is_obeyed_scored_and_warned_about(
    params: FilterParams, data: DataParams, caplog: pytest.LogCaptureFixture
) -> None:
    """Switching it off lets copies through, but neither the score nor the log hides it."""
    with caplog.at_level(logging.WARNING):
        gate = gate_of(switched(params, "contamination", on=False), data)
    assert "filter.contamination is off" in caplog.text
    (record,) = gate.screen([candidate(0, DEV["text"][0])]).accepted
    assert record["scores"]["contamination"] == 1.0


def test_given_keywords_go_before_mined_ones(params: FilterParams, data: DataParams) -> None:
    """A class's keywords in the settings replace those mined from train."""
    rule = params.keywords.model_copy(update={"enabled": True, "given": {"bill": ("发票",)}})
    gate = gate_of(params.model_copy(update={"keywords": rule}), data)
    assert gate.screen([candidate(0, FINE)]).rejected_by == {"keywords": 1}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        pytest.param({"id": "x", "text": "您好"}, "candidate 1 has no 'label'", id="no-label"),
        pytest.param(
            candidate(0, FINE, "bills"), "bills-0: class 'bills' has no train row", id="class"
        ),
    ],
)
def test_candidates_of_others_are_checked(gate: Gate, record: Any, message: str) -> None:  # noqa: ANN401
    """Samples from elsewhere get a message, not a traceback."""
    with pytest.raises(UserError, match=message):
        gate.screen([record])


def test_keywords_for_an_unknown_class_are_an_error(params: FilterParams, data: DataParams) -> None:
    """A misspelt class in the settings is not passed over."""
    rule = params.keywords.model_copy(update={"given": {"bills": ("发票",)}})
    with pytest.raises(UserError, match="no class 'bills' in train"):
        gate_of(params.model_copy(update={"keywords": rule}), data)


def test_known_texts_are_not_compared_again(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second round compares only its new texts with train, dev and test."""
    compared: list[list[str]] = []
    original = References.max_overlap

    def spy(self: References, texts: list[str], *given: Any) -> Any:  # noqa: ANN401
        compared.append(list(texts))
        return original(self, texts, *given)

    monkeypatch.setattr(References, "max_overlap", spy)
    first = [candidate(0, FINE)]
    gate.screen(first)
    gate.screen([*first, candidate(1, OTHER), candidate(2, OTHER)])
    new = OTHER.replace("[SEP]", " ")
    assert [texts for texts in compared if texts] == [[FINE.replace("[SEP]", " ")]] * 3 + [
        [new]
    ] * 3


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


def by_id(verdicts: Verdicts) -> dict[str, Any]:
    """Records, each with its reason if it has one."""
    return {record["id"]: record for record in (*verdicts.accepted, *verdicts.rejected)}


@settings(deadline=None, max_examples=50)
@given(candidates=CANDIDATES, cut=st.integers(0, 12))
def test_a_verdict_depends_on_earlier_candidates_of_its_class_only(
    candidates: list[dict[str, Any]], cut: int, params: FilterParams, data: DataParams
) -> None:
    """Later candidates, other classes and earlier rounds change nothing; order is kept."""
    whole = gate_of(params, data).screen(candidates)
    expected = by_id(whole)
    assert set(expected) == {record["id"] for record in candidates}
    for part in (whole.accepted, whole.rejected):
        attempts = [record["attempt"] for record in part]
        assert attempts == sorted(attempts)
    growing = gate_of(params, data)
    for screened in (
        growing.screen(candidates[:cut]),
        growing.screen([r for r in candidates if r["label"] == "card"]),
        growing.screen(candidates),
    ):
        assert all(record == expected[key] for key, record in by_id(screened).items())


@settings(deadline=None, max_examples=50)
@given(candidates=CANDIDATES, hole=st.integers(0, 11))
def test_with_many_rows_verdicts_stay_and_small_shares_are_0(
    candidates: list[dict[str, Any]], hole: int, params: FilterParams, data: DataParams
) -> None:
    """Above the floor nothing changes, also where an earlier candidate came late."""
    exact = by_id(gate_of(params, data).screen(candidates))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlap, "EXACT_ROWS", 0)
        patch.setattr(overlap, "SLACK", 1)
        patch.setattr(overlap, "CHUNK", 2)
        gate = gate_of(params, data)
        gate.screen(candidates[:hole] + candidates[hole + 1 :])
        found = by_id(gate.screen(candidates))
    for key, record in exact.items():
        for score in ("seed_overlap", "contamination", "contradiction", "near_duplicate"):
            if record["scores"][score] <= overlap.FLOOR:
                first = key.endswith("-0") or score != "near_duplicate"
                record["scores"][score] = 0.0 if first else found[key]["scores"][score]
    assert found == exact


def test_only_rows_of_other_classes_contradict(params: FilterParams, data: DataParams) -> None:
    """A copy of a row of its own class is none; the same text in two classes is one of each."""
    no_seeds = switched(params, "seed_similarity", on=False)
    twin = TRAIN.iloc[[0]].assign(row_id="r9", label="net")
    gate = Gate(pd.concat([TRAIN, twin]), DEV, TEST, {}, no_seeds, data)
    copies = [candidate(0, TRAIN["text"][0], "net"), candidate(1, TRAIN["text"][1], "card")]
    verdicts = gate.screen(copies)
    (fine,), (bad,) = verdicts.accepted, verdicts.rejected
    assert (bad["id"], bad["reason"]) == ("net-0", "contradiction")
    assert "train row r1 of class 'bill'" in bad["detail"]
    assert (fine["id"], fine["scores"]["seed_overlap"]) == ("card-1", 1.0)
    assert fine["scores"]["contradiction"] < 0.5


def test_a_growing_list_is_compared_from_where_it_goes_on(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Candidates of a class screened before are not compared with each other again."""
    compared: list[int] = []
    original = References.add

    def spy(self: References, rows: list[str], after: int | None = None) -> None:
        if rows:
            compared.append(len(rows))
        original(self, rows, after)

    monkeypatch.setattr(References, "add", spy)
    first = [candidate(number, text) for number, text in enumerate((FINE, OTHER, SHORT))]
    gate.screen(first)
    compared.clear()
    gate.screen([*first, candidate(3, FINE)])
    gate.screen([first[0], candidate(3, FINE), *first[1:]])
    assert compared == [1, 3]
