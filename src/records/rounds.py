"""The result of one `make round`: one file per round in data/rounds/, in git."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from src.errors import UserError
from src.records.interval import Interval


@dataclass(frozen=True)
class RoundSummary:
    """A round for metrics and report: counts and dev scores.

    Attributes:
        kept: whether dev macro-F1 was better than in the last kept round; the next plan builds on
            the last kept round.
        real: number of real train rows.
        samples: number of samples in the balanced set.
        new_real: real train rows added since the last round.
        added: samples that the last kept round did not have.
        retired: rule -> samples of the last kept round that it rejects now; "not needed" for
            samples that pass but exceed what their class needs.
        macro_f1: dev macro-F1.
        tail_recall: dev tail recall.
        difference: dev macro-F1 minus that of the last kept round; for the first round, minus
            that without samples.
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
        number: number of the round, from 1.
        kept: see `RoundSummary`.
        real: label -> real train rows.
        samples: label -> samples in the balanced set.
        ids: ids of these samples.
        new_real: see `RoundSummary`.
        added: see `RoundSummary`.
        retired: see `RoundSummary`.
        macro_f1: dev macro-F1.
        tail_recall: dev tail recall.
        difference: see `RoundSummary`.
        predictions: for each dev row, the index of the predicted class in the sorted classes; the
            next round is compared with them.
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
        """Return the predictions as class names.

        Args:
            truth: class of each dev row.

        Raises:
            UserError: the number of dev rows has changed since the round.
        """
        if len(self.predictions) != len(truth):
            raise UserError(
                f"round {self.number} was scored on {len(self.predictions)} dev rows, but there "
                f"are {len(truth)} now; restore them, or remove data/rounds/*.json to start over"
            )
        classes = sorted(self.real)
        return [classes[number] for number in self.predictions]
