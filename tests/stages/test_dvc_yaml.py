"""dvc.yaml says of every stage what its code says: modules, settings, files."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from src import paths

ROOT = Path(__file__).parents[2]
UNTRACKED_MODULE = (
    ROOT / "src/reporting/tracking.py"
)  # a change of logging must not bill generation
STAGES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
METRICS, PLOTS = paths.METRICS, paths.PLOTS
WRITES = {
    "corpus": {paths.STANDIN},
    "analyze": {paths.PLAN, METRICS / "analyze.json"},
    "generate": {
        paths.CANDIDATES,
        paths.FAILURES,
        paths.CASSETTE,
        METRICS / "generate.json",
    },
    "score": {paths.SCORES, paths.SUSPECTS},
    "filter": {
        paths.ACCEPTED,
        paths.REJECTED,
        paths.JUDGE_CASSETTE,
        paths.REVIEW_QUEUE,
        METRICS / "filter.json",
    },
    "balance": {paths.BALANCED, METRICS / "balance.json"},
    "convert": {paths.CHAT},
    "choose": {METRICS / "choose.json", PLOTS / "learning_curve.csv"},
    "train-baseline": {
        paths.MODELS / "${item.arm}.skops",
        paths.PREDICTIONS / "${item.arm}.csv",
    },
    "evaluate": {
        paths.REPORTS,
        METRICS / "evaluate.json",
        PLOTS / "class_counts.csv",
        PLOTS / "recall.csv",
        PLOTS / "confusion_before.csv",
        PLOTS / "confusion_after.csv",
    },
}

BY_PEOPLE = paths.DECISIONS  # comes from git

every_stage = pytest.mark.parametrize("stage", list(STAGES))


def module_of(stage: str) -> Path:
    """The file that the stage's command runs."""
    name = STAGES[stage]["cmd"].split()[2]
    return ROOT / (name.replace(".", "/") + ".py")


def imports(module: Path) -> Iterator[Path]:
    """Modules of src that one imports, anywhere in it; `__init__` files are empty and left out."""
    for node in ast.walk(tree_of(module)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            path = ROOT / (name.replace(".", "/") + ".py")
            if name.startswith("src.") and path.is_file() and path != UNTRACKED_MODULE:
                yield path


def closure(module: Path) -> set[Path]:
    """The module and all that it imports, directly or not."""
    seen: set[Path] = set()
    left = [module]
    while left:
        one = left.pop()
        if one not in seen:
            seen.add(one)
            left += imports(one)
    return seen


class SettingsRead(ast.NodeVisitor):
    """Settings that decide a stage's files, dotted: `params.data.train`, `settings(params, [...])`.

    What is only logged, inside `track(...)`, decides nothing. A function of another module that is
    given all of `params` is read as well.
    """

    def __init__(self, module: Path) -> None:
        self.found: set[str] = set()
        self._homes = {
            alias.asname or alias.name: (ROOT / (node.module.replace(".", "/") + ".py"), alias.name)
            for node in ast.walk(tree_of(module))
            if isinstance(node, ast.ImportFrom) and f"{node.module}".startswith("src.")
            for alias in node.names
        }

    def visit_Call(self, node: ast.Call) -> None:
        """Sections that the report shows, and functions that read settings elsewhere."""
        called = node.func.id if isinstance(node.func, ast.Name) else ""
        if called == "track":
            return
        if called == "settings":
            self.found |= set(ast.literal_eval(node.args[1]))
        elif called in self._homes and any(is_all_settings(given) for given in node.args):
            home, name = self._homes[called]
            reader = SettingsRead(home)
            reader.visit(function_of(home, name))
            self.found |= reader.found
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """A chain of attributes that starts at the settings."""
        names: list[str] = []
        start: ast.expr = node
        while isinstance(start, ast.Attribute):
            names.insert(0, start.attr)
            start = start.value
        if isinstance(start, ast.Call):
            start = start.func
        if isinstance(start, ast.Name) and start.id in ("params", "load_params"):
            self.found.add(".".join(names))
        else:
            self.generic_visit(node)


def tree_of(module: Path) -> ast.Module:
    """The syntax of a module."""
    return ast.parse(module.read_text(encoding="utf-8"))


def function_of(module: Path, name: str) -> ast.FunctionDef:
    """A function of a module."""
    defined = (node for node in tree_of(module).body if isinstance(node, ast.FunctionDef))
    return next(node for node in defined if node.name == name)


def is_all_settings(given: ast.expr) -> bool:
    """Whether a function is given `params` whole."""
    return isinstance(given, ast.Name) and given.id == "params"


def covers(section: str, setting: str) -> bool:
    """Whether the setting is the section or lies in it."""
    return f"{setting}.".startswith(f"{section}.")


@every_stage
def test_modules_are_the_import_closure(stage: str):
    """DVC does not follow imports: a module that is left out would leave old results standing."""
    listed = {dep for dep in STAGES[stage]["deps"] if dep.endswith(".py")}
    assert listed == {str(path.relative_to(ROOT)) for path in closure(module_of(stage))}


@every_stage
def test_settings_are_those_that_the_code_reads(stage: str):
    """A setting that is named and not read reruns for nothing; the other way gives old results."""
    reader = SettingsRead(module_of(stage))
    reader.visit(tree_of(module_of(stage)))
    read = {setting for setting in reader.found if not covers("runtime", setting)}
    named = STAGES[stage]["params"]
    assert [s for s in sorted(read) if not any(covers(n, s) for n in named)] == []
    assert [n for n in named if not any(covers(n, s) for s in read)] == []


@every_stage
def test_files_are_those_of_paths_py(stage: str):
    """The stage's defaults and DVC's paths are the same."""
    entries = [
        entry if isinstance(entry, str) else next(iter(entry))
        for kind in ("outs", "metrics", "plots")
        for entry in STAGES[stage].get(kind, [])
    ]
    assert {Path(entry) for entry in entries} == WRITES[stage]
    assert len(entries) == len(WRITES[stage])


@every_stage
def test_other_files_come_from_the_user_or_an_earlier_stage(stage: str):
    """No dependency that nothing writes; what people decide and rounds are written by no stage."""
    earlier = list(STAGES)[: list(STAGES).index(stage)]
    written = {path for name in earlier for path in WRITES[name]}
    if "train-baseline" in earlier:
        written.add(paths.PREDICTIONS)
    given = ("${data.", "data/raw/", "prompts", "src/")
    deps = {Path(dep) for dep in STAGES[stage]["deps"] if not dep.startswith(given)}
    by_hand = {BY_PEOPLE, paths.ROUNDS}
    assert deps <= {*written, *by_hand}
    assert not by_hand & written
    assert all((ROOT / path).exists() for path in by_hand)
