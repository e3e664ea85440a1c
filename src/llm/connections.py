"""One call to one endpoint: returns a response or, if it fails, a `CallError`.

connections = Connections(runtime)
result = await connections.call(request)
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from src.config.llm import EndpointParams
from src.config.runtime import RuntimeParams
from src.llm import embedded
from src.llm.call_errors import CallError, no_response, refusal
from src.llm.keys import api_key
from src.llm.requests import Request, Response

if TYPE_CHECKING:
    import openai


class BadResponseError(Exception):
    """The body is not JSON, or not of the expected structure."""


class Connections:
    """One client per endpoint, created when it is first needed."""

    def __init__(self, runtime: RuntimeParams, *, reuse_prefix: bool = True) -> None:
        self._runtime, self._reuse_prefix = runtime, reuse_prefix
        self._clients: dict[str, openai.AsyncOpenAI] = {}
        self._engines = ExitStack()

    async def close(self) -> None:
        """Close all connections and stop the embedded models that were started for them."""
        for client in self._clients.values():
            await client.close()
        self._engines.close()

    async def call(self, request: Request) -> Response | CallError:
        """Send a request once.

        Raises:
            UserError: the key is not set, or the embedded model cannot be loaded.
        """
        import openai

        endpoint = request.endpoint
        client, model = self._client(endpoint), endpoint.model
        parameters: dict[str, Any] = dict(request.parameters)
        # servers and proxies that support it do not process the same request twice
        parameters["extra_headers"] = {"Idempotency-Key": request.key}
        if endpoint.embedded:
            parameters["seed"] = int(request.key[:8], 16) >> 1
        try:
            if endpoint.api == "chat":
                body: Any = await client.chat.completions.create(
                    model=model,
                    messages=[{"role": "user", "content": request.prompt}],
                    **parameters,
                )
            else:
                body = await client.completions.create(
                    model=model, prompt=request.prompt, **parameters
                )
            return _read_response(body, endpoint)
        except openai.APIStatusError as error:
            return refusal(error, request)
        except openai.APIConnectionError as error:  # time-outs as well
            return no_response(error)
        except BadResponseError as error:
            return CallError(str(error), perhaps_paid=True)
        except (openai.OpenAIError, ValueError):
            return CallError("the body is not JSON", perhaps_paid=True)

    def _client(self, endpoint: EndpointParams) -> openai.AsyncOpenAI:
        import openai

        if endpoint.name not in self._clients:
            base_url = endpoint.base_url
            if endpoint.embedded:
                engine = self._runtime.engine
                server = embedded.serve(
                    embedded.model_path(endpoint.model),
                    slots=engine.slots,
                    context=engine.context_per_slot,
                    threads=engine.threads,
                    reuse_prefix=self._reuse_prefix,
                )
                base_url = self._engines.enter_context(server)
            self._clients[endpoint.name] = openai.AsyncOpenAI(
                base_url=base_url,
                api_key=api_key(endpoint.name, endpoint.api_key_env),
                timeout=self._runtime.timeout_s,
                max_retries=0,  # client.py retries; both together would multiply
                # takes half the CPU time of the default client, whose pool scans all
                # connections at every request (docs/benchmarks/how-fast-is-generation.md)
                http_client=openai.DefaultAioHttpClient(),
            )
        return self._clients[endpoint.name]


def _read_response(body: Any, endpoint: EndpointParams) -> Response:  # noqa: ANN401  (unchecked JSON)
    """Read the first choice of a body; the openai client does not validate its JSON."""
    try:
        choice, usage = body.choices[0], body.usage
        text = choice.message.content if endpoint.api == "chat" else choice.text
        response = Response(
            text=_storable(text or ""),
            finish_reason=str(choice.finish_reason or "stop"),
            prompt_tokens=int(usage.prompt_tokens or 0) if usage else 0,
            completion_tokens=int(usage.completion_tokens or 0) if usage else 0,
            cached_tokens=_cached_tokens(usage),
        )
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
        raise BadResponseError(f"the body has no text of a {endpoint.api} response") from error
    return response


def _cached_tokens(usage: Any) -> int:  # noqa: ANN401  (unchecked JSON)
    """Return the cached prompt tokens, from the field of OpenAI or of DeepSeek."""
    details = getattr(usage, "prompt_tokens_details", None)
    count = getattr(details, "cached_tokens", None) or getattr(usage, "prompt_cache_hit_tokens", 0)
    return int(count or 0)


def _storable(text: str) -> str:
    """Replace lone surrogates, which cannot be encoded in UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")
