"""Where prompt texts stand."""

from __future__ import annotations

from pathlib import Path

TEMPLATES = Path("prompts")
SHOWN_REQUESTS = 4  # in the description of the class
