"""Methods: the rows and weights that each one trains on."""

from __future__ import annotations

from collections import Counter
from typing import get_args

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.config.methods import Method
from src.records.metrics.choose import Choice
from src.training.methods import COLUMNS, draws_something, training_frame, with_samples

REAL = pd.DataFrame(
    {
        "row_id": ["r1", "r2", "r3", "r4"],
        "text": ["查话费", "话费多少", "余额", "办宽带"],
        "label": ["bill", "bill", "bill", "net"],
    }
)
ACCEPTED = pd.DataFrame(
    {"text": ["装宽带", "宽带报装"], "label": ["net", "net"], "attempt": [4, 2]}
)
CANDIDATES = pd.DataFrame(
    {
        "text": ["n4", "n0", "b0", "n2", "x1"],
        "label": ["net", "net", "bill", "net", "other"],
        "attempt": [4, 0, 0, 2, 1],
    }
)
NOTHING = pd.DataFrame([])


def rows(
    method: Method, accepted: pd.DataFrame = ACCEPTED, unfiltered: pd.DataFrame = CANDIDATES
) -> list[tuple[str, str]]:
    """Text and origin of a method's rows."""
    frame = training_frame(method, REAL, accepted, unfiltered, seed=0).frame
    return list(zip(frame["text"], frame["origin"], strict=True))


REAL_ROWS = [(text, "real") for text in REAL["text"]]


@pytest.mark.parametrize(
    ("method", "added"),
    [
        pytest.param("original", [], id="original-adds-nothing"),
        pytest.param("class_weight", [], id="class-weight-adds-nothing"),
        pytest.param("effective_number", [], id="effective-number-adds-nothing"),
        pytest.param("logit_adjustment", [], id="logit-adjustment-adds-nothing"),
        pytest.param("smote", [], id="smote-adds-points-later-not-rows"),
        pytest.param("augmented", ["装宽带", "宽带报装"], id="augmented-adds-accepted"),
        pytest.param(
            "augmented_class_weight", ["装宽带", "宽带报装"], id="augmented-balanced-adds-accepted"
        ),
        pytest.param("unfiltered", ["n0", "n2"], id="unfiltered-adds-first-two-by-attempt"),
    ],
)
def test_synthetic_rows_follow_the_real_ones(method: Method, added: list[str]) -> None:
    """Every method keeps the real rows in order and appends its own, marked synthetic."""
    assert rows(method) == REAL_ROWS + [(text, "synthetic") for text in added]


@pytest.mark.parametrize("method", get_args(Method))
def test_only_the_class_weight_methods_are_balanced(method: Method) -> None:
    """Two methods use inverse support, one the effective number of rows."""
    data = training_frame(method, REAL, ACCEPTED, CANDIDATES, seed=0)
    if method == "effective_number":
        assert isinstance(data.class_weight, dict)
    else:
        balanced = method in ("class_weight", "augmented_class_weight")
        assert data.class_weight == ("balanced" if balanced else None)
    assert list(data.frame.columns) == COLUMNS
    assert set(data.frame["weight"]) == {1.0}


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        # 1 row counts 1; 3 rows count 1 + 0.999 + 0.998001 = 2.997001
        pytest.param({"a": 3, "b": 1}, {"a": 2 / 3.997001, "b": 5.994002 / 3.997001}, id="few"),
        # (1 - 0.999^n) / 0.001: 5,000 rows count 993.279, 1,000 count 632.305, 10 count 9.955
        pytest.param(
            {"a": 5000, "b": 1000, "c": 10}, {"a": 0.02931, "b": 0.04605, "c": 2.92464}, id="many"
        ),
        pytest.param({"a": 7, "b": 7}, {"a": 1, "b": 1}, id="equal"),
    ],
)
def test_golden_effective_number_weights(
    counts: dict[str, int], expected: dict[str, float]
) -> None:
    """Each class weighs 1 / effective number; the mean weight is 1."""
    labels = [label for label, count in counts.items() for _ in range(count)]
    real = pd.DataFrame({"text": labels, "label": labels})
    data = training_frame("effective_number", real, ACCEPTED, CANDIDATES, seed=0)
    assert data.class_weight == pytest.approx(expected, rel=2e-4)


def test_smote_gets_the_points_of_each_class() -> None:
    """As many as the class has accepted samples; other methods add no points."""
    for method in get_args(Method):
        expected = {"net": 2} if method == "smote" else {}
        assert training_frame(method, REAL, ACCEPTED, CANDIDATES, seed=0).smote == expected


def test_oversampling_repeats_real_rows_to_the_majority_count() -> None:
    """Each class reaches the size of the largest, with copies of its own rows only."""
    frame = training_frame("oversample", REAL, ACCEPTED, CANDIDATES, seed=0).frame
    assert frame["label"].value_counts().to_dict() == {"bill": 3, "net": 3}
    assert frame["text"].tolist() == [*REAL["text"], "办宽带", "办宽带"]
    assert set(frame["origin"]) == {"real"}


