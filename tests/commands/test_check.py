"""A planted regression is reported, noise is not, and incomparable metrics are named."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from src.commands import check
from src.commands.check import CheckRow, MetricValue, compare, table_of, value_of
from src.commands.thresholds import Threshold, Thresholds, load_thresholds
from src.errors import UserError

ROOT = Path(__file__).parents[2]
FILE = "metrics/evaluate.json"
QUANTILE = 1.96
SPANS = {  # value and SE of each metric with an interval
    "methods.ours.macro_f1": (0.62, 0.011),
    "methods.ours.tail_recall": (0.43, 0.022),
    "methods.free.macro_f1": (0.59, 0.011),
    "versus_best_free.ours.macro_f1": (0.028, 0.008),
}
RULES: dict[str, Any] = {
    "methods.<ours>.macro_f1": {"better": "higher", "limit": 0.55},
    "methods.<ours>.tail_recall": {"better": "higher"},
    "methods.<best_free>.macro_f1": {"better": "higher"},
    "versus_best_free.<ours>.macro_f1": {"better": "higher", "limit": -0.1, "versus": "best_free"},
    "shortfall": {"better": "lower", "allowed": 5, "limit": 20},
}


def thresholds(rules: dict[str, Any]) -> Thresholds:
    """Thresholds of one file, with the default tolerance."""
    tolerance = {"least": 0.01, "standard_errors": 2}
    return Thresholds.model_validate({"tolerance": tolerance, "metrics": {FILE: rules}})


def side(**changed: float | str | None) -> dict[str, Any]:
    """Numbers of one revision; keyword arguments (__ for each dot) shift a value."""
    found: dict[str, Any] = {"ours": "ours", "best_free": "free", "shortfall": 3}
    for name, (value, error) in SPANS.items():
        moved = value + changed.get(name.replace(".", "__"), 0)
        found |= span(name, moved, moved - QUANTILE * error, moved + QUANTILE * error)
    return found | {key: value for key, value in changed.items() if "__" not in key}


def span(name: str, value: float, low: float, high: float) -> dict[str, float]:
    """The three numbers of an interval."""
    return {f"{name}.value": value, f"{name}.low": low, f"{name}.high": high}


def problems(
    old: dict[str, Any], new: dict[str, Any], rules: dict[str, Any] = RULES
) -> dict[str, str]:
    """Return metric -> problem."""
    rows = compare({FILE: (old, new)}, thresholds(rules), QUANTILE)
    return {row.metric.removeprefix("evaluate: "): row.problem for row in rows if row.problem}


@pytest.mark.parametrize("shift", [pytest.param(0.0, id="ends"), pytest.param(0.2, id="values")])
@pytest.mark.parametrize("seed", range(20))
def test_a_rerun_with_other_seeds_raises_no_alarm(seed: int, shift: float):
    """Interval ends jitter by a tenth of their SE, values by a fifth; nothing is reported."""
    rng = Random(seed)

    def rerun() -> dict[str, Any]:
        found = side()
        for name, (value, error) in SPANS.items():
            moved = value + rng.gauss(0, shift) * error
            low, high = (moved + way * (QUANTILE + rng.gauss(0, 0.1)) * error for way in (-1, 1))
            found |= span(name, moved, low, high)
        return found

    assert problems(rerun(), rerun()) == {}


WORSE = "worse by more than allowed"


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        pytest.param(side(), {}, id="the same"),
        pytest.param(
            side(methods__ours__macro_f1=-0.05),
            {"methods.<ours>.macro_f1": WORSE},
            id="macro-F1 -0.05",
        ),
        pytest.param(side(methods__ours__macro_f1=-0.0219), {}, id="within 2 SE"),
        pytest.param(
            side(methods__ours__macro_f1=-0.0221),
            {"methods.<ours>.macro_f1": WORSE},
            id="beyond 2 SE",
        ),
        pytest.param(
            side(methods__ours__tail_recall=-0.05),
            {"methods.<ours>.tail_recall": WORSE},
            id="tail recall -0.05",
        ),
        pytest.param(side(methods__ours__macro_f1=0.05), {}, id="better"),
        pytest.param(
            side(versus_best_free__ours__macro_f1=-0.02),
            {"versus_best_free.<ours>.macro_f1": WORSE},
            id="a smaller gain",
        ),
        pytest.param(side(versus_best_free__ours__macro_f1=-0.015), {}, id="uncertain gain"),
        pytest.param(side(shortfall=8), {}, id="lower is better, within"),
        pytest.param(side(shortfall=9), {"shortfall": WORSE}, id="lower is better, beyond"),
        pytest.param(side(shortfall=0), {}, id="lower is better, better"),
        pytest.param(
            side(methods__ours__macro_f1=-0.05, shortfall=30),
            {"methods.<ours>.macro_f1": WORSE, "shortfall": WORSE},
            id="two at once",
        ),
    ],
)
def test_what_is_worse_than_the_base(new: dict[str, Any], expected: dict[str, str]):
    """Every metric may change by 2 of its own SE, by at least 0.01, or by `allowed`."""
    assert problems(side(), new) == expected


def test_small_steps_end_at_the_limit():
    """Each step is within the tolerance, but the limit does not move with the base."""
    low = side(methods__ours__macro_f1=-0.06)
    assert problems(low, side(methods__ours__macro_f1=-0.069)) == {}
    assert problems(low, side(methods__ours__macro_f1=-0.071)) == {
        "methods.<ours>.macro_f1": "below its limit 0.55"
    }
    assert problems(side(shortfall=20), side(shortfall=21)) == {"shortfall": "above its limit 20"}


def test_a_step_below_the_least_is_ignored():
    """If SE is tiny, 0.01 is allowed."""
    rules = {"m": {"better": "higher"}}
    old = span("m", 0.5, 0.499, 0.501)
    assert problems(old, span("m", 0.491, 0.490, 0.492), rules) == {}
    assert problems(old, span("m", 0.489, 0.488, 0.490), rules) == {"m": WORSE}


@pytest.mark.parametrize(
    ("low", "value", "expected"),
    [
        pytest.param(0.001, 0.0, "a significant gain is gone", id="gone"),
        pytest.param(0.001, 0.001, "", id="uncertain"),
        pytest.param(-0.001, 0.0, "", id="never certain"),
    ],
)
def test_a_certain_gain_may_not_vanish(low: float, value: float, expected: str):
    """Even if it was so small that losing it is within the tolerance."""
    rule = Threshold(better="higher", versus="best_free")
    row = CheckRow(
        "m", rule, MetricValue(0.008, low, 0.015), MetricValue(value, -0.01, 0.01), allowed=0.01
    )
    assert row.problem == expected


def test_ours_is_resolved_per_revision():
    """A new method of ours is compared with the previous one."""
    old = side()
    new = {key.replace(".ours.", ".other."): value for key, value in side().items()}
    assert problems(old, new | {"ours": "other"}) == {}
    worse = new | span("methods.other.macro_f1", 0.57, 0.55, 0.59)
    assert problems(old, worse | {"ours": "other"}) == {"methods.<ours>.macro_f1": WORSE}
    assert check.changes({FILE: (old, new | {"ours": "other"})}) == ["- ours: `ours` -> `other`"]


def test_a_gain_over_another_method_is_not_compared():
    """The reference changed, so ours did not get worse; the limit still applies."""
    rival = side(best_free="rival") | span("methods.rival.macro_f1", 0.6, 0.58, 0.62)
    weak = span("versus_best_free.ours.macro_f1", 0.001, -0.01, 0.01)
    assert problems(side(), rival | weak) == {}
    lost = span("versus_best_free.ours.macro_f1", -0.11, -0.12, -0.10)
    assert problems(side(), rival | lost) == {
        "versus_best_free.<ours>.macro_f1": "below its limit -0.1"
    }


def test_a_metric_without_a_base_has_only_its_limit():
    """The metric is new; the table says so."""
    rows = compare({FILE: ({"ours": "ours"}, side())}, thresholds(RULES), QUANTILE)
    assert [row.base for row in rows] == [None] * len(RULES)
    assert table_of(rows).splitlines()[2] == (
        "| `evaluate: methods.<ours>.macro_f1` | - | 0.62 | - | -0.022 | ok, no base |"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("absent", None, id="absent"),
        pytest.param("nan", float("nan"), id="NaN"),
        pytest.param("text", "high", id="text"),
    ],
)
def test_a_value_that_is_not_a_number_cannot_be_compared(name: str, value: float | str | None):
    """NaN would pass every comparison."""
    rules = {name: {"better": "higher", "allowed": 1}}
    with pytest.raises(
        UserError, match=f"{name} is not a number in metrics/evaluate.json; correct"
    ):
        problems(side(), side(**{name: value}), rules)


def test_a_number_without_an_interval_needs_allowed():
    """Without an interval there is no other measure of noise."""
    with pytest.raises(UserError, match=r"shortfall has no interval; set .*: `allowed`"):
        problems(side(), side(), {"shortfall": {"better": "lower"}})


def test_a_group_is_summed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A missing kind and an empty group count as 0; a wrong name is an error."""
    assert value_of("failures.*", {"failures.a": 2, "failures.b": 3, "other.a": 7}) == MetricValue(
        5
    )
    monkeypatch.chdir(tmp_path)
    Path("metrics").mkdir()
    Path(FILE).write_text('{"failures": {}, "other": 3}', encoding="utf-8")
    rules = {"failures.*": {"better": "lower", "allowed": 1}}
    assert problems({"failures.a": 9}, {"other": 3}, rules) == {}
    with pytest.raises(UserError, match=r"failurs\.\* is not a number"):
        problems({"other": 3}, {"other": 3}, {"failurs.*": rules["failures.*"]})


