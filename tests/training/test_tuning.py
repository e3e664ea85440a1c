"""The regularisation of a method: the value that is best on dev, by the same rule for every method."""

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
# With strong regularisation all is of the large class; with weak the rare one is found.
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
    """By dev macro-F1; the first among equals, and the only one without a look at dev."""
    baseline = BASELINE.model_copy(update={"c": values})
    value = tuned(baseline, ROWS, DEV, TAIL)["classifier"].C
    assert value == expected


def test_the_tuned_classifier_is_the_one_of_its_value() -> None:
    """What is fitted on shared terms is what is fitted alone, and other seeds go on from it."""
    model = tuned(BASELINE, ROWS, DEV, TAIL)
    alone = fit_method(BASELINE, ROWS, model["classifier"].C, 0)
    assert model["tfidf"].vocabulary_ == alone["tfidf"].vocabulary_
    assert (model["classifier"].coef_ == alone["classifier"].coef_).all()
    assert model["classifier"].random_state == alone["classifier"].random_state


def test_the_best_value_depends_on_the_rows() -> None:
    """The values of this file are told apart by dev, or the choice would mean nothing."""
    scores = [
        score(DEV["label"], predict(fit_method(BASELINE, ROWS, c, 0), DEV["text"].tolist()), TAIL)
        for c in BASELINE.c
    ]
    assert [one.macro_f1 for one in scores] == pytest.approx([1 / 3, 1])


def test_an_method_is_fitted_with_its_value_weights_and_seed() -> None:
    """The value is C, class weights are the method's, and the seed is added to the settings' own."""
    balanced = MethodData(ROWS.frame, "balanced", {})
    classifier = fit_method(BASELINE, balanced, 0.001, 4)["classifier"]
    found = (classifier.C, classifier.class_weight, classifier.random_state)
    assert found == (0.001, "balanced", 7)


def test_points_of_smote_are_learned_from() -> None:
    """A method with points to add finds a class that it does not find without them."""
    smote = MethodData(ROWS.frame, None, {"net": 200})
    texts = DEV["text"].tolist()
    assert predict(fit_method(BASELINE, ROWS, 0.05, 0), texts).tolist() == ["bill", "bill"]
    assert predict(fit_method(BASELINE, smote, 0.05, 0), texts).tolist()[1] == "net"
