"""metrics/evaluate.json: every method on dev and test, and whether ours beats the best free one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from src.config.methods import Method
from src.records.metrics.choose import ChooseMetrics
from src.records.rounds import RoundSummary
from src.records.scores import ScoreIntervals, Scores


@dataclass(frozen=True)
class Tail:
    """The rarest classes, and the test rows that their recall rests on."""

    classes: int
    test_rows: int


@dataclass(frozen=True)
class McNemar:
    """Test rows that one alone has right, and how likely so uneven a split is by chance."""

    only_ours_right: int
    only_theirs_right: int
    p: float


@dataclass(frozen=True)
class McNemarAgainst(McNemar):
    """The same against one method."""

    against: Method


@dataclass(frozen=True)
class ClassChange:
    """One class with test rows, ours against the best free method.

    Attributes:
        support: test rows.
        train_rows: real ones.
        synthetic_rows: samples.
        recall_before: of the best free method.
        recall_after: of ours.
        p: McNemar's exact test of the class alone.
        p_adjusted: by Holm over the measurable classes.
        measurable: whether so few rows could show anything at all.
    """

    support: int
    train_rows: int
    synthetic_rows: int
    recall_before: float
    recall_after: float
    p: float
    p_adjusted: float
    measurable: bool


@dataclass(frozen=True)
class FalsePositives:
    """Test rows that are called a tail class and are of another class."""

    ours: int
    best_free: int


@dataclass(frozen=True)
class LeakageFigures:
    """How many of each were found, see `src/diagnostics/leakage.py`."""

    checked: int
    copies: int
    hold_short_row: int
    seeds: int
    strays: int
    train_twins: int
    seed_twins: int


@dataclass(frozen=True)
class Feature:
    """What tells samples from real rows.

    Attributes:
        name: such as "characters", "share of fillers", "opens with 您好".
        direction: whether samples have "more" or "less" of it.
        weight: how much of the log-odds between the mean sample and the mean row it makes up: its
            coefficient times the difference of the means. Above 0; features that say the same
            share it.
        synthetic: mean over the samples; geometric of lengths, in characters or turns.
        real: the same of the real rows.
    """

    name: str
    direction: Literal["more", "less"]
    weight: float
    synthetic: float
    real: float


@dataclass(frozen=True)
class Detectability:
    """How well samples are told from real rows by style alone.

    Attributes:
        auc: 0.5 = not at all, 1 = always; cross-validated.
        low: of the 95 % interval.
        high: of the 95 % interval.
        features: the heaviest ones first.
        samples: how many samples were looked at.
        rows: how many real rows, of the samples' classes. With few rows or samples nothing is
            known: AUC 0.5 from 0 to 1, and no features.
    """

    auc: float
    low: float
    high: float
    features: tuple[Feature, ...]
    samples: int
    rows: int


@dataclass(frozen=True)
class Second:
    """The same comparison with a classifier of another family."""

    family: str
    methods: Mapping[Method, ScoreIntervals]
    versus_best_free: Mapping[Method, ScoreIntervals]


@dataclass(frozen=True)
class EvaluateMetrics(ChooseMetrics):
    """The whole evaluation, with what `choose` found, so that one file tells the result.

    Attributes:
        methods: test scores.
        versus_original: paired differences on test.
        versus_best_free: the same, of the methods that use samples.
        best_free: the free method to beat, by dev macro-F1.
        ours: the method that stands for the method, by dev macro-F1.
        dev: dev scores, the mean over the seeds.
        tail: the rarest classes.
        test_rows: all of them.
        mcnemar: ours against the best free method, of the first seed.
        per_class: classes with test rows, by label.
        head_class_regressions: classes outside the tail whose recall fell beyond chance.
        head_class_regressions_count: how many.
        tail_false_positives: of the first seed.
        leakage: of samples and dev or test rows.
        signature: what a reader needs to get the same numbers.
        detectability: None without samples.
        second: None where `evaluate.second_classifier` is off.
        rounds: by number; None where none was played.
    """

    methods: Mapping[Method, ScoreIntervals]
    versus_original: Mapping[Method, ScoreIntervals]
    versus_best_free: Mapping[Method, ScoreIntervals]
    best_free: Method
    ours: Method
    dev: Mapping[Method, Scores]
    tail: Tail
    test_rows: int
    mcnemar: McNemarAgainst
    per_class: Mapping[str, ClassChange]
    head_class_regressions: tuple[str, ...]
    head_class_regressions_count: int
    tail_false_positives: FalsePositives
    leakage: LeakageFigures
    signature: str
    detectability: Detectability | None = None
    second: Second | None = None
    rounds: Mapping[str, RoundSummary] | None = None
