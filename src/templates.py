"""The Jinja environment of all templates; an undefined name is an error."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jinja2


def environment(
    folder: Path, *, escape: bool = False, trim_blocks: bool = False
) -> jinja2.Environment:
    """Return an environment for the templates of a folder; each template is read once.

    Args:
        folder: folder of the templates.
        escape: whether values are escaped for HTML.
        trim_blocks: whether lines that contain only a block tag leave no blank line.
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
