"""What makes a function a command: logging, and a user's mistake as one line and exit code 2.

dvc.yaml names this module for no stage, and nothing that it alone imports: the check of all settings
must not make a stage depend on sections that it does not read.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from src.config.params import load_params
from src.errors import UserError

P = ParamSpec("P")
R = TypeVar("R")
LOG_FORMAT = "%(levelname)s %(message)s"


def also_log_to(path: Path) -> None:
    """Append the log to a file, with the time of each line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter(f"%(asctime)s {LOG_FORMAT}"))
    logging.getLogger().addHandler(handler)


def command(function: Callable[P, R]) -> Callable[P, R]:
    """Make a `main` a command: logging on, user errors as one line and exit code 2."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
        for noisy in ("httpx", "httpx2", "openai", "alembic", "mlflow"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        try:
            return function(*args, **kwargs)
        except UserError as error:
            sys.stderr.write(f"error: {error}\n")
            raise SystemExit(2) from None
        except KeyboardInterrupt:
            sys.stderr.write("stopped; run the same command again to go on\n")
            raise SystemExit(130) from None

    return run


def stage(function: Callable[P, R]) -> Callable[P, R]:
    """Make a stage's `main` a command that first checks the whole of params.yaml."""

    @command
    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        load_params()
        return function(*args, **kwargs)

    return run
