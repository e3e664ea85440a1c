"""API keys of endpoints: from the environment or `$DVC_ROOT/.env`, never from params.yaml.

api_key("glm4", "ZHIPU_API_KEY")
"""

from __future__ import annotations

import os
from pathlib import Path

from src.errors import UserError
from src.paths import ROOT

NO_KEY = "none"  # the openai client requires a value


def api_key(endpoint: str, variable: str | None, root: Path = ROOT) -> str:
    """Return the API key in a variable, or a placeholder if no variable is named.

    Args:
        endpoint: its name, for error messages.
        variable: name of an environment variable or of an entry in .env.
        root: folder of .env.

    Raises:
        UserError: the variable is not set, or its value cannot be a key.
    """
    from dotenv import dotenv_values

    if variable is None:
        return NO_KEY
    key = (os.environ.get(variable) or dotenv_values(root / ".env").get(variable) or "").strip()
    if not key:
        raise UserError(
            f"endpoint {endpoint!r} needs the key in {variable}, which is not "
            "set; export it or write it into .env"
        )
    if not (
        key.isascii() and key.isprintable()
    ):  # the HTTP client would quote the key in its error
        raise UserError(
            f"endpoint {endpoint!r}: {variable} holds characters that are not allowed in a key; copy the key again"
        )
    return key
