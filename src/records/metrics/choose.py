"""metrics/choose.json: how many samples at which weight, as dev decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from src.records.interval import Interval


@dataclass(frozen=True)
class Choice:
    """How samples are used.

    Attributes:
        samples_per_class: at most so many; 0 = none.
        class_weight: whether classes are weighted.
        sample_weight: of a sample, beside 1 of a real row.
        by_quality: whether that is multiplied by the label score of the sample.
    """

    samples_per_class: int
    class_weight: bool
    sample_weight: float
    by_quality: bool

    @property
    def is_plain(self) -> bool:
        """Whether a sample counts as much as a real row."""
        return self.sample_weight == 1 and not self.by_quality


@dataclass(frozen=True)
class Chosen(Choice):
    """The choice that stands, and why, in one sentence."""

    why: str


@dataclass(frozen=True)
class Tried(Choice):
    """A choice that was tried, with its dev scores: the mean over the draws, and an interval."""

    macro_f1: Interval
    tail_recall: Interval


@dataclass(frozen=True)
class ModelGain:
    """What the samples of one model do to dev macro-F1, with the choice that is best for all.

    Attributes:
        samples: how many it wrote.
        alone: its samples only, against none.
        on_top: all samples, against those of the other models.
    """

    samples: int
    alone: Interval
    on_top: Interval


@dataclass(frozen=True)
class ChooseMetrics:
    """What the method `chosen` uses.

    Attributes:
        chosen: by that rule.
        recommended: the fewest samples a class that are within one standard error of the best
            amount.
        curve: all that was tried, in order.
        per_model: of each model that wrote samples, where there are several.
    """

    chosen: Chosen
    recommended: int
    curve: tuple[Tried, ...]
    per_model: Mapping[str, ModelGain]
