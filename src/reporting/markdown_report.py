"""The report of a run as Markdown: did it help, in which classes, why were samples rejected.

    render_report(results, settings, {"Recall per class": "recall_per_class.png"})

Intervals are written as value [low, high].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from src.config.methods import FREE_METHODS, Method
from src.diagnostics.bias_words import largest_lines
from src.records.metrics.evaluate import EvaluateMetrics
from src.records.metrics.filter import FilterMetrics
from src.records.samples import Screened
from src.reporting.markdown import table
from src.reporting.report import (
    EXAMPLES,
    METRIC_NAMES,
    Metrics,
    conclusion_sentence,
    interval_of,
    methods_of,
    scored,
    shortfalls,
    signed,
)
from src.reporting.results import Results, by_rule
from src.reporting.settings import Settings

EXAMPLE_CHARS = 90


def render_report(results: Results, settings: Settings, pictures: Mapping[str, str]) -> str:
    """Return the Markdown text of the report.

    Args:
        results: results of the run.
        settings: settings to show.
        pictures: caption -> path of the picture, relative to the report.
    """
    metrics = results.metrics
    sections = [
        "# Did the generated samples help?",
        f"**{conclusion_sentence(metrics.evaluate)}**",
        *_scores(metrics.evaluate),
        *_balance(metrics),
        *_samples(metrics),
        *_models(metrics),
        *_judges(metrics.filter),
        *_dropped(results.rejected),
        *_bias(metrics.filter),
        *_classes(results.per_class, metrics.evaluate.ours),
        *_pictures(pictures),
        "## Settings",
        f"```yaml\n{settings.as_yaml()}```",
    ]
    return "\n\n".join(sections) + "\n"


def _scores(evaluate: EvaluateMetrics) -> list[str]:
    methods, tail = methods_of(evaluate), evaluate.tail
    scores = [
        [
            _method(method, evaluate),
            *(scored(interval_of(evaluate.methods[method], metric)) for metric in METRIC_NAMES),
            f"{evaluate.dev[method].macro_f1:.3f}",
        ]
        for method in methods
    ]
    differences = [
        [
            method,
            *(
                signed(interval_of(reference[method], metric)) if method in reference else "-"
                for reference in (evaluate.versus_original, evaluate.versus_best_free)
                for metric in ("macro_f1", "tail_recall")
            ),
        ]
        for method in methods
        if method != "original"
    ]
    free = evaluate.best_free
    return [
        "## Scores",
        f"Scores on {evaluate.test_rows:,} test rows, which were used neither for training nor "
        f"for any choice. Tail recall is the mean recall of the {tail.classes} tail classes; it "
        f"is based on {tail.test_rows:,} of these rows. Brackets are bootstrap intervals over the "
        "test rows. The best free method and ours were chosen by macro-F1 on dev.",
        table(["method", *METRIC_NAMES.values(), "dev macro-F1"], scores),
        "Differences, paired on the same test rows. A difference whose interval includes 0 may be "
        "noise.",
        table(
            [
                "method",
                "macro-F1 vs original",
                "tail recall vs original",
                f"macro-F1 vs {free}",
                f"tail recall vs {free}",
            ],
            differences,
        ),
    ]


def _method(method: Method, evaluate: EvaluateMetrics) -> str:
    if method == evaluate.ours:
        return f"**{method}** (ours)"
    return f"{method} (best free)" if method == evaluate.best_free else method


def _balance(metrics: Metrics) -> list[str]:
    analyze, balance = metrics.analyze, metrics.balance
    gini, ratio = balance.gini, balance.imbalance_ratio
    lacks = shortfalls(balance)
    lines = [
        f"- {analyze.minority_classes} of {analyze.classes} classes are minority classes; "
        f"{analyze.needed:,} samples were planned for them.",
        f"- Gini of the class sizes: {gini.before:.3f} → {gini.after:.3f}",
        f"- Largest class / smallest class: {ratio.before:,.1f} → {ratio.after:,.1f}",
        f"- Share of samples in the balanced set: {balance.synthetic_share:.1%}",
    ]
    if balance.dropped:
        lines.append(f"- `plan.head_cap` removed {balance.dropped:,} real rows.")
    if lacks:
        listed = "; ".join(
            f"{label} {lack} of {balance.per_class[label].target}" for label, lack in lacks.items()
        )
        lines.append(f"- **Shortfall: {sum(lacks.values()):,} samples:** {listed}")
    else:
        lines.append("- Every class reached its target.")
    return ["## Balance", "\n".join(lines)]


def _samples(metrics: Metrics) -> list[str]:
    screened, generated = metrics.filter, metrics.generate
    total = screened.candidates
    rejected = sorted(screened.rejected_by.items(), key=lambda rule: (-rule[1], rule[0]))
    funnel = [
        ("candidates", total),
        *((f"rejected by {rule}", count) for rule, count in rejected if count),
        ("**accepted**", screened.accepted),
    ]
    rows = [[step, f"{n:,}", f"{n / total:.1%}" if total else "-"] for step, n in funnel]
    tokens, failures = generated.tokens, generated.failures
    failed = ", ".join(f"{n:,} {kind}" for kind, n in sorted(failures.items()) if n)
    return [
        "## Samples",
        table(["step", "samples", "share"], rows),
        f"Tokens: {tokens.prompt:,} in prompts, {tokens.completion:,} generated. "
        f"Requests that returned no sample: {failed or 'none'}.",
    ]


def _models(metrics: Metrics) -> list[str]:
    """Return the section on the contribution of each model, if there were several."""
    models = metrics.generate.per_model
    if len(models) < 2:
        return []
    kept, gains = metrics.filter.per_model, metrics.evaluate.per_model
    rows = [
        [
            name,
            f"{entry.requests:,}",
            f"{entry.candidates:,}",
            f"{entry.accepted:,}",
            f"{entry.acceptance:.1%}",
            f"{kept[name].accepted:,}" if name in kept else "-",
            "-" if (one := entry.cost_per_accepted) is None else f"{1000 * one:.2f}",
            _figure(entry.diversity.distinct_2, ".3f"),
            signed(gains[name].alone) if name in gains else "-",
            signed(gains[name].on_top) if name in gains else "-",
        ]
        for name, entry in models.items()
    ]
    columns = ["requests", "samples", "accepted", "acceptance rate", "kept", "cost per 1,000"]
    columns += ["distinct pairs", "dev gain alone", "dev gain on top"]
    return [
        "## Models",
        "A request without a usable response counts as a rejected sample. Kept are the samples "
        "that also passed the label check and the judges. Distinct pairs is the share of distinct "
        "token pairs, computed on the same number of samples per class for every model. Dev gains "
        "are differences in dev macro-F1: the model's samples alone against no samples, and all "
        "samples against those of the other models.",
        table(["model", *columns], rows),
    ]


def _judges(screened: FilterMetrics) -> list[str]:
    """Return the section on the agreement of the voters, if there were judges."""
    if not screened.judges:
        return []
    rows = [
        [name, f"{one.judged:,}", f"{one.accepted / one.judged:.1%}", f"{one.weight:.2f}"]
        for name, one in screened.judges.items()
    ]
    agree, kappa = screened.judges_agreement, screened.judges_kappa
    return [
        "## Judges",
        f"Observed agreement of two voters: {_figure(agree, '.1%')} of the samples; Fleiss' kappa: "
        f"{_figure(kappa, '.2f')}. The weight of a voter is its mean kappa with the other voters; "
        "it is used if `filter.judge.vote` is `weighted`.",
        table(["judge", "judged", "accepted", "weight"], rows),
    ]


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _dropped(rejected: Sequence[Screened]) -> list[str]:
    """Return the section with the first rejected samples per rule, for the reader to judge."""
    rows = [
        [rule, one.label, _shortened(one.candidate.text), one.fault.detail]
        for rule, samples in by_rule(rejected).items()
        for one in samples[:EXAMPLES]
        if one.fault
    ]
    if not rows:
        return []
    return [
        "## Rejected samples",
        f"The first {EXAMPLES} per rule; all are in `data/interim/rejected.jsonl`.",
        table(["rule", "class", "sample", "reason"], rows, numbers=False),
    ]


def _shortened(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= EXAMPLE_CHARS else one_line[:EXAMPLE_CHARS] + "…"


def _bias(screened: FilterMetrics) -> list[str]:
    lines = largest_lines(screened.bias)
    if not lines:
        return []
    return [
        "## How the samples differ from the real rows",
        "The largest differences. Decide for yourself whether they matter.",
        "\n".join(f"- {line}" for line in lines),
    ]


def _classes(per_class: pd.DataFrame, ours: Method) -> list[str]:
    rows = per_class.sort_values(["train_rows", "label"]).to_dict("records")
    cells = [
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
        f"Rarest class first. Before: `{FREE_METHODS[0]}`; after: `{ours}`. A recall over few "
        "test rows is not reliable.",
        table(
            ["class", "train rows", "samples", "test rows", "recall", "change", "F1"],
            cells,
        ),
    ]


def _pictures(pictures: Mapping[str, str]) -> list[str]:
    return ["## Charts", *(f"![{caption}](<{path}>)" for caption, path in pictures.items())]
