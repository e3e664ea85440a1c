"""The rooms of src: imports run down only, and what crosses a door has a type."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src"
FLOORS = (  # from the ground up; a room imports from rooms below it
    "errors",
    "paths",
    "files",
    "templates",
    "config",
    "records",
    "stats",
    "cli",
    "data",
    "privacy",
    "llm",
    "planning",
    "judging",
    "review",
    "gate",
    "diagnostics",
    "generation",
    "evaluation",
    "training",
    "experimental",
    "reporting",
    "standin",
    "stages",
    "commands",
)
MODULES = sorted(path for path in SRC.rglob("*.py") if path.name != "__init__.py")
UNTYPED = ("Any", "object")  # of values: a key that is wrong is seen by nobody
UNCHECKED = {  # at the edge: what has come from outside and is checked by who asks for it
    "config/load.py": "params.yaml before it is checked",
}

every_module = pytest.mark.parametrize(
    "module", [pytest.param(path, id=str(path.relative_to(SRC))) for path in MODULES]
)


def room_of(module: Path) -> str:
    """The folder of a module in src, or the module itself where it stands there alone."""
    return module.relative_to(SRC).parts[0].removesuffix(".py")


def imported_rooms(module: Path) -> Iterator[str]:
    """Rooms that a module imports from, anywhere in it."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.ImportFrom) and f"{node.module}".startswith("src."):
            yield f"{node.module}".split(".")[1]


def tree_of(module: Path) -> ast.Module:
    """The syntax of a module."""
    return ast.parse(module.read_text(encoding="utf-8"))


def test_every_room_stands_on_a_floor() -> None:
    """A new room says what it stands on."""
    assert {room_of(module) for module in MODULES} == set(FLOORS)


@every_module
def test_no_import_runs_back_up(module: Path) -> None:
    """So there is no circle, and who reads from the ground up has seen all that a room uses."""
    floor = FLOORS.index(room_of(module))
    above = {room for room in imported_rooms(module) if FLOORS.index(room) > floor}
    assert above == set()


def seen_by_others(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Name and annotation of what others see: public functions, methods and fields."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from signature(node)
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for part in node.body:
                if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield from signature(part)
                elif isinstance(part, ast.AnnAssign):
                    yield ast.unparse(part.target), part.annotation


def signature(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[str, ast.expr]]:
    """Of a public function its arguments and what it returns."""
    if function.name.startswith("_") and function.name != "__init__":
        return
    arguments = function.args
    for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if one.annotation is not None:
            yield f"{function.name}({one.arg})", one.annotation
    if function.returns is not None:
        yield f"{function.name}()", function.returns


def untyped(annotation: ast.expr) -> bool:
    """Whether it holds a mapping of anything."""
    return any(
        isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("dict", "Mapping")
        and isinstance(node.slice, ast.Tuple)
        and isinstance(node.slice.elts[1], ast.Name)
        and node.slice.elts[1].id in UNTYPED
        for node in ast.walk(annotation)
    )


@every_module
def test_no_untyped_mapping_crosses_a_room(module: Path) -> None:
    """What travels is a record: strict mypy sees a wrong key."""
    found = [name for name, annotation in seen_by_others(tree_of(module)) if untyped(annotation)]
    if module.relative_to(SRC).as_posix() not in UNCHECKED:
        assert found == []
