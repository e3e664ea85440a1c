"""Check whether the metrics got worse than those of another revision, beyond noise.

    make check                                  # against origin/main
    python -m src.commands.check --base HEAD~1
    python -m src.commands.check --base HEAD~1 --register    # no metric worse: register our model

`dvc metrics diff` always exits with 0, so this command compares its numbers with
metrics/thresholds.yaml and prints a Markdown table. Exit code 0: nothing got worse; 1: something
did; 2: nothing to compare (no such revision, no metrics in it, broken thresholds). Make turns
exit code 1 into 2; its last line then says `Error 1`.

A metric got worse if one of these holds:

- Its value fell (rose, if lower is better) by more than allowed. For a metric with an interval,
  max(least, n SE) is allowed, where SE is half the new interval divided by its normal quantile; a
  rerun with other bootstrap seeds changes far less. This catches one large step, not a series of
  small ones; the limit catches those.
- Its value is below (above) its limit, whatever the base was.
- It is a paired difference whose interval was above 0, and its value is now 0 or less. An interval
  that merely touches 0 raises no alarm: for a gain near 0, that happens by chance.

`<ours>` in the name of a metric stands for the value of `ours` in the same file and revision: the
recommended method of then is compared with that of now. A paired difference to a different method
than before is not compared with its base; its limit still applies.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from statistics import NormalDist
from typing import Annotated, Any

import typer

from src.cli import command
from src.commands.thresholds import THRESHOLDS, Threshold, Thresholds, Tolerance, load_thresholds
from src.config.params import load_params
from src.errors import UserError
from src.files import read_json
from src.reporting.markdown import table
from src.reporting.tracking import register

SHOWN = ("ours", "best_free", "signature")  # changes of these are listed below the table
ROUNDING = 1e-9

Scalar = float | str | None
Side = Mapping[str, Scalar]  # dotted name -> value in one revision


@dataclass(frozen=True)
class MetricValue:
    """A value, and the ends of its interval if it has one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class CheckRow:
    """One metric in both revisions; `base` is None if the base has no comparable value."""

    metric: str  # stem of its file and dotted name
    rule: Threshold
    base: MetricValue | None
    now: MetricValue
    allowed: float

    @property
    def worse_by(self) -> float:
        """How much worse than the base; negative if better."""
        if self.base is None:
            return 0.0
        change = self.now.value - self.base.value
        return -change if self.rule.better == "higher" else change

    @property
    def problem(self) -> str:
        """What got worse; empty if nothing did."""
        rule, now = self.rule, self.now.value
        if self.worse_by > self.allowed + ROUNDING:
            return "worse by more than allowed"
        if rule.limit is not None:
            if rule.better == "higher" and now < rule.limit:
                return f"below its limit {rule.limit:g}"
            if rule.better == "lower" and now > rule.limit:
                return f"above its limit {rule.limit:g}"
        if rule.versus and self.base and (self.base.low or 0.0) > 0 and now <= 0:
            return "a significant gain is gone"
        return ""


@command
def main(
    base: Annotated[str, typer.Option(help="revision to compare with")] = "origin/main",
    thresholds: Annotated[Path, typer.Option(help="file of allowed changes")] = THRESHOLDS,
    champion: Annotated[
        bool, typer.Option("--register", help="register the model in MLflow if nothing got worse")
    ] = False,
) -> None:
    """Print the table; exit code 1 if a metric got worse."""
    rules = load_thresholds(thresholds)
    params = load_params()
    sides = metrics_diff(base, rules.metrics)
    rows = compare(sides, rules, NormalDist().inv_cdf((1 + params.evaluate.confidence) / 2))
    if all(row.base is None for row in rows):
        raise UserError(
            f"{base} has none of the metrics in {thresholds}; "
            "name a revision with committed metrics: --base REV"
        )
    typer.echo("\n".join([table_of(rows), "", *changes(sides)]).rstrip())
    if any(row.problem for row in rows):
        raise SystemExit(1)
    if champion:
        register(params)


def metrics_diff(base: str, files: Iterable[str]) -> dict[str, tuple[Side, Side]]:
    """Run `dvc metrics diff`, and return file -> (base, now), unchanged numbers included.

    DVC leaves out lists, and returns null for the numbers of a missing or unreadable file.

    Raises:
        UserError: DVC cannot compare, for example because the revision does not exist.
    """
    command_line = ["metrics", "diff", base, "--all", "--json", "--targets", *files]
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *command_line],
        capture_output=True,
        encoding="utf-8",
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        message = (done.stderr.strip().splitlines() or ["no message"])[0].removeprefix("ERROR: ")
        raise UserError(
            f"cannot compare with {base!r}: {message}; "
            "fetch it (git fetch origin main) or name another revision: --base REV"
        )
    found = json.loads(done.stdout)
    return {file: (_side(found, file, "old"), _side(found, file, "new")) for file in files}


