"""会话存档 in a real browser: a missing key is named, put right and goes away; desktop and phone, accessible."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect
from werkzeug.serving import make_server

from tests.console_system_house import ConsoleHouse, furnished
from tests.support import databases
from tests.support.archive_lab import ArchiveLab, archive_config, archive_lab, samples, text_message
from tests.support.pictures import keep_picture
from tests.support.product import in_process, local_wecom

pytestmark = pytest.mark.browser


@pytest.fixture
def office(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[tuple[ConsoleHouse, ArchiveLab, str]]:
    with ExitStack() as stack:
        if databases.BACKEND == "postgres":
            url = stack.enter_context(databases.postgres_clone(request.getfixturevalue("postgres_template")))
        else:
            url = databases.sqlite_url(tmp_path)
        (tmp_path / "lab").mkdir()
        lab = stack.enter_context(archive_lab(tmp_path / "lab", monkeypatch))
        wecom = stack.enter_context(local_wecom(callback_retry_pause_real_seconds=0.05))
        console = furnished(stack.enter_context(in_process(wecom, url, archive=archive_config(lab))))
        console.product.work()
        server = make_server("127.0.0.1", 0, console.app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        stack.callback(thread.join, 5)
        stack.callback(server.shutdown)
        yield console, lab, f"http://127.0.0.1:{server.server_port}"


def test_an_admin_brings_in_messages_whose_key_was_missing(
    office: tuple[ConsoleHouse, ArchiveLab, str], browser: Browser
) -> None:
    console, lab, base = office
    lab.add(*samples())
    lab.add(text_message(900), version=2, skip=2)
    client = console.signed_in()
    client.get("/console/")
    cookie = client.get_cookie("session")
    assert cookie is not None
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="zh-CN")
    context.add_cookies([{"name": "session", "value": cookie.value, "url": base}])
    page = context.new_page()
    try:
        page.goto(f"{base}/console/archive")
        expect(page.get_by_role("link", name="会话存档")).to_be_visible()
        page.get_by_role("button", name="立即拉取").click()
        expect(page.get_by_text("已开始拉取")).to_be_visible()
        console.product.work()
        expect(page.get_by_text("缺少这个版本的私钥")).to_be_visible(timeout=10_000)
        expect(page.get_by_text("38 至 39")).to_be_visible()
        serious = [one for one in Axe().run(page).response["violations"] if one["impact"] in {"serious", "critical"}]
        assert serious == []
        keep_picture(page, "console-archive")
        lab.give_key(2)
        console.product.clock.advance(seconds=5)
        page.get_by_role("button", name="全部重试").click()
        expect(page.get_by_text("正在重试 1 条消息")).to_be_visible()
        console.product.work()
        expect(page.get_by_text("缺少这个版本的私钥")).to_have_count(0, timeout=10_000)
        page.get_by_role("link", name="同意情况").click()
        expect(page.get_by_role("heading", name="会话存档")).to_be_visible()
        page.set_viewport_size({"width": 360, "height": 812})
        for place in ("/console/archive", "/console/archive/files", "/console/archive/consents"):
            page.goto(f"{base}{place}")
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, place
    finally:
        context.close()
