"""A local web page where reviewers accept, reject or relabel samples of the review queue.

python -m src.review.page
python -m src.review.page --reviewer 小李 --port 9000
"""

from __future__ import annotations

import getpass
import logging
import socket
import subprocess
import threading
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer
from flask import Flask, Response, abort, jsonify, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.serving import BaseWSGIServer, make_server

from src.cli import command
from src.config.data import DataParams
from src.config.load import load
from src.errors import UserError
from src.paths import DECISIONS, PLAN, REVIEW_QUEUE
from src.records.decisions import CHOICES, Decision, read_decisions, write_decisions
from src.review.decisions import last_of, with_decision
from src.review.desk import Desk, load_desk, shown
from src.review.words import WORDS

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
PORT = 8765
OWN_NAMES = (HOST, "localhost")
MOST_BYTES = 64 * 1024  # max. size of a request body
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def create_app(desk: Desk, decisions: Path, reviewer: str) -> Flask:
    """Return the app that serves the page and the API of its script, for one reviewer.

    The decisions file is read again before each write, to keep changes that git or another
    reviewer made meanwhile. Other sites open in the browser can neither read nor write: the host
    must be this machine, and a write must be JSON sent by the page itself.
    """
    app = Flask("src.review.page", root_path=str(Path(__file__).parent))
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    app.before_request(_only_from_here)
    app.after_request(_with_headers)
    app.register_error_handler(HTTPException, _refused)
    for kind in (OSError, UserError):
        app.register_error_handler(kind, _failed)
    writing = threading.Lock()

    @app.get("/")
    def page() -> str:
        return render_template(
            "page.html", words=WORDS[desk.language], language=desk.language, reviewer=reviewer
        )

    @app.get("/api/state")
    def state() -> Response:
        own = {one.id: one for one in read_decisions(decisions) if one.reviewer == reviewer}
        return jsonify(
            words=WORDS[desk.language],
            file=str(decisions),
            samples=[shown(sample, desk, own.get(sample.id)) for sample in desk.samples],
            classes=[
                {**asdict(info), "keywords": desk.keywords.get(name, ())}
                for name, info in desk.classes.items()
            ],
        )

    @app.post("/api/decide")
    def decide() -> Response:
        with writing:
            new = _asked(request.get_json(), desk, reviewer)
            write_decisions(decisions, with_decision(read_decisions(decisions), new))
        return jsonify(decision=asdict(new))

    @app.post("/api/undo")
    def undo() -> Response:
        with writing:
            given = read_decisions(decisions)
            last = last_of(given, reviewer, {sample.id for sample in desk.samples})
            if last is not None:
                write_decisions(decisions, [one for one in given if one is not last])
        return jsonify(id=last.id if last is not None else None)

    return app


def _only_from_here() -> None:
    if urlsplit(request.host_url).hostname not in OWN_NAMES:
        abort(403, f"this page is served on {HOST} only, not on {request.host}")
    if request.method != "POST":
        return
    if request.headers.get("Origin") != request.host_url.rstrip("/"):
        abort(403, "only the page itself may write")
    if not request.is_json:
        abort(415, "expected JSON")


def _with_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response


def _refused(error: HTTPException) -> ResponseReturnValue:
    return jsonify(error=error.description), error.code or 500


def _failed(error: Exception) -> ResponseReturnValue:
    log.error("review: %s", error)
    return jsonify(error=str(error)), 500


def _asked(body: object, desk: Desk, reviewer: str) -> Decision:
    """Return the decision in a request body; abort with status 400 if it is invalid."""
    if not isinstance(body, dict) or not all(isinstance(value, str) for value in body.values()):
        abort(400, "expected an object of strings")
    fields: dict[str, str] = body
    sample = next((one for one in desk.samples if one.id == fields.get("id")), None)
    choice = fields.get("decision", "")
    if sample is None:
        abort(400, f"sample {fields.get('id')!r} is not in the queue; reload the page")
    if choice not in CHOICES:
        abort(400, f"decision {choice!r} is not one of {', '.join(CHOICES)}")
    label = fields.get("label", "") if choice == "relabel" else sample.label
    if choice == "relabel" and (label not in desk.classes or label == sample.label):
        abort(400, f"{label!r} is not another known class than {sample.label!r}")
    reason = " ".join(fields.get("reason", "").split())
    return Decision(sample.id, choice, label, reason, reviewer, _now())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def listen(app: Flask, port: int) -> BaseWSGIServer:
    """Return a server on the loopback address only; port 0 picks a free port.

    Raises:
        UserError: the port is in use.
    """
    try:
        # Bind here, because werkzeug would exit the process if the port is in use.
        with socket.create_server((HOST, port)) as taken:
            free = taken.getsockname()[1]
            return make_server(HOST, free, app, threaded=True, fd=taken.fileno())
    except OSError as error:
        raise UserError(
            f"--port {port}: {error.strerror}; choose another port, or 0 for any"
        ) from None


def default_reviewer() -> str:
    """Return git's user.name, or else the login name."""
    try:
        name = subprocess.run(
            ["git", "config", "user.name"], capture_output=True, encoding="utf-8", check=False
        ).stdout.strip()
    except FileNotFoundError:
        name = ""
    return name or getpass.getuser()


@command
def main(
    reviewer: Annotated[str, typer.Option(help="reviewer's name; default: git's user.name")] = "",
    port: Annotated[int, typer.Option(help="port on 127.0.0.1; 0 picks a free one")] = PORT,
    queue: Annotated[Path, typer.Option(help="review queue written by filter")] = REVIEW_QUEUE,
    decisions: Annotated[Path, typer.Option(help="file to save decisions in")] = DECISIONS,
    train: Annotated[Path | None, typer.Option(help="train file; default: data.train")] = None,
    plan: Annotated[Path, typer.Option(help="plan written by analyze, for keywords")] = PLAN,
) -> None:
    """Serve the review page until Ctrl-C."""
    data = load(DataParams)
    desk = load_desk(queue, train or data.train, plan, data)
    who = reviewer.strip() or default_reviewer()
    ids = {sample.id for sample in desk.samples}
    done = {one.id for one in read_decisions(decisions) if one.reviewer == who} & ids
    server = listen(create_app(desk, decisions, who), port)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    log.info(
        "review: %s has decided on %d of %d samples; open http://%s:%d (Ctrl-C stops)",
        who,
        len(done),
        len(ids),
        HOST,
        server.port,
    )
    server.serve_forever()


if __name__ == "__main__":
    typer.run(main)
