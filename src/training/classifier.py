"""TF-IDF and a linear classifier, with the same settings for every arm.

It is small on purpose: what differs between two arms is their rows, and it trains in seconds.
Texts come without turn separators (`dialogue.plain`).

    model = fit(build(params.baseline, data.class_weight), data.frame)
    save(model, Path("models/augmented.skops"))
    predict(load(Path("models/augmented.skops")), texts)
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo

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

SCHEMA = "schema.json"
NEIGHBOURS = 5  # of SMOTE
# skops names objects and arrays by their memory address.
ADDRESS = re.compile(r'(?<="__id__": )\d+|(?<="file": ")\d+(?=\.npy")')


def build(params: BaselineParams, class_weight: ClassWeight, c: float | None = None) -> Pipeline:
    """The unfitted pipeline: steps `tfidf` and `classifier`.

    Args:
        params: the section `baseline`.
        class_weight: of the classifier.
        c: one of `params.c`, the first if not given.

    Raises:
        UserError: the n-gram range runs backwards.
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
    """A fitted copy of the pipeline.

    Equal rows are learned from once, weighted by how often they are there: the optimum is the
    same, and the thousands of copies that oversampling makes cost seconds instead of minutes.
    Document frequencies count distinct rows, for a copy is no evidence that a term is common.

    Where too few rows share terms for `min_df`, every term counts: a handful of rows should give
    a weak classifier, not an error. Weights are kept in single precision, which halves the file.

    Args:
        model: from `build`.
        frame: rows to learn from (text, label, and weight if they do not all count 1).
        smote: points to add by class, see `arms`.
        seed: of these points.

    Raises:
        UserError: the rows have one class only, or the analyzer finds nothing in the texts.
    """
    return fit_each([model], frame, smote, seed)[0]


def fit_each(
    models: Sequence[Pipeline],
    frame: pd.DataFrame,
    smote: Mapping[str, int] | None = None,
    seed: int = 0,
) -> list[Pipeline]:
    """`fit` of pipelines that differ in their classifiers alone: they share one step `tfidf`."""
    weighted = frame if "weight" in frame.columns else frame.assign(weight=1.0)
    distinct = weighted.groupby(["text", "label"], sort=False)["weight"].sum().reset_index()
    labels = distinct["label"].to_numpy(dtype=str)
    require_two_classes(labels)
    tfidf = clone(models[0]["tfidf"])
    terms = fit_terms(tfidf, distinct["text"].tolist())
    times = distinct["weight"].to_numpy(dtype=np.float64)
    if smote:
        terms, labels, times = _between(terms, labels, times, smote, seed)
    fitted = []
    for model in models:
        classifier = clone(model["classifier"]).fit(terms, labels, sample_weight=times)
        classifier.coef_ = classifier.coef_.astype(np.float32)
        classifier.intercept_ = np.asarray(classifier.intercept_, dtype=np.float32)
        fitted.append(Pipeline([("tfidf", tfidf), ("classifier", classifier)]))
    return fitted


def fit_terms(tfidf: TfidfVectorizer, texts: list[str]) -> csr_matrix:
    """The texts as TF-IDF; every term counts where too few texts share terms for `min_df`.

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
    """Nothing can be learned from rows of one class.

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
    """The fitted model with its decisions shifted by minus strength x log(class share).

    Two classes share one decision, that for the second one against the first.
    """
    shares = pd.Series(list(labels)).value_counts(normalize=True)
    shifted = copy.deepcopy(model)
    classifier = shifted["classifier"]
    shift = np.log([shares[label] for label in classifier.classes_])
    shift = np.diff(shift) if len(shift) == 2 else shift
    classifier.intercept_ = (classifier.intercept_ - strength * shift).astype(np.float32)
    return shifted


def predict(model: Pipeline, texts: Sequence[str]) -> NDArray[np.str_]:
    """One class name a text, in order."""
    predicted: NDArray[np.str_] = model.predict(list(texts)).astype(str)
    return predicted


