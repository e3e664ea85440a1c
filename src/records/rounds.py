"""What a round of `make round` came to: one file a round in data/rounds/, in git."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
