"""Location of the prompt templates."""

from __future__ import annotations

from pathlib import Path

TEMPLATES = Path("prompts")
SHOWN_REQUESTS = 4  # typical requests in the description of a class
