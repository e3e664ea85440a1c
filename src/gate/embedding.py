"""Texts as vectors of length 1, so that a product of two is their similarity.

    embed = fit_embedder(train_texts, params.embedding)
    similarity = embed(candidate_texts) @ embed(train_texts).T

Three backends: `tfidf` (character n-grams: no model, no cost, the surface alone), `endpoint` (any
OpenAI-compatible /embeddings), and `gguf` (a local model that llama.cpp serves inside this
process). What a model was asked once is kept in SQLite outside DVC's outs, batch by batch: nothing
is computed or paid twice, and a run that was killed goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from src.config.embedding import EmbeddingParams
from src.config.llm import EndpointParams
from src.errors import UserError
from src.llm import embedded
from src.llm.cache import BUSY_S
from src.llm.endpoint import api_key
from src.paths import ROOT

if TYPE_CHECKING:
    import openai

log = logging.getLogger(__name__)

CACHE = ROOT / ".cache" / "embeddings.sqlite"
SCHEMA = "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL)"

NGRAMS = (1, 3)  # characters, of tfidf
WORKERS = 4  # requests to an endpoint at once
RETRIES = 8  # with waits of 0.5, 1, 2, 4 and then 8 s, or what Retry-After says
TIMEOUT_S = 300.0
BYTES = 4  # of a character in UTF-8 at most; no token is shorter than a byte
ADDED_TOKENS = 16  # around a text: its beginning and end

Matrix: TypeAlias = NDArray[np.float32] | csr_matrix
Embed = Callable[[Sequence[str]], Matrix]


def fit_embedder(reference: Sequence[str], params: EmbeddingParams, cache: Path = CACHE) -> Embed:
    """A function from texts to vectors of one space, order kept.

    Texts have their turns joined by spaces, see `dialogue.plain`. A row is of length 1, or all
    zeros for a text with nothing to embed.

    Args:
        reference: what `tfidf` takes its n-grams and their rarity from; a model needs none.
        params: the backend. All but `tfidf` cut texts to `max_chars` and give dense rows.
        cache: file in which a model's vectors are kept.

    The function raises:
        UserError: the endpoint, the key or the model file is at fault, or the cache is damaged.
    """
    return _tfidf(reference) if params.backend == "tfidf" else partial(_cached, params, cache)


def embed(texts: Sequence[str], params: EmbeddingParams, cache: Path = CACHE) -> Matrix:
    """Vectors of texts that are compared with each other alone, see `fit_embedder`."""
    return fit_embedder(texts, params, cache)(texts)


def _tfidf(reference: Sequence[str]) -> Embed:
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        analyzer="char", ngram_range=NGRAMS, sublinear_tf=True, dtype=np.float32
    )
    if not any(map(str.strip, reference)):
        return lambda texts: csr_matrix((len(texts), 1), dtype=np.float32)
    vectorizer.fit(reference)
    return lambda texts: csr_matrix(vectorizer.transform(texts))


def _cached(params: EmbeddingParams, cache: Path, texts: Sequence[str]) -> NDArray[np.float32]:
    """The vectors of a model, shape (texts, width); only what the cache has not is asked for."""
    sent = [
        params.prefix + cut if (cut := text.strip()[: params.max_chars]) else "" for text in texts
    ]
    source = _source(params)
    keys = {text: hashlib.sha256(f"{source}\n{text}".encode()).digest() for text in sent if text}
    with _open(cache) as store:
        found = {text: vector for text in keys if (vector := _find(store, keys[text])) is not None}
        missing = [text for text in keys if text not in found]
        if missing:
            log.info("embedding: %d of %d texts are new", len(missing), len(keys))
            found |= _ask_and_keep(missing, keys, params, store)
    widths = {len(vector) for vector in found.values()}
    if len(widths) > 1:
        raise UserError(
            f"{_place(params)}: vectors of {sorted(widths)} numbers, so another model answers than "
            f"before; move {cache} away to start anew"
        )
    nothing = np.zeros(max(widths, default=1), np.float32)
    rows = np.array([found.get(text, nothing) for text in sent], dtype=np.float32)
    return rows.reshape(len(sent), len(nothing))


def _source(params: EmbeddingParams) -> str:
    """What decides the vector of a text: the endpoint and model, or the file's bytes and pooling."""
    if params.backend == "endpoint":
        return json.dumps([params.base_url, params.model])
    with embedded.model_path(params.model or "").open("rb") as file:
        return json.dumps([hashlib.file_digest(file, "sha256").hexdigest(), params.pooling])