def test_the_thresholds_of_the_project_match_its_metrics(monkeypatch: pytest.MonkeyPatch):
    """Every metric exists, and the committed numbers pass when compared with themselves."""
    from src.reporting.runs import flat_numbers

    monkeypatch.chdir(ROOT)
    rules = load_thresholds(check.THRESHOLDS)
    sides = {}
    for file in rules.metrics:
        found = json.loads(Path(file).read_text(encoding="utf-8"))
        numbers = flat_numbers(found) | {key: found[key] for key in check.SHOWN if key in found}
        sides[file] = (numbers, numbers)
    assert [row.problem for row in compare(sides, rules, QUANTILE) if row.problem] == []


def test_each_step_of_ci_is_a_command_of_the_makefile():
    """Or of DVC or git, so that anyone can run the same step."""
    text = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    commands = [
        step["run"].strip()
        for step in yaml.safe_load(text)["jobs"]["check"]["steps"]
        if "run" in step
    ]
    assert [command for command in commands if "\n" in command] == []
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    asked = {
        found for command in commands for found in re.findall(r"make (?:--\S+ )?(\w+)", command)
    }
    assert asked == {"setup", "lint", "test", "repro", "check"}
    assert asked <= set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    settings = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert re.search(r"^  offline: false", settings, re.MULTILINE), "CI turns it into true"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git and DVC repository with two commits: without metrics (tag empty) and with them."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path / "params.yaml")
    run("git", "init", "--quiet", "--initial-branch", "main")
    run("dvc", "init", "--quiet")
    commit("start")
    run("git", "tag", "empty")
    (tmp_path / "metrics").mkdir()
    rules = thresholds(RULES).model_dump(mode="json")
    check.THRESHOLDS.write_text(yaml.safe_dump(rules), encoding="utf-8")
    save(side())
    commit("metrics")
    return tmp_path


