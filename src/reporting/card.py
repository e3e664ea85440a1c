"""The dataset card of the balanced train set, in the format of the Hugging Face hub.

    text = render_card(results, settings)

The card is in English; its front matter names the language of the data. Save it as README.md next
to train_balanced.csv. Format: https://huggingface.co/docs/hub/datasets-cards.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import yaml
from pydantic import JsonValue

from src.config.data import Language
from src.config.filter import FilterParams
from src.data.schema import ORIGIN, QUALITY, WRITER
from src.diagnostics.bias_words import largest_lines
from src.paths import BALANCED
from src.records.metrics.balance import BalanceMetrics
from src.records.metrics.evaluate import EvaluateMetrics
from src.reporting.markdown import table
from src.reporting.report import (
    METRIC_NAMES,
    conclusion_sentence,
    interval_of,
    methods_of,
    scored,
    shortfalls,
    signed,
)
from src.reporting.results import Results
from src.reporting.settings import Settings
from src.reporting.words import named
from src.templates import environment
from src.training.balance import used_samples

TEMPLATES = Path(__file__).parent / "templates"
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
LARGE = "1M<n<10M"
GEMMA_TERMS = "https://ai.google.dev/gemma/terms"


def render_card(results: Results, settings: Settings) -> str:
    """Return the Markdown text of the card, front matter first.

    Args:
        results: results of the run that made the set.
        settings: settings of the run.
    """
    metrics = results.metrics
    balance = metrics.balance
    made = {label: row.synthetic for label, row in balance.per_class.items()}
    used = [one.candidate for one in used_samples(results.accepted, made)]
    models = Counter(candidate.model or "unknown" for candidate in used)
    gemma = any("gemma" in model.lower() for model in models)
    front = front_matter(balance.rows, settings.data.language, gemma=gemma)
    templates = environment(TEMPLATES, trim_blocks=True)
    templates.filters["scored"] = scored
    return templates.get_template("card.md.j2").render(
        front_matter=yaml.safe_dump(front, allow_unicode=True, sort_keys=False),
        m=metrics,
        e=metrics.evaluate,
        sentence=conclusion_sentence(metrics.evaluate),
        best_free=named("method", metrics.evaluate.best_free, "en"),
        domain=settings.generate.domain,
        data=settings.data,
        rules=_rules(settings.filter),
        pii=settings.filter.pii,
        real=sum(row.real for row in balance.per_class.values()),
        synthetic=sum(made.values()),
        shortfalls=shortfalls(balance),
        models=models.most_common(),
        prompts=sorted({candidate.prompt_version for candidate in used} - {""}),
        bias=largest_lines(metrics.filter.bias),
        gemma_terms=GEMMA_TERMS if gemma else "",
        data_file=BALANCED.name,
        columns={"origin": ORIGIN, "quality": QUALITY, "writer": WRITER},
        counts=_counts(balance),
        scores=_scores(metrics.evaluate),
        rejected=table(
            ["rejected by", "samples"],
            (
                [rule, f"{count:,}"]
                for rule, count in Counter(metrics.filter.rejected_by).most_common()
                if count
            ),
        ),
    )


def front_matter(rows: int, language: Language, *, gemma: bool) -> dict[str, JsonValue]:
    """Return the part of the card that the hub parses.

    Args:
        rows: number of rows in the balanced set.
        language: language of the data.
        gemma: whether a Gemma model wrote samples; its terms then apply to them.
    """
    return {
        "language": [language],
        "license": "other",
        "license_name": "see-card",
        **({"license_link": GEMMA_TERMS} if gemma else {}),
        "task_categories": ["text-classification"],
        "size_categories": [next((name for below, name in SIZES if rows < below), LARGE)],
        "tags": ["synthetic", "class-imbalance", "intent-classification"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": "train", "path": BALANCED.name}],
            }
        ],
    }


def _rules(rules: FilterParams) -> list[str]:
    """Return the names of the enabled rules of the gate."""
    return [name for name, rule in rules if getattr(rule, "enabled", False)]


def _counts(balance: BalanceMetrics) -> str:
    rows = sorted(
        balance.per_class.items(), key=lambda item: (-item[1].real - item[1].synthetic, item[0])
    )
    return table(
        ["class", "real", "synthetic", "all"],
        (
            [label, f"{row.real:,}", f"{row.synthetic:,}", f"{row.real + row.synthetic:,}"]
            for label, row in rows
        ),
    )


def _scores(evaluate: EvaluateMetrics) -> str:
    mark = {evaluate.ours: " (**ours**)", evaluate.best_free: " (best free)"}
    against = evaluate.versus_best_free
    return table(
        ["method", *METRIC_NAMES.values(), "macro-F1 vs best free"],
        (
            [
                named("method", method, "en") + mark.get(method, ""),
                *(scored(interval_of(evaluate.methods[method], metric)) for metric in METRIC_NAMES),
                signed(against[method].macro_f1) if method in against else "-",
            ]
            for method in methods_of(evaluate)
        ),
    )
