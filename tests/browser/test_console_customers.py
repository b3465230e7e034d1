"""The customer side of the console in a real browser, at desk and phone size, light and dark."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from tests.console_house import OPERATOR, Console, settle
from tests.support.pictures import keep_picture
from tests.support.product import InProcess

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text("utf-8")
PAGES = ("/customers", "/groups", "/tags", "/tags/rules", "/tags/chat", "/tags/chat/new", "/tags/chat/learner", "/live-codes", "/live-codes/1", "/live-codes/new", "/welcome",
         "/welcome/all", "/tasks", "/tasks/import")  # fmt: skip
pytestmark = pytest.mark.browser


@dataclass
class Desk:
    """The console behind a port, and a browser."""

    console: Console
    url: str
    browser: Browser

    def open(self, path: str, *, width: int = 1440, dark: bool = False, userid: str = OPERATOR) -> Page:
        context = self.browser.new_context(
            viewport={"width": width, "height": 900 if width > 640 else 812},
            color_scheme="dark" if dark else "light",
            locale="zh-CN",
            has_touch=width < 640,
        )
        cookie = self.console.client(userid).get_cookie("session")
        assert cookie is not None
        context.add_cookies([{"name": "session", "value": cookie.value, "url": self.url}])
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.faults = []
        page.on("console", lambda line: page.faults.append(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.goto(f"{self.url}/console{path}")
        return page


@pytest.fixture
def desk(product: InProcess, browser: Browser) -> Iterator[Desk]:
    console = settle(product)
    server = make_server("127.0.0.1", 0, console.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Desk(console, f"http://127.0.0.1:{server.server_port}", browser)
    for context in browser.contexts:
        context.close()
    server.shutdown()
    thread.join()


def axe_faults(page: Page) -> list[str]:
    page.evaluate(AXE)
    found: dict[str, Any] = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:120]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


def test_an_operator_finds_tags_exports_and_looks_into_customers(desk: Desk) -> None:
    page = desk.open("/customers")
    page.get_by_label("搜索", exact=True).fill("lxm")
    expect(page.locator("#list tbody tr")).to_have_count(1)
    assert "q=lxm" in page.url
    page.get_by_label("搜索", exact=True).fill("")
    expect(page.locator("#list tbody tr")).to_have_count(12)
    page.locator("#list tbody tr").nth(1).locator("td").nth(3).click()
    expect(page.locator("#drawer-title")).to_be_visible()
    assert axe_faults(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("#drawer")).to_be_hidden()
    page.get_by_label("选择本页全部").check()
    expect(page.locator("#bulk")).to_contain_text("已选 12 位")
    page.get_by_role("button", name="改阶段").click()
    page.locator("#drawer-body").get_by_label("意向客户").check()
    page.get_by_role("button", name="开始").click()
    expect(page.locator(".task-card")).to_contain_text("排队中")
    desk.console.product.work()
    expect(page.locator(".task-card")).to_contain_text("已完成")
    expect(page.get_by_role("button", name="撤销这次操作")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("mdzx")
    expect(page.locator("#found")).to_contain_text("没有找到")
    page.locator("#seek").fill("mdhm")
    expect(page.locator("#found")).to_contain_text("门店活码·徐汇")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("门店活码·徐汇")
    assert page.faults == []


def test_the_live_code_form_checks_while_one_types_and_shows_the_greeting(desk: Desk) -> None:
    page = desk.open("/live-codes/new", dark=True)
    page.locator("#name").fill("x")
    page.locator("#name").fill("")
    page.locator("#welcome").fill("{昵称}，早上好")
    expect(page.locator("#preview")).to_contain_text("林小满，早上好")
    page.locator("#memo").focus()
    expect(page.locator("#name-fault")).to_have_text("请填写活码名称")
    page.locator("#name").fill("浏览器里建的码")
    page.get_by_label("李娜").check()
    expect(page.locator("#name-fault")).to_be_hidden()
    page.get_by_role("button", name="创建活码").click()
    expect(page.locator("h1")).to_have_text("浏览器里建的码")
    desk.console.product.work()
    expect(page.get_by_alt_text("活码“浏览器里建的码”的二维码")).to_be_visible()
    assert page.faults == []


@pytest.mark.parametrize(("width", "dark"), [(1440, False), (360, True)])
def test_every_page_is_sound_for_eyes_keys_and_readers(desk: Desk, width: int, dark: bool) -> None:
    page = desk.open("/customers", width=width, dark=dark)
    faults = {}
    for path in (*PAGES, f"/customers/{desk.console.customer('林小满')}"):
        page.goto(f"{desk.url}/console{path}")
        keep_picture(page, f"console-{width}{path.replace('/', '-')}".replace("?", "-"))
        found = axe_faults(page)
        wide = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        if found or wide > 0:
            faults[path] = [*found, f"{wide} px too wide"]
    assert faults == {}
    assert page.faults == []
