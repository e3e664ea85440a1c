"""What the documents name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "Makefile"]

every_document = pytest.mark.parametrize(
    "document", [pytest.param(path, id=path.name) for path in DOCUMENTS]
)


@every_document
def test_modules_that_are_run_are_there(document: Path) -> None:
    """`python -m src.commands.check` and the like."""
    named = re.findall(r"python -m ((?:src|benchmarks)[\w.]*\w)", document.read_text("utf-8"))
    assert [one for one in named if not (ROOT / f"{one.replace('.', '/')}.py").is_file()] == []


@every_document
def test_files_of_the_code_are_there(document: Path) -> None:
    """`src/generation/run.py` and the like."""
    named = re.findall(r"(?:src|tests|benchmarks)/[\w/]+\.py", document.read_text("utf-8"))
    assert [one for one in named if not (ROOT / one).is_file()] == []


@every_document
def test_commands_of_make_are_there(document: Path) -> None:
    """`make repro` and the like."""
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    named = re.findall(r"`make ([a-z][a-z-]+)", document.read_text("utf-8"))
    assert set(named) - {*targets, "help"} == set()


def test_the_walk_of_a_sample_names_functions_that_are_there() -> None:
    """docs/architecture.md: "`src/x/y.py` `name`" is a function or class of that file."""
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    pairs = re.findall(r"`(src/[\w/]+\.py)` `(\w+)(?:\.(\w+))?`", text)
    assert len(pairs) >= 8
    for file, name, method in pairs:
        code = (ROOT / file).read_text("utf-8")
        assert re.search(rf"^(?:def|class) {name}\b", code, re.MULTILINE), (file, name)
        assert not method or re.search(rf"^    (?:async )?def {method}\b", code, re.MULTILINE)
