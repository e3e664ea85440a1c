"""Asks models: bounded concurrency, retries, one client an endpoint.

    async with Client(runtime) as client:
        reply = await client.ask(request)

The reply is an Answer, or a Failure after the last try.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import stamina

from src.config import ROOT, EndpointParams, RuntimeParams, UserError
from src.llm import embedded
from src.llm.requests import Answer, Request

if TYPE_CHECKING:
    import openai

log = logging.getLogger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0


@dataclass(frozen=True)
class Failure:
    """A request that got no answer, and what happened at each try."""

    tries: tuple[str, ...]


class BadReplyError(Exception):
    """The endpoint's reply is no answer: no JSON, or JSON of another form."""


class Client:
    """Talks to every endpoint; starts the embedded model when it is first needed."""

    def __init__(self, runtime: RuntimeParams) -> None:
        self._runtime = runtime
        self._slots = asyncio.Semaphore(runtime.concurrency)
        self._clients: dict[str, openai.AsyncOpenAI] = {}
        self._engines = ExitStack()
        # stamina's own hook hands the whole error on, and with it what the server wrote.
        stamina.instrumentation.set_on_retry_hooks([_log_retry])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for client in self._clients.values():
            await client.close()
        self._engines.close()

    async def ask(self, request: Request) -> Answer | Failure:
        """The answer, or a failure once the tries are used up.

        Raises:
            UserError: the endpoint is down, refuses the key, or does not know the model.
        """
        async with self._slots:
            return await self._try_often(request)

    async def _try_often(self, request: Request) -> Answer | Failure:
        import openai

        tries: list[str] = []

        def again(error: BaseException) -> bool | float:
            """Whether to try again, or after how many seconds where the server says so.

            It is asked of everything that is raised, the end of the run (CancelledError) included.
            """
            if not isinstance(error, (openai.OpenAIError, BadReplyError)):
                return False
            tries.append(_describe(error))
            return _wait(error) if isinstance(error, openai.APIStatusError) else True

        try:
            async for attempt in stamina.retry_context(
                on=again,
                attempts=self._runtime.tries,
                timeout=None,
                wait_initial=FIRST_WAIT_S,
                wait_max=LONGEST_WAIT_S,
            ):
                with attempt:
                    return await self._call(request)
        except openai.APIStatusError as error:
            _refuse_user_errors(error, request.endpoint)
        except openai.APITimeoutError:
            pass
        except openai.APIConnectionError:
            raise UserError(
                f"endpoint {request.endpoint.name!r} at {request.endpoint.base_url} does not "
                f"answer ({tries[-1]}); start it, or correct llm.endpoints in params.yaml; "
                "what was bought is kept"
            ) from None
        except (openai.OpenAIError, BadReplyError):
            pass
        return Failure(tuple(tries))

    async def _call(self, request: Request) -> Answer:
        client, endpoint = self._client(request.endpoint), request.endpoint
        parameters: dict[str, Any] = dict(request.parameters)
        if endpoint.embedded:
            parameters["seed"] = int(request.key[:8], 16) >> 1
        try:
            if endpoint.api == "chat":
                reply: Any = await client.chat.completions.create(
                    model=endpoint.model,
                    messages=[{"role": "user", "content": request.prompt}],
                    **parameters,
                )
            else:
                reply = await client.completions.create(
                    model=endpoint.model, prompt=request.prompt, **parameters
                )
        except ValueError as error:
            raise BadReplyError("the body is not JSON") from error
        return _answer(reply, endpoint)

    def _client(self, endpoint: EndpointParams) -> openai.AsyncOpenAI:
        import openai

        if endpoint.name not in self._clients:
            base_url = endpoint.base_url
            if endpoint.embedded:
                path = embedded.model_path(endpoint.model)
                base_url = self._engines.enter_context(embedded.serve(path, self._runtime.engine))
            self._clients[endpoint.name] = openai.AsyncOpenAI(
                base_url=base_url,
                api_key=api_key(endpoint),
                timeout=self._runtime.timeout_s,
                max_retries=0,  # ours are enough; the two would multiply
            )
        return self._clients[endpoint.name]


def _answer(reply: Any, endpoint: EndpointParams) -> Answer:  # noqa: ANN401  (unchecked JSON)
    """The first choice of a reply; the openai client hands on whatever JSON has come."""
    try:
        choice, usage = reply.choices[0], reply.usage
        text = choice.message.content if endpoint.api == "chat" else choice.text
        answer = Answer(
            text=_storable(text or ""),
            finish_reason=str(choice.finish_reason or "stop"),
            prompt_tokens=int(usage.prompt_tokens or 0) if usage else 0,
            completion_tokens=int(usage.completion_tokens or 0) if usage else 0,
        )
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
        raise BadReplyError(f"the body has no text of a {endpoint.api} answer") from error
    return answer


def _storable(text: str) -> str:
    """The text with halves of surrogate pairs, which no file can hold, replaced."""
    return text.encode("utf-8", "replace").decode("utf-8")


def api_key(endpoint: EndpointParams) -> str:
    """The endpoint's key from the environment or `$DVC_ROOT/.env`; a placeholder if it needs none.

    Raises:
        UserError: the variable that the endpoint names is not set.
    """
    from dotenv import dotenv_values

    if endpoint.api_key_env is None:
        return "none"
    key = os.environ.get(endpoint.api_key_env) or dotenv_values(ROOT / ".env").get(
        endpoint.api_key_env
    )
    key = (key or "").strip()
    if not key:
        raise UserError(
            f"endpoint {endpoint.name!r} needs the key in {endpoint.api_key_env}, which is not "
            "set; export it or write it into .env"
        )
    if not (key.isascii() and key.isprintable()):  # it would be refused with the key in the error
        raise UserError(
            f"endpoint {endpoint.name!r}: {endpoint.api_key_env} holds characters that no key "
            "has; copy the key anew"
        )
    return key


def _describe(error: Exception) -> str:
    """What went wrong, without the request: it could hold a key or a customer's words."""
    import openai

    if isinstance(error, openai.APIStatusError):
        return f"HTTP {error.status_code}"
    if isinstance(error, BadReplyError):
        return str(error)
    cause = error.__cause__
    return f"{type(error).__name__}: {cause}" if cause else type(error).__name__


def _wait(error: openai.APIStatusError) -> bool | float:
    """Whether the server may answer later, or in how many seconds where it says so."""
    if error.status_code not in (408, 409, 429) and error.status_code < 500:
        return False
    wait = error.response.headers.get("retry-after", "")
    return min(float(wait), LONGEST_WAIT_S) if wait.replace(".", "", 1).isdecimal() else True


def _log_retry(details: stamina.instrumentation.RetryDetails) -> None:
    log.info("%s; asking again in %.0f s", _describe(details.caused_by), details.wait_for)


def _refuse_user_errors(error: openai.APIStatusError, endpoint: EndpointParams) -> None:
    """Stop the run on what no retry mends: the key or the address is wrong for every request."""
    variable = endpoint.api_key_env
    key = (
        f"correct the key in {variable}"
        if variable
        else "name the variable of its key in api_key_env"
    )
    remedies = {
        401: key,
        402: "top up the account",
        403: f"{key}, or correct its rights",
        404: f"correct its base_url or model ({endpoint.model})",
    }
    if error.status_code in remedies:
        raise UserError(
            f"endpoint {endpoint.name!r} at {endpoint.base_url} answers HTTP {error.status_code}; "
            f"{remedies[error.status_code]}; what was bought is kept"
        ) from None
