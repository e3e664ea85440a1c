"""The rooms of src: imports point downwards only, and interfaces between rooms are typed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from src.commands.deps import imports

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"
FLOORS = (  # from the bottom up; a room imports from rooms before it in this list only
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
UNCHECKED = {  # at the edge: values from outside, which the caller validates
    "config/load.py: read_settings()": "params.yaml before validation",
    "config/load.py: parsed()": "params.yaml before validation",
    "config/load.py: validated(raw)": "params.yaml before validation",
    "records/json_files.py: as_json(value)": "rejects anything that is not a JSON value",
    "llm/requests.py: digest(value)": "any JSON value",
}

every_module = pytest.mark.parametrize(
    "module", [pytest.param(path, id=str(path.relative_to(SRC))) for path in MODULES]
)


def room_of(module: Path) -> str:
    """The folder of a module in src, or the module itself if it is not in a folder."""
    return module.relative_to(SRC).parts[0].removesuffix(".py")


def imported_rooms(module: Path) -> Iterator[str]:
    """Rooms that a module imports from, including imports inside functions."""
    return (room_of(ROOT / one) for one in imports(module.relative_to(ROOT), ROOT))


def tree_of(module: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(module.read_text(encoding="utf-8"))


def test_every_room_has_a_floor() -> None:
    """A new room must be added to `FLOORS`."""
    assert {room_of(module) for module in MODULES} == set(FLOORS)


@every_module
def test_no_import_points_upwards(module: Path) -> None:
    """There are no cycles, and a room can be read after the rooms below it."""
    floor = FLOORS.index(room_of(module))
    above = {room for room in imported_rooms(module) if FLOORS.index(room) > floor}
    assert above == set()


def test_modules_have_no_import_cycles() -> None:
    """Neither within a room, nor through other modules, nor inside functions."""
    left = {module: set(imports(module.relative_to(ROOT), ROOT)) for module in MODULES}
    names = {module: module.relative_to(ROOT) for module in MODULES}
    while free := [module for module, needs in left.items() if not needs & set(names.values())]:
        for module in free:
            del left[module], names[module]
    assert list(left) == []


def interface(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Name and annotation of public functions, methods and fields."""
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
    """Name and annotation of the arguments and the result of a public function."""
    if function.name.startswith("_") and function.name != "__init__":
        return
    args = function.args
    variadic = [arg for arg in (args.vararg, args.kwarg) if arg is not None]
    for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs, *variadic):
        if arg.annotation is not None:
            yield f"{function.name}({arg.arg})", arg.annotation
    if function.returns is not None:
        yield f"{function.name}()", function.returns


def untyped(annotation: ast.expr) -> bool:
    """Whether an annotation allows anything: `Any` or `object` anywhere, or a bare mapping."""
    text = ast.unparse(annotation)
    bare = re.search(r"\b(?:dict|Mapping|MutableMapping|defaultdict)\b(?!\[)", text)
    return bare is not None or re.search(r"\b(?:Any|object|Record)\b", text) is not None


@every_module
def test_interfaces_are_typed(module: Path) -> None:
    """Records are passed between rooms, so that strict mypy finds a wrong key."""
    position = module.relative_to(SRC).as_posix()
    found = {
        f"{position}: {name}"
        for name, annotation in interface(tree_of(module))
        if untyped(annotation)
    }
    assert found - set(UNCHECKED) == set()
