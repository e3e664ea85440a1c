"""Thresholds are valid, or an error says what is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from src.commands.thresholds import load_thresholds
from src.errors import UserError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("a: [", "not valid YAML", id="broken"),
        pytest.param("", "the whole file is None", id="empty"),
        pytest.param("tolerance: {least: 0.01}", "tolerance.standard_errors is missing", id="less"),
        pytest.param(
            "metrics: {f: {m: {better: higher, limt: 3}}}",
            "metrics.f.m.limt is 3, but there is no such key; correct or remove it",
            id="unknown",
        ),
        pytest.param(
            "metrics: {f: {m: {better: more}}}", "metrics.f.m.better is 'more': Input", id="value"
        ),
        pytest.param("metrics: {f: {}}", "metrics.f is {}: ", id="no rule"),
    ],
)
def test_broken_thresholds_are_located(text: str, message: str, tmp_path: Path):
    """The message has value, file and remedy."""
    path = tmp_path / "thresholds.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=re.escape(message)):
        load_thresholds(path)
    with pytest.raises(UserError, match="run from the project's root"):
        load_thresholds(tmp_path / "none.yaml")
