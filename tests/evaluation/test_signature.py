"""The signature changes if, and only if, settings, data or version change."""

from __future__ import annotations

from pathlib import Path

import sklearn

from src.config.data import DataParams
from src.config.params import load_params
from src.evaluation.signature import signature


def test_the_signature_names_what_decides_the_numbers(tmp_path: Path, data: DataParams) -> None:
    """It contains settings, data digest and version; one more test row changes it."""
    files = {split: tmp_path / f"{split}.csv" for split in ("train", "dev", "test")}
    for split, path in files.items():
        path.write_text(split, encoding="utf-8")
    data = data.model_copy(update=files)
    evaluate = load_params().evaluate.model_copy(update={"seeds": 3, "bootstrap": 500, "seed": 7})
    before = signature(data, evaluate)
    assert before == (  # of the SHA-256 of "traindevtest"
        f"methods:11|seeds:3|bs:500|seed:7|tail:<=49|data:665ccd10|sklearn:{sklearn.__version__}"
    )
    files["test"].write_text("more", encoding="utf-8")
    assert signature(data, evaluate) != before
