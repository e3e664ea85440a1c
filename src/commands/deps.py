"""Write into dvc.yaml the modules that each stage depends on: the import closure of its command.

    make deps
    python -m src.commands.deps

DVC does not follow imports. The deps of a stage therefore list every module that it imports,
directly or indirectly, including imports inside functions; the files that it reads come first.
Only the lines of modules are rewritten. Modules that affect no result (`UNTRACKED`) are left out,
and so is what only they import.
"""

from __future__ import annotations

import ast
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from src.cli import command
from src.errors import UserError
from src.files import write_text

log = logging.getLogger(__name__)

DVC_YAML = Path("dvc.yaml")
UNTRACKED = (  # a change in these must not rerun paid generation
    Path("src/reporting/tracking.py"),  # MLflow only
    Path("src/cli.py"),  # checks all settings and formats errors
)
COMMAND = re.compile(r"    cmd: python -m (?P<module>[\w.]+)")
DEPS = "    deps:"
DEP, MODULE = "      - ", "      - src/"


@command
def main(
    path: Annotated[Path, typer.Option(help="the pipeline")] = DVC_YAML,
) -> None:
    """Rewrite the modules of every stage."""
    text = path.read_text(encoding="utf-8")
    written = with_modules(text)
    write_text(path, written)
    log.info("deps: %s", "up to date" if written == text else f"{path} updated")


def with_modules(text: str, root: Path = Path()) -> str:
    """Return the text of dvc.yaml with the modules that each stage imports now.

    Args:
        text: current text of dvc.yaml; every stage has `cmd` before `deps`.
        root: parent folder of `src`.

    Raises:
        UserError: the command of a stage names a module that does not exist.
    """
    lines: list[str] = []
    modules: list[str] = []
    in_deps = False
    for line in text.splitlines():
        if found := COMMAND.match(line):
            modules = [f"{DEP}{one.as_posix()}" for one in closure(_path(found["module"]), root)]
        if in_deps and line.startswith(MODULE) and line.endswith(".py"):
            continue
        if in_deps and not line.startswith(DEP):
            lines += modules
            in_deps = False
        lines.append(line)
        in_deps = in_deps or line == DEPS
    return "\n".join([*lines, *(modules if in_deps else [])]) + "\n"


def closure(module: Path, root: Path = Path()) -> list[Path]:
    """Return the module and all its direct and indirect imports, sorted; without `UNTRACKED`.

    Args:
        module: path from the root.
        root: parent folder of `src`.

    Raises:
        UserError: there is no such module.
    """
    seen: set[Path] = set()
    left = [module]
    while left:
        one = left.pop()
        if one not in seen:
            seen.add(one)
            left += imports(one, root)
    return sorted(seen)


def imports(module: Path, root: Path = Path()) -> Iterator[Path]:
    """Yield the modules of src that a module imports; `__init__` files are empty and left out.

    Raises:
        UserError: there is no such module.
    """
    try:
        tree = ast.parse((root / module).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{module} not found; correct `cmd` in dvc.yaml") from None
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            path = _path(name)
            if name.startswith("src.") and (root / path).is_file() and path not in UNTRACKED:
                yield path


def _path(module: str) -> Path:
    return Path(*module.split(".")).with_suffix(".py")


if __name__ == "__main__":
    typer.run(main)
