"""The modules in dvc.yaml are written from the imports; everything else stays unchanged."""

from __future__ import annotations

from pathlib import Path

import pytest

from src.commands.deps import closure, with_modules
from src.errors import UserError

PIPELINE = """\
# what it is for
stages:
  first:
    cmd: python -m src.stages.first --fast
    deps:
      - data/a.csv   # rows
      - src/gone.py
      - src/reporting/templates
    params: [data]
    outs:
      - data/b.csv
  last:
    cmd: python -m src.stages.last
    deps:
      - data/b.csv
"""
WRITTEN = """\
# what it is for
stages:
  first:
    cmd: python -m src.stages.first --fast
    deps:
      - data/a.csv   # rows
      - src/reporting/templates
      - src/rows.py
      - src/stages/first.py
      - src/words.py
    params: [data]
    outs:
      - data/b.csv
  last:
    cmd: python -m src.stages.last
    deps:
      - data/b.csv
      - src/stages/last.py
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two stages; one of them imports in three ways."""
    modules = {
        "stages/first.py": "from src.rows import read\nfrom src.cli import stage\n",
        "stages/last.py": "import json\nfrom src.reporting.tracking import track\n",
        "rows.py": "def read():\n    from src import words\n",
        "words.py": "import src.rows\n",
        "cli.py": "from src.settings import check\n",
        "settings.py": "",
        "reporting/tracking.py": "from src.settings import check\n",
    }
    for name, text in modules.items():
        path = tmp_path / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def test_modules_come_after_the_other_deps(root: Path) -> None:
    """Unused modules are removed, comments and order stay; a second run changes nothing."""
    assert with_modules(PIPELINE, root) == WRITTEN
    assert with_modules(WRITTEN, root) == WRITTEN


def test_modules_that_affect_no_result_are_left_out(root: Path) -> None:
    """Tracking, the check of all settings, and what only they import."""
    names = {path.name for path in closure(Path("src/stages/first.py"), root)}
    assert names == {"first.py", "rows.py", "words.py"}


def test_a_command_without_a_module_is_named(root: Path) -> None:
    """Example: a typo in `cmd`."""
    with pytest.raises(UserError, match=r"frist\.py not found; correct `cmd`"):
        with_modules(PIPELINE.replace("stages.first", "stages.frist"), root)