def run(*command: str) -> None:
    """Run a command that must succeed."""
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)


def commit(message: str) -> None:
    """Commit everything."""
    run("git", "add", ".")
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    run("git", *identity, "commit", "--quiet", "-m", message)


def save(flat: dict[str, Any]) -> None:
    """Write the dotted names as a nested metrics file."""
    nested: dict[str, Any] = {}
    for name, value in flat.items():
        *parents, last = name.split(".")
        position = nested
        for parent in parents:
            position = position.setdefault(parent, {})
        position[last] = value
    Path(FILE).write_text(json.dumps(nested), encoding="utf-8")


def checked(base: str) -> int:
    """Return the exit code of the check."""
    try:
        check.main(base=base, thresholds=check.THRESHOLDS)
    except SystemExit as end:
        return int(str(end))
    return 0


def test_exit_codes_with_real_dvc(repository: Path, capsys: pytest.CaptureFixture[str]):
    """0 for no change and for noise, 1 for a planted regression, 2 if nothing is comparable."""
    assert checked("main") == 0
    assert capsys.readouterr().out.count("| ok |") == len(RULES)

    save(side(methods__ours__macro_f1=-0.05))
    assert checked("main") == 1
    worse = f"| `evaluate: methods.<ours>.macro_f1` | 0.62 | 0.57 | -0.05 | -0.022 | **{WORSE}** |"
    assert worse in capsys.readouterr().out.splitlines()

    assert checked("nosuch") == 2
    assert "cannot compare with 'nosuch': unknown Git revision" in capsys.readouterr().err
    assert checked("empty") == 2
    assert "empty has none of the metrics" in capsys.readouterr().err
    Path(FILE).write_text("{", encoding="utf-8")
    assert checked("main") == 2
    assert "is not a number in metrics/evaluate.json" in capsys.readouterr().err
