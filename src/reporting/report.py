"""The report on a run, as Markdown: did it help, which class, why were samples dropped.

    metrics = read_metrics()
    verdict(metrics.evaluate)
    render_report(metrics, per_class, settings, plots)

Intervals are written as value [low, high].
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import pandas as pd
import yaml
from pydantic import TypeAdapter

from src.config.arms import FREE_ARMS, Arm
from src.diagnostics.bias_words import largest_lines
from src.files import Record, read_json
from src.records.metrics.filter import BiasReport

FOLDER = Path("metrics")
REPORT = Path("reports/report.md")
EXAMPLES = 5  # shown of what each rule dropped
EXAMPLE_CHARS = 90
Outcome = Literal["helped", "hurt", "noise"]
OPENINGS: dict[Outcome, str] = {
    "helped": "The generated samples helped",
    "hurt": "The generated samples hurt",
    "noise": "The generated samples made no difference beyond noise",
}
METRIC_NAMES = {"macro_f1": "macro-F1", "tail_recall": "tail recall", "accuracy": "accuracy"}


@dataclass(frozen=True)
class Metrics:
    """What the stages measured, one JSON object a stage."""

    analyze: Record
    generate: Record
    filter: Record
    balance: Record
    evaluate: Record


def read_metrics(folder: Path = FOLDER) -> Metrics:
    """The metrics files of a run.

    Raises:
        UserError: one is missing or is not JSON.
    """
    return Metrics(
        analyze=read_json(folder / "analyze.json"),
        generate=read_json(folder / "generate.json"),
        filter=read_json(folder / "filter.json"),
        balance=read_json(folder / "balance.json"),
        evaluate=read_json(folder / "evaluate.json"),
    )


def outcome(evaluate: Record) -> Outcome:
    """Whether ours is better than the best free arm, worse, or neither beyond noise."""
    difference = evaluate["versus_best_free"][evaluate["ours"]]["macro_f1"]
    if difference["low"] > 0:
        return "helped"
    return "hurt" if difference["high"] < 0 else "noise"


def verdict(evaluate: Record) -> str:
    """One sentence: did the generated samples beat the best method that needs none?

    `ours`, the better augmented arm on dev, against `best_free`, by the paired interval of the
    difference in macro-F1.
    """
    ours, free = evaluate["ours"], evaluate["best_free"]
    difference = evaluate["versus_best_free"][ours]["macro_f1"]
    before = evaluate["arms"][free]["macro_f1"]["value"]
    after = evaluate["arms"][ours]["macro_f1"]["value"]
    opening = OPENINGS[outcome(evaluate)]
    return (
        f"{opening}: macro-F1 {after:.3f} with {ours} against {before:.3f} with {free}, the best "
        f"method that needs no samples; difference {signed(difference)}."
    )


def arms_table(evaluate: Record) -> pd.DataFrame:
    """One row an arm and metric, in the order of the arms: arm, metric, value, low, high."""
    return pd.DataFrame(
        [
            {"arm": arm, "metric": metric, **evaluate["arms"][arm][metric]}
            for arm in arms_of(evaluate)
            for metric in METRIC_NAMES
        ],
        columns=["arm", "metric", "value", "low", "high"],
    )


def arms_of(evaluate: Record) -> list[str]:
    """The arms that were scored, in the order in which they are always shown."""
    return [arm for arm in get_args(Arm) if arm in evaluate["arms"]]


def scored(interval: Mapping[str, float]) -> str:
    """`0.642 [0.611, 0.672]`."""
    return f"{interval['value']:.3f} [{interval['low']:.3f}, {interval['high']:.3f}]"


def signed(interval: Mapping[str, float], digits: int = 3) -> str:
    """`+0.063 [+0.041, +0.085]`."""
    value, low, high = (f"{interval[key]:+.{digits}f}" for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def shortfalls(balance: Record) -> dict[str, int]:
    """Class -> samples that it lacks of its target, the largest lack first."""
    lacks = {label: int(row["shortfall"]) for label, row in balance["per_class"].items()}
    return {
        label: lack for label, lack in sorted(lacks.items(), key=lambda x: (-x[1], x[0])) if lack
    }


def render_report(
    metrics: Metrics,
    per_class: pd.DataFrame,
    rejected: Sequence[Record],
    settings: Mapping[str, Any],
    plots: Mapping[str, str],
) -> str:
    """The Markdown text of the report.

    Args:
        metrics: from `read_metrics`, or with an evaluation that is not written yet.
        per_class: label, support (test rows), train_rows, synthetic_rows, recall_before,
            recall_after, f1_before, f1_after.
        rejected: samples that the gate dropped (label, text, reason, detail).
        settings: the sections of params.yaml to show, nested.
        plots: caption -> path of the picture, seen from the report.
    """
    sections = [
        "# Did the generated samples help?",
        f"**{verdict(metrics.evaluate)}**",
        *_scores(metrics.evaluate),
        *_balance(metrics),
        *_samples(metrics),
        *_models(metrics),
        *_judges(metrics.filter),
        *_dropped(rejected),
        *_bias(metrics.filter),
        *_classes(per_class, metrics.evaluate["ours"]),
        *_pictures(plots),
        "## Settings",
        "```yaml\n" + yaml.safe_dump(dict(settings), allow_unicode=True, sort_keys=False) + "```",
    ]
    return "\n\n".join(sections) + "\n"


def _scores(evaluate: Record) -> list[str]:
    arms, tail = arms_of(evaluate), evaluate["tail"]
    scores = [
        [
            _arm(arm, evaluate),
            *(scored(evaluate["arms"][arm][metric]) for metric in METRIC_NAMES),
            f"{evaluate['dev'][arm]['macro_f1']:.3f}",
        ]
        for arm in arms
    ]
    differences = [
        [
            arm,
            *(
                signed(reference[arm][metric]) if arm in reference else "-"
                for reference in (evaluate["versus_original"], evaluate["versus_best_free"])
                for metric in ("macro_f1", "tail_recall")
            ),
        ]
        for arm in arms
        if arm != "original"
    ]
    free = evaluate["best_free"]
    return [
        "## Scores",
        f"On {evaluate['test_rows']:,} test rows, which no model was shown and nothing was chosen "
        f"by. Tail recall is the mean recall of the {tail['classes']} tail classes; it rests on "
        f"{tail['test_rows']:,} of these rows. Brackets are bootstrap intervals over the test "
        "rows. Arms were compared on dev macro-F1 to choose the best free one and ours.",
        _table(["arm", *METRIC_NAMES.values(), "dev macro-F1"], scores),
        "Differences, paired on the same test rows; one whose interval includes 0 may be noise:",
        _table(
            [
                "arm",
                "macro-F1 vs original",
                "tail recall vs original",
                f"macro-F1 vs {free}",
                f"tail recall vs {free}",
            ],
            differences,
        ),
    ]


def _arm(arm: str, evaluate: Record) -> str:
    if arm == evaluate["ours"]:
        return f"**{arm}** (ours)"
    return f"{arm} (best free)" if arm == evaluate["best_free"] else arm


def _balance(metrics: Metrics) -> list[str]:
    analyze, balance = metrics.analyze, metrics.balance
    gini, ratio = balance["gini"], balance["imbalance_ratio"]
    lacks = shortfalls(balance)
    lines = [
        f"- {analyze['minority_classes']} of {analyze['classes']} classes are minority classes; "
        f"{analyze['needed']:,} samples were planned for them.",
        f"- Gini of the class sizes: {gini['before']:.3f} → {gini['after']:.3f}",
        f"- Largest to smallest class: {ratio['before']:,.1f} → {ratio['after']:,.1f}",
        f"- Generated share of the balanced set: {balance['synthetic_share']:.1%}",
    ]
    if lacks:
        listed = "; ".join(
            f"{label} {lack} of {balance['per_class'][label]['target']}"
            for label, lack in lacks.items()
        )
        lines.append(f"- **Short of the target by {sum(lacks.values()):,} samples:** {listed}")
    else:
        lines.append("- Every class reached its target.")
    return ["## Balance", "\n".join(lines)]


def _samples(metrics: Metrics) -> list[str]:
    screened, generated = metrics.filter, metrics.generate
    total = screened["candidates"]
    rejected = sorted(screened["rejected_by"].items(), key=lambda rule: (-rule[1], rule[0]))
    funnel = [
        ("candidates", total),
        *((f"rejected by {rule}", count) for rule, count in rejected if count),
        ("**accepted**", screened["accepted"]),
    ]
    rows = [[step, f"{n:,}", f"{n / total:.1%}" if total else "-"] for step, n in funnel]
    tokens, failures = generated["tokens"], generated["failures"]
    failed = ", ".join(f"{n:,} {kind}" for kind, n in sorted(failures.items()) if n)
    return [
        "## Samples",
        _table(["step", "samples", "share"], rows),
        f"Tokens: {tokens['prompt']:,} read, {tokens['completion']:,} written. "
        f"Requests that gave no sample: {failed or 'none'}.",
    ]


def _models(metrics: Metrics) -> list[str]:
    """What each model is worth, where there were several."""
    models = metrics.generate.get("per_model", {})
    if len(models) < 2:
        return []
    kept, gains = (found.get("per_model", {}) for found in (metrics.filter, metrics.evaluate))
    rows = [
        [
            name,
            f"{worth['requests']:,}",
            f"{worth['candidates']:,}",
            f"{worth['accepted']:,}",
            f"{worth['acceptance']:.1%}",
            f"{kept[name]['accepted']:,}" if name in kept else "-",
            "-" if (one := worth["cost_per_accepted"]) is None else f"{1000 * one:.2f}",
            _figure(worth["diversity"]["distinct_2"], ".3f"),
            *(signed(gains[name][way]) if name in gains else "-" for way in ("alone", "on_top")),
        ]
        for name, worth in models.items()
    ]
    columns = ["requests", "samples", "accepted", "accepted share", "kept", "cost of 1,000"]
    columns += ["distinct pairs", "dev gain alone", "dev gain on top"]
    return [
        "## Models",
        "A request without a usable answer counts as a sample that was dropped. Kept is what the "
        "label check and the judges left. Distinct pairs of tokens are compared on equal numbers of "
        "samples of each class. Dev gains are differences in macro-F1 on dev: of a model's samples "
        "alone against none, and of all samples against those of the other models.",
        _table(["model", *columns], rows),
    ]


def _judges(screened: Record) -> list[str]:
    """How far those who voted on the samples agree, where there were judges."""
    judges = screened.get("judges", {})
    if not judges:
        return []
    rows = [
        [
            name,
            f"{one['judged']:,}",
            f"{one['accepted'] / one['judged']:.1%}",
            f"{one['weight']:.2f}",
        ]
        for name, one in judges.items()
    ]
    agree, kappa = screened["judges_agree"], screened["judges_kappa"]
    return [
        "## Judges",
        f"Two of them agree on {_figure(agree, '.1%')} of the samples, Fleiss' kappa "
        f"{_figure(kappa, '.2f')}. The weight of a vote is its mean kappa with each other voter; "
        "it counts where `filter.judge.vote` is weighted.",
        _table(["judge", "judged", "accepted", "weight"], rows),
    ]


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _dropped(rejected: Sequence[Record]) -> list[str]:
    """The first samples that each rule dropped, so that a reader sees whether it was right."""
    by_rule: dict[str, list[Record]] = {}
    for record in rejected:
        by_rule.setdefault(record["reason"], []).append(record)
    rows = [
        [rule, record["label"], _shortened(record["text_before_style"]), record["detail"]]
        for rule, records in sorted(by_rule.items())
        for record in records[:EXAMPLES]
    ]
    if not rows:
        return []
    return [
        "## What was dropped, and why",
        f"The first {EXAMPLES} of each rule; all are in `data/interim/rejected.jsonl`.",
        _table(["rule", "class", "sample", "why"], rows, numbers=False),
    ]


def _shortened(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= EXAMPLE_CHARS else one_line[:EXAMPLE_CHARS] + "…"


def _bias(screened: Record) -> list[str]:
    lines = largest_lines(TypeAdapter(BiasReport).validate_python(screened["bias"]))
    if not lines:
        return []
    return [
        "## How the samples differ from the real rows",
        "The largest differences; a person should decide whether they matter.",
        "\n".join(f"- {line}" for line in lines),
    ]


def _classes(per_class: pd.DataFrame, ours: str) -> list[str]:
    rows = per_class.sort_values(["train_rows", "label"]).to_dict("records")
    table = [
        [
            row["label"],
            f"{row['train_rows']:,}",
            f"{row['synthetic_rows']:,}",
            f"{row['support']:,}",
            f"{row['recall_before']:.3f} → {row['recall_after']:.3f}",
            f"{row['recall_after'] - row['recall_before']:+.3f}",
            f"{row['f1_before']:.3f} → {row['f1_after']:.3f}",
        ]
        for row in rows
    ]
    return [
        "## Classes",
        f"The rarest first; before is `{FREE_ARMS[0]}`, after is `{ours}`. A recall over few "
        "test rows says little.",
        _table(
            ["class", "train rows", "generated", "test rows", "recall", "change", "F1"],
            table,
        ),
    ]


def _pictures(plots: Mapping[str, str]) -> list[str]:
    pictures = [f"![{caption}](<{path}>)" for caption, path in plots.items()]
    return ["## Charts", *pictures] if pictures else []


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = True) -> str:
    """A Markdown table; of numbers, all columns but the first are aligned to the right."""
    rule = ["---", *["---:" if numbers else "---"] * (len(header) - 1)]
    lines = (" | ".join(cell.replace("|", "\\|") for cell in row) for row in (header, rule, *rows))
    return "\n".join(f"| {line} |" for line in lines)
