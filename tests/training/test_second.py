"""The second classifier: the same methods, trained on embeddings."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from src.config.embedding import EmbeddingParams
from src.gate.embedding import fit_embedder
from src.gate.ngrams import Embed
from src.training.methods import MethodData
from src.training.second import second_predictions

TEXTS = ["查话费余额", "话费多少钱", "看看话费", "办宽带安装", "宽带报装", "装个宽带"]
LABELS = ["bill", "bill", "bill", "net", "net", "net"]


def method(texts: list[str], labels: list[str], weights: list[float] | None = None) -> MethodData:
    """Training rows, each of weight 1 unless given."""
    frame = pd.DataFrame({"text": texts, "label": labels, "origin": "real"})
    return MethodData(frame.assign(weight=weights or 1.0), None, {})


@pytest.fixture
def embed() -> Embed:
    """Character n-grams of the rows."""
    return fit_embedder(TEXTS, EmbeddingParams())


def test_methods_are_independent(embed: Embed) -> None:
    """A method with swapped labels predicts swapped labels."""
    swapped = ["net" if label == "bill" else "bill" for label in LABELS]
    predicted = second_predictions(
        {"original": method(TEXTS, LABELS), "chosen": method(TEXTS, swapped)},
        ["话费余额多少", "要装宽带"],
        embed,
        seed=0,
    )
    assert predicted["original"].tolist() == ["bill", "net"]
    assert predicted["chosen"].tolist() == ["net", "bill"]


def test_a_row_counts_by_its_weight(embed: Embed) -> None:
    """Of two contradicting rows, the one with the higher weight decides."""
    texts = [*TEXTS, "装个宽带"]
    labels = [*LABELS, "bill"]
    for weight, expected in ((0.01, "net"), (100.0, "bill")):
        data = method(texts, labels, [1.0] * len(TEXTS) + [weight])
        assert second_predictions({"chosen": data}, ["装个宽带"], embed, 0)["chosen"] == [expected]


def test_dense_vectors_are_used_as_they_are() -> None:
    """Embeddings of a model need no SVD."""

    def dense(texts: list[str]) -> np.ndarray:
        return np.array([[float("宽带" in text), float("话费" in text)] for text in texts])

    predicted = second_predictions({"original": method(TEXTS, LABELS)}, ["宽带"], dense, seed=0)
    assert predicted["original"].tolist() == ["net"]
