"""Keys of endpoints: from the environment or `$DVC_ROOT/.env`, never from params.yaml.

api_key("glm4", "ZHIPU_API_KEY")
"""

from __future__ import annotations

import os
from pathlib import Path

from src.errors import UserError
from src.paths import ROOT

NO_KEY = "none"  # the openai client wants something


def api_key(endpoint: str, variable: str | None, root: Path = ROOT) -> str:
    """The key in a variable; a placeholder where none is named.

    Args:
        endpoint: its name, for the message.
        variable: of the environment, or of the file .env.
        root: folder of that file.

    Raises:
        UserError: the variable is not set, or holds what no key is.
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
    if not (key.isascii() and key.isprintable()):  # it would be refused with the key in the error
        raise UserError(
            f"endpoint {endpoint!r}: {variable} holds characters that no key has; copy the key anew"
        )
    return key
