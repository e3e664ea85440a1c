"""Jinja templates, the same way wherever a text is filled in: a name that is not given is an error."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jinja2


def environment(
    folder: Path, *, escape: bool = False, trim_blocks: bool = False
) -> jinja2.Environment:
    """Templates of a folder, read once.

    Args:
        folder: of the templates.
        escape: whether values are escaped for HTML.
        trim_blocks: whether a line that holds but a block leaves nothing in the text.
    """
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        auto_reload=False,
        autoescape=escape,
        trim_blocks=trim_blocks,
        lstrip_blocks=trim_blocks,
        keep_trailing_newline=trim_blocks,
    )