def compare(
    sides: Mapping[str, tuple[Side, Side]], thresholds: Thresholds, quantile: float
) -> list[CheckRow]:
    """Return one row per metric, in the order of the thresholds.

    Args:
        sides: file -> (values of the base, values of the working tree).
        thresholds: what to compare.
        quantile: normal quantile for the confidence of the intervals; 1.96 for 0.95.

    Raises:
        UserError: the working tree lacks a metric, or it is not a number, or no threshold limits
            its change.
    """
    rows = []
    for file, rules in thresholds.metrics.items():
        old, new = sides[file]
        for name, rule in rules.items():
            now = value_of(name, new)
            if now is None or not _group_exists(name, file, new):
                raise UserError(
                    f"{resolve(name, new)} is not a number in {file}; "
                    f"correct the name in {THRESHOLDS}, or run `dvc repro`"
                )
            comparable = rule.versus is None or old.get(rule.versus) == new.get(rule.versus)
            base = value_of(name, old) if old and comparable else None
            allowed = _allowed(f"{file} {name}", now, rule, thresholds.tolerance, quantile)
            rows.append(CheckRow(f"{Path(file).stem}: {name}", rule, base, now, allowed))
    return rows


def resolve(name: str, side: Side) -> str:
    """Return the name with each `<key>` replaced by the value of that key in the file."""
    return re.sub(r"<(\w+)>", lambda found: str(side.get(found[1], found[0])), name)


def value_of(name: str, side: Side) -> MetricValue | None:
    """Return the value of a name in a revision: a number, an interval, or for `x.*` the sum."""
    name = resolve(name, side)
    if name.endswith(".*"):
        parts = [_number(side, key) for key in side if key.startswith(name[:-1])]
        return MetricValue(sum(part for part in parts if part is not None))
    value, low, high = (_number(side, f"{name}.{end}") for end in ("value", "low", "high"))
    if value is not None:
        return MetricValue(value, low, high)
    plain = _number(side, name)
    return None if plain is None else MetricValue(plain)


def table_of(rows: Iterable[CheckRow]) -> str:
    """Return the comparison as a Markdown table."""
    header = ["metric", "base", "now", "change", "allowed", "verdict"]
    return table(header, map(_cells, rows))


def _cells(row: CheckRow) -> list[str]:
    base = change = "-"
    if row.base is not None:
        base = f"{row.base.value:.6g}"
        change = f"{round(row.now.value - row.base.value, 6):+g}"
    sign = "-" if row.rule.better == "higher" else "+"
    verdict = f"**{row.problem}**" if row.problem else "ok" if row.base else "ok, no base"
    now, allowed = f"{row.now.value:.6g}", f"{sign}{row.allowed:.3g}"
    return [f"`{row.metric}`", base, now, change, allowed, verdict]


def changes(sides: Mapping[str, tuple[Side, Side]]) -> list[str]:
    """Return one line for each of `SHOWN` whose value differs from the base."""
    return [
        f"- {key}: `{old[key]}` -> `{new[key]}`"
        for old, new in sides.values()
        for key in SHOWN
        if old.get(key) and new.get(key) and old[key] != new[key]
    ]


def _side(found: Mapping[str, Any], file: str, which: str) -> Side:
    """Return the values of one revision in a file; missing values are left out."""
    entries = found.get(file, {}).items()
    return {name: entry[which] for name, entry in entries if entry.get(which) is not None}


def _number(side: Side, name: str) -> float | None:
    """Return a finite number or None; NaN would pass every comparison."""
    value = side.get(name)
    return float(value) if isinstance(value, int | float) and isfinite(value) else None


def _group_exists(name: str, file: str, side: Side) -> bool:
    """Return whether x of `x.*` exists; reads the file, as DVC does not show an empty x."""
    if not name.endswith(".*"):
        return True
    found: Any = read_json(Path(file))
    for part in resolve(name, side).split(".")[:-1]:
        found = found.get(part) if isinstance(found, dict) else None
    return isinstance(found, dict)


def _allowed(
    metric: str, now: MetricValue, rule: Threshold, tolerance: Tolerance, quantile: float
) -> float:
    if rule.allowed is not None:
        return rule.allowed
    if now.low is None or now.high is None:
        raise UserError(
            f"{metric} has no interval; set how much worse it may get: `allowed` in {THRESHOLDS}"
        )
    standard_error = (now.high - now.low) / (2 * quantile)
    return max(tolerance.least, tolerance.standard_errors * standard_error)


if __name__ == "__main__":
    typer.run(main)
