"""Label check: how likely a text belongs to its class, by a classifier not trained on that text.

    checked = check_labels(candidates, train, labels, separator="[SEP]")
    checked.rank[3], checked.score[3], checked.best[3]  ->  6, 0.04, "办理取消"

The classifier is trained on real rows, candidates and class definitions together, with the same
weight for every class. Each row is scored by a model fitted without it (leave-one-out ridge
regression, which has a closed form). A classifier trained on real rows only knows a class of three
rows by their wording and would reject new phrasings, which are the useful ones. Among all
candidates of a class a new phrasing has similar neighbours; a text about something else does not.

Callers state their request early, so each turn counts `DECAY` times as much as the one before it.
Character n-grams that all classes share count little, and texts shorter than most get less extreme
scores. The rank of a text's class also works for classes with one row, because it compares scores
of one text. A class with at most `MIN_OTHERS` rows to learn from gets no verdict (rank 0, score 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array

from src.data.dialogue import split_turns
from src.data.schema import LabelInfo
from src.records.samples import Candidate

NGRAMS = (1, 2)  # characters
DECAY = 0.5  # weight of a turn relative to the one before it
RIDGE = 3.0
DIMENSIONS = 128  # of the truncated SVD in which the regression is solved
ROWS_PER_CLASS = 200  # to train on: at most this many real rows, and this many candidates
NEIGHBOURS = 10
MIN_OTHERS = 2  # other rows of its class that a text needs to get a verdict
SMOOTHING = 1e-3

SUSPECT_RANK = 3  # a real row is doubtful if its class is not among the top 3
SUSPECT_SHARE = 20  # list at most 1 in 20 rows

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class LabelScores:
    """One entry per text, in order.

    Attributes:
        score: probability, calibrated on all rows, that the text belongs to its class.
        rank: how many other classes score higher; 0 = none.
        best: the class that scores highest.
        neighbours: share of the `NEIGHBOURS` most similar rows that have the same class.
    """

    score: Matrix
    rank: NDArray[np.int_]
    best: tuple[str, ...]
    neighbours: Matrix


@dataclass(frozen=True)
class LabelCheck:
    """Scores of candidates and, to find real rows with a doubtful label, of train rows."""

    candidates: LabelScores
    train: LabelScores
    train_rows: tuple[str, ...]  # row_id of the train rows that were scored


def check_labels(
    candidates: Sequence[Candidate],
    train: pd.DataFrame,
    labels: Mapping[str, LabelInfo],
    separator: str | None,
    seed: int = 0,
) -> LabelCheck:
    """Score every candidate, and up to `ROWS_PER_CLASS` real rows of each class.

    Args:
        candidates: candidates in the style of the real rows, of classes in train.
        train: columns row_id, text, label.
        labels: definitions and typical requests, used as training rows; may be empty.
        separator: turn separator.
        seed: random seed to draw training rows of classes that have too many.
    """
    rng = np.random.default_rng(seed)
    real = train.loc[_some_of_each(train["label"].to_numpy(dtype=str), rng)]
    defined = [(name, text) for name, info in labels.items() for text in _texts_of(info)]
    kinds = np.repeat([0, 1, 2], [len(candidates), len(real), len(defined)])
    names = np.array(
        [one.label for one in candidates] + real["label"].tolist() + [name for name, _ in defined]
    )
    texts = [one.text for one in candidates] + real["text"].tolist() + [text for _, text in defined]
    classes, owner = np.unique(names, return_inverse=True)
    learned = np.concatenate(
        [_some_of_each(names[kinds == 0], rng), np.flatnonzero(kinds > 0)]
    ).astype(int)
    coordinates = _coordinates(
        texts, separator, owner, learned, is_sample=kinds == 0, is_definition=kinds == 2
    )
    values = leave_one_out(coordinates, owner, learned, len(classes))
    scores = _scores(coordinates, values, owner, learned, classes)
    return LabelCheck(
        _part(scores, kinds == 0), _part(scores, kinds == 1), tuple(map(str, real["row_id"]))
    )


def suspects(checked: LabelCheck, train: pd.DataFrame) -> pd.DataFrame:
    """Return real rows with a doubtful label for manual review, most doubtful first.

    These are rows that the check ranks beyond `SUSPECT_RANK`, at most one in `SUSPECT_SHARE`.
    They are never dropped or changed.

    Args:
        checked: result of `check_labels`.
        train: the train rows that were checked (row_id, text, label).

    Returns:
        columns row_id, label, suggested, label_score, label_rank, text.
    """
    scores = checked.train
    found = pd.DataFrame(
        {
            "row_id": checked.train_rows,
            "suggested": scores.best,
            "label_score": scores.score.round(6),
            "label_rank": scores.rank + 1,
        }
    )
    rows = train[["row_id", "label", "text"]].merge(found, on="row_id")
    rows = rows[rows["label_rank"] > SUSPECT_RANK].sort_values(["label_score", "row_id"])
    columns = ["row_id", "label", "suggested", "label_score", "label_rank", "text"]
    return rows[columns].head(len(found) // SUSPECT_SHARE)


def _some_of_each(names: NDArray[np.str_], rng: np.random.Generator) -> NDArray[np.int_]:
    """Return positions of at most `ROWS_PER_CLASS` entries per name, in order."""
    shuffled = rng.permutation(len(names))
    nth = pd.Series(names[shuffled]).groupby(names[shuffled]).cumcount().to_numpy(dtype=int)
    return np.sort(shuffled[nth < ROWS_PER_CLASS])


def _texts_of(info: LabelInfo) -> list[str]:
    return [text for text in (info.name, info.definition, *info.requests) if text]


def _coordinates(
    texts: list[str],
    separator: str | None,
    owner: NDArray[np.int_],
    learned: NDArray[np.int_],
    *,
    is_sample: NDArray[np.bool_],
    is_definition: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Return each text as a point, shape (texts, dimensions); short texts get short vectors."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    calls = [split_turns(text, separator) or [text] for text in texts]
    turns = [turn for call in calls for turn in call]
    of_call = np.repeat(np.arange(len(calls)), [len(call) for call in calls])
    nth = np.concatenate([np.arange(len(call)) for call in calls])
    tfidf = TfidfVectorizer(analyzer="char", ngram_range=NGRAMS, sublinear_tf=True, norm=None)
    to_learn = np.isin(of_call, learned)
    tfidf.fit([turn for turn, taken in zip(turns, to_learn, strict=True) if taken])
    weights = csr_matrix((DECAY**nth, (of_call, np.arange(len(turns)))))
    grams = weights @ tfidf.transform(turns)
    weighted = grams @ diags_array(_class_information(grams[learned], owner[learned]))
    chars = np.array([sum(map(len, call)) for call in calls], dtype=float)
    usual = np.median(chars[is_sample if is_sample.any() else ~is_definition])
    norm = np.where(is_definition, 1.0, np.minimum(1.0, chars / usual))
    points = diags_array(norm) @ normalize(weighted)
    size = min(DIMENSIONS, len(learned) - 1, points.shape[1] - 1)
    svd = TruncatedSVD(max(size, 1), random_state=0).fit(points[learned])
    return np.asarray(svd.transform(points), dtype=np.float32)


def _class_information(grams: csr_matrix, owner: NDArray[np.int_]) -> Matrix:
    """Return how much each n-gram says about the class: 1 if only one class has it, 0 if all do.

    This is one minus the entropy of the classes of the rows that contain it, divided by the
    logarithm of the number of classes; every class has the same weight.
    """
    counts = np.bincount(owner)
    holds = csr_matrix(grams, copy=True)
    holds.data[:] = 1.0
    per_class = csr_matrix((1.0 / counts[owner], (owner, np.arange(len(owner)))))
    shares = (per_class @ holds).toarray() + SMOOTHING
    shares /= shares.sum(axis=0)
    entropy = -(shares * np.log(shares)).sum(axis=0)
    information: Matrix = 1.0 - entropy / np.log(max(2, len(counts)))
    return information


def leave_one_out(
    coordinates: NDArray[np.float32],
    owner: NDArray[np.int_],
    learned: NDArray[np.int_],
    classes: int,
) -> Matrix:
    """Predict class membership by ridge regression, shape (texts, classes).

    A training row is predicted as if the model had been fitted without it: (f - h y) / (1 - h) with
    its leverage h (Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 7.10.1).
    """
    points = coordinates[learned].astype(np.float64)
    label = owner[learned]
    weight = len(learned) / classes / np.bincount(label, minlength=classes)[label]
    member = (np.arange(classes) == label[:, np.newaxis]) - 1.0 / classes
    weighted = points * weight[:, np.newaxis]
    inverse = np.linalg.inv(weighted.T @ points + RIDGE * np.eye(points.shape[1]))
    values: Matrix = coordinates.astype(np.float64) @ (inverse @ (weighted.T @ member))
    leverage = (weight * np.einsum("ij,ij->i", points @ inverse, points))[:, np.newaxis]
    values[learned] = (values[learned] - leverage * member) / (1.0 - leverage)
    return values


def _scores(
    coordinates: NDArray[np.float32],
    values: Matrix,
    owner: NDArray[np.int_],
    learned: NDArray[np.int_],
    classes: NDArray[np.str_],
) -> LabelScores:
    rows = np.arange(len(owner))
    own = values[rows, owner]
    in_doubt = np.bincount(owner[learned], minlength=len(classes))[owner] <= MIN_OTHERS
    rank = (values > own[:, np.newaxis]).sum(axis=1)
    return LabelScores(
        score=np.where(in_doubt, 1.0, _calibrated(values, own)),
        rank=np.where(in_doubt, 0, rank),
        best=tuple(classes[values.argmax(axis=1)]),
        neighbours=_neighbours(coordinates, owner, learned),
    )


def _calibrated(values: Matrix, own: Matrix) -> Matrix:
    """Return P(own class | value), calibrated by logistic regression over all rows and classes.

    Platt scaling (1999). It preserves the order of the values.
    """
    from sklearn.linear_model import LogisticRegression

    others = np.sort(values.ravel())[:: max(1, values.shape[1] - 1)]  # one per row
    value = np.concatenate([own, others]).reshape(-1, 1)
    is_own = np.repeat([1, 0], [len(own), len(others)])
    platt = LogisticRegression(C=1e3).fit(value, is_own)
    score: Matrix = platt.predict_proba(own.reshape(-1, 1))[:, 1]
    return score


def _neighbours(
    coordinates: NDArray[np.float32], owner: NDArray[np.int_], learned: NDArray[np.int_]
) -> Matrix:
    """Return the share of each text's nearest rows, except itself, that have its class."""
    from sklearn.neighbors import NearestNeighbors
    from sklearn.preprocessing import normalize

    points = normalize(coordinates)
    count = min(NEIGHBOURS + 1, len(learned))
    index = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(points[learned])
    near = learned[index.kneighbors(points, return_distance=False)]
    other = near != np.arange(len(owner))[:, np.newaxis]
    same = (owner[near] == owner[:, np.newaxis]) & other
    return np.asarray(same.sum(axis=1) / np.maximum(1, other.sum(axis=1)))


def _part(scores: LabelScores, rows: NDArray[np.bool_]) -> LabelScores:
    return LabelScores(
        scores.score[rows],
        scores.rank[rows],
        tuple(np.array(scores.best)[rows]),
        scores.neighbours[rows],
    )
