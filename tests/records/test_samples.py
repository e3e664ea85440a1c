"""Samples as files: candidates, screened samples, and files made elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.errors import UserError
from src.files import read_jsonl, write_jsonl
from src.records.samples import (
    Candidate,
    Fault,
    SampleScores,
    Screened,
    read_candidates,
    read_screened,
    write_candidates,
    write_screened,
)

WRITTEN = Candidate(
    id="a-0",
    label="补换卡",
    text="我要补卡。[SEP]好的。",
    endpoint="small",
    model="m",
    request_key="abc",
    attempt=3,
    seed_ids=("r1", "r2"),
    attributes={"情绪": "着急"},
    prompt_version="v1",
)
SCORES = SampleScores(6, 2, 1.0, 0.0, 0.0, 0.9, 1, 0.25, 0.0, 0.0, 0.5)
PASSED = Screened(WRITTEN, "我要补卡[SEP]好的", SCORES, {"mobile": 1})

texts = st.text(min_size=1)
candidates = st.builds(
    Candidate,
    id=texts,
    label=texts,
    text=texts,
    endpoint=st.text(),
    attempt=st.integers(0, 10**6),
    seed_ids=st.lists(st.text(), max_size=3).map(tuple),
    attributes=st.dictionaries(st.text(), st.text(), max_size=2),
    label_before=st.none() | texts,
)
screened = st.builds(
    Screened,
    candidate=candidates,
    text=st.text(),
    scores=st.just(SCORES)
    | st.just(replace(SCORES, label_score=0.5, label_rank=1, neighbours=0.1)),
    private=st.dictionaries(st.sampled_from(["mobile", "name"]), st.integers(1, 9)),
    fault=st.none() | st.builds(Fault, texts, st.text()),
    suggested=st.none() | st.text(),
    votes=st.none() | st.dictionaries(st.text(), st.booleans(), max_size=2),
)


@given(written=st.lists(candidates, max_size=4))
def test_candidates_round_trip(
    written: list[Candidate], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With any characters."""
    path = tmp_path_factory.mktemp("samples") / "candidates.jsonl"
    write_candidates(path, written)
    assert read_candidates(path) == written


@given(written=st.lists(screened, max_size=4))
def test_screened_samples_round_trip(
    written: list[Screened], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With and without scores, votes and faults."""
    path = tmp_path_factory.mktemp("samples") / "accepted.jsonl"
    write_screened(path, written)
    assert read_screened(path) == written


def test_all_fields_are_flat(tmp_path: Path) -> None:
    """`text` is the text for training, `text_before_style` what the model wrote."""
    path = tmp_path / "rejected.jsonl"
    write_screened(path, [replace(PASSED, fault=Fault("length", "6 characters"))])
    (line,) = read_jsonl(path)
    assert line["text"] == "我要补卡[SEP]好的"
    assert line["text_before_style"] == "我要补卡。[SEP]好的。"
    assert (line["reason"], line["detail"]) == ("length", "6 characters")
    assert line["scores"]["seed_overlap"] == 0.25
    assert line["private"] == {"mobile": 1}
    assert {"fault", "candidate", "suggested", "votes", "extra"}.isdisjoint(line)


def test_verdicts_are_ignored_when_read_as_candidates(tmp_path: Path) -> None:
    """The accepted samples of an earlier run can be screened again."""
    path = tmp_path / "accepted.jsonl"
    write_screened(path, [PASSED])
    (read,) = read_candidates(path)
    assert read == replace(WRITTEN, text=PASSED.text)


def test_a_file_from_elsewhere_needs_three_fields_and_keeps_the_others(tmp_path: Path) -> None:
    """Numeric ids and labels become text; unknown fields are written back."""
    path = tmp_path / "mine.jsonl"
    own = {"id": 7, "label": 3, "text": "hello", "source": {"page": 2}, "model": None}
    write_jsonl(path, [own])
    (read,) = read_candidates(path)
    assert (read.id, read.label, read.model) == ("7", "3", "")
    assert read.extra == {"source": {"page": 2}}
    write_candidates(path, [read])
    (line,) = read_jsonl(path)
    assert line["source"] == {"page": 2}
    (accepted,) = read_screened(path)
    assert (accepted.text, accepted.scores, accepted.accepted) == ("hello", None, True)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param({"label": "a", "text": "b"}, "has no 'id'; each needs id", id="no-id"),
        pytest.param({"id": "1", "text": "b"}, "has no 'label'; each needs id", id="no-label"),
        pytest.param({"id": "1", "label": "a", "text": None}, "has no 'text'", id="null"),
        pytest.param(
            {"id": "1", "label": "a", "text": ["b"]},
            "is invalid (text: Input should be a valid string); correct it",
            id="a-list-of-turns",
        ),
        pytest.param(
            {"id": "1", "label": "a", "text": "b", "seed_ids": "r1"},
            "is invalid (seed_ids: ",
            id="seeds-that-are-no-list",
        ),
    ],
)
def test_an_invalid_sample_is_named(line: dict[str, object], expected: str, tmp_path: Path) -> None:
    """The error names file, sample number, field and remedy."""
    path = tmp_path / "mine.jsonl"
    write_jsonl(path, [{"id": "0", "label": "a", "text": "b"}, line])
    with pytest.raises(UserError) as error:
        read_candidates(path)
    assert str(error.value).startswith(f"{path} sample 2 {expected}")
