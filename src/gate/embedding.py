"""Texts as vectors of length 1, so that a product of two is their similarity.

    embed = fit_embedder(train_texts, params.embedding)
    similarity = embed(candidate_texts) @ embed(train_texts).T

Three backends: `tfidf` (character n-grams: no model, no cost, the surface alone), `endpoint` (any
OpenAI-compatible /embeddings), and `gguf` (a local model that llama.cpp serves inside this
process). What a model was asked once is kept, batch by batch: nothing is computed or paid twice,
and a run that was killed goes on where it was.
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
    """A function from texts to vectors of one space, order kept.

    Texts have their turns joined by spaces, see `dialogue.plain`. A row is of length 1, or all
    zeros for a text with nothing to embed.

    Args:
        reference: what `tfidf` takes its n-grams and their rarity from; a model needs none.
        params: the backend. All but `tfidf` cut texts to `max_chars` and give dense rows.
        cache: file in which a model's vectors are kept.
        calls: how an endpoint is asked.

    The function raises:
        UserError: the endpoint, the key or the model file is at fault, or the cache is damaged.
    """
    if params.backend == "tfidf":
        return fit_ngrams(reference)
    return partial(_cached, params, cache, calls)


def _cached(params: EmbeddingParams, cache: Path, calls: Calls, texts: Sequence[str]) -> Vectors:
    """The vectors of a model, shape (texts, width); only what the cache has not is asked for."""
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
            f"{location(params)}: vectors of {sorted(widths)} numbers, so another model responds than "
            f"before; move {cache} away to start anew"
        )
    nothing = np.zeros(max(widths, default=1), np.float32)
    rows = np.array([found.get(text, nothing) for text in sent], dtype=np.float32)
    return rows.reshape(len(sent), len(nothing))


def _ask_and_keep(
    keys: Mapping[str, bytes], params: EmbeddingParams, calls: Calls, store: VectorStore
) -> dict[str, NDArray[np.float32]]:
    """Vectors by text; each batch is kept as it comes, those under way at an error as well."""
    texts, size = list(keys), params.batch_size
    batches = [texts[start : start + size] for start in range(0, len(texts), size)]
    local = params.backend == "gguf"  # one slot: more requests would only wait for it

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
