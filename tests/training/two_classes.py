"""Rows of two classes, and settings of a classifier for them."""

from __future__ import annotations

import pandas as pd

from src.config.baseline import BaselineParams

PARAMS = BaselineParams(
    analyzer="char",
    ngram_range=(1, 2),
    min_df=2,
    max_features=60000,
    classifier="linear_svc",
    c=(0.5,),
    seed=0,
)
FRAME = pd.DataFrame(
    {
        "text": [
            "我要查话费",
            "话费还有多少",
            "查一下余额话费",
            "我要装宽带",
            "宽带怎么办理",
            "装宽带",
        ],
        "label": ["话费", "话费", "话费", "宽带", "宽带", "宽带"],
    }
)
TEXTS = ["话费查一下", "宽带装一下"]


def with_settings(**settings: object) -> BaselineParams:
    """The settings of these tests with some changed."""
    return PARAMS.model_copy(update=settings)
