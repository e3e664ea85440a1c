"""A loopback server with an OpenAI-compatible API, fast enough to measure a client.

    python -m benchmarks.loopback --latency-ms 200 --cap 64 --too-many-share 0.05

prints its port and serves until it is killed. To run it in its own process:

    with loopback(latency_ms=200, cap=64, too_many_share=0.05) as base_url:
        ...
        most = stats(base_url).most_in_flight

It implements the needed part of HTTP/1.1 on a bare asyncio.Protocol: a web framework would use more
time than the client under test. Prompts are not parsed. Timers of asyncio fire up to 1 ms late.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from typing import Annotated, cast
from urllib.parse import urlsplit

import typer

HOST = "127.0.0.1"
SEED = 42  # decides which requests get 429
BACKLOG = 4096  # the default of 100 drops simultaneous connections; a TCP retry takes 1 s

COMPLETIONS, CHAT, STATS = b"/v1/completions", b"/v1/chat/completions", b"/stats"
REASONS = {200: "OK", 404: "Not Found", 411: "Length Required", 429: "Too Many Requests"}
USAGE = {"prompt_tokens": 300, "completion_tokens": 40, "total_tokens": 340}


@dataclass
class Stats:
    """Counts of completion requests, by outcome."""

    requests: int = 0
    good: int = 0
    too_many: int = 0
    most_in_flight: int = 0  # admitted requests only; a request that gets 429 is never in flight


@dataclass
class Service:
    """State shared by all connections: settings, admission and counts."""

    latency_s: float
    cap: int
    too_many_share: float
    stats: Stats = field(default_factory=Stats)
    in_flight: int = 0
    luck: Random = field(default_factory=lambda: Random(SEED))

    def admit(self) -> bool:
        """Count a request, and return whether it is admitted; luck depends on its number only."""
        stats = self.stats
        stats.requests += 1
        unlucky = self.luck.random() < self.too_many_share
        if unlucky or self.in_flight >= self.cap:
            stats.too_many += 1
            return False
        self.in_flight += 1
        stats.most_in_flight = max(stats.most_in_flight, self.in_flight)
        return True


class Connection(asyncio.Protocol):
    """One keep-alive connection; pipelined requests are handled in order."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._received = b""
        self._pending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)
        self._call_later = asyncio.get_running_loop().call_later

    def data_received(self, data: bytes) -> None:
        """Handle all complete requests."""
        self._received += data
        self._advance()

    def connection_lost(self, exc: Exception | None) -> None:
        """Free the slot of a client that disconnected."""
        if self._pending:
            self._pending.cancel()
            self._service.in_flight -= 1

    def _advance(self) -> None:
        while self._pending is None and not self._transport.is_closing():
            head_size = self._received.find(b"\r\n\r\n") + 4
            if head_size < 4:
                return
            head = self._received[:head_size]
            body_size = _content_length(head)
            if body_size is None:
                self._transport.write(_error(411, "send a Content-Length"))
                self._transport.close()
                return
            if len(self._received) < head_size + body_size:
                return
            self._received = self._received[head_size + body_size :]
            self._handle(*head.split(b" ", 2)[:2])

    def _handle(self, method: bytes, path: bytes) -> None:
        service = self._service
        if method == b"POST" and path in (COMPLETIONS, CHAT):
            if service.admit():
                number = service.stats.requests
                self._pending = self._call_later(service.latency_s, self._respond, path, number)
            else:
                self._transport.write(TOO_MANY)
        elif method == b"GET" and path == STATS:
            self._transport.write(_response(200, json.dumps(asdict(service.stats))))
        else:
            self._transport.write(_error(404, "no such path"))

    def _respond(self, path: bytes, number: int) -> None:
        self._pending = None
        self._service.in_flight -= 1
        self._service.stats.good += 1
        body = (CHAT_BODY if path == CHAT else COMPLETIONS_BODY).replace("NUMBER", str(number))
        self._transport.write(_response(200, body))
        self._advance()


def _content_length(head: bytes) -> int | None:
    """Return the bytes of the body, 0 without a Content-Length; None for a chunked body."""
    low = head.lower()
    name = b"\r\ncontent-length:"
    start = low.find(name)
    if start >= 0:
        start += len(name)
        return int(low[start : low.index(b"\r\n", start)])
    return None if b"\r\ntransfer-encoding:" in low else 0


def _response(status: int, body: str) -> bytes:
    content = body.encode()
    return (
        f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    ).encode() + content


def _error(status: int, message: str) -> bytes:
    error = {"message": message, "type": "loopback", "code": str(status)}
    return _response(status, json.dumps({"error": error}))


def _body(kind: str, content: dict[str, object]) -> str:
    choice = {"index": 0, "finish_reason": "stop", "logprobs": None, **content}
    named = {"id": "loopback-NUMBER", "object": kind, "created": 0, "model": "loopback"}
    return json.dumps({**named, "choices": [choice], "usage": USAGE}, ensure_ascii=False)


COMPLETIONS_BODY = _body("text_completion", {"text": "样本NUMBER"})
CHAT_BODY = _body("chat.completion", {"message": {"role": "assistant", "content": "样本NUMBER"}})
TOO_MANY = _error(429, "too many requests")


@contextmanager
def loopback(latency_ms: float, cap: int, too_many_share: float) -> Iterator[str]:
    """Run a server in its own process while the block runs; yield its base URL, ending in /v1.

    Args:
        latency_ms: time from a complete request to its response, in milliseconds.
        cap: limit of requests in flight; any further request gets 429 at once.
        too_many_share: share of requests, 0-1, that get 429 at once whatever is in flight.

    Raises:
        RuntimeError: the server did not start; its own message is on stderr.
    """
    settings = {"latency-ms": latency_ms, "cap": cap, "too-many-share": too_many_share}
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.loopback", *(f"--{k}={v}" for k, v in settings.items())],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
    )
    with server:
        assert server.stdout is not None
        try:
            port = server.stdout.readline().strip()
            if not port:
                raise RuntimeError(f"the loopback server ended with code {server.wait()}")
            yield f"http://{HOST}:{port}/v1"
        finally:
            server.terminate()


def stats(base_url: str) -> Stats:
    """Return the counts of the server since it started.

    Raises:
        OSError: no server listens there.
    """
    connection = HTTPConnection(urlsplit(base_url).netloc, timeout=10)
    try:
        connection.request("GET", STATS.decode())
        return Stats(**json.load(connection.getresponse()))
    finally:
        connection.close()


async def _serve(service: Service) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(service), HOST, 0, backlog=BACKLOG)
    typer.echo(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def main(
    latency_ms: Annotated[float, typer.Option(min=0, help="time from request to response")] = 200,
    cap: Annotated[int, typer.Option(min=1, help="most requests in flight")] = 64,
    too_many_share: Annotated[
        float, typer.Option(min=0, max=1, help="share of requests that get 429")
    ] = 0.0,
) -> None:
    """Print the port, then serve until killed."""
    asyncio.run(_serve(Service(latency_ms / 1000, cap, too_many_share)))


if __name__ == "__main__":
    typer.run(main)
