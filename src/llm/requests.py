"""A request to a model, and the key that its answer is recorded under."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from src.config import EndpointParams, GenerateParams


@dataclass(frozen=True)
class Answer:
    """What a model wrote, as it came."""

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int

    @property
    def truncated(self) -> bool:
        """Whether the reply ran into max_tokens."""
        return self.finish_reason == "length"

    @property
    def problem(self) -> str | None:
        """Why this is no answer to use, or None. It was paid for and is kept all the same."""
        if self.finish_reason == "content_filter":
            return "refused"
        return None if self.text.strip() else "empty"


@dataclass(frozen=True)
class Request:
    """One call: everything in it that decides the answer, and nothing else."""

    endpoint: EndpointParams
    prompt: str
    stop: tuple[str, ...]
    sampling: GenerateParams
    sample_index: int
    cache_salt: str

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The sampling parameters of the API call."""
        sampling = self.sampling
        parameters: dict[str, Any] = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "frequency_penalty": sampling.frequency_penalty,
            "presence_penalty": sampling.presence_penalty,
            "max_tokens": sampling.max_tokens,
        }
        if self.stop:
            parameters["stop"] = list(self.stop)
        return parameters

    @cached_property
    def key(self) -> str:
        """SHA-256 of canonical JSON of what decides the answer.

        Without the sample index all samples of one prompt would be one answer; the endpoint's
        name, weight and key are left out, since they do not change what it says.
        """
        identity = {
            "base_url": self.endpoint.base_url,
            "model": self.endpoint.model,
            "api": self.endpoint.api,
            "prompt": self.prompt,
            "parameters": self.parameters,
            "sample_index": self.sample_index,
            "cache_salt": self.cache_salt,
        }
        canonical = json.dumps(identity, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()