@contextmanager
def _open(cache: Path) -> Iterator[sqlite3.Connection]:
    """The cache while the block runs, for any thread, one at a time."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(sqlite3.connect(cache, timeout=BUSY_S, check_same_thread=False)) as store:
            with FileLock(cache.with_name(cache.name + ".lock")):  # the change to WAL does not wait
                store.execute("PRAGMA journal_mode=WAL")
                store.execute(SCHEMA)
            yield store
    except sqlite3.DatabaseError as error:
        raise UserError(f"{cache}: {error}; move it away to start a new one") from None


def _find(store: sqlite3.Connection, key: bytes) -> NDArray[np.float32] | None:
    row = store.execute("SELECT vector FROM vectors WHERE key = ?", (key,)).fetchone()
    return np.frombuffer(row[0], np.float32) if row else None


def _ask_and_keep(
    texts: list[str],
    keys: dict[str, bytes],
    params: EmbeddingParams,
    store: sqlite3.Connection,
) -> dict[str, NDArray[np.float32]]:
    """Vectors by text; each batch is committed as it comes, those under way at an error as well."""
    size = params.batch_size
    batches = [texts[start : start + size] for start in range(0, len(texts), size)]
    lock = Lock()

    def work(batch: list[str]) -> NDArray[np.float32]:
        vectors = _ask(client, params, batch)
        rows = [(keys[text], vector.tobytes()) for text, vector in zip(batch, vectors, strict=True)]
        with lock, store:
            store.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
        return vectors

    local = params.backend == "gguf"  # one slot: more requests would only wait for it
    with _client(params) as client, ThreadPoolExecutor(1 if local else WORKERS) as pool:
        vectors = [vector for done in pool.map(work, batches) for vector in done]
    return dict(zip(texts, vectors, strict=True))


@contextmanager
def _client(params: EmbeddingParams) -> Iterator[openai.OpenAI]:
    import openai

    if params.backend == "gguf":
        with (
            _serve(params) as base_url,
            openai.OpenAI(
                base_url=base_url, api_key="none", timeout=TIMEOUT_S, max_retries=0
            ) as client,
        ):
            yield client
        return
    key = api_key(
        EndpointParams(
            name="embedding",
            base_url=params.base_url or "",
            model=params.model or "",
            api="chat",
            api_key_env=params.api_key_env,
        )
    )
    with openai.OpenAI(
        base_url=params.base_url, api_key=key, timeout=TIMEOUT_S, max_retries=RETRIES
    ) as client:
        yield client


@contextmanager
def _serve(params: EmbeddingParams) -> Iterator[str]:
    """The GGUF model on loopback while the block runs; yields the base URL.

    A model that reads in both directions takes a text in one physical batch, so that is as large
    as the longest text can be.
    """
    import xllamacpp

    path = embedded.model_path(params.model or "")
    kinds = xllamacpp.llama_pooling_type
    pooling = {
        "model": kinds.LLAMA_POOLING_TYPE_UNSPECIFIED,
        "mean": kinds.LLAMA_POOLING_TYPE_MEAN,
        "cls": kinds.LLAMA_POOLING_TYPE_CLS,
        "last": kinds.LLAMA_POOLING_TYPE_LAST,
    }
    server = xllamacpp.CommonParams()
    server.model.path = str(path)
    server.embedding = True
    server.pooling_type = pooling[params.pooling]
    server.n_parallel = 1
    server.n_ctx = BYTES * (len(params.prefix) + params.max_chars) + ADDED_TOKENS
    server.n_batch = server.n_ubatch = server.n_ctx
    server.cpuparams.n_threads = embedded.free_cores()
    server.cpuparams_batch.n_threads = server.cpuparams.n_threads
    server.verbosity = embedded.QUIET
    try:
        running = xllamacpp.Server(server)
    except RuntimeError as error:
        raise UserError(
            f"{path}: llama.cpp cannot load it ({error}); is it a whole GGUF file?"
        ) from None
    try:
        yield f"{running.listening_address}/v1"
    finally:
        del running


def _ask(client: openai.OpenAI, params: EmbeddingParams, batch: list[str]) -> NDArray[np.float32]:
    """Vectors of one request, in the order of its texts and of length 1.

    What a server says is not quoted: it could hold a key or a customer's words.
    """
    import openai

    try:
        reply = client.embeddings.create(
            model=params.model or "", input=batch, encoding_format="float"
        )
        items = sorted(reply.data, key=lambda item: item.index)
        places = [item.index for item in items]
        vectors = np.array([item.embedding for item in items], dtype=np.float32)
    except openai.APIStatusError as error:
        raise UserError(
            f"{_place(params)} answers HTTP {error.status_code}; {_remedy(error, params)}"
        ) from None
    except openai.APIConnectionError:  # time-outs as well
        raise UserError(
            f"{_place(params)} cannot be reached; start it, or correct embedding.base_url"
        ) from None
    except (openai.OpenAIError, AttributeError, TypeError, ValueError):
        raise UserError(
            f"{_place(params)}: the reply holds no vectors; is it an embedding model?"
        ) from None
    if places != list(range(len(batch))):
        raise UserError(
            f"{_place(params)} gave {len(places)} vectors for {len(batch)} texts; set "
            "embedding.batch_size to 1, or use another model"
        )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise UserError(f"{_place(params)} gave a vector without a direction; use another model")
    return np.asarray(vectors / lengths, dtype=np.float32)


def _place(params: EmbeddingParams) -> str:
    if params.backend == "gguf":
        return f"embedding model {params.model!r}"
    return f"embedding endpoint {params.base_url}"


def _remedy(error: openai.APIStatusError, params: EmbeddingParams) -> str:
    status = error.status_code
    if params.backend == "gguf":
        pooled = "" if "ooling" in error.message else "lower embedding.max_chars, or "
        return f"{pooled}set embedding.pooling to what the model was trained with, such as mean"
    if status in (401, 403):
        return f"correct the key in {params.api_key_env or 'embedding.api_key_env'}, or its rights"
    if status == 404:
        return f"correct embedding.base_url or embedding.model ({params.model})"
    if status in (400, 413, 422):
        return "lower embedding.batch_size or embedding.max_chars, or correct embedding.model"
    return "what was computed is kept; run again later"
