"""Repeat the comparison with a second classifier, so that a gain does not rest on the first alone.

    second_comparison(predictions, rows, texts, choice, params.evaluate, params.embedding, seed=0)

The second classifier is logistic regression on embeddings. If the embedding is TF-IDF, its n-grams
are first reduced to `DIMENSIONS` by truncated SVD (latent semantic analysis), fitted on the
training rows of all methods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import issparse

from src.config.embedding import EmbeddingParams
from src.config.evaluate import EvaluateParams
from src.config.methods import OUR_METHODS, Method
from src.evaluation.significance import bootstrap, resampling
from src.gate.embedding import fit_embedder
from src.gate.ngrams import Embed
from src.records.metrics.choose import Choice
from src.records.metrics.evaluate import Second
from src.training.compare import MethodPredictions
from src.training.methods import MethodData
from src.training.rows import TrainingRows, rows_for

DIMENSIONS = 256
C = 10.0
WORKERS = 2
FAMILY = "logistic regression on embeddings"


def second_comparison(
    predictions: MethodPredictions,
    rows: TrainingRows,
    texts: Sequence[str],
    choice: Choice,
    evaluate: EvaluateParams,
    embedding: EmbeddingParams,
    seed: int,
) -> Second:
    """Score `original`, `class_weight`, the best free method and ours with the second classifier.

    Args:
        predictions: predictions of the first classifier, which decide the methods to compare.
        rows: real rows, samples and candidates.
        texts: texts of the test rows, without turn separators.
        choice: the choice of the method `chosen`.
        evaluate: settings of the intervals.
        embedding: settings of the embedding; n-grams are those of all real rows.
        seed: seed of random draws and of the classifier.
    """
    free, ours = predictions.free, predictions.ours
    methods: list[Method] = list(dict.fromkeys(("original", "class_weight", free, ours)))
    predicted = second_predictions(
        {method: rows_for(method, rows, seed, choice) for method in methods},
        texts,
        fit_embedder(rows.all_real["text"].tolist(), embedding),
        seed,
    )
    draws = bootstrap(
        predictions.test,
        {method: [one] for method, one in predicted.items()},
        predictions.tail,
        resampling(evaluate),
    )
    return Second(
        family=f"{FAMILY} ({embedding.backend})",
        methods={method: draws.scores(method) for method in methods},
        versus_best_free={
            method: draws.versus(method, free) for method in methods if method in OUR_METHODS
        },
    )


def second_predictions(
    methods: Mapping[Method, MethodData], texts: Sequence[str], embed: Embed, seed: int
) -> dict[Method, NDArray[np.str_]]:
    """Return method -> one predicted class per text, in order.

    Args:
        methods: training data of each method; SMOTE points are left out.
        texts: texts to classify, without turn separators.
        embed: function from texts to vectors.
        seed: seed of the SVD and the classifier.
    """
    every = list(dict.fromkeys(text for data in methods.values() for text in data.frame["text"]))
    index = {text: number for number, text in enumerate(every)}
    known, asked = embed(every), embed(list(texts))
    if issparse(known):
        from sklearn.decomposition import TruncatedSVD

        size = max(1, min(DIMENSIONS, known.shape[0] - 1, known.shape[1] - 1))
        svd = TruncatedSVD(size, random_state=seed).fit(known)
        known, asked = svd.transform(known), svd.transform(asked)

    def fitted(data: MethodData) -> NDArray[np.str_]:
        from sklearn.linear_model import LogisticRegression

        rows = known[[index[text] for text in data.frame["text"]]]
        model = LogisticRegression(
            C=C, class_weight=data.class_weight, max_iter=300, random_state=seed
        )
        weights = pd.Series(data.frame["weight"]).to_numpy(dtype=float)
        model.fit(rows, data.frame["label"].to_numpy(dtype=str), sample_weight=weights)
        predicted: NDArray[np.str_] = model.predict(asked).astype(str)
        return predicted

    with ThreadPoolExecutor(WORKERS) as pool:
        return dict(zip(methods, pool.map(fitted, methods.values()), strict=True))
