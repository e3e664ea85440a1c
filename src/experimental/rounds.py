"""Results of earlier rounds: one file per round in `data/rounds/`, written by `make round`, in git.

    rounds = read_rounds(Path("data/rounds"))
    rounds[-1].kept, rounds[-1].macro_f1.value

Plans may read these files, but no stage writes them, so the pipeline has no cycle.

This is experimental: on the stand-in, the first round was better than no samples, and no later
round was better than the one before it beyond noise. A single run with all samples did equally well
(docs/benchmarks/where-should-samples-go.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from src.errors import UserError
from src.files import read_json, write_text
from src.records.json_files import fields_of
from src.records.rounds import Round, RoundSummary


def read_rounds(folder: Path) -> list[Round]:
    """Read all rounds, oldest first; an empty list if the folder has none.

    Raises:
        UserError: a file is damaged, or a number is missing.
    """
    found = sorted(folder.glob("[0-9]*.json"), key=lambda path: int(path.stem))
    rounds = [_read(path) for path in found]
    for position, one in enumerate(rounds, 1):
        if one.number != position:
            raise UserError(
                f"{folder} has no round {position} but has round {one.number}; restore "
                f"{position}.json with git, or remove the later ones"
            )
    return rounds


def last_kept(rounds: Sequence[Round]) -> Round | None:
    """Return the last kept round, on which the next one builds; None if there is none."""
    return next((one for one in reversed(rounds) if one.kept), None)


def misses(rounds: Sequence[Round], real: Mapping[str, int]) -> int:
    """Count the latest consecutive rounds that were not kept, on the current train rows.

    Args:
        rounds: all rounds, oldest first.
        real: label -> current train rows; a round on other rows does not count.
    """
    last = takewhile(lambda one: not one.kept and one.real == dict(real), reversed(rounds))
    return sum(1 for _ in last)


def has_stopped(rounds: Sequence[Round], real: Mapping[str, int], patience: int) -> bool:
    """Return whether there are more misses than `plan.patience`."""
    return misses(rounds, real) > patience


def summaries(rounds: Sequence[Round]) -> dict[str, RoundSummary]:
    """Return round number -> counts and scores, without the long lists, for metrics and report."""
    return {
        str(one.number): RoundSummary(
            kept=one.kept,
            real=sum(one.real.values()),
            samples=sum(one.samples.values()),
            new_real=one.new_real,
            added=one.added,
            retired=one.retired,
            macro_f1=one.macro_f1,
            tail_recall=one.tail_recall,
            difference=one.difference,
        )
        for one in rounds
    }


def write_round(folder: Path, one: Round) -> Path:
    """Write `<number>.json` with one field per line, so that long lists take one line."""
    path = folder / f"{one.number}.json"
    lines = [
        f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False, sort_keys=True)}"
        for key, value in fields_of(one).items()
    ]
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")
    return path


def _read(path: Path) -> Round:
    try:
        return TypeAdapter(Round).validate_python(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        position = ".".join(map(str, first["loc"]))
        raise UserError(
            f"{path} is not a round ({position}: {first['msg']}); restore it with git"
        ) from None
