"""The HTML report in a real browser: whole, quiet, and never wider than the view."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from src.privacy.kinds import Language
from src.reporting.html import render_html, verdict_in
from src.reporting.report import Metrics
from tests.browser import CHROMIUM, FLAGS, needs_browser
from tests.reporting.test_html import EXAMPLES, PIXEL, full_run

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
def test_report_in_a_browser(metrics: Metrics, tmp_path: Path, width: int, language: Language):
    """The verdict is on the first screen; no request leaves, nothing complains or sticks out."""
    full, picture = full_run(metrics), tmp_path / "pixel.png"
    picture.write_bytes(PIXEL)
    # long names are the worst case for a narrow view
    full.balance["per_class"][LONG] = full.balance["per_class"]["办理缴费"]
    examples = dataclasses.replace(
        EXAMPLES, confused=EXAMPLES.confused.assign(actual=LONG, predicted=LONG[::-1])
    )
    file = tmp_path / "report.html"
    page_text = render_html(full, examples, {"plan": {"n": "x" * 400}}, {"P": picture}, language)
    file.write_text(page_text, encoding="utf-8")
    said: list[str] = []
    asked: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.set_default_timeout(10_000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        verdict = page.locator("#verdict")
        sync_api.expect(verdict).to_have_text(verdict_in(full.evaluate, language))
        sync_api.expect(verdict).to_be_in_viewport(ratio=1)
        for folded in page.locator("summary").all():
            folded.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OUTSIDE) == []
        assert page.evaluate(THIN) == []
        assert page.locator("svg.panel polyline").count() == 6
        assert page.locator("img").evaluate("image => image.naturalWidth") > 0
        browser.close()
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    assert said == []
