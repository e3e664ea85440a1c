"""The dataset card: its front matter is YAML that the hub reads, its tables hold the figures."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml
from pydantic import JsonValue

from src.paths import BALANCED
from src.records.metrics.filter import RejectRate, Review, ReviewerAgreement
from src.records.rounds import RoundSummary
from src.records.samples import Screened
from src.reporting.card import GEMMA_TERMS, front_matter, render_card
from src.reporting.results import Results
from src.reporting.settings import Settings
from tests.reporting.conftest import spread, with_metrics, without_samples

ROOT = Path(__file__).parents[2]


def split(card: str) -> tuple[Mapping[str, JsonValue], str]:
    """Front matter and text."""
    _, front, text = card.split("---\n", 2)
    return yaml.safe_load(front), text


def by_model(results: Results, model: str) -> Results:
    """The same run with another model."""
    accepted = [
        replace(one, candidate=replace(one.candidate, model=model)) for one in results.accepted
    ]
    return replace(results, accepted=accepted)


def test_front_matter_is_what_the_hub_reads(results: Results, settings: Settings):
    """Language, licence, task, size and where the rows are."""
    front, text = split(render_card(by_model(results, "Gemma-3"), settings))
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
    assert text.startswith("\n# Balanced train set: 中国移动客服热线的通话记录\n")


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
    """The size categories of the hub."""
    assert front_matter(rows, "en", gemma=False)["size_categories"] == [size]


def test_card_has_every_section_and_figure(results: Results, settings: Settings):
    """Sections in the order of the hub, with one line per section."""
    _, text = split(render_card(results, settings))
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
        "| `sentence_sep` | the text; turns of a dialogue are joined by `[SEP]` |",
        "| `c_numerical` | the id of the class |",
        "| `label_raw` | the name of the class |",
        "| `origin` | `real` or `synthetic` |",
        "| class | real | synthetic | all |",
        "| 补换卡 | 4 | 16 | 20 |",
        "| repetition | 47 |",
        "| Oversampling (best free) | 0.533 [0.398, 0.638] | 0.625 [0.484, 0.750] "
        "| 0.542 [0.417, 0.646] | - |",
        "| Chosen on dev (**ours**) | 0.570 [0.448, 0.660] | 0.688 [0.594, 0.812] "
        "| 0.583 [0.479, 0.667] | +0.037 [-0.047, +0.128] |",
        "No sample has been reviewed yet.",
        "On dev, adding samples did not pay off: use the real rows with Oversampling instead.",
        f"Signature: `{results.metrics.evaluate.signature}`",
    ]:
        assert line in lines
    for part in [
        "162 real rows of 6 classes and 48 samples",
        "The real rows keep the licence of their source",
        "162 real train rows; none was changed or removed.",
        "passed these checks: style, format, length, repetition, seed_similarity, near_duplicate,",
        "Gini of the class sizes: 0.475 → 0.246",
        "- 开发票: 100 % of the samples open with 我想开发 (all real rows: 0 %)",
    ]:
        assert part in text


def test_card_describes_every_column_of_the_set(
    kept_run: Path, results: Results, settings: Settings
):
    """Every column has a line, except columns of the train file that the settings do not name."""
    columns = pd.read_csv(kept_run / BALANCED, nrows=1).columns
    described = re.findall(r"^\| `(\w+)` \| ", render_card(results, settings), re.MULTILINE)
    assert [column for column in columns if column not in described] == ["region"]
    assert set(described) < set(columns)


def test_samples_that_were_not_needed_are_not_counted(
    kept_run: Path, results: Results, settings: Settings
):
    """If more samples passed than are needed, a model's count covers only samples in the set."""
    assert len(results.accepted) == 72
    rows = pd.read_csv(kept_run / BALANCED)
    in_set = rows[rows["origin"] == "synthetic"]["call_id"].tolist()

    def named(sample: Screened) -> str:
        return "in-the-set" if sample.id in in_set else "left-over"

    accepted = [
        replace(one, candidate=replace(one.candidate, model=named(one))) for one in results.accepted
    ]
    assert Counter(map(named, results.accepted)) == {"in-the-set": 48, "left-over": 24}
    text = render_card(replace(results, accepted=accepted), settings)
    assert "**Generation.** `in-the-set` (48 samples)." in text


