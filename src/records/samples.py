"""Records of a sample: what a model wrote, and the verdict of the gate.

    candidates = read_candidates(CANDIDATES)
    write_screened(ACCEPTED, screened.accepted)

`Candidate` -> `Screened` -> a row of the balanced set (`src/training/balance.py`). Stages create
new records and never change one. Files hold one JSON object per line, with all fields flat.
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
    """What a model wrote for a class; a file made elsewhere needs the first three fields only.

    Attributes:
        id: unique among the candidates.
        label: name of the class that it counts for.
        text: as the model wrote it, turns joined by `data.turn_separator`.
        endpoint: name of the endpoint that wrote it.
        model: model that the endpoint was asked for.
        request_key: key of the recorded response.
        attempt: number of the request among those of its class.
        seed_ids: row_id of the seed examples in the prompt.
        attributes: attributes that the prompt asked for, name -> value.
        prompt_version: version of the prompt template.
        label_before: class that it was written for, if a reviewer or the label check changed it.
        extra: other fields of a file made elsewhere, kept unchanged.
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
    """Measurements of a sample; they are taken even if the rule that uses them is off.

    Attributes:
        chars: characters without turn boundaries.
        turns: turns of a dialogue; 1 for an utterance.
        language_share: share of the words that are in `data.language`.
        loop_share: share of the characters that are in loops.
        repeated_turns: share of the turns that repeat an earlier turn.
        distinct_bigrams: distinct / all character bigrams, in the window where that is lowest.
        keyword_hits: number of keywords of its class in the text.
        seed_overlap: largest share of its character 3-grams in one train row of its class.
        contamination: the same share in one dev or test row.
        contradiction: the same share in one train row of another class.
        near_duplicate: the same share in one earlier accepted sample of its class.
        label_score: how likely its class is by the label check, 0 to 1.
        label_rank: rank of its class among all classes, 1 = the likeliest.
        neighbours: share of the most similar train rows that are of its class.
        judge_label_consistency: mean over the judges, 0 to 10.
        judge_completeness: mean over the judges, 0 to 10.
        judge_naturalness: mean over the judges, 0 to 10.
        judge_score: mean over the judges of the weighted mean of these three, 0 to 10.
        judge_accepts: share of the votes that accept it, weighted by voter.
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
    """Why a sample was rejected.

    Attributes:
        rule: a rule of the section `filter`, `label_check`, `judge`, or `review` (a reviewer).
        detail: the reason in words, with figures and, if it repeats a row, that row.
    """

    rule: str
    detail: str


@dataclass(frozen=True)
class Screened:
    """A candidate with the verdict of the gate.

    Attributes:
        candidate: the candidate, with the class that it counts for now.
        text: its text in the style of the real rows, private data replaced if `filter.pii` says so.
        scores: its measurements; None for an accepted sample from a file made elsewhere.
        private: kind of private data -> occurrences in the text.
        fault: the first reason to reject it; None for an accepted sample.
        suggested: class that the label check finds likelier, "" if none; None without a check.
        votes: voter -> whether it accepts; None without a vote.
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
        """Id of the candidate."""
        return self.candidate.id

    @property
    def label(self) -> str:
        """Class that the candidate counts for."""
        return self.candidate.label

    @property
    def known_scores(self) -> SampleScores:
        """Scores of a sample that the gate has measured.

        Raises:
            ValueError: the sample comes from a file made elsewhere and has no scores.
        """
        if self.scores is None:
            raise ValueError(f"sample {self.id} was not screened")
        return self.scores

    @property
    def accepted(self) -> bool:
        """Whether the gate found no fault."""
        return self.fault is None


NEEDED = ("id", "label", "text")
CANDIDATE_FIELDS = tuple(one.name for one in fields(Candidate) if one.name != "extra")
GATE_FIELDS = ("text_before_style", "scores", "private", "reason", "detail", "suggested", "votes")


def read_candidates(path: Path) -> list[Candidate]:
    """Return the candidates of a file, in order; verdicts of an earlier gate are ignored.

    Raises:
        UserError: the file is missing, a line is not a JSON object, or lacks id, label or text.
    """
    return [_candidate(row, path, number) for number, row in enumerate(read_jsonl(path), 1)]


def write_candidates(path: Path, candidates: Iterable[Candidate]) -> None:
    """Write one candidate per line."""
    write_jsonl(path, map(_candidate_fields, candidates))


def read_screened(path: Path) -> list[Screened]:
    """Return the samples of accepted.jsonl or rejected.jsonl, in order.

    Raises:
        UserError: see `read_candidates`.
    """
    return [_screened(row, path, number) for number, row in enumerate(read_jsonl(path), 1)]


def write_screened(path: Path, screened: Iterable[Screened]) -> None:
    """Write one sample per line."""
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
    """Build a candidate from one line of a file; numeric ids and labels become text."""
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
