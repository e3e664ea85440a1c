"""A sample on its way: what a model wrote, then what the gate found.

    candidates = read_candidates(CANDIDATES)
    write_screened(ACCEPTED, screened.accepted)

`Candidate` -> `Screened` -> a row of the balanced set (`src/training/balance.py`). A stage makes a
new one and changes none; both are one JSON object a line of their files, with all fields flat.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from pydantic import JsonValue, TypeAdapter, ValidationError

from src.errors import UserError
from src.files import read_jsonl, write_jsonl
from src.records.json_files import as_json, explained, fields_of

T = TypeVar("T")


@dataclass(frozen=True)
class Candidate:
    """What a model wrote for a class; of a file from elsewhere only the first three are needed.

    Attributes:
        id: unique among the candidates.
        label: name of the class that it counts for.
        text: as written, turns joined by `data.turn_separator`.
        endpoint: that wrote it.
        model: that the endpoint asked.
        request_key: of the recorded response.
        attempt: number of the request among those of its class.
        seed_ids: row_id of the train rows that the prompt showed.
        attributes: that the prompt asked for, name -> value.
        prompt_version: of the template.
        label_before: class that it was written for, where people or the label check gave it another.
        extra: other fields of a file from elsewhere, kept as they came.
    """

    id: str
    label: str
    text: str
    endpoint: str = ""
    model: str = ""
    request_key: str = ""
    attempt: int = 0
    seed_ids: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    prompt_version: str = ""
    label_before: str | None = None
    extra: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True)
class SampleScores:
    """What was measured on a sample, whether its rule is on or not.

    Attributes:
        chars: characters without turn boundaries.
        turns: of a dialogue, 1 of an utterance.
        language_share: words that are of `data.language`.
        loop_share: characters that stand in loops.
        repeated_turns: turns that say an earlier one again.
        distinct_bigrams: share of them in the poorest window.
        keyword_hits: keywords of its class that it holds.
        seed_overlap: the most of it that stands in one train row of its class.
        contamination: in one dev or test row.
        contradiction: in one train row of another class.
        near_duplicate: in one accepted sample of its class before it.
        label_score: how likely it is of its class, 0 to 1.
        label_rank: of its class among all, 1 = the likeliest.
        neighbours: share of the most similar rows that are of its class.
        judge_label_consistency: mean over the judges, 0 to 10.
        judge_completeness: the same.
        judge_naturalness: the same.
        judge_score: weighted mean of the three.
        judge_accepts: share of the votes for it, by weight.
    """

    chars: int
    turns: int
    language_share: float
    loop_share: float
    repeated_turns: float
    distinct_bigrams: float
    keyword_hits: int
    seed_overlap: float
    contamination: float
    contradiction: float
    near_duplicate: float
    label_score: float | None = None
    label_rank: int | None = None
    neighbours: float | None = None
    judge_label_consistency: float | None = None
    judge_completeness: float | None = None
    judge_naturalness: float | None = None
    judge_score: float | None = None
    judge_accepts: float | None = None


@dataclass(frozen=True)
class Fault:
    """Why a sample was dropped.

    Attributes:
        rule: a rule of `filter`, `label_check`, `judge`, or `review` for people.
        detail: in words, with figures and the row that it repeats.
    """

    rule: str
    detail: str


@dataclass(frozen=True)
class Screened:
    """A candidate with the verdict of the gate.

    Attributes:
        candidate: with the class that it counts for now.
        text: in the style of the real rows, private data replaced if the gate does so.
        scores: None of an accepted sample that comes from elsewhere.
        private: pieces of private data found in it, by kind.
        fault: the first one; None of an accepted sample.
        suggested: class that the label check finds likelier, empty if none; None if not asked.
        votes: voter -> whether it accepts; None where nobody was asked.
    """

    candidate: Candidate
    text: str
    scores: SampleScores | None = None
    private: Mapping[str, int] = field(default_factory=dict)
    fault: Fault | None = None
    suggested: str | None = None
    votes: Mapping[str, bool] | None = None

    @property
    def id(self) -> str:
        """Of the candidate."""
        return self.candidate.id

    @property
    def label(self) -> str:
        """Of the candidate."""
        return self.candidate.label

    @property
    def known_scores(self) -> SampleScores:
        """The scores of a sample that the gate has seen.

        Raises:
            ValueError: it has none, as it comes from elsewhere.
        """
        if self.scores is None:
            raise ValueError(f"sample {self.id} was not screened")
        return self.scores

    @property
    def accepted(self) -> bool:
        """Whether nothing speaks against it."""
        return self.fault is None


NEEDED = ("id", "label", "text")
CANDIDATE_FIELDS = tuple(one.name for one in fields(Candidate) if one.name != "extra")
GATE_FIELDS = ("text_before_style", "scores", "private", "reason", "detail", "suggested", "votes")


def read_candidates(path: Path) -> list[Candidate]:
    """The candidates of a file, in order; verdicts that an earlier gate gave are forgotten.

    Raises:
        UserError: the file is missing, a line is no JSON object, or lacks id, label or text.
    """
    return [_candidate(row, path, number) for number, row in enumerate(read_jsonl(path), 1)]


def write_candidates(path: Path, candidates: Iterable[Candidate]) -> None:
    """One candidate a line."""
    write_jsonl(path, map(_candidate_fields, candidates))


def read_screened(path: Path) -> list[Screened]:
    """The samples of accepted.jsonl or rejected.jsonl, in order.

    Raises:
        UserError: as `read_candidates`.
    """
    return [_screened(row, path, number) for number, row in enumerate(read_jsonl(path), 1)]


def write_screened(path: Path, screened: Iterable[Screened]) -> None:
    """One sample a line."""
    write_jsonl(path, map(_screened_fields, screened))


def _candidate_fields(candidate: Candidate) -> dict[str, JsonValue]:
    own = fields_of(candidate)
    own.pop("extra")
    return {**candidate.extra, **own}


def _screened_fields(one: Screened) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {
        **_candidate_fields(one.candidate),
        "text": one.text,
        "text_before_style": one.candidate.text,
        "private": as_json(one.private),
    }
    if one.fault is not None:
        found |= {"reason": one.fault.rule, "detail": one.fault.detail}
    for name in ("scores", "suggested", "votes"):
        value = getattr(one, name)
        if value is not None:
            found[name] = as_json(value)
    return found


def _candidate(row: Mapping[str, Any], path: Path, number: int) -> Candidate:
    """One line of a file as a candidate; numbers as ids and labels are read as text."""
    missing = [name for name in NEEDED if row.get(name) is None]
    if missing:
        raise UserError(
            f"{path} sample {number} has no {missing[0]!r}; each needs {', '.join(NEEDED)}"
        )
    own = {name: row[name] for name in CANDIDATE_FIELDS if row.get(name) is not None}
    own |= {name: str(row[name]) for name in ("id", "label") if not isinstance(row[name], str)}
    known = {*CANDIDATE_FIELDS, *GATE_FIELDS}
    extra = {name: value for name, value in row.items() if name not in known}
    return _validated(AS_CANDIDATE, {**own, "extra": extra}, path, number)


def _screened(row: Mapping[str, Any], path: Path, number: int) -> Screened:
    before = row.get("text_before_style") or row.get("text")
    candidate = _candidate({**row, "text": before}, path, number)
    own = {name: row.get(name) for name in ("scores", "suggested", "votes")}
    own |= {"text": row["text"], "private": row.get("private") or {}}
    if row.get("reason"):
        own["fault"] = {"rule": row["reason"], "detail": row.get("detail") or ""}
    return _validated(AS_SCREENED, {**own, "candidate": candidate}, path, number)


AS_CANDIDATE, AS_SCREENED = TypeAdapter(Candidate), TypeAdapter(Screened)


def _validated(kind: TypeAdapter[T], values: Mapping[str, Any], path: Path, number: int) -> T:
    try:
        return kind.validate_python(values)
    except ValidationError as error:
        raise UserError(f"{path} sample {number} {explained(error)}; correct it") from None
