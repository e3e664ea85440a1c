"""Does a text belong to its class? A classifier that has not learned from the text itself.

    checked = check_labels(candidates, train, labels, separator="[SEP]")
    checked.rank[3], checked.score[3], checked.best[3]  ->  6, 0.04, "办理取消"

It learns from real rows, candidates, and the definitions of the classes together, every class with
the same weight, and each row is scored by what the others say (leave-one-out ridge regression,
which has a closed form). A classifier of the real rows alone knows a class of three rows by
their wording, and drops just the new phrasings that are worth having; among all candidates of a
class a new phrasing has company, and a text about something else has not.

What a caller wants comes early, so a turn counts `DECAY` times as much as the one before it;
character n-grams that every class says count for little; and a text that is shorter than most
proves less. The rank of its own class is safe for classes of one row, because it compares scores
of one text; a class that has hardly another row to learn from gives no verdict at all (rank 0,
score 1).
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
DECAY = 0.5  # weight of a turn to the one before it
RIDGE = 3.0
DIMENSIONS = 128  # of the truncated SVD in which the regression is solved
ROWS_PER_CLASS = 200  # to learn from: real rows and candidates, as many of each at most
NEIGHBOURS = 10
MIN_OTHERS = 2  # further rows of its class from which a text gets a verdict
SMOOTHING = 1e-3

SUSPECT_RANK = 3  # a real row is in doubt when its class is not among so many
SUSPECT_SHARE = 20

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class LabelScores:
    """One entry a text, in order.

    Attributes:
        score: probability, calibrated on all rows, that the class is the text's own.
        rank: how many other classes score higher; 0 = none.
        best: the class that scores highest.
        neighbours: share of the `NEIGHBOURS` most similar rows that are of the class.
    """

    score: Matrix
    rank: NDArray[np.int_]
    best: tuple[str, ...]
    neighbours: Matrix


@dataclass(frozen=True)
class LabelCheck:
    """Scores of the candidates and, to find real rows with a doubtful label, of train rows."""

    candidates: LabelScores
    train: LabelScores
    train_rows: tuple[str, ...]  # row_id of those that were scored


def check_labels(
    candidates: Sequence[Candidate],
    train: pd.DataFrame,
    labels: Mapping[str, LabelInfo],
    separator: str | None,
    seed: int = 0,
) -> LabelCheck:
    """Score every candidate, and up to `ROWS_PER_CLASS` real rows of each class.

    Args:
        candidates: in the style of the real rows; their classes stand in train.
        train: columns row_id, text, label.
        labels: definitions and typical requests, learned from like rows; may be empty.
        separator: between turns.
        seed: of the rows that are learned from where a class has more.
    """
    rng = np.random.default_rng(seed)
    real = train.loc[_some_of_each(train["label"].to_numpy(dtype=str), rng)]
    told = [(name, text) for name, info in labels.items() for text in _words_of(info)]
    kinds = np.repeat([0, 1, 2], [len(candidates), len(real), len(told)])
    names = np.array(
        [one.label for one in candidates] + real["label"].tolist() + [name for name, _ in told]
    )
    texts = [one.text for one in candidates] + real["text"].tolist() + [text for _, text in told]
    classes, owner = np.unique(names, return_inverse=True)
    learned = np.concatenate(
        [_some_of_each(names[kinds == 0], rng), np.flatnonzero(kinds > 0)]
    ).astype(int)
    coordinates = _coordinates(
        texts, separator, owner, learned, is_sample=kinds == 0, is_told=kinds == 2
    )
    values = leave_one_out(coordinates, owner, learned, len(classes))
    scores = _scores(coordinates, values, owner, learned, classes)
    return LabelCheck(
        _part(scores, kinds == 0), _part(scores, kinds == 1), tuple(map(str, real["row_id"]))
    )


def suspects(checked: LabelCheck, train: pd.DataFrame) -> pd.DataFrame:
    """Real rows whose label is in doubt, the most doubtful first; for people to look at.

    Rows that the check ranks beyond `SUSPECT_RANK`, at most one in `SUSPECT_SHARE`. They are
    never dropped or changed.

    Args:
        checked: from `check_labels`.
        train: the same rows (row_id, text, label).

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
    """Positions of at most `ROWS_PER_CLASS` of each name, in order."""
    shuffled = rng.permutation(len(names))
    nth = pd.Series(names[shuffled]).groupby(names[shuffled]).cumcount().to_numpy(dtype=int)
    return np.sort(shuffled[nth < ROWS_PER_CLASS])


def _words_of(info: LabelInfo) -> list[str]:
    return [text for text in (info.name, info.definition, *info.requests) if text]


def _coordinates(
    texts: list[str],
    separator: str | None,
    owner: NDArray[np.int_],
    learned: NDArray[np.int_],
    *,
    is_sample: NDArray[np.bool_],
    is_told: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Each text as a point, shape (texts, dimensions); its length is what the text can prove."""
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
    telling = grams @ diags_array(_telling(grams[learned], owner[learned]))
    chars = np.array([sum(map(len, call)) for call in calls], dtype=float)
    usual = np.median(chars[is_sample if is_sample.any() else ~is_told])
    proof = np.where(is_told, 1.0, np.minimum(1.0, chars / usual))
    points = diags_array(proof) @ normalize(telling)
    size = min(DIMENSIONS, len(learned) - 1, points.shape[1] - 1)
    svd = TruncatedSVD(max(size, 1), random_state=0).fit(points[learned])
    return np.asarray(svd.transform(points), dtype=np.float32)


def _telling(grams: csr_matrix, owner: NDArray[np.int_]) -> Matrix:
    """How much each n-gram says about the class: 1 if one class alone has it, 0 if all have.

    One minus the entropy of the classes among the rows that hold it, every class with the same
    weight, in units of the logarithm of their number.
    """
    counts = np.bincount(owner)
    holds = csr_matrix(grams, copy=True)
    holds.data[:] = 1.0
    per_class = csr_matrix((1.0 / counts[owner], (owner, np.arange(len(owner)))))
    shares = (per_class @ holds).toarray() + SMOOTHING
    shares /= shares.sum(axis=0)
    entropy = -(shares * np.log(shares)).sum(axis=0)
    told: Matrix = 1.0 - entropy / np.log(max(2, len(counts)))
    return told


def leave_one_out(
    coordinates: NDArray[np.float32],
    owner: NDArray[np.int_],
    learned: NDArray[np.int_],
    classes: int,
) -> Matrix:
    """Ridge regression of class membership, shape (texts, classes).

    A row that was learned from is predicted as if it had not been: (f - h y) / (1 - h) with its
    leverage h (Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 7.10.1).
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
    """P(own class | value): logistic regression of "is the row's class" over all rows and classes.

    Platt (1999). It keeps the order of the values.
    """
    from sklearn.linear_model import LogisticRegression

    others = np.sort(values.ravel())[:: max(1, values.shape[1] - 1)]  # as many as there are rows
    value = np.concatenate([own, others]).reshape(-1, 1)
    is_own = np.repeat([1, 0], [len(own), len(others)])
    platt = LogisticRegression(C=1e3).fit(value, is_own)
    score: Matrix = platt.predict_proba(own.reshape(-1, 1))[:, 1]
    return score


def _neighbours(
    coordinates: NDArray[np.float32], owner: NDArray[np.int_], learned: NDArray[np.int_]
) -> Matrix:
    """Share of the rows most similar to each text, itself left out, that are of its class."""
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
