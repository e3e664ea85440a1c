"""Failed calls: the reason, and what the client does about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from src.llm.limits import Signal
from src.llm.requests import Request

if TYPE_CHECKING:
    import openai


@dataclass(frozen=True)
class CallError:
    """Why a try failed, and what the client does about it."""

    what: str
    signal: Signal = "other"
    counts: int = 1  # towards runtime.tries; 0 if the endpoint only asks to wait
    perhaps_paid: bool = False  # the endpoint may have done the work nevertheless
    final: bool = False  # a retry would fail in the same way
    no_schema: bool = False  # the endpoint does not support JSON schemas
    unreachable: bool = False  # nothing listens at the address: one failure is proof enough
    retry_after_s: float | None = None
    remedy: str | None = None  # set if the endpoint cannot serve any request until this is done


def no_response(error: openai.APIConnectionError) -> CallError:
    """Classify a connection error: unreachable, time-out or connection cut.

    The openai client's exceptions do not distinguish these, but their causes do. Only the address
    is quoted: the rest could contain a key or a customer's words.
    """
    import aiohttp

    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    for cause in causes:
        if isinstance(cause, aiohttp.ClientConnectorError):
            return CallError(f"cannot connect: {cause.os_error}", counts=0, unreachable=True)
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return CallError("no response in time", "congested", perhaps_paid=True)
    return CallError("the connection was cut", perhaps_paid=True)


def refusal(error: openai.APIStatusError, request: Request) -> CallError:
    """Classify an HTTP status other than 200. None of these is charged for."""
    status, endpoint = error.status_code, request.endpoint
    what = f"HTTP {status}"
    if status == 429 and "insufficient_quota" in str(error.code):
        return CallError(what, remedy="top up the account")
    if status in (429, 503):
        return CallError(
            what, "congested", counts=int(status == 503), retry_after_s=_retry_after(error)
        )
    if status in (408, 409) or status >= 500:
        return CallError(what, retry_after_s=_retry_after(error))
    if status in (400, 422) and request.as_json and endpoint.output == "auto":
        return CallError(what, counts=0, no_schema=True)
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
    return CallError(what, final=status not in remedies, remedy=remedies.get(status))


def _retry_after(error: openai.APIStatusError) -> float | None:
    """Return the seconds that the server asks to wait, if any."""
    wait = error.response.headers.get("retry-after", "")
    return float(wait) if wait.replace(".", "", 1).isdecimal() else None
