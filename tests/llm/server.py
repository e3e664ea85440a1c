"""A loopback server with the OpenAI chat and completions APIs, scripted by the test."""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Sent:
    """A response of the server, and its delay in seconds."""

    body: bytes = b"{}"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    delay: float = 0.0
    cut_after: int | None = None  # bytes of the body after which the connection is closed


@dataclass(frozen=True)
class Call:
    """A call that the server received; header names are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def prompt(self) -> str:
        """The prompt, or the user's message."""
        prompt = self.body.get("prompt")
        return str(self.content if prompt is None else prompt)

    @property
    def content(self) -> str:
        """The only message of a chat request."""
        (message,) = self.body["messages"]
        return str(message["content"])


def says(text: object, finish_reason: object = "stop", delay: float = 0.0) -> Sent:
    """An ordinary response in the format of either API."""
    choice = {
        "index": 0,
        "text": text,
        "message": {"role": "assistant", "content": text},
        "finish_reason": finish_reason,
    }
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    body = {"id": "1", "object": "x", "created": 0, "model": "m"}
    return Sent(json.dumps({**body, "choices": [choice], "usage": usage}).encode(), delay=delay)


def cut(reply: Sent, after: int = 0) -> Sent:
    """A response that ends before its announced length."""
    return replace(reply, cut_after=after)


def fails(status: int, message: str = "no", **headers: str) -> Sent:
    """An error in the format of the OpenAI API."""
    body = json.dumps({"error": {"message": message, "type": "x", "code": "x"}}).encode()
    return Sent(body, status, {"Content-Type": "application/json", **headers})


@dataclass
class Server:
    """Sends the scripted responses in turn, then what `default` returns for each call."""

    url: str = ""
    script: deque[Sent] = field(default_factory=deque)
    default: Callable[[Call], Sent] = lambda _: says("好的")
    calls: list[Call] = field(default_factory=list)
    running: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)

    def take(self, call: Call) -> Sent:
        """Record the call and choose its response."""
        with self.lock:
            self.calls.append(call)
            self.running += 1
            self.most_at_once = max(self.most_at_once, self.running)
            reply = self.script.popleft() if self.script else None
        return reply or self.default(call)

    def release(self) -> None:
        """Record that a call has its response."""
        with self.lock:
            self.running -= 1


@contextmanager
def serve(port: int = 0) -> Iterator[Server]:
    """Run the server for the duration of the block; port 0 picks a free port."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reply = server.take(Call(self.path, headers, body))
            server.closing.wait(reply.delay)
            server.release()
            with suppress(ConnectionError):  # the client may have left
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body[: reply.cut_after])
                self.close_connection = reply.cut_after is not None

        def log_message(self, format: str, *args: object) -> None:
            """Nothing into the test's output."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        server.url = f"http://127.0.0.1:{http.server_port}/v1"
        try:
            yield server
        finally:
            server.closing.set()
            http.shutdown()
            thread.join()


def closed_url() -> str:
    """A loopback address without a listener."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"
