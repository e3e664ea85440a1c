"""The dataset card: its front matter is YAML that the hub reads, its tables hold the figures."""

from __future__ import annotations

import pytest
import yaml

from src.files import Record
from src.reporting.card import GEMMA_TERMS, NO_LICENCE, front_matter, render_card
from src.reporting.report import Metrics
from tests.reporting.test_html import EXAMPLES, full_run

SETTINGS = {
    "data": {
        "text_column": "sentence",
        "label_column": "class_id",
        "label_name_column": "class",
        "id_column": None,
        "turn_separator": "[SEP]",
    },
    "generate": {"domain": "客服通话"},
    "filter": {"format": {"enabled": True}, "judge": {"enabled": False}, "diversity": 0.5},
}


def split(card: str) -> tuple[Record, str]:
    """Front matter and text."""
    _, front, text = card.split("---\n", 2)
    return yaml.safe_load(front), text


def test_front_matter_is_what_the_hub_reads(metrics: Metrics):
    """Language, licence, task, size and where the rows are."""
    front, text = split(render_card(metrics, EXAMPLES.accepted, SETTINGS, "zh"))
    assert front == {
        "language": ["zh"],
        "license": "other",
        "license_name": "see-card",
        "license_link": GEMMA_TERMS,
        "task_categories": ["text-classification"],
        "size_categories": ["n<1K"],
        "tags": ["synthetic", "class-imbalance", "intent-classification"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": "train", "path": "train_balanced.csv"}],
            }
        ],
    }
    assert text.startswith("\n# Balanced train set: 客服通话\n")


@pytest.mark.parametrize(
    ("rows", "size"),
    [
        pytest.param(999, "n<1K", id="below"),
        pytest.param(1000, "1K<n<10K", id="a-thousand"),
        pytest.param(13939, "10K<n<100K", id="standin"),
        pytest.param(5_000_000, "1M<n<10M", id="millions"),
    ],
)
def test_size_category_follows_the_rows(rows: int, size: str):
    """The hub's own steps."""
    assert front_matter(rows, "en", gemma=False)["size_categories"] == [size]


def test_card_has_every_section_and_figure(metrics: Metrics):
    """Sections in the hub's order, one line of each."""
    _, text = split(
        render_card(full_run(metrics), EXAMPLES.accepted, SETTINGS, "zh", "As CMCC-34.")
    )
    lines = text.splitlines()
    assert [line for line in lines if line.startswith("## ")] == [
        "## Dataset Description",
        "## Dataset Structure",
        "## Dataset Creation",
        "## Statistics",
        "## Quality",
        "## Evaluation",
        "## Considerations for Using the Data",
        "## Reproduce",
    ]
    for line in [
        "| `class_id` | the class, as its id |",
        "| `class` | the class, as its name |",
        "| `origin` | `real` or `synthetic` |",
        "| class | real | synthetic | all |",
        "| 办理补换卡 | 1 | 14 | 15 |",
        "| near_duplicate | 1,000 |",
        "| Generated samples + class weights (**ours**) | 0.642 [0.622, 0.662] "
        "| 0.520 [0.470, 0.570] | 0.690 [0.680, 0.700] | +0.063 [+0.043, +0.083] |",
        "People decided on 20 samples and would reject an estimated 10.0% [2.0%, 30.0%] of the "
        "accepted ones.",
        "Signature: `arms:4|seeds:5|v:0.1.0`",
    ]:
        assert line in lines
    for part in [
        "105 real rows of 3 classes, and 30 samples",
        "As CMCC-34.",
        "`gemma-3` (6 samples)",
        "(version p1)",
        "passed these checks: format.",
        "Gini of the class sizes 0.500 → 0.250",
        "Short of their target: 办理补换卡 by 6.",
        "- 办理缴费: 75 % of the samples open with 您好请问 (real rows: 25 %)",
        "3 pieces that look like private data",
        GEMMA_TERMS,
    ]:
        assert part in text


def test_other_models_bring_no_gemma_terms(metrics: Metrics):
    """The terms stand only where a Gemma model wrote; without a licence note the default holds."""
    accepted = [{**record, "model": "glm-4-9b-chat"} for record in EXAMPLES.accepted]
    front, text = split(render_card(metrics, accepted, SETTINGS, "zh"))
    assert "license_link" not in front
    assert "Gemma" not in text
    assert NO_LICENCE in text


def test_older_metrics_and_few_settings_are_enough(metrics: Metrics):
    """No review, no private data, no signature, no sample: the card is still whole."""
    _, text = split(render_card(metrics, [], {}, "en"))
    assert "No person has reviewed the samples yet." in text
    assert "No sample was added" in text
    assert "| `text` | the text |" in text
    assert "Signature" not in text


def test_bars_and_lines_in_a_class_name_stay_in_their_cell(metrics: Metrics):
    """A class name cannot break the table."""
    per_class = metrics.balance["per_class"]
    per_class["a|b\nc"] = per_class.pop("办理取消")
    assert "| a\\|b c | 100 | 0 | 100 |" in render_card(metrics, EXAMPLES.accepted, {}, "zh")
