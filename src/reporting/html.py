"""The report on a run as one HTML file that needs nothing else: no network, no scripts.

    examples = Examples(accepted, rejected, confused, params.data.turn_separator)
    render_html(read_metrics(), examples, settings, {"Recall per class": Path("recall.png")}, "zh")

Sections whose figures the metrics do not have are left out. Colour stands only where a difference
is beyond noise.
"""

from __future__ import annotations

import base64
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml

from src.config.arms import FREE_ARMS
from src.config.data import Language
from src.data.dialogue import split_turns
from src.diagnostics.differences import ATTRIBUTE
from src.files import Record, write_text
from src.reporting.card import render_card
from src.reporting.report import (
    EXAMPLES,
    METRIC_NAMES,
    Metrics,
    arms_of,
    outcome,
    scored,
    shortfalls,
    signed,
    verdict,
)
from src.reporting.words import WORDS, named

TEMPLATES = Path(__file__).parent / "templates"
EXAMPLE_CHARS = 200
CONFUSIONS = 10  # shown of those that grew, and of those that shrank
SIGNIFICANT = 0.05
WIDTH, HEIGHT = 420, 260  # of a panel of the learning curve
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 12, 40  # its margins
TICK_GAP = 30  # numbers on its x axis stand at least so far apart


@dataclass(frozen=True)
class Examples:
    """What the report quotes.

    Attributes:
        accepted: samples that passed (label, text).
        rejected: samples that did not (label, text_before_style, reason, detail).
        confused: actual, predicted, before, after (test rows), change; may be empty.
        turn_separator: of the texts; None where a text is one utterance.
    """

    accepted: Sequence[Record]
    rejected: Sequence[Record]
    confused: pd.DataFrame
    turn_separator: str | None


@dataclass(frozen=True)
class Line:
    """One line of a panel: with or without class weights, at one weight of the samples.

    Attributes:
        class_weight: whether classes were weighted.
        sample_weight: of a generated sample, a real row has 1.
        by_quality: whether it is multiplied by the sample's label score.
        dash: number of the weight, which sets how the line is dashed.
        points: x and y in pixels.
        band: the corners of the intervals.
    """

    class_weight: bool
    sample_weight: float
    by_quality: bool
    dash: int
    points: Sequence[tuple[float, float]]
    band: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """The learning curve in one metric; positions in pixels.

    Attributes:
        metric: macro_f1 or tail_recall.
        lines: one for each setting.
        x_ticks: place, samples a class.
        y_ticks: place, score.
        mark: place of the recommended number of samples, None without one.
    """

    metric: str
    lines: Sequence[Line]
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    mark: float | None


def write_reports(
    folder: Path,
    metrics: Metrics,
    examples: Examples,
    settings: Mapping[str, Any],
    pictures: Mapping[str, Path],
    language: Language,
    licence: str = "",
) -> None:
    """Write report.html, in the language, and DATASET_CARD.md into the folder.

    The card's language is that of the rows, where the settings have a section `data`.

    See `render_html` and `render_card` for the arguments.
    """
    write_text(folder / "report.html", render_html(metrics, examples, settings, pictures, language))
    of_rows: Language = settings.get("data", {}).get("language", language)
    card = render_card(metrics, examples.accepted, settings, of_rows, licence)
    write_text(folder / "DATASET_CARD.md", card)


