"""The report of a run as one self-contained HTML file: no network, no scripts.

    render_html(results, settings, {"recall_per_class": Path("recall_per_class.png")}, "zh")

Optional sections (rounds, several models, judges, a second classifier) appear only if the run has
them. Only differences beyond noise are coloured.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from src.config.data import Language
from src.config.methods import FREE_METHODS
from src.data.dialogue import split_turns
from src.diagnostics.differences import ATTRIBUTE
from src.records.metrics.balance import BalanceMetrics
from src.records.metrics.evaluate import ClassChange, EvaluateMetrics
from src.records.metrics.filter import LargestDifference
from src.records.samples import Screened
from src.reporting.report import (
    EXAMPLES,
    METRIC_NAMES,
    conclusion,
    conclusion_sentence,
    methods_of,
    scored,
    shortfalls,
    signed,
)
from src.reporting.results import Confused, Results, by_rule
from src.reporting.settings import Settings
from src.reporting.words import WORDS, named
from src.templates import environment

if TYPE_CHECKING:
    import jinja2

TEMPLATES = Path(__file__).parent / "templates"
EXAMPLE_CHARS = 200
CONFUSIONS = 10  # pairs shown per direction
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class ClassRow:
    """A class in the table of classes.

    Attributes:
        label: its name.
        original: real rows in the train file.
        augmented: rows in the balanced set.
        change: change of its recall; None without test rows.
    """

    label: str
    original: int
    augmented: int
    change: ClassChange | None


@dataclass(frozen=True)
class Quote:
    """A sample to quote; a long one loses its last turns."""

    label: str
    detail: str
    turns: tuple[str, ...]


@dataclass(frozen=True)
class BiasRow:
    """A difference between samples and real rows, formatted for display."""

    label: str
    description: str
    synthetic: str
    real: str
    compared_with: str
    also_in: str
    may_be_chance: bool


def render_html(
    results: Results, settings: Settings, pictures: Mapping[str, Path], language: Language
) -> str:
    """Return the whole page.

    Args:
        results: results of the run.
        settings: settings to show.
        pictures: name in `words` -> PNG file to embed.
        language: language of the page; data, settings and text in charts are not translated.
    """
    metrics, separator = results.metrics, settings.data.turn_separator
    return _template().render(
        w=WORDS[language],
        language=language,
        named=partial(named, language=language),
        m=metrics,
        e=metrics.evaluate,
        sentence=conclusion_in(metrics.evaluate, language),
        conclusion=conclusion(metrics.evaluate),
        methods=methods_of(metrics.evaluate),
        free_methods=FREE_METHODS,
        metric_names=METRIC_NAMES,
        significant=SIGNIFICANT,
        kept_rows=sum(row.real for row in metrics.balance.per_class.values()),
        used=metrics.balance.achieved.needed,
        classes=class_rows(metrics.balance, metrics.evaluate.per_class),
        shortfalls=shortfalls(metrics.balance),
        confused=_largest(results.confused),
        rejected_by=_most_first(metrics.filter.rejected_by),
        accepted=[_quoted(one, one.text, separator) for one in varied(results.accepted)],
        rejected=_rejected(results.rejected, separator),
        bias=[_bias_row(one, language) for one in metrics.filter.bias.largest],
        failures=_most_first(metrics.generate.failures),
        currency=settings.llm.currency,
        confidence=f"{settings.evaluate.confidence:.0%}",
        pictures={name: _data_uri(path) for name, path in pictures.items()},
        settings=settings.as_yaml(),
    )


@cache
def _template() -> jinja2.Template:
    templates = environment(TEMPLATES, escape=True, trim_blocks=True)
    templates.filters |= {"scored": scored, "signed": signed, "number": _number, "p": _p}
    return templates.get_template("report.html.j2")


def conclusion_in(evaluate: EvaluateMetrics, language: Language) -> str:
    """Return the conclusion in the given language."""
    if language == "en":
        return conclusion_sentence(evaluate)
    words, ours, free = WORDS[language], evaluate.ours, evaluate.best_free
    return words["conclusion"].format(
        opening=words[f"conclusion_{conclusion(evaluate)}"],
        ours=named("method", ours, language),
        free=named("method", free, language),
        after=f"{evaluate.methods[ours].macro_f1.value:.3f}",
        before=f"{evaluate.methods[free].macro_f1.value:.3f}",
        difference=signed(evaluate.versus_best_free[ours].macro_f1),
    )


def class_rows(balance: BalanceMetrics, changes: Mapping[str, ClassChange]) -> list[ClassRow]:
    """Return one row per class, the rarest first."""
    rows = [
        ClassRow(label, row.real + row.dropped, row.real + row.synthetic, changes.get(label))
        for label, row in balance.per_class.items()
    ]
    return sorted(rows, key=lambda row: (row.original, row.label))


def varied(samples: Iterable[Screened], count: int = EXAMPLES) -> list[Screened]:
    """Return up to `count` samples: the first of every class, then the second of every class."""
    seen: dict[str, int] = {}
    ranked: list[tuple[int, Screened]] = []
    for sample in samples:
        seen[sample.label] = seen.get(sample.label, 0) + 1
        ranked.append((seen[sample.label], sample))
    return [sample for _, sample in sorted(ranked, key=lambda pair: pair[0])[:count]]


def _largest(pairs: Sequence[Confused]) -> dict[str, list[Confused]]:
    """Return the pairs confused less often and those confused more often, largest change first."""
    ranked = sorted(pairs, key=lambda one: (-abs(one.change), one.actual, one.predicted))
    fewer = [one for one in ranked if one.change < 0][:CONFUSIONS]
    more = [one for one in ranked if one.change > 0][:CONFUSIONS]
    return {name: found for name, found in (("fewer", fewer), ("more", more)) if found}


def _rejected(
    samples: Iterable[Screened], separator: str | None
) -> dict[str, tuple[int, list[Quote]]]:
    """Return rule -> number of samples that it rejected, and examples as the model wrote them."""
    return {
        rule: (len(mine), [_quoted(one, one.candidate.text, separator) for one in varied(mine)])
        for rule, mine in by_rule(samples).items()
    }


def _quoted(sample: Screened, text: str, separator: str | None) -> Quote:
    turns, room = [], EXAMPLE_CHARS
    for turn in split_turns(text, separator):
        if room > 0:
            turns.append(turn if len(turn) <= room else turn[:room] + "…")
        room -= len(turn)
    if room < 0 and not turns[-1].endswith("…"):
        turns.append("…")
    return Quote(sample.label, sample.fault.detail if sample.fault else "", tuple(turns))


def _bias_row(entry: LargestDifference, language: Language) -> BiasRow:
    words, facet, value = WORDS[language], entry.facet, entry.value
    kind = "attribute" if facet.startswith(ATTRIBUTE) else facet
    shown = words[f"gender_{value}"] if facet == "genders" else value
    if kind == "attribute":
        shown = f"{facet.removeprefix(ATTRIBUTE)} {value}"
    form = "{:.1f}" if facet in ("chars", "turns") else "{:.1%}"
    return BiasRow(
        label=entry.label or words["all_classes"],
        description=words[f"facet_{kind}"].format(value=shown),
        synthetic=form.format(entry.synthetic),
        real=form.format(entry.real),
        compared_with=words[f"real_{entry.compared_with}"],
        also_in=words["also_in_classes"].format(n=entry.also_in) if entry.also_in else "",
        may_be_chance=entry.at_least <= 0,
    )


def _most_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return the counts above 0, the largest first."""
    return sorted(((k, n) for k, n in counts.items() if n), key=lambda pair: (-pair[1], pair[0]))


def _number(value: float) -> str:
    return f"{value:,}"


def _p(value: float) -> str:
    """Format a p value, as text to follow the letter p."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _data_uri(picture: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode("ascii")
