"""Decorators for commands and stages: logging, and user errors as one line with exit code 2.

No stage in dvc.yaml depends on this module or on modules that only it imports: checking all
settings must not make a stage depend on sections that it does not read.
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
    """Append the log to a file, with a timestamp on each line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter(f"%(asctime)s {LOG_FORMAT}"))
    logging.getLogger().addHandler(handler)


def command(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate the `main` of a command: set up logging, report user errors with exit code 2."""

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
            sys.stderr.write("stopped; run the same command again to continue\n")
            raise SystemExit(130) from None

    return run


def stage(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate the `main` of a stage: like `command`, but check all of params.yaml first."""

    @command
    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        load_params()
        return function(*args, **kwargs)

    return run
