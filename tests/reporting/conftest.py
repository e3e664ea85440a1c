"""One small run of the pipeline, as its metrics files tell it."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from src.evaluation.scoring import METRICS
from src.files import Record
from src.reporting.report import Metrics


def interval(value: float, half: float = 0.02) -> dict[str, float]:
    """An interval of equal arms."""
    return {"value": value, "low": value - half, "high": value + half}


def scores(macro_f1: float, tail_recall: float, accuracy: float) -> dict[str, dict[str, float]]:
    """The metrics of an arm, or of a difference; two stand in the file and in no table."""
    return {
        "macro_f1": interval(macro_f1),
        "tail_recall": interval(tail_recall, 0.05),
        "accuracy": interval(accuracy, 0.01),
        "balanced_accuracy": interval(macro_f1 / 2),
        "tail_recall_micro": interval(tail_recall / 2),
    }


@pytest.fixture
def metrics() -> Metrics:
    """Three classes, one of which stays short of its target; four arms."""
    return Metrics(
        analyze={
            "rows": 105,
            "classes": 3,
            "gini": 0.5,
            "imbalance_ratio": 100.0,
            "minority_classes": 2,
            "needed": 36,
        },
        generate={
            "candidates": 1200,
            "accepted": 30,
            "quota": 36,
            "shortfall": 6,
            "tokens": {"prompt": 123456, "completion": 7890},
            "failures": {"timeout": 2, "refused": 0, "truncated": 11},
        },
        filter={
            "candidates": 1200,
            "accepted": 30,
            "acceptance_rate": 0.025,
            "rejected_by": {"format": 0, "length": 170, "near_duplicate": 1000},
            "bias": {
                "largest": [
                    {
                        "label": "办理缴费",
                        "facet": "openings",
                        "value": "您好请问",
                        "synthetic": 0.75,
                        "real": 0.25,
                        "difference": 0.5,
                        "compared_with": "class",
                        "at_least": 0.2,
                        "also_in": 1,
                    },
                    {
                        "label": "",
                        "facet": "turns",
                        "value": "mean",
                        "synthetic": 4.5,
                        "real": 16.0,
                        "difference": -1.2,
                        "compared_with": "all",
                        "at_least": -0.1,
                        "also_in": 0,
                    },
                ]
            },
        },
        balance={
            "gini": {"before": 0.5, "after": 0.25},
            "imbalance_ratio": {"before": 100.0, "after": 7.1},
            "synthetic_share": 0.2222,
            "per_class": {
                "办理取消": {"real": 100, "synthetic": 0, "target": 100, "shortfall": 0},
                "办理缴费": {"real": 4, "synthetic": 16, "target": 20, "shortfall": 0},
                "办理补换卡": {"real": 1, "synthetic": 14, "target": 21, "shortfall": 6},
            },
        },
        evaluate={
            "arms": {
                "augmented": scores(0.61, 0.5, 0.7),
                "augmented_class_weight": scores(0.642, 0.52, 0.69),
                "class_weight": scores(0.579, 0.35, 0.66),
                "original": scores(0.448, 0.2, 0.65),
            },
            "ours": "augmented_class_weight",
            "best_free": "class_weight",
            "versus_original": {
                "augmented": scores(0.162, 0.3, 0.05),
                "augmented_class_weight": scores(0.194, 0.32, 0.04),
                "class_weight": scores(0.131, 0.15, 0.01),
            },
            "versus_best_free": {
                "augmented": scores(0.031, 0.15, 0.04),
                "augmented_class_weight": scores(0.063, 0.17, 0.03),
                "original": scores(-0.131, -0.15, -0.01),
            },
            "tail": {"classes": 2, "test_rows": 60},
            "test_rows": 1060,
            "dev": {
                arm: dict.fromkeys(METRICS, 0.5) | {"macro_f1": value}
                for arm, value in {
                    "augmented": 0.6,
                    "augmented_class_weight": 0.63,
                    "class_weight": 0.55,
                    "original": 0.44,
                }.items()
            },
        },
    )


@pytest.fixture
def several(metrics: Metrics) -> Metrics:
    """The same with a model that writes well, one that cannot, and the votes of three."""
    good = {
        **{"requests": 1100, "candidates": 1090, "accepted": 990, "acceptance": 0.9},
        **{"cost": 1.98, "cost_per_accepted": 0.002},
        "diversity": {"samples": 40, "distinct_2": 0.8125},
    }
    bad = {
        **{"requests": 30, "candidates": 0, "accepted": 0, "acceptance": 0.0},
        **{"cost": 0.0, "cost_per_accepted": None},
        "diversity": {"samples": 0, "distinct_2": None},
    }
    gain = {"samples": 16, "alone": interval(0.07), "on_top": interval(0.01)}
    judged = {
        "per_model": {"glm<4>": {"candidates": 1200, "accepted": 720}},
        "judges": {
            "classifier": {"judged": 1200, "accepted": 900, "weight": 0.625},
            "glm<4>": {"judged": 30, "accepted": 0, "weight": 0.0},
            "qwen|one": {"judged": 1170, "accepted": 1170, "weight": 0.25},
        },
        "judges_agree": 0.875,
        "judges_kappa": 0.625,
    }
    return dataclasses.replace(
        metrics,
        generate={**metrics.generate, "per_model": {"glm<4>": good, "small|one": bad}},
        filter={**metrics.filter, **judged},
        evaluate={**metrics.evaluate, "per_model": {"glm<4>": gain}},
    )


@pytest.fixture
def rejected() -> list[Record]:
    """Samples that two rules dropped: six of the one, and one that is long and has a bar in it."""
    duplicates = [
        {
            "label": "办理缴费",
            "text": f"我要交{n}月话费",
            "text_before_style": f"我要交{n}月话费。",
            "reason": "near_duplicate",
            "detail": f"0.9{n} of it stands in candidate c{n}, over 0.85",
        }
        for n in range(6)
    ]
    long = {
        "label": "办理补换卡",
        "text": "补卡" * 100,
        "text_before_style": "您好|\n请讲，" + "补卡" * 100,
        "reason": "length",
        "detail": "207 characters, outside 6 to 200",
    }
    return [*duplicates, long]


@pytest.fixture
def per_class() -> pd.DataFrame:
    """What evaluation found out of every class."""
    return pd.DataFrame(
        {
            "label": ["办理取消", "办理缴费", "办理补换卡"],
            "support": [1000, 30, 30],
            "train_rows": [100, 4, 1],
            "synthetic_rows": [0, 16, 14],
            "recall_before": [0.9, 0.1, 0.0],
            "recall_after": [0.88, 0.5, 0.5],
            "f1_before": [0.8, 0.15, 0.0],
            "f1_after": [0.85, 0.55, 0.4],
        }
    )