def test_rows_that_the_head_cap_dropped_are_reported(capped: Results, settings: Settings):
    """The card does not claim that all rows are there."""
    text = render_card(capped, settings)
    assert "102 real rows of 6 classes and 48 samples" in text
    assert (
        "162 real train rows; none was changed, and 60 rows of the largest classes were left out "
        "(`plan.head_cap`)."
    ) in text
    assert "or removed" not in text
    assert "| 查询话费 | 30 | 0 | 30 |" in text


def test_commands_of_the_card_exist(results: Results, settings: Settings):
    """Each `make` command on the card is a target of the Makefile."""
    named = re.findall(r"^make (\w+)", render_card(results, settings), re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert named == ["repro"]
    assert set(named) <= set(re.findall(r"^(\w+):", makefile, re.MULTILINE))


def test_other_models_need_no_gemma_terms(results: Results, settings: Settings):
    """The terms appear only if a Gemma model wrote samples."""
    front, text = split(render_card(by_model(results, "glm-4-9b-chat"), settings))
    assert "license_link" not in front
    assert "Gemma" not in text
    assert "`glm-4-9b-chat` (48 samples)" in text
    assert GEMMA_TERMS in render_card(by_model(results, "gemma3-270m"), settings)


def test_review_shortfall_and_rounds_are_reported(results: Results, settings: Settings):
    """The share that reviewers would reject, the shortfall, and each kept round."""
    measured = results.metrics
    rate = RejectRate(2, 20, 0.1, 0.02, 0.3, 72, 7)
    review = Review(20, rate, ReviewerAgreement(0, None, ()), 0)
    short = replace(measured.balance.per_class["开发票"], shortfall=6)
    per_class = {**measured.balance.per_class, "开发票": short}
    scores = spread(0.6), spread(0.5), spread(0.07)
    rounds = {
        "1": RoundSummary(True, 162, 48, 0, 48, {"review": 2}, *scores),
        "2": RoundSummary(False, 162, 50, 0, 2, {}, *scores),
    }
    more = replace(
        measured,
        filter=replace(measured.filter, review=review),
        balance=replace(measured.balance, per_class=per_class),
        evaluate=replace(measured.evaluate, rounds=rounds),
    )
    lines = render_card(with_metrics(results, more), settings).splitlines()
    assert (
        "Reviewers decided on 20 samples and would reject an estimated 10.0% [2.0%, 30.0%] of the "
        "accepted ones."
    ) in lines
    assert "Shortfall: 开发票 6." in lines
    assert [line for line in lines if line.startswith("- Round")] == [
        "- Round 1: 48 samples added, 2 retired (review 2); 162 real rows and 48 samples; "
        "dev macro-F1 0.600 [0.580, 0.620]."
    ]


@pytest.mark.parametrize(
    ("change", "stated"),
    [
        pytest.param({}, "found in the candidates and replaced.", id="replaced"),
        pytest.param(
            {"action": "drop"}, "candidates; these candidates were rejected", id="dropped"
        ),
        pytest.param({"enabled": False}, "in the candidates and left unchanged.", id="left"),
    ],
)
def test_treatment_of_private_data_is_reported(
    results: Results, settings: Settings, change: Mapping[str, object], stated: str
):
    """How many passages were found, and what the rule does with them."""
    screened = replace(results.metrics.filter, private={"mobile": 3})
    rules = settings.filter.model_copy(
        update={"pii": settings.filter.pii.model_copy(update=dict(change))}
    )
    found = with_metrics(results, replace(results.metrics, filter=screened))
    text = render_card(found, replace(settings, filter=rules))
    assert "3 passages that look like private data" in text
    assert stated in text


def test_a_set_of_utterances_without_samples(results: Results, settings: Settings):
    """Without samples, turns, ids and class names the card is still complete."""
    data = settings.data.model_copy(
        update={
            "turn_separator": None,
            "id_column": None,
            "label_column": "label",
            "label_name_column": "label",
            "language": "en",
        }
    )
    front, text = split(render_card(without_samples(results), replace(settings, data=data)))
    assert front["language"] == ["en"]
    assert "No sample was added" in text
    assert "| `sentence_sep` | the text |\n| `label` | the class |\n| `origin` |" in text
    assert "rejected by" not in text


def test_bars_and_lines_in_a_class_name_stay_in_their_cell(results: Results, settings: Settings):
    """A class name cannot break the table."""
    per_class = dict(results.metrics.balance.per_class)
    per_class["a|b\nc"] = per_class.pop("查询话费")
    balance = replace(results.metrics.balance, per_class=per_class)
    renamed = with_metrics(results, replace(results.metrics, balance=balance))
    assert "| a\\|b c | 60 | 0 | 60 |" in render_card(renamed, settings)
