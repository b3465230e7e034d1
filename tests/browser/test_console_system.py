"""The console's system side in a real browser: desktop and phone, both themes, by mouse and by keyboard."""

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from bot import bootstrap
from crm_core.lease import WorkState
from crm_core.roles import Role
from tests.console_system_house import ConsoleHouse, furnished
from tests.support import databases
from tests.support.pictures import keep_picture
from tests.support.product import in_process, local_wecom
from tests.unit.bot.console.given_up import give_up

pytestmark = pytest.mark.browser

DESKTOP, PHONE = (1440, 900), (360, 812)
PAGES = (
    "/", "/sops", "/sops/new_friend", "/todos", "/staff", "/staff/roles", "/corps", "/guide", "/system",
    "/system/outbox", "/audit", "/settings", "/style",
)  # fmt: skip
BAD = {"serious", "critical"}
SMALL_TARGETS = """() => Array.from(document.querySelectorAll('button, a[href], input, summary, select, textarea'))
  .filter((e) => e.offsetParent !== null && e.type !== 'hidden' && !e.closest('p, .hidden-label, .skip'))
  .map((e) => { const label = e.closest('label'); const box = (label || e).getBoundingClientRect();
    return [Math.max(e.getBoundingClientRect().height, box.height), e.outerHTML.slice(0, 100)]; })
  .filter(([height]) => height < 43.5)"""


