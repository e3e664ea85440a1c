"""TF-IDF and a linear classifier, with the same settings for every method.

It is small on purpose: it trains in seconds, and differences between methods come from their rows.
Texts must not contain turn separators (`dialogue.plain`).

    model = fit(build(params.baseline, data.class_weight), data.frame)
    predict(model, texts)
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC

from src.config.baseline import BaselineParams
from src.errors import UserError
from src.training.methods import ClassWeight
from src.training.smote import with_points_between


def build(params: BaselineParams, class_weight: ClassWeight, c: float | None = None) -> Pipeline:
    """Return the unfitted pipeline with the steps `tfidf` and `classifier`.

    Args:
        params: the section `baseline`.
        class_weight: class weights of the classifier.
        c: one of `params.c`; the first if None.

    Raises:
        UserError: the n-gram range is in the wrong order.
    """
    low, high = params.ngram_range
    if low > high:
        raise UserError(
            f"params.yaml: baseline.ngram_range is [{low}, {high}]; put the smaller number first"
        )
    tfidf = TfidfVectorizer(
        analyzer=params.analyzer,
        ngram_range=params.ngram_range,
        min_df=params.min_df,
        max_features=params.max_features,
        sublinear_tf=True,
        dtype=np.float32,
    )
    return Pipeline([("tfidf", tfidf), ("classifier", _classifier(params, class_weight, c))])


def fit(
    model: Pipeline, frame: pd.DataFrame, smote: Mapping[str, int] | None = None, seed: int = 0
) -> Pipeline:
    """Return a fitted copy of the pipeline.

    Equal rows are merged and weighted by their number: the optimum is the same, and the thousands
    of copies that oversampling makes cost seconds instead of minutes. Document frequencies count
    distinct rows, because a copy is no evidence that a term is common.

    If too few rows share terms to reach `min_df`, every term counts: a handful of rows should give
    a weak classifier and not an error. Weights are kept in single precision, which halves the file.

    Args:
        model: from `build`.
        frame: rows to train on (text, label, and weight if not all weights are 1).
        smote: label -> points to add, see `methods`.
        seed: seed of these points.

    Raises:
        UserError: all rows are of one class, or the analyzer finds nothing in the texts.
    """
    return fit_each([model], frame, smote, seed)[0]


def fit_each(
    models: Sequence[Pipeline],
    frame: pd.DataFrame,
    smote: Mapping[str, int] | None = None,
    seed: int = 0,
) -> list[Pipeline]:
    """Like `fit`, for pipelines that differ in the classifier only; they share the `tfidf` step."""
    weighted = frame if "weight" in frame.columns else frame.assign(weight=1.0)
    distinct = weighted.groupby(["text", "label"], sort=False)["weight"].sum().reset_index()
    labels = distinct["label"].to_numpy(dtype=str)
    require_two_classes(labels)
    tfidf = clone(models[0]["tfidf"])
    terms = fit_terms(tfidf, distinct["text"].tolist())
    times = distinct["weight"].to_numpy(dtype=np.float64)
    if smote:
        terms, labels, times = with_points_between(terms, labels, times, smote, seed)
    fitted = []
    for model in models:
        classifier = clone(model["classifier"]).fit(terms, labels, sample_weight=times)
        classifier.coef_ = classifier.coef_.astype(np.float32)
        classifier.intercept_ = np.asarray(classifier.intercept_, dtype=np.float32)
        fitted.append(Pipeline([("tfidf", tfidf), ("classifier", classifier)]))
    return fitted


def fit_terms(tfidf: TfidfVectorizer, texts: list[str]) -> csr_matrix:
    """Return the TF-IDF of the texts; every term counts if too few texts share terms for `min_df`.

    Raises:
        UserError: the analyzer finds nothing in the texts.
    """
    try:
        return tfidf.fit_transform(texts)
    except ValueError:
        tfidf.set_params(min_df=1)
    try:
        return tfidf.fit_transform(texts)
    except ValueError as error:
        raise UserError(
            f"params.yaml: baseline.analyzer {tfidf.analyzer!r} with ngram_range "
            f"{list(tfidf.ngram_range)} finds nothing in {len(texts)} texts ({error}); "
            "set analyzer: char and ngram_range: [1, 2]"
        ) from None


def require_two_classes(labels: Iterable[str]) -> None:
    """Check that there are at least two classes to train on.

    Raises:
        UserError: there are fewer than two.
    """
    found = set(labels)
    if len(found) < 2:
        only = ", ".join(found) or "none"
        raise UserError(
            f"classes of the training rows: {only}; a classifier needs two, add rows of another"
        )


def adjusted(model: Pipeline, labels: Sequence[str], strength: float) -> Pipeline:
    """Return a copy of the fitted model, its decisions shifted by -strength * log(class share).

    With two classes there is one decision value, for the second class against the first.
    """
    shares = pd.Series(list(labels)).value_counts(normalize=True)
    shifted = copy.deepcopy(model)
    classifier = shifted["classifier"]
    shift = np.log([shares[label] for label in classifier.classes_])
    shift = np.diff(shift) if len(shift) == 2 else shift
    classifier.intercept_ = (classifier.intercept_ - strength * shift).astype(np.float32)
    return shifted


def predict(model: Pipeline, texts: Sequence[str]) -> NDArray[np.str_]:
    """Return one class name per text, in order."""
    predicted: NDArray[np.str_] = model.predict(list(texts)).astype(str)
    return predicted


def _classifier(
    params: BaselineParams, class_weight: ClassWeight, c: float | None
) -> LinearSVC | LogisticRegression:
    common: dict[str, Any] = {
        "C": params.c[0] if c is None else c,
        "class_weight": class_weight,
        "random_state": params.seed,
    }
    if params.classifier == "linear_svc":
        return LinearSVC(**common)
    return LogisticRegression(max_iter=1000, **common)
