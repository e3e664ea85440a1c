"""The section `llm`: endpoints, their prices, and the order of fallback."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from src.config.section import Amount, Count, Part, Section, Share


def is_remote(url: str) -> bool:
    """Return whether the host of a URL is another machine."""
    host = urlsplit(url if "//" in url else f"//{url}").hostname or ""
    return host not in ("localhost", "::1") and not host.startswith("127.")


class PriceParams(Part):
    """Prices per million tokens, in `llm.currency`."""

    prompt: Amount = 0.0
    cached_prompt: Amount | None = None  # null: the same as prompt
    completion: Amount = 0.0


class EndpointParams(Part):
    """One OpenAI-compatible server, or the embedded model, with its limits and prices."""

    name: str
    base_url: str
    model: str
    api: Literal["chat", "completions"]
    api_key_env: str | None = None
    weight: Annotated[float, Field(ge=0)] = 1.0
    output: Literal["auto", "json_schema", "text"] = "auto"
    concurrency: Count | None = None
    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None
    price: PriceParams = PriceParams()

    @property
    def embedded(self) -> bool:
        """Whether the model runs inside this process."""
        return self.base_url == "embedded"

    @property
    def remote(self) -> bool:
        """Whether requests leave this machine."""
        return not self.embedded and is_remote(self.base_url)

    @model_validator(mode="after")
    def _output_fits_the_api(self) -> EndpointParams:
        if self.output == "json_schema" and self.api == "completions":
            raise ValueError(
                f"endpoint {self.name!r}: output json_schema needs api: chat, got completions"
            )
        return self


class LlmParams(Section):
    """The endpoints, how requests are spread over them, and the fallback for a failing one."""

    KEY: ClassVar = "llm"

    endpoints: Annotated[tuple[EndpointParams, ...], Field(min_length=1)]
    share: Literal["weight", "acceptance"] = "weight"
    explore: Share = 0.03
    fallback: tuple[str, ...]
    currency: str
    cache_salt: str

    @model_validator(mode="after")
    def _names_fit(self) -> LlmParams:
        names = [endpoint.name for endpoint in self.endpoints]
        if len(set(names)) < len(names):
            raise ValueError(f"endpoint names must differ, got {names}")
        unknown = [name for name in self.fallback if name not in names]
        if unknown:
            raise ValueError(f"fallback {unknown[0]!r} is not an endpoint; endpoints are {names}")
        if not any(endpoint.weight for endpoint in self.endpoints):
            raise ValueError("at least one endpoint needs a weight above 0")
        if self.explore * len(self.ensemble) > 1:
            raise ValueError(
                f"explore {self.explore:g} is more than an equal share for each of the "
                f"{len(self.ensemble)} endpoints with a weight above 0; lower it"
            )
        return self

    @property
    def ensemble(self) -> tuple[EndpointParams, ...]:
        """The endpoints that requests are spread over; the others are used as fallback only."""
        return tuple(endpoint for endpoint in self.endpoints if endpoint.weight > 0)
