"""A request to a model, the key that its response is recorded under, and its reuse key.

The key changes with every word of the prompt, and so with the train rows that it shows. The reuse
key leaves those rows out: it stands for "response number n for this class under these settings",
and finds a response that was written from other rows.
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
OUTPUTS: Mapping[tuple[str, str], tuple[bool, ...]] = {  # with a JSON schema, in this order
    ("completions", "auto"): (False,),
    ("completions", "text"): (False,),
    ("chat", "auto"): (True, False),
    ("chat", "json_schema"): (True,),
    ("chat", "text"): (False,),
}

Seed = tuple[str, str]  # id of a train row that a prompt shows, and the digest of its text


def digest(value: object) -> str:
    """SHA-256 of canonical JSON."""
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True)
class Response:
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
    """One call: everything in it that decides the response, and nothing else."""

    endpoint: EndpointParams
    prompt: str
    stop: tuple[str, ...]
    sampling: GenerateParams | Sampling
    sample_index: int
    cache_salt: str
    prompt_version: str = ""  # of the template; the prompt itself is what decides the response
    as_json: bool = False  # ask for JSON by a schema, where the endpoint takes one
    response_format: Mapping[str, JsonValue] = field(default_factory=lambda: RESPONSE_FORMAT)
    reuse_key: str = ""  # see `reuse_key_for`; empty: no other response will do
    seeds: tuple[Seed, ...] = ()  # that the response was written from
    earlier_key: str = ""  # of the earlier request whose response this one is given

    @property
    def response_key(self) -> str:
        """The key that the response is recorded under."""
        return self.earlier_key or self.key

    def reuse_key_for(self, prompt: str, examples: Mapping[str, JsonValue]) -> str:
        """The key with the prompt as it is without what depends on the train rows.

        Args:
            prompt: the same prompt, but with placeholders for those parts.
            examples: the class, and the settings by which rows become the parts left out.
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
        """SHA-256 of canonical JSON of what decides the response.

        Without the sample index all samples of one prompt would be one response; the endpoint's
        name, weight and key are left out, since they do not change what it says.
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