def render_html(
    metrics: Metrics,
    examples: Examples,
    settings: Mapping[str, Any],
    pictures: Mapping[str, Path],
    language: Language,
) -> str:
    """The whole page.

    Args:
        metrics: from `read_metrics`, or with an evaluation that is not written yet.
        examples: samples and confusions to quote.
        settings: the sections of params.yaml to show, nested.
        pictures: caption -> PNG file, put into the page.
        language: of the page; data, settings and pictures stay as they are.
    """
    evaluate = metrics.evaluate
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"scored": scored, "signed": signed, "number": _number, "p": _p}
    return environment.get_template("report.html.j2").render(
        w=WORDS[language],
        language=language,
        named=partial(named, language=language),
        m=metrics,
        e=evaluate,
        verdict=verdict_in(evaluate, language),
        outcome=outcome(evaluate),
        arms=arms_of(evaluate),
        free_arms=FREE_ARMS,
        metric_names=METRIC_NAMES,
        significant=SIGNIFICANT,
        panels=learning_curve(evaluate.get("curve", []), evaluate.get("recommended")),
        size=(WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM),
        classes=class_rows(metrics),
        shortfalls=shortfalls(metrics.balance),
        confused=_confused(examples.confused),
        rejected_by=_most_first(metrics.filter["rejected_by"]),
        accepted=[_quoted(r, "text", examples) for r in varied(examples.accepted)],
        rejected=_by_rule(examples),
        bias=[_bias_row(entry, language) for entry in metrics.filter["bias"]["largest"]],
        failures=_most_first(metrics.generate["failures"]),
        currency=settings.get("llm", {}).get("currency", ""),
        confidence=f"{settings.get('evaluate', {}).get('confidence', 0.95):.0%}",
        pictures={caption: _data_uri(path) for caption, path in pictures.items()},
        settings=yaml.safe_dump(dict(settings), allow_unicode=True, sort_keys=False),
    )


def verdict_in(evaluate: Record, language: Language) -> str:
    """The sentence of `verdict` in either language."""
    if language == "en":
        return verdict(evaluate)
    words, ours, free = WORDS[language], evaluate["ours"], evaluate["best_free"]
    return words["verdict"].format(
        opening=words[f"verdict_{outcome(evaluate)}"],
        ours=named("arm", ours, language),
        free=named("arm", free, language),
        after=f"{evaluate['arms'][ours]['macro_f1']['value']:.3f}",
        before=f"{evaluate['arms'][free]['macro_f1']['value']:.3f}",
        difference=signed(evaluate["versus_best_free"][ours]["macro_f1"]),
    )


def class_rows(metrics: Metrics) -> list[Record]:
    """One row a class, the rarest first.

    Returns:
        label, real, synthetic; and the fields of evaluate.per_class where that is there and has
        the class (one without test rows has none).
    """
    measured = metrics.evaluate.get("per_class", {})
    rows = [
        {"label": label, "real": row["real"], "synthetic": row["synthetic"]}
        | measured.get(label, {})
        for label, row in metrics.balance["per_class"].items()
    ]
    return sorted(rows, key=lambda row: (row["real"], row["label"]))


def varied(records: Iterable[Record], count: int = EXAMPLES) -> list[Record]:
    """The first record of every class in turn, then the second, up to `count`."""
    seen: dict[str, int] = {}
    ranked: list[tuple[int, Record]] = []
    for record in records:
        seen[record["label"]] = seen.get(record["label"], 0) + 1
        ranked.append((seen[record["label"]], record))
    return [record for _, record in sorted(ranked, key=lambda pair: pair[0])[:count]]


def learning_curve(curve: Sequence[Record], recommended: int | None) -> list[Panel]:
    """A panel of macro-F1 and one of tail recall; none without a curve.

    Args:
        curve: the fields of `arms.Choice`, and macro_f1 and tail_recall with
            value, low and high; in any order.
        recommended: samples a class.
    """
    return [_panel(metric, curve, recommended) for metric in ("macro_f1", "tail_recall") if curve]


def _panel(metric: str, curve: Sequence[Record], recommended: int | None) -> Panel:
    counts = sorted({point["samples_per_class"] for point in curve})
    lowest = min(point[metric]["low"] for point in curve)
    highest = max(point[metric]["high"] for point in curve)
    step = 0.02 if highest - lowest < 0.12 else 0.05 if highest - lowest < 0.3 else 0.1
    first, last = int(lowest / step), int(highest / step) + 1

    def x(samples: float) -> float:
        share: float = (samples - counts[0]) / max(counts[-1] - counts[0], 1)
        return round(LEFT + 8 + share * (WIDTH - LEFT - RIGHT - 16), 1)

    def y(score: float) -> float:
        share = (score / step - first) / (last - first)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    def setting(point: Record) -> tuple[tuple[bool, float], bool]:
        return (point["by_quality"], -point["sample_weight"]), point["class_weight"]

    weights = sorted({setting(point)[0] for point in curve})
    lines = []
    in_order = sorted(curve, key=lambda point: (*setting(point), point["samples_per_class"]))
    for (weight, class_weight), group in groupby(in_order, setting):
        points = list(group)
        is_plain = weight == (False, -1)
        if not is_plain and len(points) < len(counts) - 1:
            continue  # tried at an amount or two, which makes no line
        places = [x(point["samples_per_class"]) for point in points]
        ends = [
            [(place, y(point[metric][end])) for place, point in zip(places, points, strict=True)]
            for end in ("value", "low", "high")
        ]
        band = [*ends[1], *reversed(ends[2])]
        by_quality, lightness = weight
        dash = weights.index(weight)
        lines.append(Line(class_weight, -lightness, by_quality, dash, ends[0], band))
    return Panel(
        metric,
        lines,
        _apart([(x(count), f"{count:,}") for count in counts]),
        [(y(tick * step), f"{tick * step:.2f}") for tick in range(first, last + 1)],
        None if recommended is None else x(recommended),
    )


