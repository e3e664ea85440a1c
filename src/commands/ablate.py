"""Ablation of the gate: dev scores of a classifier trained with and without each rule.

    make ablate
    python -m src.commands.ablate --candidates elsewhere.jsonl

The same candidates are screened by the gate as configured, by the gate with one rule toggled (for
each rule), and not at all. Each time, every class gets the samples that the plan needs, or all
that are left. A class-weighted classifier is trained on them and scored on dev; its regularisation
is tuned once, for the gate as configured. Test rows are not used. Prints a Markdown table.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from sklearn.pipeline import Pipeline

from src.cli import command
from src.config.filter import FilterParams
from src.config.methods import Method
from src.config.params import load_params
from src.data.schema import load_splits, with_plain_text
from src.evaluation.scoring import tail_classes
from src.evaluation.significance import bootstrap, resampling
from src.gate.rules import RULES
from src.gate.score_table import read_scores
from src.gate.screening import screen_all
from src.paths import CANDIDATES, DECISIONS, PLAN, SCORES
from src.planning.plan import read_plan
from src.records.decisions import read_decisions
from src.records.interval import Interval
from src.records.samples import Candidate, Screened, read_candidates
from src.reporting.markdown import table
from src.reporting.report import signed
from src.review.decisions import verdicts
from src.training.balance import staying, used_samples, within_head_cap
from src.training.classifier import predict
from src.training.rows import TrainingRows, rows_for
from src.training.tuning import fit_method, tuned

log = logging.getLogger(__name__)

SWITCHES = ("style", *(name for name, _ in RULES), "label_check")
METHOD: Method = "augmented_class_weight"
DIGITS = 4
HEADER = ("gate", "accepted", "used", "dev macro-F1", "dev tail recall", "macro-F1", "tail recall")


@dataclass(frozen=True)
class AblationRow:
    """One variant of the gate.

    Attributes:
        name: name of the variant.
        accepted: number of accepted samples.
        used: number of accepted samples that the plan needs.
        macro_f1: dev score of a classifier trained with the used samples.
        tail_recall: the same for tail recall.
        difference: difference in macro-F1 to the gate as configured.
        tail_difference: the same for tail recall.
    """

    name: str
    accepted: int
    used: int
    macro_f1: Interval
    tail_recall: Interval
    difference: Interval
    tail_difference: Interval


@command
def main(
    candidates: Annotated[Path, typer.Option(help="JSONL: id, label, text")] = CANDIDATES,
    scores: Annotated[Path, typer.Option(help="label scores written by score")] = SCORES,
    decisions: Annotated[Path, typer.Option(help="decisions of reviewers")] = DECISIONS,
    plan: Annotated[Path, typer.Option(help="the plan written by analyze")] = PLAN,
) -> None:
    """Print the table."""
    params, the_plan = load_params(), read_plan(plan)
    splits = load_splits(params.data)
    samples = read_candidates(candidates)
    known, decided = read_scores(scores), verdicts(read_decisions(decisions))

    def screened(rules: FilterParams) -> Sequence[Screened]:
        everything = (samples, splits, the_plan, rules, params.data, params.embedding)
        return screen_all(*everything, known, decided).accepted

    tail = tail_classes(splits.train["label"], params.evaluate.tail_max_support)
    dev = with_plain_text(splits.dev, params.data)
    kept = within_head_cap(splits.train, staying(the_plan.classes), params.data.turn_separator)
    real = TrainingRows(*(with_plain_text(rows, params.data) for rows in (splits.train, kept)))
    as_set: list[str] | None = None
    model: Pipeline | None = None
    rows = []
    for name, accepted in ways(samples, params.filter, screened):
        used = used_samples(accepted, the_plan.quotas)
        texts = pd.DataFrame([(one.text, one.label) for one in used], columns=["text", "label"])
        mine = replace(real, samples=with_plain_text(texts, params.data))
        data = rows_for(METHOD, mine, params.baseline.seed)
        model = (
            fit_method(params.baseline, data, model["classifier"].C, 0)
            if model is not None
            else tuned(params.baseline, data, dev, tail)
        )
        predicted = list(predict(model, dev["text"].tolist()))
        as_set = predicted if as_set is None else as_set
        draws = bootstrap(
            splits.dev["label"],
            {"this": [predicted], "as set": [as_set]},
            tail,
            resampling(params.evaluate),
        )
        own, versus = draws.scores("this"), draws.versus("this", "as set")
        rows.append(
            AblationRow(
                *(name, len(accepted), len(used), own.macro_f1, own.tail_recall),
                *(versus.macro_f1, versus.tail_recall),
            )
        )
        log.info("ablate: %-28s dev macro-F1 %.4f", name, own.macro_f1.value)
    typer.echo(render(rows))


def ways(
    samples: Sequence[Candidate],
    rules: FilterParams,
    screened: Callable[[FilterParams], Sequence[Screened]],
) -> Iterator[tuple[str, Sequence[Screened]]]:
    """Yield name and accepted samples of each variant; the gate as configured comes first.

    Args:
        samples: all candidates.
        rules: the gate as configured.
        screened: function from settings of the gate to the samples that it accepts.
    """
    yield "the gate as configured", screened(rules)
    for name in SWITCHES:
        rule = getattr(rules, name)
        other = rule.model_copy(update={"enabled": not rule.enabled})
        way = f"{'without' if rule.enabled else 'with'} {name}"
        yield way, screened(rules.model_copy(update={name: other}))
    for trade in (0.0, 1.0):
        yield f"diversity {trade:g}", screened(rules.model_copy(update={"diversity": trade}))
    yield "no gate", [Screened(one, one.text) for one in samples]
    yield "no samples", []


def render(rows: Sequence[AblationRow]) -> str:
    """Return the rows as a Markdown table; all rows are compared with the first one."""
    return table(
        HEADER,
        [
            [
                row.name,
                f"{row.accepted:,}",
                f"{row.used:,}",
                f"{row.macro_f1.value:.{DIGITS}f}",
                f"{row.tail_recall.value:.{DIGITS}f}",
                *(
                    "" if row is rows[0] else signed(change, DIGITS)
                    for change in (row.difference, row.tail_difference)
                ),
            ]
            for row in rows
        ],
    )


if __name__ == "__main__":
    typer.run(main)
