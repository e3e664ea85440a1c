"""The ablation: one row per variant of the gate, compared with the gate as configured."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from src.commands import ablate
from src.commands.ablate import SWITCHES, AblationRow, render
from src.records.interval import Interval
from src.stages import analyze, score
from tests.stages.small_project import call, make_project

RARE = ("取消彩铃", "补换卡", "开发票")


def row(name: str, accepted: int, used: int, value: float, change: float) -> AblationRow:
    """A row whose intervals all have the same width."""

    def around(middle: float) -> Interval:
        return Interval(middle, middle - 0.01, middle + 0.02)

    return AblationRow(
        *(name, accepted, used, around(value), around(value / 2), around(change)),
        around(change / 2),
    )


def test_the_table_is_the_golden_text() -> None:
    """All rows are compared with the first one, so its changes are empty."""
    rows = [
        row("the gate as configured", 1234, 900, 0.6, 0.0),
        row("without label_check", 4321, 1000, 0.55, -0.05),
        row("no samples", 0, 0, 0.61234, 0.01234),
    ]
    assert render(rows).splitlines() == [
        "| gate | accepted | used | dev macro-F1 | dev tail recall | macro-F1 | tail recall |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| the gate as configured | 1,234 | 900 | 0.6000 | 0.3000 |  |  |",
        "| without label_check | 4,321 | 1,000 | 0.5500 | 0.2750 "
        "| -0.0500 [-0.0600, -0.0300] | -0.0250 [-0.0350, -0.0050] |",
        "| no samples | 0 | 0 | 0.6123 | 0.3062 "
        "| +0.0123 [+0.0023, +0.0323] | +0.0062 [-0.0038, +0.0262] |",
    ]


def test_every_rule_is_toggled_and_no_gate_accepts_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Small run: one row per variant; without a rule, the samples that it rejected pass."""
    project = make_project(tmp_path)
    project.settings(lambda values: values["evaluate"].update(bootstrap=100))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING", "off")
    analyze.main()
    texts = {
        f"{label}-{n}": (label, "[SEP]".join(call(label, f"mine/{n}")))
        for label in RARE
        for n in range(6)
    }
    texts["copied"] = ("开发票", "[SEP]".join(call("开发票", "dev/0")))
    texts["loop"] = ("补换卡", "[SEP]".join(["补卡换卡补卡换卡补卡换卡"] * 3))
    mine, scores = tmp_path / "mine.jsonl", tmp_path / "scores.csv"
    mine.write_text(
        "".join(
            json.dumps({"id": name, "label": label, "text": text}, ensure_ascii=False) + "\n"
            for name, (label, text) in texts.items()
        ),
        encoding="utf-8",
    )
    score.main(mine, scores=scores, doubtful=tmp_path / "suspects.csv")
    capsys.readouterr()
    ablate.main(mine, scores)
    lines = capsys.readouterr().out.splitlines()[2:]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    counts = {name: (int(accepted), int(used)) for name, accepted, used, *_ in cells}
    assert list(counts) == [
        "the gate as configured",
        *(f"{'with' if rule == 'keywords' else 'without'} {rule}" for rule in SWITCHES),
        *("diversity 0", "diversity 1", "no gate", "no samples"),
    ]
    assert counts["no gate"] == (len(texts), len(texts))
    assert counts["no samples"] == (0, 0)
    as_set = counts["the gate as configured"][0]
    assert as_set < len(texts)
    assert counts["without contamination"][0] == as_set + 1
    assert all(used <= accepted for accepted, used in counts.values())
    changes = {name: difference for name, _, _, _, _, difference, _ in cells}
    assert changes.pop("the gate as configured") == ""
    assert all(re.fullmatch(r"[+-]\d\.\d{4} \[.+, .+\]", change) for change in changes.values())
    assert changes["without seed_similarity"] == "+0.0000 [+0.0000, +0.0000]"
