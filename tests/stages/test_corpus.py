"""The stage corpus writes the files of dvc.lock, on which all recorded responses depend."""

from __future__ import annotations

import hashlib
from pathlib import Path

import yaml

from src.stages.corpus import main
from src.standin.scenarios import BANK, CLASSES

LOCK = Path(__file__).parents[2] / "dvc.lock"


def test_the_code_composes_the_locked_corpus(tmp_path: Path) -> None:
    """Recorded responses are keyed by prompts, which show train rows: no byte may change."""
    main(bank=BANK, classes=CLASSES, out=tmp_path)
    stages = yaml.safe_load(LOCK.read_text(encoding="utf-8"))["stages"]
    locked = {dep["path"]: dep["md5"] for dep in stages["analyze"]["deps"]}
    for path in sorted(tmp_path.iterdir()):
        md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        assert md5 == locked[f"data/standin/{path.name}"]
