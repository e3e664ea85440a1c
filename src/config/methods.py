"""Names of the methods that classifiers are trained with."""

from __future__ import annotations

from typing import Literal

Method = Literal[
    "original",
    "class_weight",
    "oversample",
    "effective_number",
    "logit_adjustment",
    "eda",
    "smote",
    "unfiltered",
    "augmented",
    "augmented_class_weight",
    "chosen",
]

FREE_METHODS: tuple[Method, ...] = (
    "original",
    "class_weight",
    "oversample",
    "effective_number",
    "logit_adjustment",
    "eda",
    "smote",
)
OUR_METHODS: tuple[Method, ...] = ("augmented", "augmented_class_weight", "chosen")
