"""What documents name exists, and names follow docs/glossary.md."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from src.records.json_files import read_record
from src.records.metrics.evaluate import EvaluateMetrics
from src.records.scores import ScoreIntervals

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
    r"said": ("tests/training/test_choose.py",),  # a word of its texts
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


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_result_in_the_readme_is_the_measured_one(name: str) -> None:
    """Each row has macro-F1 and tail recall of its method from metrics/evaluate.json."""
    evaluate = read_record(ROOT / "metrics/evaluate.json", EvaluateMetrics)
    text = (ROOT / name).read_text("utf-8").replace("*", "")
    rows = dict(re.findall(r"^\| `(\w+)`[^|]*\| (.+) \|$", text.split("result:start")[1], re.M))
    assert rows.pop("original") == shown(evaluate.methods["original"])
    assert {evaluate.best_free, evaluate.ours} < rows.keys()
    difference = f"`{evaluate.ours}` (minus|减) `{evaluate.best_free}`[^|]*\\| (.+) \\|"
    found = re.search(difference, text)
    assert found is not None
    assert found[2] == shown(evaluate.versus_best_free[evaluate.ours], sign="+")
    for method in (evaluate.best_free, "augmented"):
        assert rows[method] == shown(evaluate.methods[method])


def shown(scores: ScoreIntervals, sign: str = "") -> str:
    """`0.509 [0.485, 0.527] | 0.195 [0.162, 0.228]`."""
    form = f"{sign}.3f"
    return " | ".join(
        f"{one.value:{form}} [{one.low:{form}}, {one.high:{form}}]"
        for one in (scores.macro_f1, scores.tail_recall)
    )
