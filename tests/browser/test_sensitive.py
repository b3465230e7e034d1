"""From a sensitive word in a chat to the manager's verdict, in a real browser."""

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from bot import bootstrap
from crm_core.chat.model import Conversation
from crm_core.roles import Role
from crm_core.sensitive import words
from crm_core.sensitive.words import CategoryForm
from tests.console_system_house import ConsoleHouse, furnished
from tests.support import databases
from tests.support.chats import message, say
from tests.support.pictures import keep_picture
from tests.support.product import in_process, local_wecom

pytestmark = pytest.mark.browser

SINGLE = Conversation.single("zhang.san", "wm_new")


@pytest.fixture
def office(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[tuple[ConsoleHouse, str, Browser]]:
    with ExitStack() as stack:
        url = databases.sqlite_url(tmp_path_factory.mktemp("sensitive"))
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
        yield console, f"http://127.0.0.1:{server.server_port}", browser
        for context in browser.contexts:
            context.close()
        server.shutdown()
        thread.join()


def opened(
    office: tuple[ConsoleHouse, str, Browser],
    path: str,
    *,
    role: Role = Role.ADMIN,
    size: tuple[int, int] = (1440, 900),
) -> Page:
    console, url, browser = office
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale="zh-CN")
    cookie = console.signed_in(role).get_cookie("session")
    assert cookie is not None
    context.add_cookies([{"name": "session", "value": cookie.value, "url": url}])
    page = context.new_page()
    page.set_default_timeout(8000)
    page.goto(f"{url}/console{path}")
    expect(page.locator("#main")).to_be_visible()
    return page


def test_a_word_in_a_chat_becomes_a_notice_a_row_and_a_verdict(office: tuple[ConsoleHouse, str, Browser]):
    console = office[0]
    product = console.product
    page = opened(office, "/sensitive")
    page.get_by_role("link", name="新建分类").click()
    page.get_by_label("名称").fill("飞单测试")
    page.get_by_role("button", name="保存").click()
    page.get_by_label("每行一个").fill("私下转账")
    page.get_by_role("button", name="加为草稿").click()
    page.get_by_role("button", name="让选中的生效").click()
    expect(page.get_by_text("已生效")).to_be_visible()

    say(product, message(SINGLE, "zhang.san", "你直接私·下·转·账给我吧", product.clock.now()))

    sent = list(product.wecom.world.corps[product.corp].app_messages.values())[-1]
    card = sent.body
    assert "飞单测试" in card["title"]
    link = re.search(r"/hits/\d+", card["url"]).group(0)

    home = opened(office, "/")
    home.get_by_role("link", name=re.compile("待审命中")).click()
    expect(home.locator("mark")).to_have_text("私·下·转·账")
    keep_picture(home, "hits")
    home.get_by_label(re.compile("选择 飞单测试")).check()
    home.get_by_role("button", name="误报", exact=True).click()
    expect(home.get_by_text("没有符合条件的记录")).to_be_visible()
    home.get_by_role("button", name="撤销").click()
    expect(home.locator("mark")).to_be_visible()

    manager = opened(office, link, role=Role.ADMIN)
    expect(manager.locator(".bubble mark")).to_have_text("私·下·转·账")
    manager.get_by_label("结论").select_option(label="误报")
    manager.get_by_label("备注").fill("是在讲规定")
    manager.get_by_role("button", name="保存").click()
    expect(manager.get_by_role("heading", name=re.compile("误报"))).to_be_visible()

    figures = opened(office, "/hit-figures?by=category")
    row = figures.get_by_role("row", name=re.compile("飞单测试"))
    expect(row).to_contain_text("100%")
    row.get_by_role("link").last.click()
    expect(figures.locator("mark")).to_have_text("私·下·转·账")


@pytest.mark.parametrize("size", [(1440, 900), (360, 812)], ids=["desktop", "phone"])
def test_the_pages_fit_and_are_accessible(office: tuple[ConsoleHouse, str, Browser], size: tuple[int, int]):
    product = office[0].product
    with product.house.db.unit() as uow:
        name = f"页面{size[0]}"
        made = words.save(uow, product.corp, CategoryForm(name=name, chats="all"), actor="test")
        words.add(uow, product.corp, made, ["走私单"], kind="word", actor="test", state="live")
        uow.commit()
    say(product, message(SINGLE, "zhang.san", "走私单" + "很长" * 60, product.clock.now()))
    paths = (
        "/sensitive",
        f"/sensitive/{made}",
        "/sensitive/new",
        "/sensitive/import",
        "/sensitive/rules",
        "/hits",
        "/hits/1",
        "/hit-figures",
    )
    wrong = []
    page = opened(office, paths[0], size=size)
    for path in paths:
        page.goto(f"{office[1]}/console{path}")
        expect(page.locator("#main")).to_be_visible()
        keep_picture(page, f"sensitive-{size[0]}{path.replace('/', '-')}")
        if page.evaluate("document.documentElement.scrollWidth") > size[0]:
            wrong.append((path, "too wide"))
        found = Axe().run(page).response["violations"]
        wrong += [
            (path, one["id"], one["nodes"][0]["html"][:120])
            for one in found
            if one["impact"] in {"serious", "critical"}
        ]
    assert wrong == []
