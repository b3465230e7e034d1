"""The user stories of tags from chats: a rule is tried and switched on; a suggestion is confirmed and undone."""

import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from werkzeug.serving import make_server

from tests.browser.test_console_customers import Desk, axe_faults
from tests.browser.test_sidebar_page import shoot
from tests.console_house import settle
from tests.sidebar_house import WANG
from tests.support.console_chats import say
from tests.support.pictures import keep_picture
from tests.support.product import InProcess
from tests.support.tag_hints import hint

pytestmark = pytest.mark.browser


def test_a_suggested_tag_is_confirmed_and_undone(office):
    hint(office.house, "这套沙发多少钱，能送到徐汇吗？")
    page = office.open("/sidebar/main/", chat={"entry": "single_chat_tools", "userId": WANG})
    hints = page.locator("[data-tag-hints]")
    expect(hints).to_contain_text("建议标签「10 万以上」")
    expect(hints).to_contain_text("“这套沙发多少钱，能送到徐汇吗？”")
    shoot(page, "tag-hint")
    page.get_by_role("button", name="打上建议标签 10 万以上").click()
    expect(page.locator("[data-tags]")).to_contain_text("10 万以上")
    expect(hints).to_contain_text("已打上「10 万以上」")
    shoot(page, "tag-hint-confirmed")
    page.get_by_role("button", name="撤销：已打上 10 万以上").click()
    expect(page.locator("[data-tag-hints]")).to_have_count(0)
    expect(page.locator("[data-tags]")).to_contain_text("10 万以上移除中")
    assert page.faults == []


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


def test_an_operator_tries_a_rule_on_past_messages_and_switches_it_on(desk: Desk) -> None:
    say(desk.console, "这套多少钱", "您好", "发个报价吧", live=False)
    page = desk.open("/tags/chat")
    page.get_by_role("link", name="新建规则").first.click()
    page.get_by_label("规则名称").fill("问价")
    page.get_by_label("打上标签").select_option(index=1)
    page.get_by_label("或符合表达式").fill("(a+)+")
    page.get_by_label("说到这些词").fill("多少钱\n报价")
    expect(page.locator("#patterns-fault")).to_contain_text("重复里面")
    page.get_by_label("或符合表达式").fill("")
    expect(page.locator("#rule-said")).to_contain_text("客户说到多少钱、报价")
    page.get_by_role("button", name="用历史消息测试").click()
    expect(page.locator("#trial")).to_contain_text("命中 2 条")
    keep_picture(page, "console-chat-tag-form")
    page.get_by_role("button", name="创建规则").click()
    page.get_by_role("button", name="启用").click()
    expect(page.get_by_role("button", name="停用")).to_be_visible()
    page.get_by_text("回溯历史", exact=True).click()
    page.get_by_role("button", name="开始回溯").click()
    expect(page.locator("#drawer-body")).to_contain_text("聊天标签回溯：问价")
    desk.console.product.work()
    expect(page.locator("#drawer-body")).to_contain_text("撤销这次操作")
    assert axe_faults(page) == []
    page.goto(f"{desk.url}/console/tags/chat")
    expect(page.locator("#list")).to_contain_text("启用中")
    keep_picture(page, "console-chat-tags")
    page.goto(f"{desk.url}/console/tags/chat/learner")
    keep_picture(page, "console-chat-tag-learner")
    assert page.faults == []
