"""The error that is shown to the user without a traceback."""

from __future__ import annotations


class UserError(Exception):
    """A mistake in the user's data, settings, key or endpoint: one line, exit code 2."""