def _apart(ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """The last tick, and those before it that leave room for the next."""
    kept: list[tuple[float, str]] = []
    for tick in reversed(ticks):
        if not kept or kept[-1][0] - tick[0] >= TICK_GAP:
            kept.append(tick)
    return kept[::-1]


def _confused(pairs: pd.DataFrame) -> dict[str, list[dict[Hashable, Any]]]:
    """The pairs that were confused less often and those more often, the largest changes first."""
    if pairs.empty:
        return {}
    wrong = pairs[pairs["actual"] != pairs["predicted"]]
    by = ["change", "actual", "predicted"]
    fewer = wrong[wrong["change"] < 0].sort_values(by).head(CONFUSIONS)
    more = wrong[wrong["change"] > 0].sort_values(by, ascending=[False, True, True])
    both = {"fewer": fewer, "more": more.head(CONFUSIONS)}
    return {name: frame.to_dict("records") for name, frame in both.items() if len(frame)}


def _by_rule(examples: Examples) -> dict[str, tuple[int, list[Record]]]:
    """Rule -> how many it rejected, and some of them."""
    by_rule: dict[str, list[Record]] = {}
    for record in examples.rejected:
        by_rule.setdefault(record["reason"], []).append(record)
    return {
        rule: (
            len(records),
            [_quoted(record, "text_before_style", examples) for record in varied(records)],
        )
        for rule, records in sorted(by_rule.items())
    }


def _quoted(record: Record, text: str, examples: Examples) -> Record:
    """A record's label, the detail it may have, and its turns, the last ones cut off if long."""
    turns, room = [], EXAMPLE_CHARS
    for turn in split_turns(record[text], examples.turn_separator):
        if room > 0:
            turns.append(turn if len(turn) <= room else turn[:room] + "…")
        room -= len(turn)
    if room < 0 and not turns[-1].endswith("…"):
        turns.append("…")
    return {"label": record["label"], "detail": record.get("detail", ""), "turns": turns}


def _bias_row(entry: Record, language: Language) -> Record:
    words, facet, value = WORDS[language], entry["facet"], entry["value"]
    kind = "attribute" if facet.startswith(ATTRIBUTE) else facet
    says = words[f"gender_{value}"] if facet == "genders" else value
    if kind == "attribute":
        says = f"{facet.removeprefix(ATTRIBUTE)} {value}"
    form = "{:.1f}" if facet in ("chars", "turns") else "{:.1%}"
    return {
        "label": entry["label"] or words["all_classes"],
        "says": words[f"facet_{kind}"].format(value=says),
        "synthetic": form.format(entry["synthetic"]),
        "real": form.format(entry["real"]),
        "compared_with": words[f"real_{entry['compared_with']}"],
        "also_in": words["also_in_classes"].format(n=entry["also_in"]) if entry["also_in"] else "",
        "may_be_chance": entry["at_least"] <= 0,
    }


def _most_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Counts above 0, the largest first."""
    return sorted(((k, n) for k, n in counts.items() if n), key=lambda pair: (-pair[1], pair[0]))


def _number(value: float) -> str:
    return f"{value:,}"


def _p(value: float) -> str:
    """A p value as a text that follows the letter p."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _data_uri(picture: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode("ascii")
