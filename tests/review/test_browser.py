"""The review page in a real browser, by keyboard, against a real server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from src.records.decisions import read_decisions
from src.review.desk import Desk
from src.review.page import create_app, listen
from tests.browser import CHROMIUM, FLAGS, needs_browser

sync_api = pytest.importorskip("playwright.sync_api")

pytestmark = needs_browser


@contextmanager
def served(desk: Desk, file: Path) -> Iterator[str]:
    """Serve the page and yield its address."""
    server = listen(create_app(desk, file, "小李"), 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def browsing(address: str, width: int = 1280) -> Iterator[sync_api.Page]:
    """Open the page in a new browser; an error in its script fails the test."""
    errors: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        yield page
        browser.close()
    assert errors == []


def shows(page: sync_api.Page, first_turn: str, count: str) -> None:
    """Wait for the sample with this first turn, and check the progress."""
    sync_api.expect(page.locator("#turns li").first).to_have_text(first_turn)
    sync_api.expect(page.locator("#count")).to_have_text(count)


def saved(file: Path) -> list[tuple[str, str, str, str]]:
    """Return id, decision, label and reason of each saved decision."""
    return [(one.id, one.decision, one.label, one.reason) for one in read_decisions(file)]


def test_a_review_by_keyboard_survives_closing_everything(desk: Desk, tmp_path: Path) -> None:
    """Accept, reject with a reason, relabel, undo, restart browser and server, and continue."""
    file = tmp_path / "decisions.csv"
    accepted = ("a-1", "accept", "查话费", "")
    rejected = ("a-2", "reject", "查话费", "照抄真实样本")
    relabelled = ("b-1", "relabel", "投诉网络", "")
    with served(desk, file) as address, browsing(address) as page:
        shows(page, "你好", "已复核 0 / 4")
        page.keyboard.press("a")
        shows(page, "查一下余额", "已复核 1 / 4")
        assert saved(file) == [accepted]

        page.keyboard.press("r")
        page.keyboard.press("3")
        shows(page, "我要停机", "已复核 2 / 4")
        assert saved(file) == [accepted, rejected]

        page.keyboard.press("l")
        page.keyboard.type("信号")
        page.keyboard.press("Enter")
        shows(page, "<b>停机</b>", "已复核 3 / 4")
        assert saved(file) == [accepted, rejected, relabelled]

        page.keyboard.press("u")
        shows(page, "我要停机", "已复核 2 / 4")
        assert saved(file) == [accepted, rejected]

    with served(desk, file) as address, browsing(address) as page:
        shows(page, "我要停机", "已复核 2 / 4")
        page.keyboard.press("r")
        page.keyboard.type("不像 2 个人")
        page.keyboard.press("Enter")
        shows(page, "<b>停机</b>", "已复核 3 / 4")
        page.reload()
        shows(page, "<b>停机</b>", "已复核 3 / 4")
        page.keyboard.press("A")
        sync_api.expect(page.locator("#done-counts")).to_have_text(
            "通过 2 条，拒绝 2 条，改类别 0 条。"
        )
        assert saved(file) == [
            accepted,
            rejected,
            ("b-1", "reject", "办停机", "不像 2 个人"),
            ("b-2", "accept", "办停机", ""),
        ]
        page.keyboard.press("a")  # nothing is left to accept
        page.keyboard.press("ArrowLeft")
        shows(page, "<b>停机</b>", "已复核 4 / 4")


def test_looking_around_decides_nothing(desk: Desk, tmp_path: Path) -> None:
    """Navigation, help and closed dialogs decide nothing; keys are ignored behind a dialog."""
    file = tmp_path / "decisions.csv"
    with served(desk, file) as address, browsing(address) as page:
        shows(page, "你好", "已复核 0 / 4")
        for key, turn in (("j", "查一下余额"), ("ArrowRight", "我要停机"), ("k", "查一下余额")):
            page.keyboard.press(key)
            shows(page, turn, "已复核 0 / 4")
        for key in ("r", "l", "?"):
            page.keyboard.press(key)
            sync_api.expect(page.locator("dialog[open]")).to_have_count(1)
            page.keyboard.press("a")
            page.keyboard.press("Escape")
            sync_api.expect(page.locator("dialog[open]")).to_have_count(0)
        page.keyboard.press("Control+a")
        shows(page, "查一下余额", "已复核 0 / 4")
        assert not file.exists()


def test_the_suggested_class_comes_first(desk: Desk, tmp_path: Path) -> None:
    """L and Enter select it; the sample's own class is not offered; arrows reach the others."""
    file = tmp_path / "decisions.csv"
    with served(desk, file) as address, browsing(address) as page:
        shows(page, "你好", "已复核 0 / 4")
        page.keyboard.press("l")
        options = page.locator("#options [role=option]")
        sync_api.expect(options).to_have_count(2)
        sync_api.expect(options.first).to_contain_text("办停机建议")
        page.keyboard.press("ArrowDown")
        sync_api.expect(options.nth(1)).to_have_attribute("aria-selected", "true")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")
        shows(page, "查一下余额", "已复核 1 / 4")
        assert saved(file) == [("a-1", "relabel", "办停机", "")]


def test_a_decision_that_is_not_saved_does_not_move_on(desk: Desk, tmp_path: Path) -> None:
    """The page shows the error and keeps the reason; the next attempt saves it."""
    file = tmp_path / "decisions.csv"
    with served(desk, file) as address, browsing(address) as page:
        shows(page, "你好", "已复核 0 / 4")
        file.mkdir()  # stands in the way of the file
        page.locator("#reject").click()
        page.keyboard.type("说不通")
        page.keyboard.press("Enter")
        sync_api.expect(page.locator("#alert")).to_contain_text("保存失败")
        shows(page, "你好", "已复核 0 / 4")
        file.rmdir()
        page.keyboard.press("r")
        page.keyboard.press("Enter")
        shows(page, "查一下余额", "已复核 1 / 4")
        sync_api.expect(page.locator("#alert")).to_be_hidden()
        assert saved(file) == [("a-1", "reject", "查话费", "说不通")]


def test_a_stopped_server_is_reported(desk: Desk, tmp_path: Path) -> None:
    """The page shows an error and stays on the sample."""
    with (
        ExitStack() as server,
        browsing(server.enter_context(served(desk, tmp_path / "decisions.csv"))) as page,
    ):
        shows(page, "你好", "已复核 0 / 4")
        server.close()
        page.keyboard.press("a")
        sync_api.expect(page.locator("#alert")).to_contain_text("服务没有响应")
        shows(page, "你好", "已复核 0 / 4")


@pytest.mark.parametrize("width", [pytest.param(1280, id="wide"), pytest.param(420, id="narrow")])
def test_nothing_jumps_or_sticks_out(desk: Desk, tmp_path: Path, width: int) -> None:
    """Buttons keep their position on all samples, and the page fits the window's width."""
    with served(desk, tmp_path / "decisions.csv") as address, browsing(address, width) as page:
        positions = []
        for turn in ("你好", "查一下余额", "我要停机", "<b>停机</b>"):
            sync_api.expect(page.locator("#turns li").first).to_have_text(turn)
            positions.append(page.locator("#accept").bounding_box())
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.keyboard.press("a")
        sync_api.expect(page.locator("#done")).to_be_visible()
        positions.append(page.locator("#accept").bounding_box())
        assert positions == [positions[0]] * 5
