"""The Markdown report: golden text of the small run, and the sections that other runs add."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from src.records.samples import Fault
from src.reporting.markdown_report import render_report
from src.reporting.results import Results
from src.reporting.settings import Settings
from tests.reporting.conftest import with_metrics, without_samples

GOLDEN = Path(__file__).parent / "golden_report.md"
PICTURES = {"Scores of the methods": "headline.png", "Recall per class": "recall_per_class.png"}


def test_report_is_the_golden_text(results: Results, settings: Settings):
    """Every table, note and link; the first five rejected samples per rule; then the settings."""
    text = render_report(results, settings, PICTURES)
    body, _, shown = text.partition("## Settings\n")
    assert body == GOLDEN.read_text(encoding="utf-8")
    assert shown == f"\n```yaml\n{settings.as_yaml()}```\n"


def test_shortfall_is_reported(results: Results, settings: Settings):
    """The number of missing samples and their classes; the absence of a shortfall is stated too."""
    assert "- Every class reached its target." in render_report(results, settings, {})
    balance = results.metrics.balance
    short = replace(balance.per_class["开发票"], synthetic=12, shortfall=6)
    lacking = replace(balance, per_class={**balance.per_class, "开发票": short})
    text = render_report(
        with_metrics(results, replace(results.metrics, balance=lacking)), settings, {}
    )
    assert "- **Shortfall: 6 samples:** 开发票 6 of 20" in text
    assert "Every class reached its target" not in text


def test_rows_that_the_head_cap_dropped_are_reported(
    results: Results, capped: Results, settings: Settings
):
    """Real rows do not vanish silently."""
    assert "- `plan.head_cap` removed 60 real rows." in render_report(capped, settings, {})
    assert "head_cap` removed" not in render_report(results, settings, {})


def test_report_of_a_run_without_candidates(results: Results, settings: Settings):
    """Undefined shares are a dash; sections without content are left out."""
    text = render_report(without_samples(results), settings, {})
    assert "| candidates | 0 | - |" in text
    assert "## Rejected samples" not in text
    assert "## How the samples differ" not in text


def test_several_models_have_a_table(several: Results, settings: Settings):
    """The contribution of each model, a dash if unknown; a single model has no table."""
    text = render_report(several, settings, {})
    assert (
        "| model | requests | samples | accepted | acceptance rate | kept | cost per 1,000 "
        "| distinct pairs | dev gain alone | dev gain on top |"
    ) in text
    assert (
        "| glm<4> | 1,100 | 1,090 | 990 | 90.0% | 720 | 2.00 | 0.812 "
        "| +0.070 [+0.050, +0.090] | +0.010 [-0.010, +0.030] |"
    ) in text
    assert "| small\\|one | 30 | 0 | 0 | 0.0% | - | - | - | - | - |" in text
    generate = several.metrics.generate
    one = replace(generate, per_model={"glm<4>": generate.per_model["glm<4>"]})
    alone = with_metrics(several, replace(several.metrics, generate=one))
    assert "## Models" not in render_report(alone, settings, {})


def test_judges_have_a_table(results: Results, several: Results, settings: Settings):
    """Share accepted by each judge, and their agreement; a dash if no two voted on a sample."""
    text = render_report(several, settings, {})
    agreement = "Observed agreement of two voters: {} of the samples; Fleiss' kappa: {}."
    assert agreement.format("87.5%", "0.62") in text
    assert (
        "| judge | judged | accepted | weight |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| classifier | 1,200 | 75.0% | 0.62 |\n"
        "| glm<4> | 30 | 0.0% | 0.00 |\n"
        "| qwen\\|one | 1,170 | 100.0% | 0.25 |\n"
    ) in text
    apart = replace(several.metrics.filter, judges_agreement=None, judges_kappa=None)
    text = render_report(
        with_metrics(several, replace(several.metrics, filter=apart)), settings, {}
    )
    assert agreement.format("-", "-") in text
    assert "## Judges" not in render_report(results, settings, {})


def test_bars_and_lines_stay_in_their_cell(results: Results, settings: Settings):
    """Neither a class name nor a rejected sample can break the table; a long sample is cut."""
    first = results.rejected[0]
    candidate = replace(first.candidate, label="a|b", text="x|y\n" + "z" * 100)
    dropped = replace(first, candidate=candidate, fault=Fault("format", "z|'"))
    renamed = results.per_class.assign(label=["a|b", *results.per_class["label"][1:]])
    text = render_report(replace(results, rejected=(dropped,), per_class=renamed), settings, {})
    assert "| a\\|b | 60 |" in text
    assert f"| format | a\\|b | x\\|y {'z' * 86}… | z\\|' |" in text
