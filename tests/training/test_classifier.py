"""The baseline trains on any valid data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from src.config.baseline import BaselineParams
from src.errors import UserError
from src.training.classifier import adjusted, build, fit, predict
from tests.training.two_classes import FRAME, PARAMS, TEXTS, with_settings


def vocabulary_of(texts: list[str], params: BaselineParams) -> set[str]:
    """Terms that a fit on texts of two classes keeps."""
    frame = pd.DataFrame({"text": texts, "label": ["a", "b"] * (len(texts) // 2)})
    return set(fit(build(params, None), frame)["tfidf"].vocabulary_)


@pytest.mark.parametrize("classifier", ["linear_svc", "logistic_regression"])
@pytest.mark.parametrize("class_weight", [None, "balanced"], ids=["plain", "balanced"])
def test_a_fitted_model_names_the_class(classifier: str, class_weight: str | None) -> None:
    """Both classifiers learn two classes and predict class names, in order."""
    model = fit(build(with_settings(classifier=classifier), class_weight), FRAME)
    assert predict(model, TEXTS).tolist() == ["话费", "宽带"]
    assert predict(model, TEXTS).dtype.kind == "U"


def test_settings_reach_the_pipeline() -> None:
    """Each setting and the class weight reach their step."""
    settings = with_settings(
        analyzer="word", ngram_range=(1, 3), min_df=3, max_features=7, c=(2.0, 4.0)
    )
    model = build(settings, "balanced")
    tfidf, classifier = model["tfidf"], model["classifier"]
    assert build(settings, None, c=4.0)["classifier"].C == 4.0
    assert (tfidf.analyzer, tfidf.ngram_range, tfidf.min_df) == ("word", (1, 3), 3)
    assert (tfidf.max_features, tfidf.sublinear_tf) == (7, True)
    assert (classifier.C, classifier.class_weight, classifier.random_state) == (2.0, "balanced", 0)


def test_three_classes_and_a_class_of_one_row() -> None:
    """A one-row class is trained on, not dropped."""
    frame = pd.concat([FRAME, pd.DataFrame({"text": ["投诉态度"], "label": ["投诉"]})])
    model = fit(build(with_settings(min_df=1), "balanced"), frame)
    assert predict(model, ["投诉态度"]).tolist() == ["投诉"]


@pytest.mark.parametrize("classifier", ["linear_svc", "logistic_regression"])
@pytest.mark.parametrize("class_weight", [None, "balanced"], ids=["plain", "balanced"])
def test_copies_of_a_row_count(classifier: str, class_weight: str | None) -> None:
    """Each copy affects the weights as a row of its own, but not the terms."""
    unfitted = build(with_settings(classifier=classifier), class_weight)
    copies = pd.concat([FRAME, *[FRAME.head(1)] * 4], ignore_index=True)
    once, model = fit(unfitted, FRAME), fit(unfitted, copies)
    assert model["tfidf"].vocabulary_ == once["tfidf"].vocabulary_
    terms = once["tfidf"].transform(copies["text"])
    naive = clone(unfitted["classifier"]).set_params(tol=1e-6).fit(terms, copies["label"])
    np.testing.assert_allclose(model["classifier"].coef_, naive.coef_, atol=2e-3)
    assert not np.allclose(model["classifier"].coef_, once["classifier"].coef_, atol=2e-2)


def test_a_weight_counts_like_copies() -> None:
    """A row of weight 3 counts like three copies, one of weight 0.5 like half a row."""
    unfitted = build(PARAMS, None)
    three = FRAME.assign(weight=[3.0] + [1.0] * 5)
    copies = pd.concat([FRAME, FRAME.head(1), FRAME.head(1)], ignore_index=True)
    np.testing.assert_allclose(
        fit(unfitted, three)["classifier"].coef_,
        fit(unfitted, copies)["classifier"].coef_,
        atol=1e-6,
    )
    halves = pd.concat([FRAME, FRAME], ignore_index=True).assign(weight=0.5)
    np.testing.assert_allclose(
        fit(unfitted, halves)["classifier"].coef_, fit(unfitted, FRAME)["classifier"].coef_
    )
    half = FRAME.assign(weight=[0.5] + [1.0] * 5)
    assert not np.allclose(
        fit(unfitted, half)["classifier"].coef_, fit(unfitted, FRAME)["classifier"].coef_, atol=1e-3
    )


THREE = pd.concat(
    [
        FRAME,
        pd.DataFrame({"text": ["投诉态度", "投诉信号", "办卡"], "label": ["投诉", "投诉", "补卡"]}),
    ],
    ignore_index=True,
)


def coefficients(smote: dict[str, int] | None, seed: int = 0) -> np.ndarray:
    """Coefficients of a four-class classifier with these points added."""
    model = fit(build(with_settings(min_df=1), None), THREE, smote, seed)
    return np.hstack([model["classifier"].coef_, model["classifier"].intercept_[:, None]])


def test_smote_repeats_the_row_of_a_class_of_one() -> None:
    """There is no neighbour: three points are three copies."""
    copies = pd.concat([THREE, *[THREE.tail(1)] * 3], ignore_index=True)
    model = fit(build(with_settings(min_df=1), None), copies)
    np.testing.assert_allclose(
        coefficients({"补卡": 3})[:, :-1], model["classifier"].coef_, atol=2e-3
    )
    assert not np.allclose(coefficients({"补卡": 3}), coefficients(None), atol=1e-2)


def test_smote_is_reproducible() -> None:
    """The same seed draws the same points, another seed others; terms stay those of the rows."""
    wanted = {"投诉": 6, "补卡": 2}
    np.testing.assert_array_equal(coefficients(wanted, 1), coefficients(wanted, 1))
    assert not np.allclose(coefficients(wanted, 1), coefficients(wanted, 2), atol=1e-5)


def test_smote_skips_a_class_without_rows() -> None:
    """A class without rows gets no points."""
    np.testing.assert_array_equal(coefficients({"没有": 5}), coefficients(None))


@pytest.mark.parametrize("classifier", ["linear_svc", "logistic_regression"])
def test_logit_adjustment_shifts_towards_rare_classes(classifier: str) -> None:
    """Decisions move by -strength * log(share): 3 of 9 rows, 3 of 9, 2 of 9, 1 of 9."""
    model = fit(build(with_settings(min_df=1, classifier=classifier), None), THREE)
    before = model.decision_function(TEXTS)
    shifted = adjusted(model, THREE["label"].tolist(), 0.5)
    shares = {"话费": 3 / 9, "宽带": 3 / 9, "投诉": 2 / 9, "补卡": 1 / 9}
    expected = [-0.5 * np.log(shares[label]) for label in model.classes_]
    np.testing.assert_allclose(
        shifted.decision_function(TEXTS) - before, [expected] * len(TEXTS), atol=1e-6
    )
    np.testing.assert_array_equal(model.decision_function(TEXTS), before)
    assert predict(model, TEXTS).tolist() == ["话费", "宽带"]
    assert predict(adjusted(model, THREE["label"].tolist(), 50), TEXTS).tolist() == ["补卡"] * 2
    assert predict(adjusted(model, THREE["label"].tolist(), 0), TEXTS).tolist() == ["话费", "宽带"]


@pytest.mark.parametrize("classifier", ["linear_svc", "logistic_regression"])
@pytest.mark.parametrize("rare", ["话费", "宽带"], ids=["second-name", "first-name"])
def test_logit_adjustment_of_two_classes(classifier: str, rare: str) -> None:
    """There is one decision value, which moves by the difference of both shifts."""
    model = fit(build(with_settings(classifier=classifier), None), FRAME)
    labels = [rare] + [label for label in ("话费", "宽带") if label != rare] * 9
    before = model.decision_function(TEXTS)
    shifted = adjusted(model, labels, 0.1)
    sign = 1 if rare == model.classes_[1] else -1
    np.testing.assert_allclose(
        shifted.decision_function(TEXTS) - before, sign * 0.1 * np.log(9), atol=1e-6
    )
    assert predict(adjusted(model, labels, 0.01), TEXTS).tolist() == ["话费", "宽带"]
    assert predict(adjusted(model, labels, 50), TEXTS).tolist() == [rare] * 2


def test_fit_leaves_the_pipeline_unfitted() -> None:
    """`fit` works on a copy."""
    model = build(PARAMS, None)
    fit(model, FRAME)
    assert not hasattr(model["tfidf"], "vocabulary_")


@pytest.mark.parametrize(
    ("texts", "min_df", "kept"),
    [
        pytest.param(["甲乙", "乙丙"], 2, {"乙"}, id="enough-rows"),
        pytest.param(["甲", "乙"], 5, {"甲", "乙"}, id="fewer-rows-than-min_df"),
        pytest.param(["甲", "乙"], 2, {"甲", "乙"}, id="no-shared-term"),
    ],
)
def test_min_df_gives_way_on_tiny_sets(texts: list[str], min_df: int, kept: set[str]) -> None:
    """min_df applies unless it would leave no terms; then it is 1."""
    assert vocabulary_of(texts, with_settings(min_df=min_df)) == kept


@pytest.mark.parametrize(
    ("settings", "frame", "message"),
    [
        pytest.param(
            {"analyzer": "word"},
            pd.DataFrame({"text": ["嗯", "哦"], "label": ["a", "b"]}),
            "baseline.analyzer 'word'",
            id="analyzer-finds-nothing",
        ),
        pytest.param({}, FRAME.head(2), "rows: 话费; a classifier needs two", id="one-class"),
        pytest.param({}, FRAME.head(0), "rows: none; a classifier", id="no-rows"),
        pytest.param({"ngram_range": (3, 1)}, FRAME, "ngram_range is \\[3, 1\\]", id="backwards"),
    ],
)
def test_what_cannot_be_trained_is_explained(
    settings: dict[str, object], frame: pd.DataFrame, message: str
) -> None:
    """Invalid settings or rows are user errors that name them."""
    with pytest.raises(UserError, match=message):
        fit(build(with_settings(**settings), None), frame)
