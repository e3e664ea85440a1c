"""The rooms of src: imports run down only, and what crosses a door has a type."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from src.commands.deps import imports

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"
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
UNCHECKED = {  # at the edge: what has come from outside and is checked by who asks for it
    "config/load.py: read_settings()": "params.yaml before it is checked",
    "config/load.py: parsed()": "the same",
    "config/load.py: validated(raw)": "the same",
    "records/json_files.py: as_json(value)": "refuses what is no value of JSON",
    "llm/requests.py: digest(value)": "any value of JSON",
}

every_module = pytest.mark.parametrize(
    "module", [pytest.param(path, id=str(path.relative_to(SRC))) for path in MODULES]
)


def room_of(module: Path) -> str:
    """The folder of a module in src, or the module itself where it stands there alone."""
    return module.relative_to(SRC).parts[0].removesuffix(".py")


def imported_rooms(module: Path) -> Iterator[str]:
    """Rooms that a module imports from, anywhere in it."""
    return (room_of(ROOT / one) for one in imports(module.relative_to(ROOT), ROOT))


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


def test_no_modules_import_each_other() -> None:
    """Neither in one room, nor by way of others, nor inside a function."""
    left = {module: set(imports(module.relative_to(ROOT), ROOT)) for module in MODULES}
    names = {module: module.relative_to(ROOT) for module in MODULES}
    while free := [module for module, needs in left.items() if not needs & set(names.values())]:
        for module in free:
            del left[module], names[module]
    assert list(left) == []


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
    given = function.args
    several = [one for one in (given.vararg, given.kwarg) if one is not None]
    for one in (*given.posonlyargs, *given.args, *given.kwonlyargs, *several):
        if one.annotation is not None:
            yield f"{function.name}({one.arg})", one.annotation
    if function.returns is not None:
        yield f"{function.name}()", function.returns


def untyped(annotation: ast.expr) -> bool:
    """Whether it may hold anything: `Any` or `object` anywhere, or a bare mapping."""
    text = ast.unparse(annotation)
    bare = re.search(r"\b(?:dict|Mapping|MutableMapping|defaultdict)\b(?!\[)", text)
    return bare is not None or re.search(r"\b(?:Any|object|Record)\b", text) is not None


@every_module
def test_nothing_untyped_crosses_a_room(module: Path) -> None:
    """What travels is a record: strict mypy sees a wrong key."""
    position = module.relative_to(SRC).as_posix()
    found = {
        f"{position}: {name}"
        for name, annotation in seen_by_others(tree_of(module))
        if untyped(annotation)
    }
    assert found - set(UNCHECKED) == set()
