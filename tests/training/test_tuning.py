"""The regularisation of each method is tuned on dev, by one rule for all methods."""

from __future__ import annotations

import pandas as pd
import pytest

from src.config.baseline import BaselineParams
from src.evaluation.scoring import score
from src.training.classifier import predict
from src.training.methods import MethodData
from src.training.tuning import fit_method, tuned

BASELINE = BaselineParams(
    analyzer="char",
    ngram_range=(1, 1),
    min_df=1,
    max_features=100,
    classifier="logistic_regression",
    c=(0.001, 10.0),
    seed=3,
)
# Strong regularisation predicts the large class only; weak regularisation finds the rare one.
ROWS = MethodData(
    frame=pd.DataFrame({"text": ["查话费"] * 9 + ["办宽带"], "label": ["bill"] * 9 + ["net"]}),
    class_weight=None,
    smote={},
)
DEV = pd.DataFrame({"text": ["话费", "宽带"], "label": ["bill", "net"]})
TAIL = frozenset({"net"})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param((0.001, 10.0), 10.0, id="last-is-best"),
        pytest.param((10.0, 0.001), 10.0, id="first-is-best"),
        pytest.param((5.0, 10.0), 5.0, id="first-among-equals"),
        pytest.param((0.001,), 0.001, id="only-one"),
    ],
)
def test_the_value_that_is_best_on_dev_is_taken(values: tuple[float, ...], expected: float) -> None:
    """By dev macro-F1; the first of equals; a single value is taken without scoring."""
    baseline = BASELINE.model_copy(update={"c": values})
    value = tuned(baseline, ROWS, DEV, TAIL)["classifier"].C
    assert value == expected


def test_the_tuned_classifier_is_the_one_of_its_value() -> None:
    """Fitting on shared terms equals fitting alone, also for other seeds."""
    model = tuned(BASELINE, ROWS, DEV, TAIL)
    alone = fit_method(BASELINE, ROWS, model["classifier"].C, 0)
    assert model["tfidf"].vocabulary_ == alone["tfidf"].vocabulary_
    assert (model["classifier"].coef_ == alone["classifier"].coef_).all()
    assert model["classifier"].random_state == alone["classifier"].random_state


def test_the_best_value_depends_on_the_rows() -> None:
    """Dev distinguishes the values of this file; otherwise the tests would prove nothing."""
    scores = [
        score(DEV["label"], predict(fit_method(BASELINE, ROWS, c, 0), DEV["text"].tolist()), TAIL)
        for c in BASELINE.c
    ]
    assert [one.macro_f1 for one in scores] == pytest.approx([1 / 3, 1])


def test_a_method_is_fitted_with_its_value_weights_and_seed() -> None:
    """C is the value, class weights are the method's, and the seed adds to that of the settings."""
    balanced = MethodData(ROWS.frame, "balanced", {})
    classifier = fit_method(BASELINE, balanced, 0.001, 4)["classifier"]
    found = (classifier.C, classifier.class_weight, classifier.random_state)
    assert found == (0.001, "balanced", 7)


def test_points_of_smote_are_learned_from() -> None:
    """With SMOTE points, a method finds a class that it misses without them."""
    smote = MethodData(ROWS.frame, None, {"net": 200})
    texts = DEV["text"].tolist()
    assert predict(fit_method(BASELINE, ROWS, 0.05, 0), texts).tolist() == ["bill", "bill"]
    assert predict(fit_method(BASELINE, smote, 0.05, 0), texts).tolist()[1] == "net"
