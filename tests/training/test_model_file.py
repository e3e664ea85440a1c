"""Model files: small, reproducible and safe."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from skops import io

from src.errors import UserError
from src.training.classifier import adjusted, build, fit, predict
from src.training.model_file import portable, read_model, write_model
from tests.training.two_classes import FRAME, PARAMS, TEXTS, with_settings


@pytest.mark.parametrize("classifier", ["linear_svc", "logistic_regression"])
def test_a_saved_model_predicts_the_same(classifier: str, tmp_path: Path) -> None:
    """A loaded model has the same terms, scores and predictions, also if saved again unused."""
    model = fit(build(with_settings(classifier=classifier), None), FRAME)
    write_model(tmp_path / "new" / "first.skops", model)
    loaded = read_model(tmp_path / "new" / "first.skops")
    np.testing.assert_array_equal(loaded.decision_function(TEXTS), model.decision_function(TEXTS))
    assert predict(loaded, TEXTS).tolist() == predict(model, TEXTS).tolist()
    assert loaded["tfidf"].vocabulary_ == model["tfidf"].vocabulary_
    write_model(tmp_path / "second.skops", read_model(tmp_path / "new" / "first.skops"))
    assert predict(read_model(tmp_path / "second.skops"), TEXTS).tolist() == ["话费", "宽带"]


def test_saving_leaves_the_model_usable() -> None:
    """The portable form is a copy: the model keeps its vocabulary."""
    model = fit(build(PARAMS, None), FRAME)
    portable(model)
    assert predict(model, TEXTS).tolist() == ["话费", "宽带"]
    assert model["tfidf"].vocabulary is None


def test_equal_models_are_equal_files(tmp_path: Path) -> None:
    """Addresses, hash seeds and times are not in the file, so DVC sees no change."""
    script = tmp_path / "train.py"
    script.write_text(
        "import sys; from pathlib import Path; import pandas as pd\n"
        "from src.config.baseline import BaselineParams\n"
        "from src.training.classifier import build, fit\n"
        "from src.training.model_file import write_model\n"
        f"params = BaselineParams.model_validate_json('{PARAMS.model_dump_json()}')\n"
        f"frame = pd.DataFrame({FRAME.to_dict('list')!r})\n"
        "write_model(Path(sys.argv[1]), fit(build(params, None), frame))\n",
        encoding="utf-8",
    )
    environment = {"PYTHONHASHSEED": "34", "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run(
        [sys.executable, script, tmp_path / "there.skops"], check=True, env=os.environ | environment
    )
    write_model(tmp_path / "here.skops", fit(build(PARAMS, None), FRAME))
    assert (tmp_path / "there.skops").read_bytes() == (tmp_path / "here.skops").read_bytes()


def test_a_large_vocabulary_saves_in_seconds(tmp_path: Path) -> None:
    """60,000 terms are one array in the file, not 60,000 entries."""
    texts = ["".join(map(chr, range(0x4E00 + k, 0x4E00 + k + 20000))) for k in (0, 500)]
    frame = pd.DataFrame({"text": texts, "label": ["a", "b"]})
    model = fit(build(with_settings(ngram_range=(1, 3), min_df=1), None), frame)
    assert len(model["tfidf"].vocabulary_) == 60000
    start = time.perf_counter()
    write_model(tmp_path / "large.skops", model)
    loaded = read_model(tmp_path / "large.skops")
    assert time.perf_counter() - start < 5
    assert predict(loaded, texts).tolist() == ["a", "b"]
    with ZipFile(tmp_path / "large.skops") as archive:
        assert len(archive.namelist()) < 20


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "not found", id="missing"),
        pytest.param(b"", "not a model file", id="empty"),
        pytest.param(b"not a zip", "not a model file", id="not-a-zip"),
    ],
)
def test_a_broken_file_is_explained(content: bytes | None, message: str, tmp_path: Path) -> None:
    """A file that is not a model is a user error with the path."""
    path = tmp_path / "model.skops"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=f"model.skops.*{message}"):
        read_model(path)


def test_foreign_types_are_refused(tmp_path: Path) -> None:
    """A file with an unknown type is not loaded."""
    model = LinearRegression()
    model.extra = Foreign()
    io.dump(model, tmp_path / "model.skops")
    with pytest.raises(UserError, match="Foreign, which no baseline needs"):
        read_model(tmp_path / "model.skops")


class Foreign:
    """A type that skops does not know."""


def test_an_adjusted_model_is_saved_as_it_is(tmp_path: Path) -> None:
    """The shift is part of the file."""
    shifted = adjusted(fit(build(PARAMS, None), FRAME), ["话费", *["宽带"] * 9], 50)
    write_model(tmp_path / "model.skops", shifted)
    assert predict(read_model(tmp_path / "model.skops"), TEXTS).tolist() == ["话费"] * 2
