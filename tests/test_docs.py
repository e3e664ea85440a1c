"""What documents name exists, and names follow docs/glossary.md."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "Makefile"]
OLD_WORDS = {  # word before the glossary -> files that may contain it
    r"worn": (),
    r"heads?[_ ](lost|kept)": (),
    r"give(s|n)?[ _-]?aways?": (),
    r"arms?": ("docs/endpoints.md", "docs/glossary.md", "src/generation/endpoint_choice.py"),
    r"cassettes?|recordings?": (),
    r"answers?": (
        "benchmarks/datasets.py",
        "prompts/judge.en.j2",
        "src/llm/response_store.py",
    ),  # of a prompt or a dialogue; of old files
    r"at[ _]hand": (),
    r"said": (),
    r"promise[sd]?": (),
    r"places": ("tests/llm/test_budget.py",),  # decimal places
    r"avoid_phrases": (),
    r"方案|露馅|质量关|本方法": (),
}

every_document = pytest.mark.parametrize(
    "document", [pytest.param(path, id=str(path.relative_to(ROOT))) for path in DOCUMENTS]
)


def tracked(*paths: str) -> list[Path]:
    """Text files of the repository under these paths."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", *paths], cwd=ROOT, check=True, capture_output=True, text=True
    )
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in files if path.suffix not in (".png", ".gz") and path.is_file()]


@pytest.mark.parametrize("word", OLD_WORDS)
def test_old_words_are_gone(word: str) -> None:
    """Except in CHANGELOG.md, and where an old setting or file is still understood."""
    pattern = re.compile(rf"(?<![a-z]){word}(?![a-z])", re.IGNORECASE)
    renamed = re.compile(r"evaluate(\.|\", \")arms|avoid_phrases|TABLE answers|INTO answers")
    files = tracked(
        *("src", "tests", "docs", "prompts", "benchmarks", "params.yaml", ".github", "metrics"),
        *("README.md", "README.zh-CN.md", "CONTRIBUTING.md", "Makefile", "dvc.yaml"),
    )
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files
        if path != Path(__file__) and path.relative_to(ROOT).as_posix() not in OLD_WORDS[word]
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if pattern.search(line) and not renamed.search(line)
    ]
    assert found == []


@every_document
def test_links_to_files_lead_somewhere(document: Path) -> None:
    """`[text](docs/gate.md#rules)`: the file exists, and it has that heading."""
    for target in re.findall(r"\]\((?!https?://)([^)\s]+)\)", document.read_text("utf-8")):
        name, _, anchor = target.partition("#")
        file = document.parent / name if name else document
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
            anchors = [re.sub(r"[^\w\- ]", "", one).lower().replace(" ", "-") for one in headings]
            assert anchor in anchors, target


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
