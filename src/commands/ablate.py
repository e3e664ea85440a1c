"""What each rule of the gate is worth: dev scores of a classifier trained without it.

    make ablate
    python -m src.commands.ablate --candidates elsewhere.jsonl

The same candidates are screened once by the gate as it is set, once with each rule that is on
switched off, once with each that is off switched on, and not at all. Every time each class gets
as many samples as the plan needs, or all that are left, and the same classifier with class weights
is trained and scored on dev, with the regularisation that suits the gate as it is set. Test rows are not looked at. Prints a Markdown table.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import pandas as pd
import typer
from sklearn.pipeline import Pipeline

from src.cli import command
from src.config.arms import Arm
from src.config.params import Params, load_params
from src.data.schema import Splits, load_splits
from src.evaluation.scoring import tail_classes
from src.evaluation.significance import Interval, bootstrap
from src.files import Record, read_jsonl
from src.gate.rules import RULES
from src.gate.screening import read_scores, screen_all
from src.paths import CANDIDATES, DECISIONS, PLAN, SCORES
from src.planning.plan import Plan, read_plan
from src.records.decisions import Decision, read_decisions
from src.reporting.report import signed
from src.review.decisions import verdicts
from src.stages.rows import with_plain_text
from src.training.balance import used_samples
from src.training.classifier import predict
from src.training.methods import ArmData, training_frame
from src.training.tuning import fit_arm, tuned

log = logging.getLogger(__name__)

SWITCHES = ("style", *(name for name, _ in RULES), "label_check")
ARM: Arm = "augmented_class_weight"
REFERENCE: Arm = "class_weight"  # the name that the gate as it is set has in the bootstrap


class Row(NamedTuple):
    """One way to screen: what was accepted, used, and what a classifier makes of it on dev."""

    name: str
    accepted: int
    used: int
    macro_f1: Interval
    tail_recall: Interval
    difference: Interval  # in macro-F1, to the gate as it is set
    tail_difference: Interval


@command
def main(
    candidates: Annotated[Path, typer.Option(help="samples: id, label, text a line")] = CANDIDATES,
    scores: Annotated[Path, typer.Option(help="their label scores, of score")] = SCORES,
    decisions: Annotated[Path, typer.Option(help="what people decided")] = DECISIONS,
    plan: Annotated[Path, typer.Option(help="the plan of analyze")] = PLAN,
) -> None:
    """Print the table."""
    params, the_plan = load_params(), read_plan(plan)
    splits = load_splits(params.data)
    records = read_jsonl(candidates)
    known, decided = read_scores(scores), verdicts(read_decisions(decisions))
    tail = tail_classes(splits.train["label"], params.evaluate.tail_max_support)
    dev = with_plain_text(splits.dev, params.data)
    as_set: list[str] | None = None
    model: Pipeline | None = None
    rows = []
    for name, accepted in _ways(records, splits, the_plan, params, known, decided):
        used = used_samples(accepted, the_plan.quotas)
        data = _training_rows(used, splits, params)
        model = (
            fit_arm(params.baseline, data, model["classifier"].C, 0)
            if model is not None
            else tuned(params.baseline, data, dev, tail)
        )
        said = list(predict(model, dev["text"].tolist()))
        as_set = said if as_set is None else as_set
        rows.append(_row(name, len(accepted), len(used), said, as_set, splits, params))
        log.info("ablate: %-28s dev macro-F1 %.4f", name, rows[-1].macro_f1.value)
    typer.echo(render(rows))


def _ways(
    records: list[Record],
    splits: Splits,
    plan: Plan,
    params: Params,
    scores: pd.DataFrame,
    decided: dict[str, Decision],
) -> Iterator[tuple[str, list[Record]]]:
    """Name and accepted samples of each way to screen; the gate as it is set comes first."""

    def accepted(of: Params) -> list[Record]:
        return list(screen_all(records, splits, plan, of, scores, decided).accepted)

    yield "the gate as it is set", accepted(params)
    for name in SWITCHES:
        is_on = getattr(params.filter, name).enabled
        yield f"{'without' if is_on else 'with'} {name}", accepted(_switched(params, name))
    for trade in (0.0, 1.0):
        rules = params.filter.model_copy(update={"diversity": trade})
        yield f"diversity {trade:g}", accepted(params.model_copy(update={"filter": rules}))
    yield "no gate", records
    yield "no samples", []


def _switched(params: Params, name: str) -> Params:
    """The same settings with one rule on instead of off, or off instead of on."""
    rule = getattr(params.filter, name)
    switched = rule.model_copy(update={"enabled": not rule.enabled})
    rules = params.filter.model_copy(update={name: switched})
    return params.model_copy(update={"filter": rules})


def _training_rows(used: list[Record], splits: Splits, params: Params) -> ArmData:
    synthetic = with_plain_text(pd.DataFrame(used, columns=["text", "label"]), params.data)
    real = with_plain_text(splits.train, params.data)
    return training_frame(ARM, real, synthetic, synthetic, params.baseline.seed)


def _row(
    name: str,
    accepted: int,
    used: int,
    said: list[str],
    as_set: list[str],
    splits: Splits,
    params: Params,
) -> Row:
    """Scores on dev with paired intervals over its rows."""
    draws = bootstrap(
        splits.dev["label"],
        {ARM: [said], REFERENCE: [as_set]},
        tail_classes(splits.train["label"], params.evaluate.tail_max_support),
        resamples=params.evaluate.bootstrap,
        confidence=params.evaluate.confidence,
        seed=params.evaluate.seed,
    )
    own, versus = draws.scores(ARM), draws.versus(ARM, REFERENCE)
    return Row(
        name,
        accepted,
        used,
        own["macro_f1"],
        own["tail_recall"],
        versus["macro_f1"],
        versus["tail_recall"],
    )


def render(rows: list[Row]) -> str:
    """The rows as a Markdown table; the first one is what the others are compared with."""
    head = "| gate | accepted | used | dev macro-F1 | dev tail recall | macro-F1 | tail recall |"
    lines = [head, "|---|---:|---:|---:|---:|---:|---:|"]
    for row in rows:
        changes = ("", "")
        if row is not rows[0]:
            changes = (_change(row.difference), _change(row.tail_difference))
        lines.append(
            f"| {row.name} | {row.accepted:,} | {row.used:,} | {row.macro_f1.value:.4f} "
            f"| {row.tail_recall.value:.4f} | {changes[0]} | {changes[1]} |"
        )
    return "\n".join(lines)


def _change(change: Interval) -> str:
    return signed(change, 4)


if __name__ == "__main__":
    typer.run(main)
