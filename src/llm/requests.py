"""Requests, responses, and the two keys that a response is recorded under.

The key of a request depends on the whole prompt, and so on the train rows that it shows. The reuse
key leaves these rows out: it means "response number n for this class under these settings", and
finds a response again after train rows have changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from pydantic import JsonValue

from src.config.generate import GenerateParams
from src.config.llm import EndpointParams

RESPONSE_FORMAT: Mapping[str, JsonValue] = {
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
# (api, output) -> whether to ask with a JSON schema, in order of preference
OUTPUTS: Mapping[tuple[str, str], tuple[bool, ...]] = {
    ("completions", "auto"): (False,),
    ("completions", "text"): (False,),
    ("chat", "auto"): (True, False),
    ("chat", "json_schema"): (True,),
    ("chat", "text"): (False,),
}

Seed = tuple[str, str]  # id of a train row in the prompt, digest of its text


def digest(value: object) -> str:
    """Return the SHA-256 of canonical JSON."""
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True)
class Response:
    """What a model returned, unchanged."""

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0  # part of prompt_tokens

    @property
    def truncated(self) -> bool:
        """Whether max_tokens cut the reply."""
        return self.finish_reason == "length"


@dataclass(frozen=True)
class Sampling:
    """Sampling parameters of requests that do not use those of the section `generate`."""

    temperature: float
    top_p: float
    frequency_penalty: float
    presence_penalty: float
    max_tokens: int


@dataclass(frozen=True)
class Request:
    """One call to an endpoint, with everything that determines the response."""

    endpoint: EndpointParams
    prompt: str
    stop: tuple[str, ...]
    sampling: GenerateParams | Sampling
    sample_index: int
    cache_salt: str
    prompt_version: str = ""  # of the template; not part of the key, since the prompt is
    as_json: bool = False  # whether to ask for JSON with a schema
    response_format: Mapping[str, JsonValue] = field(default_factory=lambda: RESPONSE_FORMAT)
    reuse_key: str = ""  # see `reuse_key_for`; empty: only a response to this very prompt is used
    seeds: tuple[Seed, ...] = ()  # train rows that the response is based on
    earlier_key: str = ""  # key of the earlier request whose response is reused

    @property
    def response_key(self) -> str:
        """The key that the response is recorded under."""
        return self.earlier_key or self.key

    def reuse_key_for(self, prompt: str, examples: Mapping[str, JsonValue]) -> str:
        """Return the key of this request without the parts that depend on train rows.

        Args:
            prompt: the same prompt with placeholders for these parts.
            examples: the class, and the settings that determine how its rows are shown.
        """
        return digest({**self._identity(prompt), "examples": dict(examples)})

    @cached_property
    def parameters(self) -> dict[str, JsonValue]:
        """The sampling parameters of the API call."""
        sampling = self.sampling
        parameters: dict[str, JsonValue] = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "frequency_penalty": sampling.frequency_penalty,
            "presence_penalty": sampling.presence_penalty,
            "max_tokens": sampling.max_tokens,
        }
        if self.stop:
            parameters["stop"] = list(self.stop)
        if self.as_json:
            parameters["response_format"] = dict(self.response_format)
        return parameters

    @cached_property
    def key(self) -> str:
        """SHA-256 of canonical JSON of everything that determines the response.

        The sample index separates requests with the same prompt. The endpoint's name, weight and
        API key are left out, since they do not change the response.
        """
        return digest(self._identity(self.prompt))

    def _identity(self, prompt: str) -> dict[str, JsonValue]:
        return {
            "base_url": self.endpoint.base_url,
            "model": self.endpoint.model,
            "api": self.endpoint.api,
            "prompt": prompt,
            "parameters": self.parameters,
            "sample_index": self.sample_index,
            "cache_salt": self.cache_salt,
        }
