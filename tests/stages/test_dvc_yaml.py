"""dvc.yaml matches the code of every stage: modules, settings, files."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

from src import paths
from src.commands.deps import UNTRACKED, with_modules
from src.config.params import Params

ROOT = Path(__file__).parents[2]
STAGES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
SECTIONS = {
    field.annotation.__name__: name
    for name, field in Params.model_fields.items()
    if field.annotation is not None
}
METRICS, PLOTS = paths.METRICS, paths.PLOTS
WRITES = {
    "corpus": {paths.STANDIN},
    "analyze": {paths.PLAN, METRICS / "analyze.json"},
    "generate": {
        paths.CANDIDATES,
        paths.FAILURES,
        paths.RESPONSES,
        METRICS / "generate.json",
    },
    "score": {paths.SCORES, paths.SUSPECTS},
    "filter": {
        paths.ACCEPTED,
        paths.REJECTED,
        paths.JUDGE_RESPONSES,
        paths.REVIEW_QUEUE,
        METRICS / "filter.json",
    },
    "balance": {paths.BALANCED, METRICS / "balance.json"},
    "convert": {paths.CHAT},
    "choose": {METRICS / "choose.json", PLOTS / "learning_curve.csv"},
    "train-baseline": {
        paths.MODELS / "${item.method}.skops",
        paths.PREDICTIONS / "${item.method}.csv",
    },
    "evaluate": {
        METRICS / "evaluate.json",
        PLOTS / "class_counts.csv",
        PLOTS / "recall.csv",
        PLOTS / "confusion_before.csv",
        PLOTS / "confusion_after.csv",
    },
    "report": {paths.REPORTS},
}

BY_PEOPLE = paths.DECISIONS  # kept in git

every_stage = pytest.mark.parametrize("stage", list(STAGES))


def module_of(stage: str) -> Path:
    """Return the file that the stage's command runs."""
    return Path(*STAGES[stage]["cmd"].split()[2].split(".")).with_suffix(".py")


def settings_read(module: Path) -> set[str]:
    """Return the settings that a module reads, as dotted names.

    After `rules = load(FilterParams)`, each `rules.style.enabled` is one. `rules` alone, passed to
    a function, is the whole section, and so is `load(FilterParams)` passed directly.
    """
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    sections = {
        node.targets[0].id: loaded
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        if (loaded := section_of(node.value))
    }
    named = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Assign)}
    found: set[str] = set()
    inner: set[int] = set()
    for node in ast.walk(tree):  # outer nodes come first: a chain is seen before its parts
        if id(node) in inner:
            continue
        names: list[str] = []
        start: ast.AST = node
        while isinstance(start, ast.Attribute):
            names.insert(0, start.attr)
            start = start.value
            inner.add(id(start))
        if isinstance(start, ast.Name) and isinstance(start.ctx, ast.Load):
            section = sections.get(start.id, "")
        else:
            section = "" if id(start) in named else section_of(start)
        if section:
            found.add(".".join([section, *names]))
    return found


def section_of(node: ast.AST) -> str:
    """Return the section of params.yaml that `load(...)` reads; empty for other nodes."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "load":
        (kind,) = node.args
        assert isinstance(kind, ast.Name)
        return SECTIONS[kind.id]
    return ""


def covers(section: str, setting: str) -> bool:
    """Return whether the setting is the section or belongs to it."""
    return f"{setting}.".startswith(f"{section}.")


def test_modules_are_the_import_closure() -> None:
    """DVC does not follow imports: a module that is left out would leave old results standing."""
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    assert with_modules(text, ROOT) == text


@every_stage
def test_settings_are_those_that_the_code_reads(stage: str) -> None:
    """An unused setting causes needless reruns; a missing one leaves outdated results."""
    read = {one for one in settings_read(module_of(stage)) if not covers("runtime", one)}
    named = STAGES[stage]["params"]
    assert [s for s in sorted(read) if not any(covers(n, s) for n in named)] == []
    assert [n for n in named if not any(covers(n, s) for s in read)] == []


@every_stage
def test_a_stage_depends_on_the_sections_that_it_loads(stage: str) -> None:
    """A dependency on the module of another section would cause needless reruns."""
    modules = {Path(dep).stem for dep in STAGES[stage]["deps"] if dep.startswith("src/config/")}
    loaded = {one.partition(".")[0] for one in settings_read(module_of(stage))}
    assert modules - loaded <= {"load", "section", "methods"}


def test_settings_are_loaded_where_dvc_sees_it() -> None:
    """Only stages load sections; dvc.yaml could not track a section loaded elsewhere."""
    loading = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        if node.module in ("src.config.load", "src.config.params")
        if {"load", "load_params"} & {alias.name for alias in node.names}
    }
    rooms = {path for path in loading if not path.startswith(("stages/", "commands/", "config/"))}
    commands = {"review/page.py", "standin/describe.py"}  # not stages
    assert rooms <= {*commands, *(path.relative_to("src").as_posix() for path in UNTRACKED)}


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
    """Every dependency is written by a stage, except decisions of reviewers and rounds."""
    earlier = list(STAGES)[: list(STAGES).index(stage)]
    written = {path for name in earlier for path in WRITES[name]}
    if "train-baseline" in earlier:
        written.add(paths.PREDICTIONS)
    given = ("${data.", "data/raw/", "prompts", "src/")
    deps = {Path(dep) for dep in STAGES[stage]["deps"] if not dep.startswith(given)}
    external = {BY_PEOPLE, paths.ROUNDS}
    assert deps <= {*written, *external}
    assert not external & written
    assert all((ROOT / path).exists() for path in external)
