"""Arms: which rows and weights each one trains on."""

from __future__ import annotations

from typing import get_args

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.config import Arm
from src.modeling.arms import COLUMNS, training_frame

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


def rows(arm: Arm, accepted: pd.DataFrame = ACCEPTED, unfiltered: pd.DataFrame = CANDIDATES):
    """Text and origin of an arm's rows."""
    frame = training_frame(arm, REAL, accepted, unfiltered, seed=0).frame
    return list(zip(frame["text"], frame["origin"], strict=True))


REAL_ROWS = [(text, "real") for text in REAL["text"]]


@pytest.mark.parametrize(
    ("arm", "added"),
    [
        pytest.param("original", [], id="original-adds-nothing"),
        pytest.param("class_weight", [], id="class-weight-adds-nothing"),
        pytest.param("augmented", ["装宽带", "宽带报装"], id="augmented-adds-accepted"),
        pytest.param(
            "augmented_class_weight", ["装宽带", "宽带报装"], id="augmented-balanced-adds-accepted"
        ),
        pytest.param("unfiltered", ["n0", "n2"], id="unfiltered-adds-first-two-by-attempt"),
    ],
)
def test_synthetic_rows_follow_the_real_ones(arm: Arm, added: list[str]) -> None:
    """Every arm keeps the real rows in order and appends its own, marked synthetic."""
    assert rows(arm) == REAL_ROWS + [(text, "synthetic") for text in added]


@pytest.mark.parametrize(
    ("arm", "weight"),
    [
        pytest.param(
            arm, "balanced" if arm in ("class_weight", "augmented_class_weight") else None, id=arm
        )
        for arm in get_args(Arm)
    ],
)
def test_only_the_class_weight_arms_are_balanced(arm: Arm, weight: str | None) -> None:
    """Two arms weigh classes by their inverse support, the others do not."""
    data = training_frame(arm, REAL, ACCEPTED, CANDIDATES, seed=0)
    assert data.class_weight == weight
    assert list(data.frame.columns) == COLUMNS


def test_oversampling_repeats_real_rows_to_the_majority_count() -> None:
    """Each class reaches the largest class's rows, with copies of its own rows only."""
    frame = training_frame("oversample", REAL, ACCEPTED, CANDIDATES, seed=0).frame
    assert frame["label"].value_counts().to_dict() == {"bill": 3, "net": 3}
    assert frame["text"].tolist() == [*REAL["text"], "办宽带", "办宽带"]
    assert set(frame["origin"]) == {"real"}


def test_oversampling_repeats_itself_for_a_seed() -> None:
    """The same seed draws the same copies, another seed others."""
    real = pd.DataFrame({"text": [str(i) for i in range(60)], "label": ["a"] * 45 + ["b"] * 15})
    first, again, other = (
        training_frame("oversample", real, NOTHING, NOTHING, seed).frame for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


@pytest.mark.parametrize("arm", get_args(Arm))
def test_an_arm_without_samples_has_the_real_rows(arm: Arm) -> None:
    """A run that generated nothing still compares all arms; empty frames have no columns."""
    frame = training_frame(arm, REAL, NOTHING, NOTHING, seed=0).frame
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
    """A class without accepted rows, or without candidates, gets no unfiltered rows."""
    assert rows("unfiltered", accepted, unfiltered) == REAL_ROWS


def test_inputs_are_left_alone() -> None:
    """Frames that come in are not changed."""
    before = [frame.copy() for frame in (REAL, ACCEPTED, CANDIDATES)]
    for arm in get_args(Arm):
        training_frame(arm, REAL, ACCEPTED, CANDIDATES, seed=0)
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
