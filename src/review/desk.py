"""The content of the review page: samples of the queue, classes, and seed examples.

desk = load_desk(REVIEW_QUEUE, data.train, PLAN, data)
shown(desk.samples[0], desk, decision=None)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from src.config.data import DataParams
from src.data.dialogue import split_turns
from src.data.schema import LabelInfo, read_labels, read_split
from src.errors import UserError
from src.files import read_rows
from src.planning.plan import read_plan
from src.records.decisions import Decision
from src.review.words import reason_to_look, score_name

NEEDED = ("id", "label", "text")
NOT_SCORES = (*NEEDED, "reason_to_look", "seed_ids", "suggested")


@dataclass(frozen=True)
class QueuedSample:
    """One row of the queue.

    Attributes:
        id: unique in the queue.
        label: its class.
        turns: turns of the dialogue; one if rows are single utterances.
        reason: why to review it, may be empty.
        scores: column -> value as written in the queue.
        seed_ids: row_ids of its seed examples.
        suggested: a class that the label check finds more likely, may be empty.
    """

    id: str
    label: str
    turns: tuple[str, ...]
    reason: str
    scores: Mapping[str, str]
    seed_ids: tuple[str, ...]
    suggested: str


@dataclass(frozen=True)
class Desk:
    """Everything that the page shows except decisions.

    Attributes:
        samples: the samples in queue order.
        classes: all classes that a sample can be relabelled to.
        keywords: class -> its keywords.
        seeds: row_id of a train row -> its turns.
        language: language of the page.
    """

    samples: tuple[QueuedSample, ...]
    classes: Mapping[str, LabelInfo]
    keywords: Mapping[str, tuple[str, ...]]
    seeds: Mapping[str, tuple[str, ...]]
    language: str


def read_queue(path: Path, separator: str | None) -> tuple[QueuedSample, ...]:
    """Read the samples of the queue; all columns but `NEEDED` are optional.

    Raises:
        UserError: the file is missing, is not UTF-8, lacks a column, or has a duplicate id.
    """
    if not path.exists():
        raise UserError(f"{path} not found; run `dvc repro filter`, or set --queue")
    samples: dict[str, QueuedSample] = {}
    for line, row in read_rows(path, NEEDED):
        if row["id"] in samples:
            raise UserError(f"{path} line {line}: id {row['id']!r} is a duplicate; remove one")
        samples[row["id"]] = QueuedSample(
            id=row["id"],
            label=row["label"],
            turns=tuple(split_turns(row["text"], separator)),
            reason=row.get("reason_to_look", ""),
            scores={name: row[name] for name in row if name not in NOT_SCORES and row[name]},
            seed_ids=tuple(row.get("seed_ids", "").split()),
            suggested=row.get("suggested", ""),
        )
    return tuple(samples.values())


def load_desk(queue: Path, train: Path, plan: Path, data: DataParams) -> Desk:
    """Read what the page shows: train only if the queue has seed ids, the plan only if it exists.

    Raises:
        UserError: a file is missing or invalid.
    """
    samples = read_queue(queue, data.turn_separator)
    labels = read_labels(data.labels)
    keywords = read_plan(plan).keywords if plan.exists() else {}
    names = (*keywords, *(sample.label for sample in samples))
    classes = labels or {name: LabelInfo("", name, "", ()) for name in names}
    wanted = {seed for sample in samples for seed in sample.seed_ids}
    seeds: dict[str, tuple[str, ...]] = {}
    if wanted:
        rows = read_split(train, data, labels)
        rows = rows[rows["row_id"].isin(wanted)]
        seeds = {
            row_id: tuple(split_turns(text, data.turn_separator))
            for row_id, text in zip(rows["row_id"], rows["text"], strict=True)
        }
    return Desk(samples, classes, keywords, seeds, data.language)


@dataclass(frozen=True)
class Seed:
    """A seed example of a sample; turns is None if the row is not in train."""

    id: str
    turns: tuple[str, ...] | None


@dataclass(frozen=True)
class Shown:
    """A sample as it is sent to the page's script.

    Attributes:
        id: id of the sample.
        label: its class.
        turns: turns of the dialogue.
        reason: why to review it, in the page's language.
        scores: pairs of name and value, in the page's language.
        seeds: its seed examples.
        suggested: a class that the label check finds more likely, may be empty.
        decision: the reviewer's own decision, or None.
    """

    id: str
    label: str
    turns: tuple[str, ...]
    reason: str
    scores: tuple[tuple[str, str], ...]
    seeds: tuple[Seed, ...]
    suggested: str
    decision: Decision | None


def shown(sample: QueuedSample, desk: Desk, decision: Decision | None) -> Shown:
    """Return a sample with the details needed to decide and the reviewer's own decision."""
    return Shown(
        id=sample.id,
        label=sample.label,
        turns=sample.turns,
        reason=reason_to_look(sample.reason, desk.language),
        scores=tuple(
            (score_name(name, desk.language), _rounded(value))
            for name, value in sample.scores.items()
        ),
        seeds=tuple(Seed(seed, desk.seeds.get(seed)) for seed in sample.seed_ids),
        suggested=sample.suggested,
        decision=decision,
    )


def _rounded(value: str) -> str:
    try:
        return f"{round(float(value), 2):g}"
    except ValueError:
        return value
