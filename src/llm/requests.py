"""A request to a model, and the key that its answer is recorded under."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from src.config import EndpointParams, GenerateParams

RESPONSE_FORMAT = {
    "type": "json_schema",
    "json_schema": {
        "name": "samples",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {
                "samples": {
                    "type": "array",
                    "items": {"type": "array", "items": {"type": "string"}},
                }
            },
            "required": ["samples"],
            "additionalProperties": False,
        },
    },
}  # each sample is a list of turns


@dataclass(frozen=True)
class Answer:
    """What a model wrote, as it came."""

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0  # of the prompt's

    @property
    def truncated(self) -> bool:
        """Whether the reply ran into max_tokens."""
        return self.finish_reason == "length"


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn, where the section `generate` is not what says it."""

    temperature: float
    top_p: float
    frequency_penalty: float
    presence_penalty: float
    max_tokens: int


@dataclass(frozen=True)
class Request:
    """One call: everything in it that decides the answer, and nothing else."""

    endpoint: EndpointParams
    prompt: str
    stop: tuple[str, ...]
    sampling: GenerateParams | Sampling
    sample_index: int
    cache_salt: str
    prompt_version: str = ""  # of the template; the prompt itself is what decides the answer
    as_json: bool = False  # ask for JSON by a schema, where the endpoint takes one
    response_format: dict[str, Any] = field(default_factory=lambda: RESPONSE_FORMAT)

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
        if self.as_json:
            parameters["response_format"] = self.response_format
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