@dataclass
class Office:
    """The console behind a real port, and a browser to look at it."""

    console: ConsoleHouse
    url: str
    browser: Browser

    def open(self, path: str, *, size: tuple[int, int] = DESKTOP, dark: bool = False, role: Role = Role.ADMIN) -> Page:
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            locale="zh-CN",
            color_scheme="dark" if dark else "light",
            has_touch=size is PHONE,
        )
        cookie = self.console.signed_in(role).get_cookie("session")
        assert cookie is not None
        context.add_cookies([{"name": "session", "value": cookie.value, "url": self.url}])
        page = context.new_page()
        page.set_default_timeout(8000)
        page.faults = []
        page.on("console", lambda line: page.faults.append(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        self.go(page, path)
        return page

    def go(self, page: Page, path: str) -> None:
        page.goto(f"{self.url}/console{path}")
        expect(page.locator("#main")).to_be_visible()


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Office]:
    with ExitStack() as stack:
        url = databases.sqlite_url(tmp_path_factory.mktemp("console"))
        wecom = stack.enter_context(local_wecom(callback_retry_pause_real_seconds=0.05))
        product = stack.enter_context(in_process(wecom, url))
        console = furnished(product)
        bootstrap.install_defaults(product.house)
        product.receive(product.add_xml("zhang.san", "wm_new"))
        product.work()
        server = make_server("127.0.0.1", 0, Flask("empty"), threaded=True)
        server.app = console.app
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield Office(console, f"http://127.0.0.1:{server.server_port}", browser)
        for context in browser.contexts:
            context.close()
        server.shutdown()
        thread.join()


def shoot(page: Page, name: str) -> None:
    keep_picture(page, f"console-{name}")


def faults_of(page: Page) -> list[str]:
    """What axe calls serious or critical."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in found if one["impact"] in BAD]


@pytest.mark.parametrize(("size", "dark"), [(DESKTOP, False), (PHONE, True)], ids=["desktop-light", "phone-dark"])
def test_every_page_fits_and_can_be_used_by_all(office: Office, size: tuple[int, int], dark: bool) -> None:
    page = office.open(PAGES[0], size=size, dark=dark)
    for path in PAGES:
        office.go(page, path)
        shoot(page, f"{size[0]}{'-dark' if dark else ''}{path.replace('/', '-')}")
        assert faults_of(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], path
        if size is PHONE and path != "/style":
            assert page.evaluate(SMALL_TARGETS) == [], path
    assert page.faults == []


def test_the_navigation_is_a_sheet_on_the_phone_and_folds_on_the_desktop(office: Office) -> None:
    phone = office.open("/", size=PHONE)
    expect(phone.locator("#nav")).not_to_be_visible()
    phone.get_by_role("button", name="打开导航").click()
    expect(phone.get_by_role("link", name="首页", exact=True)).to_be_focused()
    phone.keyboard.press("Escape")
    expect(phone.locator("#nav")).not_to_be_visible()
    expect(phone.get_by_role("button", name="打开导航")).to_be_focused()
    page = office.open("/")
    expect(page.get_by_role("button", name="打开导航")).not_to_be_visible()
    page.get_by_role("button", name="收起导航").click()
    office.go(page, "/staff")
    assert page.locator("#nav").bounding_box()["width"] == 64
    expect(page.get_by_role("link", name="员工与角色")).to_be_visible()
    assert faults_of(page) == []


def test_a_chosen_theme_stays_against_the_systems(office: Office) -> None:
    page = office.open("/staff?words=张", dark=True)
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.get_by_text("孙浩").first.click()
    page.get_by_role("button", name="浅色").click()
    expect(page).to_have_url(re.compile(r"/console/staff\?words="))
    assert page.evaluate(ground) != dark
    office.go(page, "/audit")
    assert page.locator("html").get_attribute("data-theme") == "light"
    assert page.faults == []


def test_a_form_checks_itself_while_it_is_filled_in(office: Office) -> None:
    page = office.open("/staff")
    link = page.get_by_role("link", name="李娜")
    link.click()
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_role("heading", name="李娜的角色")).to_be_visible()
    drawer.get_by_label("数据范围").select_option("corp")
    expect(drawer.locator("#scope-fault")).to_have_text("员工的数据范围只能是“本人”")
    expect(drawer.get_by_label("数据范围")).to_have_attribute("aria-invalid", "true")
    drawer.get_by_role("button", name="保存").click()
    expect(drawer.get_by_text("有 1 处需要修改")).to_be_visible()
    expect(drawer.get_by_label("数据范围")).to_be_focused()
    shoot(page, "1440-form-faulty")
    assert faults_of(page) == []
    page.faults.clear()  # the browser reports the refused answer itself
    page.keyboard.press("Escape")
    expect(drawer).not_to_be_visible()
    expect(link).to_be_focused()
    link.click()
    drawer.get_by_label("角色").select_option("operator")
    drawer.get_by_label("数据范围").select_option("corp")
    expect(drawer.locator("#scope-fault")).to_be_hidden()
    drawer.get_by_role("button", name="保存").click()
    expect(page.get_by_role("status").filter(has_text="李娜现在是运营")).to_be_visible()
    expect(page.locator("tr", has_text="李娜")).to_contain_text("运营")
    expect(drawer).not_to_be_visible()
    assert page.faults == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_dead_letters_are_replayed_after_a_question(office: Office, size: tuple[int, int]) -> None:
    row_id = give_up(office.console, f"browser-{size[0]}", WorkState.DEAD)
    page = office.open("/system/outbox?state=dead", size=size)
    replay = page.get_by_role("button", name="重放")
    expect(replay).not_to_be_visible()
    page.get_by_label(f"选择 {row_id} 号").check()
    expect(page.get_by_text("已选 1 行")).to_be_visible()
    replay.click()
    question = page.get_by_role("dialog", name="重放选中的行？")
    expect(question).to_contain_text("否则客户可能收到两次")
    shoot(page, f"{size[0]}-question")
    question.get_by_role("button", name="取消").click()
    expect(page.get_by_label(f"选择 {row_id} 号")).to_be_checked()
    replay.click()
    question.get_by_role("button", name="重放").click()
    expect(page.get_by_role("status").filter(has_text="已重新排队 1 行")).to_be_visible()
    expect(page.get_by_label(f"选择 {row_id} 号")).to_have_count(0)
    assert page.faults == []


def test_the_doctors_report_grows_by_itself(office: Office) -> None:
    page = office.open("/corps")
    page.get_by_role("button", name=re.compile("诊断")).click()
    expect(page.locator("#checkup")).to_contain_text("已排队")
    office.console.product.work()
    expect(page.locator("#checkup")).to_contain_text("项正常")
    expect(page.get_by_role("button", name="重新诊断")).to_be_visible()
    assert faults_of(page) == []
    assert page.faults == []
