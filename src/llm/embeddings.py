"""Embed texts with an OpenAI-compatible /embeddings endpoint, or with a GGUF file.

with embedding_model(params) as vectors_of:
    vectors = vectors_of(["查话费", "销户"])
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from src.config.embedding import EmbeddingParams
from src.errors import UserError
from src.llm import embedded
from src.llm.keys import api_key

if TYPE_CHECKING:
    import openai

BYTES = 4  # per UTF-8 character, at most; no token is shorter than a byte
ADDED_TOKENS = 16  # special tokens at the start and end of a text, at most

Vectors: TypeAlias = NDArray[np.float32]  # one row per text, of length 1


@dataclass(frozen=True)
class Calls:
    """How an endpoint is called; a GGUF model gets one request at a time, without retries.

    Attributes:
        at_once: concurrent requests.
        retries: after waits of 0.5, 1, 2, 4 and then 8 s, or of Retry-After.
        timeout_s: per request.
    """

    at_once: int = 4
    retries: int = 8
    timeout_s: float = 300.0


CALLS = Calls()


def identity(params: EmbeddingParams) -> str:
    """Return what determines vectors: endpoint and model, or the file's hash and the pooling."""
    if params.backend == "endpoint":
        return json.dumps([params.base_url, params.model])
    with embedded.model_path(params.model or "").open("rb") as file:
        return json.dumps([hashlib.file_digest(file, "sha256").hexdigest(), params.pooling])


def location(params: EmbeddingParams) -> str:
    """Return the name of the model for error messages."""
    if params.backend == "gguf":
        return f"embedding model {params.model!r}"
    return f"embedding endpoint {params.base_url}"


@contextmanager
def embedding_model(
    params: EmbeddingParams, calls: Calls = CALLS
) -> Iterator[Callable[[Sequence[str]], Vectors]]:
    """Yield a function that embeds a batch of texts with one request, in order.

    Raises:
        UserError: the key or the model file is not usable. The function raises it if the endpoint
            or the model fails.
    """
    import openai

    with (
        _address(params) as base_url,
        openai.OpenAI(
            base_url=base_url,
            api_key=api_key(
                "embedding", params.api_key_env if params.backend == "endpoint" else None
            ),
            timeout=calls.timeout_s,
            max_retries=0 if params.backend == "gguf" else calls.retries,
        ) as client,
    ):
        yield partial(_ask, client, params)


@contextmanager
def _address(params: EmbeddingParams) -> Iterator[str]:
    """Yield the base URL of the endpoint, or of a server that runs during the block."""
    if params.backend == "endpoint":
        yield params.base_url or ""
        return
    longest = BYTES * (len(params.prefix) + params.max_chars) + ADDED_TOKENS
    with embedded.serve(
        embedded.model_path(params.model or ""),
        slots=1,
        context=longest,
        reuse_prefix=False,
        pooling=params.pooling,
    ) as base_url:
        yield base_url


def _ask(client: openai.OpenAI, params: EmbeddingParams, batch: Sequence[str]) -> Vectors:
    """Embed a batch: one vector of length 1 per text, in order.

    Errors do not quote the server's message: it could contain a key or a customer's words.
    """
    import openai

    try:
        response = client.embeddings.create(
            model=params.model or "", input=list(batch), encoding_format="float"
        )
        items = sorted(response.data, key=lambda item: item.index)
        positions = [item.index for item in items]
        vectors = np.array([item.embedding for item in items], dtype=np.float32)
    except openai.APIStatusError as error:
        raise UserError(
            f"{location(params)} responds with HTTP {error.status_code}; {_remedy(error, params)}"
        ) from None
    except openai.APIConnectionError:  # time-outs as well
        raise UserError(
            f"{location(params)} cannot be reached; start it, or correct embedding.base_url"
        ) from None
    except (openai.OpenAIError, AttributeError, TypeError, ValueError):
        raise UserError(
            f"{location(params)}: the response has no vectors; check that it is an embedding model"
        ) from None
    if positions != list(range(len(batch))):
        raise UserError(
            f"{location(params)} returned {len(positions)} vectors for {len(batch)} texts; set "
            "embedding.batch_size to 1, or use another model"
        )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise UserError(
            f"{location(params)} returned a zero or non-finite vector; use another model"
        )
    return np.asarray(vectors / lengths, dtype=np.float32)


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
    return "computed vectors are kept; run again later"
