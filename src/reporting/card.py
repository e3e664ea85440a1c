"""The dataset card of the balanced train set, in the format of the Hugging Face hub.

    text = render_card(read_metrics(), accepted, settings, "zh", "The real rows: as CMCC-34.")

The card is English; its front matter names the language of the data. Put it as README.md beside
train_balanced.csv. Format: https://huggingface.co/docs/hub/datasets-cards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import yaml
from pydantic import TypeAdapter

from src.config.data import Language
from src.diagnostics.bias_words import largest_lines
from src.files import Record
from src.records.metrics.filter import BiasReport
from src.reporting.report import Metrics, arms_of, scored, shortfalls, signed, verdict
from src.reporting.words import named

TEMPLATES = Path(__file__).parent / "templates"
DATA_FILE = "train_balanced.csv"
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
LARGE = "1M<n<10M"
NO_LICENCE = (
    "The real rows keep the licence of their source; ask its owner before you pass them on."
)
GEMMA_TERMS = "https://ai.google.dev/gemma/terms"


def render_card(
    metrics: Metrics,
    accepted: Sequence[Record],
    settings: Mapping[str, Any],
    language: Language,
    licence: str = "",
) -> str:
    """The Markdown text of the card, front matter first.

    Args:
        metrics: of the run that made the set; its balance has the rows of every class.
        accepted: the samples in the set (model, prompt_version if known).
        settings: sections of params.yaml; generate, data and filter are used where they are there.
        language: of the data.
        licence: what holds for the real rows, a sentence or more.
    """
    models = Counter(str(record.get("model") or "unknown") for record in accepted)
    rows = metrics.balance["per_class"]
    counts = {label: (row["real"], row["synthetic"]) for label, row in rows.items()}
    gemma = any("gemma" in model.lower() for model in models)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # Markdown; what could break a table is escaped by `cell`
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"scored": scored, "signed": signed, "cell": _cell}
    return environment.get_template("card.md.j2").render(
        front_matter=yaml.safe_dump(
            front_matter(sum(map(sum, counts.values())), language, gemma=gemma),
            allow_unicode=True,
            sort_keys=False,
        ),
        m=metrics,
        e=metrics.evaluate,
        verdict=verdict(metrics.evaluate),
        arms=arms_of(metrics.evaluate),
        arm_name=lambda arm: named("arm", arm, "en"),
        domain=settings.get("generate", {}).get("domain", ""),
        data=settings.get("data", {}),
        rules=_rules(settings.get("filter", {})),
        counts=dict(sorted(counts.items(), key=lambda item: (-sum(item[1]), item[0]))),
        real=sum(real for real, _ in counts.values()),
        synthetic=sum(synthetic for _, synthetic in counts.values()),
        shortfalls=shortfalls(metrics.balance),
        models=models.most_common(),
        prompts=sorted({r["prompt_version"] for r in accepted if r.get("prompt_version")}),
        bias=largest_lines(TypeAdapter(BiasReport).validate_python(metrics.filter["bias"])),
        licence=licence or NO_LICENCE,
        gemma_terms=GEMMA_TERMS if gemma else "",
        data_file=DATA_FILE,
    )


def front_matter(rows: int, language: Language, *, gemma: bool) -> Record:
    """What the hub reads of the card.

    Args:
        rows: of the balanced set.
        language: of the data.
        gemma: whether a Gemma model wrote samples, whose terms then hold for them.
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
                "data_files": [{"split": "train", "path": DATA_FILE}],
            }
        ],
    }


def _rules(section: Mapping[str, Any]) -> list[str]:
    """The rules of the gate that were on."""
    return [
        name for name, rule in section.items() if isinstance(rule, Mapping) and rule.get("enabled")
    ]


def _cell(text: str) -> str:
    """A text that stays in its cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")
