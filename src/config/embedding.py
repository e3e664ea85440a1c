"""The section `embedding`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator

from src.config.section import Count, Section


class EmbeddingParams(Section):
    """How texts are embedded (`src/gate/embedding.py`).

    Vectors are cached by model, its location (a GGUF: its bytes and pooling), and the text as sent.
    """

    KEY: ClassVar = "embedding"

    backend: Literal["tfidf", "endpoint", "gguf"] = "tfidf"
    model: str | None = None  # name at the endpoint; or a .gguf file or an installed package
    base_url: str | None = None
    api_key_env: str | None = None
    pooling: Literal["model", "mean", "cls", "last"] = "model"  # GGUF only; model = as stored in it
    prefix: str = ""  # put before every text; E5 models need "query: "
    max_chars: Count = 500  # longer texts are cut: most embedding models read 512 tokens
    batch_size: Count = 32

    @model_validator(mode="after")
    def _backend_has_what_it_needs(self) -> EmbeddingParams:
        needed = {"tfidf": (), "endpoint": ("base_url", "model"), "gguf": ("model",)}
        for name in needed[self.backend]:
            if not getattr(self, name):
                raise ValueError(f"backend {self.backend} needs {name}, got {getattr(self, name)}")
        return self
