"""SMOTE: points between rows of a class, in the TF-IDF space of the classifier."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from src.training.smote import with_points_between


def test_points_lie_between_rows_of_their_class() -> None:
    """Rows stay first; points are convex combinations of two rows, with weight 1 and the label."""
    rows = csr_matrix(np.array([[0.0, 1], [0, 2], [0, 3], [5, 0], [7, 0], [9, 9]]))
    labels = np.array(["a", "a", "a", "b", "b", "c"])
    times = np.array([2.0, 1, 1, 1, 1, 1])
    terms, names, weights = with_points_between(
        rows, labels, times, {"a": 4, "b": 3, "c": 2, "z": 1}, 0
    )
    np.testing.assert_array_equal(terms[:6].toarray(), rows.toarray())
    assert names.tolist()[:6] == labels.tolist()
    assert weights.tolist() == [2.0] + [1.0] * 14
    points = {label: terms.toarray()[6:][names[6:] == label] for label in "abcz"}
    assert {label: len(found) for label, found in points.items()} == {
        "a": 4,
        "b": 3,
        "c": 2,
        "z": 0,
    }
    assert (points["a"][:, 0] == 0).all()
    assert ((points["a"][:, 1] >= 1) & (points["a"][:, 1] <= 3)).all()
    assert (points["b"][:, 1] == 0).all()
    assert ((points["b"][:, 0] >= 5) & (points["b"][:, 0] <= 7)).all()
    assert (points["c"] == 9).all()
