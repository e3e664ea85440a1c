"""The second family of classifiers: it learns the same arms from embeddings."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from src.config.embedding import EmbeddingParams
from src.gate.embedding import fit_embedder
from src.gate.ngrams import Embed
from src.training.methods import ArmData
from src.training.second import second_predictions

TEXTS = ["查话费余额", "话费多少钱", "看看话费", "办宽带安装", "宽带报装", "装个宽带"]
LABELS = ["bill", "bill", "bill", "net", "net", "net"]


def arm(texts: list[str], labels: list[str], weights: list[float] | None = None) -> ArmData:
    """Rows to learn from, each counting 1 unless given."""
    frame = pd.DataFrame({"text": texts, "label": labels, "origin": "real"})
    return ArmData(frame.assign(weight=weights or 1.0), None, {})


@pytest.fixture
def embed() -> Embed:
    """Character n-grams of the rows."""
    return fit_embedder(TEXTS, EmbeddingParams())


def test_each_arm_answers_for_itself(embed: Embed) -> None:
    """An arm with the labels the wrong way round answers the wrong way round."""
    swapped = ["net" if label == "bill" else "bill" for label in LABELS]
    said = second_predictions(
        {"original": arm(TEXTS, LABELS), "chosen": arm(TEXTS, swapped)},
        ["话费余额多少", "要装宽带"],
        embed,
        seed=0,
    )
    assert said["original"].tolist() == ["bill", "net"]
    assert said["chosen"].tolist() == ["net", "bill"]


def test_a_row_counts_by_its_weight(embed: Embed) -> None:
    """Of two rows that contradict each other, the heavier one is believed."""
    texts = [*TEXTS, "装个宽带"]
    labels = [*LABELS, "bill"]
    for weight, expected in ((0.01, "net"), (100.0, "bill")):
        data = arm(texts, labels, [1.0] * len(TEXTS) + [weight])
        assert second_predictions({"chosen": data}, ["装个宽带"], embed, 0)["chosen"] == [expected]


def test_dense_vectors_are_used_as_they_are() -> None:
    """A model's embeddings need no SVD."""

    def dense(texts: list[str]) -> np.ndarray:
        return np.array([[float("宽带" in text), float("话费" in text)] for text in texts])

    said = second_predictions({"original": arm(TEXTS, LABELS)}, ["宽带"], dense, seed=0)
    assert said["original"].tolist() == ["net"]
