"""The strength of regularisation of each arm: the value of `baseline.c` that is best on dev.

    c = best_c(params.baseline, data, dev, tail, seed=0)
    model = fit_arm(params.baseline, data, c, seed=0)

Every arm is tuned by the same rule, the free ones too: with one value for all, the arm that it
happens to suit would win.
"""

from __future__ import annotations

import pandas as pd
from sklearn.pipeline import Pipeline

from src.config import BaselineParams
from src.modeling.arms import ArmData
from src.modeling.baseline import build, fit, predict
from src.modeling.scoring import score


def best_c(
    baseline: BaselineParams, data: ArmData, dev: pd.DataFrame, tail: frozenset[str], seed: int
) -> float:
    """The value with the best dev macro-F1, the first among equals.

    Args:
        baseline: the classifier and the values to try.
        data: rows to learn from.
        dev: rows (text, label), texts without turn separators.
        tail: tail classes.
        seed: of the classifier.
    """
    if len(baseline.c) == 1:
        return baseline.c[0]
    texts = dev["text"].tolist()

    def on_dev(c: float) -> float:
        said = predict(fit_arm(baseline, data, c, seed), texts)
        return score(dev["label"], said, tail).macro_f1

    return max(baseline.c, key=on_dev)


def fit_arm(baseline: BaselineParams, data: ArmData, c: float, seed: int) -> Pipeline:
    """The arm's classifier with this value."""
    seeded = baseline.model_copy(update={"seed": baseline.seed + seed})
    return fit(build(seeded, data.class_weight, c), data.frame, data.smote, seed)
