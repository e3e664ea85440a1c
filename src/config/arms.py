"""The methods that a classifier is trained by."""

from __future__ import annotations

from typing import Literal

Arm = Literal[
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

FREE_ARMS: tuple[Arm, ...] = (
    "original",
    "class_weight",
    "oversample",
    "effective_number",
    "logit_adjustment",
    "eda",
    "smote",
)
OUR_ARMS: tuple[Arm, ...] = ("augmented", "augmented_class_weight", "chosen")
