"""What earlier rounds came to: one file a round in `data/rounds/`, written by `make round`, in git.

    rounds = read_rounds(Path("data/rounds"))
    rounds[-1].kept, rounds[-1].macro_f1.value

A plan may depend on them, and nothing that a plan leads to writes them, so the pipeline has no
circle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from src.errors import UserError
from src.files import read_json, write_text


@dataclass(frozen=True)
class Score:
    """A value on dev and its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Round:
    """One round.

    Attributes:
        number: counts from 1.
        kept: whether dev was better than with the last kept round, so that the plan goes on from
            this one.
        real: real train rows of each class.
        samples: accepted samples of each class.
        ids: of these samples.
        new_real: real rows that came since the last round.
        added: samples that are new in this round.
        retired: samples of the last round that are gone, by the rule that dropped them;
            "not needed" where a class has enough without them.
        macro_f1: on dev.
        tail_recall: on dev.
        difference: in macro-F1 to the last kept round, of the first one to no samples.
        predictions: of each dev row, a number in the sorted classes; the next round is compared
            with them.
    """

    number: int
    kept: bool
    real: dict[str, int]
    samples: dict[str, int]
    ids: tuple[str, ...]
    new_real: int
    added: int
    retired: dict[str, int]
    macro_f1: Score
    tail_recall: Score
    difference: Score
    predictions: tuple[int, ...]

    def said_on(self, truth: Sequence[str]) -> list[str]:
        """The predictions as class names.

        Raises:
            UserError: there are not as many as dev rows.
        """
        if len(self.predictions) != len(truth):
            raise UserError(
                f"round {self.number} was scored on {len(self.predictions)} dev rows, and there are "
                f"{len(truth)}; restore the dev rows, or remove data/rounds/*.json to begin anew"
            )
        classes = sorted(self.real)
        return [classes[number] for number in self.predictions]


def read_rounds(folder: Path) -> list[Round]:
    """All rounds, the first one first; none where the folder has none.

    Raises:
        UserError: a file is damaged, or a number is missing.
    """
    found = sorted(folder.glob("[0-9]*.json"), key=lambda path: int(path.stem))
    rounds = [_read(path) for path in found]
    for place, one in enumerate(rounds, 1):
        if one.number != place:
            raise UserError(
                f"{folder} has no round {place} but a round {one.number}; restore {place}.json "
                "with git, or remove the later ones"
            )
    return rounds


def last_kept(rounds: list[Round]) -> Round | None:
    """The round that the next one builds on."""
    return next((one for one in reversed(rounds) if one.kept), None)


def misses(rounds: Sequence[Round], real: Mapping[str, int]) -> int:
    """How many rounds in a row, the last one among them, were no better on the rows of today.

    Args:
        rounds: all of them.
        real: train rows of each class as they are now; a miss on other rows says nothing.
    """
    last = takewhile(lambda one: not one.kept and one.real == dict(real), reversed(rounds))
    return sum(1 for _ in last)


def has_stopped(rounds: Sequence[Round], real: Mapping[str, int], patience: int) -> bool:
    """Whether there were more misses than `plan.patience`."""
    return misses(rounds, real) > patience


def summaries(rounds: list[Round]) -> dict[str, dict[str, Any]]:
    """The rounds for metrics and report, by number: counts and scores, without the long lists."""
    long = ("number", "ids", "predictions", "real", "samples")
    found = {}
    for one in rounds:
        short = {key: value for key, value in asdict(one).items() if key not in long}
        totals = {"real": sum(one.real.values()), "samples": sum(one.samples.values())}
        found[str(one.number)] = {**totals, **short}
    return found


def write_round(folder: Path, one: Round) -> Path:
    """Write `<number>.json`, the long lists on one line each."""
    path = folder / f"{one.number}.json"
    fields = asdict(one)
    lines = [
        f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False, sort_keys=True)}"
        for key, value in fields.items()
    ]
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")
    return path


def _read(path: Path) -> Round:
    try:
        return TypeAdapter(Round).validate_python(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(
            f"{path} is not a round ({place}: {first['msg']}); restore it with git"
        ) from None