def portable(model: Pipeline) -> Pipeline:
    """The same fitted model with its vocabulary as an array of terms instead of a dict.

    skops describes each entry of a dict by itself: 60,000 take minutes and tens of megabytes.
    scikit-learn rebuilds the dict from the array at the first use.
    """
    tfidf = copy.copy(model["tfidf"])
    if hasattr(tfidf, "vocabulary_"):
        tfidf.vocabulary = np.array(sorted(tfidf.vocabulary_, key=tfidf.vocabulary_.__getitem__))
        del tfidf.vocabulary_
    return Pipeline([("tfidf", tfidf), ("classifier", model["classifier"])])


def save(model: Pipeline, path: Path) -> None:
    """Write a fitted model as a compressed skops file; equal models are equal bytes."""
    from skops import io

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_without_addresses(io.dumps(portable(model))))


def load(path: Path) -> Pipeline:
    """Read a model that `save` wrote.

    `skops.io.get_untrusted_types` is empty for it, so no type is trusted beyond skops's own list:
    a file that holds anything else is refused before it is built.

    Raises:
        UserError: the file is missing, is no skops file, or holds types that no baseline needs.
    """
    from skops import io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return io.load(path)
    except FileNotFoundError:
        raise UserError(f"{path} not found; run `dvc repro` to train it") from None
    except UntrustedTypesFoundException:
        unknown = ", ".join(io.get_untrusted_types(file=path))
        raise UserError(
            f"{path} holds {unknown}, which no baseline needs; run `dvc repro` to train a new one"
        ) from None
    except (BadZipFile, KeyError, ValueError) as error:
        raise UserError(
            f"{path} is not a model file ({error}); run `dvc repro` to train it again"
        ) from None


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


def _between(
    terms: csr_matrix,
    labels: NDArray[np.str_],
    times: NDArray[np.float64],
    wanted: Mapping[str, int],
    seed: int,
) -> tuple[csr_matrix, NDArray[np.str_], NDArray[np.float64]]:
    """The rows and, of each class, so many points between neighbours; of one row, repeats."""
    from imblearn.over_sampling import SMOTE, RandomOverSampler

    counts = pd.Series(labels).value_counts()
    known = {label: count for label, count in wanted.items() if counts.get(label, 0) > 0}
    single = {label: 1 + count for label, count in known.items() if counts[label] == 1}
    several = {
        label: int(counts[label]) + count for label, count in known.items() if counts[label] > 1
    }
    x, y = terms, labels
    if several:
        near = min(NEIGHBOURS, min(int(counts[label]) for label in several) - 1)
        smote = SMOTE(sampling_strategy=several, k_neighbors=near, random_state=seed)
        x, y = smote.fit_resample(x, y)
    if single:
        repeat = RandomOverSampler(sampling_strategy=single, random_state=seed)
        x, y = repeat.fit_resample(x, y)
    return x, np.asarray(y, dtype=str), np.append(times, np.ones(len(y) - len(times)))


def _without_addresses(archive: bytes) -> bytes:
    """A skops archive, compressed, with addresses numbered in order and no times."""
    numbers: dict[str, str] = {}

    def number(match: re.Match[str]) -> str:
        return numbers.setdefault(match[0], str(len(numbers)))

    written = BytesIO()
    with ZipFile(BytesIO(archive)) as source, ZipFile(written, "w", ZIP_DEFLATED) as target:
        schema = ADDRESS.sub(number, source.read(SCHEMA).decode("utf-8"))
        for name in source.namelist():
            if name != SCHEMA:
                renamed = f"{numbers[Path(name).stem]}.npy"
                target.writestr(ZipInfo(renamed), source.read(name), ZIP_DEFLATED)
        target.writestr(ZipInfo(SCHEMA), schema, ZIP_DEFLATED)
    return written.getvalue()
