"""The plan file: written by analyze, read by later stages."""

from __future__ import annotations

from pathlib import Path

import pytest

from src.errors import UserError
from src.planning.plan import read_plan

CONTENT = (
    "label,support,tier,target,needed,keywords\n"
    "007,300,majority,300,0,\n"
    '"补卡, 换卡",5,ultra,100,95,补卡;换卡\n'
    "NA,1,ultra,100,99,null\n"
)


def test_a_plan_is_read(tmp_path: Path) -> None:
    """Labels and keywords stay strings; classes that need nothing have no quota."""
    file = tmp_path / "plan.csv"
    file.write_text(CONTENT, encoding="utf-8")
    plan = read_plan(file)
    assert plan.quotas == {"补卡, 换卡": 95, "NA": 99}
    assert plan.keywords == {"007": (), "补卡, 换卡": ("补卡", "换卡"), "NA": ("null",)}
    assert plan.classes["support"].tolist() == [300, 5, 1]


def test_a_missing_plan_is_named(tmp_path: Path) -> None:
    """The error names the stage that writes it."""
    file = tmp_path / "plan.csv"
    with pytest.raises(UserError, match=f"{file} not found; run `dvc repro analyze` to make it"):
        read_plan(file)