def test_oversampling_is_reproducible() -> None:
    """The same seed draws the same copies, another seed others."""
    real = pd.DataFrame({"text": [str(i) for i in range(60)], "label": ["a"] * 45 + ["b"] * 15})
    first, again, other = (
        training_frame("oversample", real, NOTHING, NOTHING, seed).frame for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def edited(real: pd.DataFrame, accepted: pd.DataFrame, seed: int) -> list[tuple[str, str]]:
    """Text and label of the copies that eda adds."""
    frame = training_frame("eda", real, accepted, NOTHING, seed).frame
    pd.testing.assert_series_equal(frame["text"][: len(real)], real["text"])
    added = frame[len(real) :]
    assert set(added["origin"]) <= {"synthetic"}
    return list(zip(added["text"], added["label"], strict=True))


def test_eda_adds_as_many_edited_copies_as_samples() -> None:
    """Copies are of rows of the same class, and differ from them."""
    copies = edited(REAL, pd.concat([ACCEPTED] * 10), seed=0)
    assert [label for _, label in copies] == ["net"] * 20
    assert {unit for text, _ in copies for unit in text} <= set("办宽带")
    assert sum(text != "办宽带" for text, _ in copies) >= 10


def test_eda_is_reproducible() -> None:
    """The same seed gives the same edits, another seed others."""
    accepted = pd.concat([ACCEPTED] * 10)
    assert edited(REAL, accepted, 1) == edited(REAL, accepted, 1)
    assert edited(REAL, accepted, 1) != edited(REAL, accepted, 2)


def test_eda_skips_a_class_without_real_rows() -> None:
    """There is nothing to copy."""
    accepted = pd.DataFrame({"text": ["x", "装宽带"], "label": ["unseen", "net"]})
    assert [label for _, label in edited(REAL, accepted, seed=0)] == ["net"]


@settings(deadline=None)
@given(
    words=st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=40),
    spaced=st.booleans(),
    seed=st.integers(0, 9),
)
def test_eda_edits_a_tenth_of_the_words_or_characters(
    words: list[str], spaced: bool, seed: int
) -> None:
    """Words stay whole if there are spaces; a copy adds nothing new and differs by a tenth."""
    text = (" " if spaced else "").join(words)
    units = words if spaced and len(words) > 1 else list(text)
    real = pd.DataFrame({"text": [text], "label": ["a"]})
    ((copy, _),) = edited(real, real, seed)
    found = copy.split(" ") if units is words else list(copy)
    changed = Counter(found)
    changed.subtract(units)
    assert set(found) <= set(units)
    assert sum(map(abs, changed.values())) <= max(1, round(len(units) / 10))


SAMPLES = pd.DataFrame(
    {"text": [f"{label}{n}" for label in ("net", "bill") for n in range(8)]}
).assign(label=lambda frame: frame["text"].str[:-1])


def test_chosen_takes_samples_at_their_weight() -> None:
    """The first ones with the first seed; a real row has weight 1."""
    data = training_frame(
        "chosen", REAL, SAMPLES, CANDIDATES, seed=0, choice=Choice(2, True, 0.25, False)
    )
    added = data.frame[len(REAL) :]
    assert data.frame["text"].tolist() == [*REAL["text"], "net0", "net1", "bill0", "bill1"]
    assert set(data.frame["weight"][: len(REAL)]) == {1.0}
    assert set(added["weight"]) == {0.25}
    assert set(added["origin"]) == {"synthetic"}
    mass = data.frame.groupby("label")["weight"].sum()
    assert data.class_weight == pytest.approx((mass.sum() / len(mass) / mass).to_dict())


def test_chosen_may_weigh_samples_by_their_label_score() -> None:
    """The weight of each sample is the chosen weight times its quality."""
    scored = SAMPLES.assign(quality=[0.1 * n for n in range(1, 9)] * 2)
    choice = Choice(2, False, 0.5, by_quality=True)
    added = training_frame("chosen", REAL, scored, CANDIDATES, seed=0, choice=choice).frame
    assert added["weight"][len(REAL) :].tolist() == pytest.approx([0.05, 0.1, 0.05, 0.1])


@pytest.mark.parametrize(
    "choice",
    [
        pytest.param(None, id="nothing-chosen"),
        pytest.param(Choice(0, False, 0.5, False), id="none-chosen"),
    ],
)
def test_chosen_may_be_the_original(choice: Choice | None) -> None:
    """Without samples, the method is the real rows without class weights."""
    data = training_frame("chosen", REAL, SAMPLES, CANDIDATES, seed=3, choice=choice)
    original = training_frame("original", REAL, SAMPLES, CANDIDATES, seed=0)
    pd.testing.assert_frame_equal(data.frame, original.frame)
    assert data.class_weight is None


