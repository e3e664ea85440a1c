"""What a round of `make round` came to: one file a round in data/rounds/, in git."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from src.errors import UserError
from src.records.interval import Interval


@dataclass(frozen=True)
class RoundSummary:
    """A round for metrics and report: counts and dev scores.

    Attributes:
        kept: whether dev was better than with the last kept round, so that the plan goes on from
            this one.
        real: real train rows.
        samples: accepted samples.
        new_real: real rows that came since the last round.
        added: samples that are new in this round.
        retired: samples of the last round that are gone, by the rule that dropped them;
            "not needed" where a class has enough without them.
        macro_f1: on dev.
        tail_recall: on dev.
        difference: in macro-F1 to the last kept round, of the first one to no samples.
    """

    kept: bool
    real: int
    samples: int
    new_real: int
    added: int
    retired: Mapping[str, int]
    macro_f1: Interval
    tail_recall: Interval
    difference: Interval


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
    real: Mapping[str, int]
    samples: Mapping[str, int]
    ids: tuple[str, ...]
    new_real: int
    added: int
    retired: Mapping[str, int]
    macro_f1: Interval
    tail_recall: Interval
    difference: Interval
    predictions: tuple[int, ...]

    def predictions_on(self, truth: Sequence[str]) -> list[str]:
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
