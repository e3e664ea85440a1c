"""Endpoints that `filter.judge` may name: chat endpoints of different models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from src.config.filter import JudgeParams
from src.config.params import load_params
from src.errors import UserError

RULE = JudgeParams(
    enabled=True,
    endpoints=("a", "b"),
    classifier=False,
    min_label_consistency=7,
    min_score=6,
    vote="majority",
)
URL = "http://127.0.0.1:9/v1"


def chat(name: str, model: str, url: str = URL, api: str = "chat") -> dict[str, str]:
    """Settings of an endpoint."""
    return {"name": name, "base_url": url, "model": model, "api": api}


def params_with(folder: Path, names: Sequence[str], *endpoints: dict[str, str]) -> Path:
    """Write the shipped settings with these endpoints and these judges."""
    values = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    values["llm"]["endpoints"] = list(endpoints)
    values["filter"]["judge"] |= {"enabled": True, "endpoints": list(names)}
    file = folder / "params.yaml"
    file.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("names", "message"),
    [
        pytest.param(["d"], r"'d' is not in llm.endpoints \(a, b, c, base\)", id="unknown"),
        pytest.param(["base"], "'base' has api: completions, but a judge needs", id="no-chat"),
        pytest.param(["a", "b"], "'a' and 'b' are both model-a at", id="twice-the-same"),
        pytest.param(
            ["a", "c"], r"'a' and 'c' are both model-a at .*; name one of them", id="a-slash-more"
        ),
    ],
)
def test_judges_that_cannot_judge_are_refused(
    names: list[str], message: str, tmp_path: Path
) -> None:
    """The error names the setting and the remedy."""
    endpoints = (
        chat("a", "model-a"),
        chat("b", "model-a"),
        chat("c", "model-a", f"{URL}/"),
        chat("base", "m", api="completions"),
    )
    with pytest.raises(UserError, match=f"filter.judge.endpoints: {message}"):
        load_params(params_with(tmp_path, names, *endpoints))


def test_different_models_and_addresses_are_different_judges(tmp_path: Path) -> None:
    """The same model at two addresses counts as two judges."""
    other = URL.replace(":9/", ":8/")
    endpoints = (chat("a", "model-a"), chat("b", "model-b"), chat("c", "model-a", other))
    params = load_params(params_with(tmp_path, "abc", *endpoints))
    assert params.filter.judge.endpoints == ("a", "b", "c")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"endpoints": ()}, "name at least one endpoint", id="no-judge"),
        pytest.param({"endpoints": ("a", "a")}, "must differ", id="twice"),
        pytest.param({"min_score": 11}, "less than or equal to 10", id="above-10"),
        pytest.param({"vote": "most"}, "majority", id="vote"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, Any], message: str) -> None:
    """The error names the allowed values."""
    with pytest.raises(ValidationError, match=message):
        JudgeParams.model_validate({**RULE.model_dump(), **change})


def test_a_judge_that_is_off_needs_no_endpoint() -> None:
    """A disabled judge with no endpoints is the default, for projects without an API."""
    off = {**RULE.model_dump(), "enabled": False, "endpoints": []}
    assert JudgeParams.model_validate(off).endpoints == ()