def test_other_seeds_draw_other_samples() -> None:
    """Each draw has as many per class, in the given order, and is reproducible."""
    choice = Choice(4, False, 1.0, False)
    drawn = [with_samples(REAL, SAMPLES, choice, seed)[len(REAL) :] for seed in (0, 1, 1, 2)]
    texts = [frame["text"].tolist() for frame in drawn]
    assert texts[1] == texts[2]
    assert len({tuple(sorted(one)) for one in texts}) == 3
    for frame in drawn:
        assert frame["label"].value_counts().to_dict() == {"net": 4, "bill": 4}
        assert frame["text"].tolist() == sorted(frame["text"], key=SAMPLES["text"].tolist().index)


def test_a_choice_above_the_supply_takes_all() -> None:
    """A class gives at most the samples that it has, whatever the seed."""
    for seed in (0, 1):
        frame = with_samples(REAL, SAMPLES, Choice(50, False, 1.0, False), seed)
        assert frame["text"].tolist() == [*REAL["text"], *SAMPLES["text"]]


@pytest.mark.parametrize(
    ("method", "choice", "expected"),
    [
        *[
            pytest.param(
                method, None, method in ("oversample", "eda", "smote", "unfiltered"), id=method
            )
            for method in get_args(Method)
        ],
        pytest.param("chosen", Choice(0, True, 1.0, False), False, id="chosen-none"),
        pytest.param("chosen", Choice(7, True, 1.0, False), True, id="chosen-some"),
        pytest.param("chosen", Choice(8, True, 1.0, False), False, id="chosen-all"),
    ],
)
def test_only_methods_that_draw_need_several_seeds(
    method: Method, choice: Choice | None, expected: bool
) -> None:
    """A method draws if another seed gives other rows or points."""
    assert bool(draws_something(method, SAMPLES, choice)) is expected
    frames = [
        training_frame(method, REAL, SAMPLES, CANDIDATES, seed, choice).frame
        for seed in range(1, 6)
    ]
    # smote draws its points in the fit, and oversampling has only one row to draw from here.
    if method not in ("smote", "oversample", "unfiltered"):
        assert any(not frame.equals(frames[0]) for frame in frames) is expected


def test_unfiltered_draws_others_with_another_seed() -> None:
    """The first ones by attempt with seed 0; other ones, equally many, with other seeds."""
    many = pd.DataFrame(
        {"text": [f"n{n}" for n in range(20)], "label": "net", "attempt": range(20)}
    )
    drawn = [
        training_frame("unfiltered", REAL, ACCEPTED, many, seed).frame["text"].tolist()[len(REAL) :]
        for seed in (0, 1, 1, 2)
    ]
    assert drawn[0] == ["n0", "n1"]
    assert drawn[1] == drawn[2]
    assert {len(texts) for texts in drawn} == {2}
    assert len({tuple(texts) for texts in drawn}) == 3


@pytest.mark.parametrize("method", get_args(Method))
def test_a_method_without_samples_has_the_real_rows(method: Method) -> None:
    """A run that generated nothing still compares all methods; empty frames have no columns."""
    frame = training_frame(method, REAL, NOTHING, NOTHING, seed=0).frame
    assert frame["text"].tolist()[: len(REAL)] == REAL["text"].tolist()
    assert set(frame["origin"]) == {"real"}


@pytest.mark.parametrize(
    ("accepted", "unfiltered"),
    [
        pytest.param(NOTHING, CANDIDATES, id="none-accepted"),
        pytest.param(ACCEPTED, CANDIDATES.head(0), id="no-candidates"),
    ],
)
def test_unfiltered_is_never_larger_than_augmented(
    accepted: pd.DataFrame, unfiltered: pd.DataFrame
) -> None:
    """A class without accepted samples, or without candidates, gets no unfiltered rows."""
    assert rows("unfiltered", accepted, unfiltered) == REAL_ROWS


def test_inputs_are_not_changed() -> None:
    """The given frames stay unchanged."""
    before = [frame.copy() for frame in (REAL, ACCEPTED, CANDIDATES)]
    for method in get_args(Method):
        training_frame(method, REAL, ACCEPTED, CANDIDATES, seed=0)
    for frame, copy in zip((REAL, ACCEPTED, CANDIDATES), before, strict=True):
        pd.testing.assert_frame_equal(frame, copy)


@settings(deadline=None)
@given(
    accepted=st.lists(st.sampled_from("abc"), max_size=12),
    candidates=st.lists(st.sampled_from("abc"), max_size=12),
)
def test_unfiltered_counts_are_those_of_accepted_capped_by_candidates(
    accepted: list[str], candidates: list[str]
) -> None:
    """Per class, unfiltered adds min(accepted, candidates) rows."""
    made = [
        pd.DataFrame({"text": labels, "label": labels, "attempt": range(len(labels))})
        for labels in (accepted, candidates)
    ]
    real = pd.DataFrame({"text": list("abc"), "label": list("abc")})
    frame = training_frame("unfiltered", real, made[0], made[1], seed=0).frame
    added = frame.loc[frame["origin"] == "synthetic", "label"]
    for label in "abc":
        expected = min(accepted.count(label), candidates.count(label))
        assert (added == label).sum() == expected
