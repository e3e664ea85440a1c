"""Review queue: which accepted samples are drawn for review."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.records.samples import Candidate, SampleScores, Screened
from src.review.queue import review_queue

NO_DOUBT = SampleScores(
    chars=40,
    turns=4,
    language_share=1.0,
    loop_share=0.0,
    repeated_turns=0.0,
    distinct_bigrams=1.0,
    keyword_hits=1,
    seed_overlap=0.0,
    contamination=0.0,
    contradiction=0.0,
    near_duplicate=0.0,
)


def sample(number: int, label: str, **scores: float) -> Screened:
    """Return an accepted sample with the given scores and no other doubt."""
    text = f"文{number}"
    candidate = Candidate(f"{label}-{number}", label, text)
    return Screened(candidate, text, replace(NO_DOUBT, **scores))


def test_the_most_doubtful_come_first_and_say_why() -> None:
    """Samples are sorted by their highest doubt; every score has a column."""
    accepted = [
        sample(0, "a", seed_overlap=0.3),
        sample(1, "a", near_duplicate=0.8, seed_overlap=0.2),
        sample(2, "b", repeated_turns=0.35),
    ]
    queue = review_queue(accepted, ratio=1.0, min_per_class=0, seed=0)
    assert queue["id"].tolist() == ["a-1", "b-2", "a-0"]
    assert queue["reason_to_look"].tolist() == [
        "0.80 of it occurs in one earlier sample",
        "0.35 of its turns repeat",
        "0.30 of it occurs in one train row",
    ]
    assert queue["chars"].tolist() == [40, 40, 40]
    assert "label_score" not in queue


@pytest.mark.parametrize(
    ("ratio", "least", "drawn"),
    [
        pytest.param(0.1, 2, {"a": 3, "b": 2, "c": 1}, id="share-or-minimum-or-all"),
        pytest.param(0.0, 0, {}, id="none"),
        pytest.param(1.0, 0, {"a": 30, "b": 5, "c": 1}, id="all"),
    ],
)
def test_every_class_is_drawn_from(ratio: float, least: int, drawn: dict[str, int]) -> None:
    """Each class gets its share, at least the minimum, at most all."""
    accepted = [sample(i, label) for label, n in (("a", 30), ("b", 5), ("c", 1)) for i in range(n)]
    queue = review_queue(accepted, ratio, least, seed=0)
    assert queue["label"].value_counts().to_dict() == drawn


def test_a_doubtful_label_comes_before_smaller_doubts() -> None:
    """The doubt of the label check is 1 - score; suggested class and seeds are listed."""
    doubtful = sample(0, "a", label_score=0.35, seed_overlap=0.6)
    written = replace(doubtful.candidate, seed_ids=("r1", "r2"))
    accepted = [
        sample(1, "a", label_score=0.9, seed_overlap=0.5),
        replace(doubtful, candidate=written, suggested="b"),
    ]
    queue = review_queue(accepted, ratio=1.0, min_per_class=0, seed=0)
    assert queue["reason_to_look"].tolist() == [
        "0.65 likely to belong to another class",
        "0.50 of it occurs in one train row",
    ]
    assert queue["suggested"].tolist() == ["b", ""]
    assert queue["seed_ids"].tolist() == ["r1 r2", ""]


def test_what_is_drawn_stays_drawn_when_more_come() -> None:
    """Old samples keep their order in the draw: a larger run draws more or fewer, no others."""
    accepted = [sample(i, "a") for i in range(40)]
    few, more = (set(review_queue(accepted[:n], 0.2, 0, seed=3)["id"]) for n in (20, 40))
    old = more & {one.id for one in accepted[:20]}
    assert (len(few), len(more)) == (4, 8)
    assert old
    assert old <= few or few <= old


def test_nothing_accepted_is_an_empty_queue() -> None:
    """A run without samples still writes a header."""
    queue = review_queue([], ratio=0.5, min_per_class=2, seed=0)
    assert queue.empty
    assert list(queue.columns) == [
        *("id", "label", "suggested", "text", "reason_to_look", "seed_ids")
    ]


@settings(deadline=None)
@given(labels=st.lists(st.sampled_from("abc"), max_size=20), seed=st.integers(0, 5))
def test_the_queue_is_a_repeatable_part_of_the_accepted(labels: list[str], seed: int) -> None:
    """Drawn rows are distinct accepted samples, and the same for the same seed."""
    accepted = [sample(i, label) for i, label in enumerate(labels)]
    queue = review_queue(accepted, 0.3, 1, seed)
    assert queue["id"].is_unique
    assert set(queue["id"]) <= {one.id for one in accepted}
    assert queue.equals(review_queue(accepted, 0.3, 1, seed))
