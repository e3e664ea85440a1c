"""The HTML report in a real browser: complete, without errors, never wider than the view."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from src.config.data import Language
from src.reporting.html import conclusion_in
from src.reporting.results import Confused, Results
from src.reporting.settings import Settings
from src.reporting.write import write_reports
from tests.browser import CHROMIUM, FLAGS, needs_browser
from tests.reporting.conftest import with_metrics

sync_api = pytest.importorskip("playwright.sync_api")

LONG = "咨询（含查询）业务订购信息查询" * 3
OUTSIDE = """
() => [...document.querySelectorAll('body *')]
  .filter(e => !e.parentElement.closest('.box, pre, figure div, details:not([open])'))
  .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map(e => e.outerHTML.slice(0, 80))
"""
THIN = """
() => [...document.querySelectorAll('td:not(.n)')]
  .filter(e => e.textContent.trim() && e.checkVisibility())
  .filter(e => e.getBoundingClientRect().width < 90)
  .map(e => e.textContent.trim())
"""

pytestmark = needs_browser


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [pytest.param(1280, id="wide"), pytest.param(420, id="narrow")])
def test_report_in_a_browser(
    several: Results, settings: Settings, tmp_path: Path, width: int, language: Language
):
    """The conclusion is on the first screen; no requests, no console messages, no overflow."""
    # long names are the worst case for a narrow view
    balance = several.metrics.balance
    per_class = {**balance.per_class, LONG: balance.per_class["开发票"]}
    wide = replace(several, confused=(Confused(LONG, LONG[::-1], 1, 3),))
    metrics = replace(several.metrics, balance=replace(balance, per_class=per_class))
    domain = settings.generate.model_copy(update={"domain": "x" * 400})
    write_reports(
        tmp_path, with_metrics(wide, metrics), replace(settings, generate=domain), language
    )
    file = tmp_path / "report.html"
    stated: list[str] = []
    asked: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.set_default_timeout(10_000)
        page.on("console", lambda message: stated.append(message.text))
        page.on("pageerror", lambda error: stated.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        conclusion = page.locator("#conclusion")
        sync_api.expect(conclusion).to_have_text(conclusion_in(metrics.evaluate, language))
        sync_api.expect(conclusion).to_be_in_viewport(ratio=1)
        for folded in page.locator("summary").all():
            folded.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OUTSIDE) == []
        assert page.evaluate(THIN) == []
        widths = "images => images.map(image => image.naturalWidth)"
        assert min(page.locator("img").evaluate_all(widths)) > 0
        assert page.locator("img").count() == len(list(tmp_path.glob("*.png")))
        browser.close()
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    assert stated == []
