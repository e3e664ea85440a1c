"""metrics/evaluate.json: all methods on dev and test, and ours against the best free method."""

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
    """Size of the tail.

    Attributes:
        classes: number of tail classes.
        test_rows: test rows of the tail classes.
    """

    classes: int
    test_rows: int


@dataclass(frozen=True)
class McNemar:
    """McNemar's exact test of two sets of predictions of the same rows.

    Attributes:
        only_ours_right: rows that only the first set predicts correctly.
        only_theirs_right: rows that only the second set predicts correctly.
        p: two-sided p-value of this split if both were equally good.
    """

    only_ours_right: int
    only_theirs_right: int
    p: float


@dataclass(frozen=True)
class McNemarAgainst(McNemar):
    """McNemar's test of ours against one method.

    Attributes:
        against: that method.
    """

    against: Method


@dataclass(frozen=True)
class ClassChange:
    """One class with test rows, ours against the best free method (first seed of each).

    Attributes:
        support: test rows.
        train_rows: real rows in the balanced set.
        synthetic_rows: samples in the balanced set.
        recall_before: test recall of the best free method.
        recall_after: test recall of ours.
        p: p-value of McNemar's exact test on the rows of this class.
        p_adjusted: p after Holm's correction over the measurable classes; 1 for other classes.
        measurable: whether the class has enough test rows for a significant change.
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
    """Test rows of another class for which a tail class is predicted (first seed).

    Attributes:
        ours: rows with ours.
        best_free: rows with the best free method.
    """

    ours: int
    best_free: int


@dataclass(frozen=True)
class LeakageFigures:
    """Counts of the leakage check (`src/diagnostics/leakage.py`).

    Attributes:
        checked: accepted samples that were compared.
        copies: samples that are near-duplicates of a dev or test row.
        hold_short_row: other samples that contain a short dev or test row.
        seeds: distinct rows shown as seed examples.
        strays: samples with a seed example that is not a train row.
        train_twins: train rows with the same letters and digits as a dev or test row.
        seed_twins: those of them that were shown as seed examples.
    """

    checked: int
    copies: int
    hold_short_row: int
    seeds: int
    strays: int
    train_twins: int
    seed_twins: int


@dataclass(frozen=True)
class Feature:
    """A feature that distinguishes samples from real rows.

    Attributes:
        name: for example "characters", "share of fillers", "opens with 您好".
        direction: whether samples have "more" or "less" of it.
        weight: contribution to the log-odds between the mean sample and the mean real row:
            coefficient times difference of the means. Above 0; correlated features share it.
        synthetic: mean over the samples; for lengths, the geometric mean in characters or turns.
        real: the same over the real rows.
    """

    name: str
    direction: Literal["more", "less"]
    weight: float
    synthetic: float
    real: float


@dataclass(frozen=True)
class Detectability:
    """How well a classifier distinguishes samples from real rows by style.

    With too few samples or rows: AUC 0.5, interval 0 to 1, no features.

    Attributes:
        auc: cross-validated AUC; 0.5 = not at all, 1 = always.
        low: lower end of the 95 % interval.
        high: upper end of the 95 % interval.
        features: by descending weight.
        samples: number of samples compared.
        rows: number of real rows compared, all from classes that have samples.
    """

    auc: float
    low: float
    high: float
    features: tuple[Feature, ...]
    samples: int
    rows: int


@dataclass(frozen=True)
class Second:
    """The comparison repeated with a classifier of another family.

    Attributes:
        family: the classifier and, in parentheses, `embedding.backend`.
        methods: method -> test scores.
        versus_best_free: method with samples -> paired difference, method minus best free method.
    """

    family: str
    methods: Mapping[Method, ScoreIntervals]
    versus_best_free: Mapping[Method, ScoreIntervals]


@dataclass(frozen=True)
class EvaluateMetrics(ChooseMetrics):
    """The whole evaluation. It repeats the metrics of `choose`, so that one file has the result.

    Attributes:
        methods: method -> test scores.
        versus_original: method -> paired difference on test, method minus `original`.
        versus_best_free: method that uses samples -> paired difference on test, method minus
            best free method.
        best_free: the free method with the highest dev macro-F1.
        ours: the method with samples that has the highest dev macro-F1.
        dev: method -> dev scores, mean over the seeds.
        tail: size of the tail.
        test_rows: number of test rows.
        mcnemar: McNemar's test of ours against the best free method on test, first seeds.
        per_class: label -> change of the class, for classes with test rows.
        head_class_regressions: head-class regressions of ours against the best free method, sorted.
        head_class_regressions_count: number of head-class regressions.
        tail_false_positives: false positives of the tail classes on test.
        leakage: counts of the leakage check.
        signature: the settings and data behind these numbers (`src/evaluation/signature.py`).
        detectability: None (not in the file) without samples.
        second: None (not in the file) if `evaluate.second_classifier` is false.
        rounds: round number -> summary; None (not in the file) without rounds.
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
