"""metrics/choose.json: how many samples are used and at which weight, chosen on dev."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from src.records.interval import Interval


@dataclass(frozen=True)
class Choice:
    """How samples are used.

    Attributes:
        samples_per_class: maximum number of samples per class; 0 = no samples.
        class_weight: whether classes are weighted.
        sample_weight: training weight of a sample; a real row has 1.
        by_quality: whether the weight is multiplied by the sample's label score.
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
    """The final choice.

    Attributes:
        why: the reason in one sentence, with the dev macro-F1 difference and its standard error.
    """

    why: str


@dataclass(frozen=True)
class Tried(Choice):
    """A choice that was tried, with its dev scores.

    Attributes:
        macro_f1: mean dev macro-F1 over the draws of the samples, with its interval.
        tail_recall: mean dev tail recall over the draws, with its interval.
    """

    macro_f1: Interval
    tail_recall: Interval


@dataclass(frozen=True)
class ModelGain:
    """Effect of one model's samples on dev macro-F1, under the best choice for all samples.

    Attributes:
        samples: samples in the balanced set that the model wrote.
        alone: difference in macro-F1, only its samples minus no samples.
        on_top: difference in macro-F1, all samples minus the samples of the other models.
    """

    samples: int
    alone: Interval
    on_top: Interval


@dataclass(frozen=True)
class ChooseMetrics:
    """What the method `chosen` uses.

    Attributes:
        chosen: the choice with the highest dev macro-F1; without samples, unless samples beat the
            best choice without them by more than one standard error.
        recommended: the smallest number of samples per class within one standard error of the
            best number, samples weighted like real rows; 0 if `chosen` has no samples.
        curve: every choice that was tried, in that order.
        per_model: endpoint -> its gain; empty unless several endpoints wrote samples.
    """

    chosen: Chosen
    recommended: int
    curve: tuple[Tried, ...]
    per_model: Mapping[str, ModelGain]
