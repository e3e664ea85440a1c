"""The plan of the train rows, and the metrics of the stage analyze.

    plan = make_plan(train, params.plan, "zh")
    analyze_metrics(train["label"], plan, params.plan).gini

This plan depends on class sizes alone; `experimental.plan` turns it into one that follows errors.
"""

from __future__ import annotations

from dataclasses import asdict

import pandas as pd

from src.config.data import Language
from src.config.plan import PlanParams
from src.planning.imbalance import imbalance_of
from src.planning.keywords import mine_keywords
from src.planning.neighbours import nearest_classes
from src.planning.plan import Plan
from src.planning.strategies import gini_goal, plan_classes
from src.records.metrics.analyze import AnalyzeMetrics


def make_plan(train: pd.DataFrame, params: PlanParams, language: Language) -> Plan:
    """Return the samples that each class needs by size, its keywords and its nearest classes.

    Args:
        train: columns text (without turn separators) and label.
        params: targets and limits.
        language: decides what counts as a word.

    Raises:
        UserError: see `plan_classes`.
    """
    texts, labels = train["text"], train["label"]
    return Plan.of(
        plan_classes(labels, params),
        mine_keywords(texts, labels, language, params.keywords_per_class),
        nearest_classes(texts, labels),
    )


def analyze_metrics(labels: pd.Series[str], plan: Plan, params: PlanParams) -> AnalyzeMetrics:
    """Return the imbalance of the train rows and the totals of the plan.

    Args:
        labels: class of each train row.
        plan: the plan made for them.
        params: the settings that the plan was made with.
    """
    tier, needed = plan.classes["tier"], plan.classes["needed"]
    return AnalyzeMetrics(
        **asdict(imbalance_of(labels)),
        minority_classes=int((tier != "majority").sum()),
        ultra_minority_classes=int((tier == "ultra").sum()),
        needed=int(needed.sum()),
        target_gini=gini_goal(plan.classes, params),
    )
