"""Embed texts as vectors of length 1, whose dot product is their similarity.

    embed = fit_embedder(train_texts, params.embedding)
    similarity = embed(candidate_texts) @ embed(train_texts).T

Three backends: `tfidf` (character n-grams: no model, no cost, wording only), `endpoint` (any
OpenAI-compatible /embeddings), and `gguf` (a local model that llama.cpp serves inside this
process). Vectors of a model are cached batch by batch: nothing is computed or paid twice, and a
killed run resumes where it stopped.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.config.embedding import EmbeddingParams
from src.errors import UserError
from src.gate.ngrams import Embed, fit_ngrams
from src.gate.vectors import CACHE, VectorStore, open_vectors
from src.llm.embeddings import CALLS, Calls, Vectors, embedding_model, identity, location

log = logging.getLogger(__name__)


def fit_embedder(
    reference: Sequence[str], params: EmbeddingParams, cache: Path = CACHE, calls: Calls = CALLS
) -> Embed:
    """Return a function that maps texts to vectors of one space, in order.

    It expects texts with their turns joined by spaces, see `dialogue.plain`. Rows have length 1,
    or are all zeros if a text has nothing to embed.

    Args:
        reference: texts that `tfidf` takes n-grams and weights from; other backends ignore it.
        params: the backend. All but `tfidf` cut texts to `max_chars` and return dense rows.
        cache: file that caches the vectors of a model.
        calls: limits and retries of requests to an endpoint.

    The function raises:
        UserError: the endpoint, the key or the model file fails, or the cache is damaged.
    """
    if params.backend == "tfidf":
        return fit_ngrams(reference)
    return partial(_cached, params, cache, calls)


def _cached(params: EmbeddingParams, cache: Path, calls: Calls, texts: Sequence[str]) -> Vectors:
    """Return a model's vectors, shape (texts, width); requests only those not in the cache."""
    sent = [
        params.prefix + cut if (cut := text.strip()[: params.max_chars]) else "" for text in texts
    ]
    source = identity(params)
    keys = {text: hashlib.sha256(f"{source}\n{text}".encode()).digest() for text in sent if text}
    with open_vectors(cache) as store:
        found = {text: vector for text in keys if (vector := store.find(keys[text])) is not None}
        missing = {text: keys[text] for text in keys if text not in found}
        if missing:
            log.info("embedding: %d of %d texts are new", len(missing), len(keys))
            found |= _ask_and_keep(missing, params, calls, store)
    widths = {len(vector) for vector in found.values()}
    if len(widths) > 1:
        raise UserError(
            f"{location(params)}: vectors have {sorted(widths)} dimensions, so the model has "
            f"changed; move {cache} away to embed everything again"
        )
    nothing = np.zeros(max(widths, default=1), np.float32)
    rows = np.array([found.get(text, nothing) for text in sent], dtype=np.float32)
    return rows.reshape(len(sent), len(nothing))


def _ask_and_keep(
    keys: Mapping[str, bytes], params: EmbeddingParams, calls: Calls, store: VectorStore
) -> dict[str, NDArray[np.float32]]:
    """Return vectors by text; caches every finished batch, also if another one fails."""
    texts, size = list(keys), params.batch_size
    batches = [texts[start : start + size] for start in range(0, len(texts), size)]
    local = params.backend == "gguf"  # it has one slot, so more requests would only queue

    with (
        embedding_model(params, calls) as vectors_of,
        ThreadPoolExecutor(1 if local else calls.at_once) as pool,
    ):

        def work(batch: list[str]) -> Vectors:
            vectors = vectors_of(batch)
            store.keep((keys[text], vector) for text, vector in zip(batch, vectors, strict=True))
            return vectors

        vectors = [vector for done in pool.map(work, batches) for vector in done]
    return dict(zip(texts, vectors, strict=True))
