"""Headline metrics of a set of predictions; `src/evaluation/scoring.py` defines them."""

from __future__ import annotations

from dataclasses import dataclass

from src.records.interval import Interval


@dataclass(frozen=True)
class Scores:
    """The headline metrics, each between 0 and 1.

    Attributes:
        macro_f1: mean F1 over the classes with test rows.
        tail_recall: mean recall over the tail classes with test rows.
        accuracy: share of all rows that are predicted correctly.
        balanced_accuracy: mean recall over the classes with test rows.
        tail_recall_micro: share of the tail classes' rows that are predicted correctly.
    """

    macro_f1: float
    tail_recall: float
    accuracy: float
    balanced_accuracy: float
    tail_recall_micro: float


@dataclass(frozen=True)
class ScoreIntervals:
    """The headline metrics with intervals, of one method or of the difference between two."""

    macro_f1: Interval
    tail_recall: Interval
    accuracy: Interval
    balanced_accuracy: Interval
    tail_recall_micro: Interval
