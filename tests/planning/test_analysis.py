"""The stage analyze with the strategy gini: the reached coefficient is reported."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from src import paths
from src.stages import analyze

ROWS = {"补卡": 10, "销户": 2}


def project(folder: Path, **plan: object) -> None:
    """Settings and rows of two classes."""
    raw = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    raw["plan"] |= {"overrides": {}, **plan}
    names = dict.fromkeys(("label_column", "label_name_column"), "label")
    files = {name: f"{name}.csv" for name in ("train", "dev", "test", "labels")}
    raw["data"] |= {**files, **names, "text_column": "text", "id_column": None}
    (folder / "params.yaml").write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    (folder / "labels.csv").write_text("id,name,definition,requests\n", encoding="utf-8")
    for split in ("train", "dev", "test"):
        rows = [(f"{split} 我要{label} {n}", label) for label in ROWS for n in range(ROWS[label])]
        pd.DataFrame(rows, columns=["text", "label"]).to_csv(folder / f"{split}.csv", index=False)


@pytest.mark.parametrize(
    ("plan", "goal", "stated"),
    [
        pytest.param({}, None, [], id="another-strategy"),
        # 10 and 6 rows: 4 / (2 * 16)
        pytest.param(
            {"strategy": "gini", "target_gini": 0.125},
            {"wanted": 0.125, "planned": 0.125, "reachable": 0.0},
            [],
            id="reached",
        ),
        pytest.param(
            {"strategy": "gini", "target_gini": 0.125, "max_synthetic_share": 0.5},
            {"wanted": 0.125, "planned": 0.214286, "reachable": 0.214286},
            [
                "analyze: plan.target_gini is 0.125, but max_synthetic_share, max_synthetic_total and "
                "overrides allow no less than 0.2143, which is planned instead; raise one of them or "
                "target_gini"
            ],
            id="not-reachable",
        ),
    ],
)
def test_the_gini_coefficient_of_the_plan_is_reported(
    plan: dict[str, object],
    goal: dict[str, float] | None,
    stated: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Wanted, planned and reachable; one warning if the limits are too tight."""
    project(tmp_path, **plan)
    monkeypatch.chdir(tmp_path)
    analyze.main()
    found = json.loads((paths.METRICS / "analyze.json").read_text(encoding="utf-8"))
    assert found.get("target_gini") == goal
    assert [r.getMessage() for r in caplog.records if r.levelname == "WARNING"] == stated
