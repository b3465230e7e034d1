"""A supervisor looks a word up, reads the conversation around it, and sees who waits for a reply."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from werkzeug.serving import make_server

from crm_core.chat.model import ChatMessage, Conversation, Party, PartyKind
from tests.console_house import ADMIN, Console, settle
from tests.support.pictures import keep_picture
from tests.support.product import APP, FRIDAY_MORNING, InProcess

pytestmark = pytest.mark.browser

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
STAFF = "zhang.san"


@pytest.fixture
def console(product: InProcess) -> Console:
    made = settle(product)
    customer = made.customer("")
    where = Conversation.single(STAFF, customer)
    said = [
        ChatMessage(
            msgid=f"b{number}",
            source="archive",
            conversation=where,
            sender=Party(PartyKind.CUSTOMER, customer) if number % 2 else Party(PartyKind.STAFF, STAFF),
            sent_at=FRIDAY_MORNING - timedelta(hours=2) + timedelta(seconds=30 * number),
            kind="text",
            text="這款門的報價是多少？" if number == 21 else f"第 {number} 句：周末可以上门量尺寸吗",
            body={},
            seq=number,
        )
        for number in range(1, 150)
    ]
    with product.house.db.unit() as uow:
        product.house.chat.store.append(uow, product.corp, said)
        uow.commit()
    product.work()
    return made


@pytest.fixture
def url(console: Console) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, console.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def desk(console: Console, browser: Browser, url: str, *, width: int = 1280, dark: bool = False) -> BrowserContext:
    until = console.product.clock.now().timestamp() + 36_000
    kept = {"console": {"corp": console.product.corp, "app": APP, "staff": ADMIN, "until": until}}
    signer = console.app.session_interface.get_signing_serializer(console.app)
    scheme = "dark" if dark else "light"
    context = browser.new_context(viewport={"width": width, "height": 800}, locale="zh-CN", color_scheme=scheme)
    context.add_cookies([{"name": "session", "value": signer.dumps(kept), "url": url}])
    context.set_default_timeout(8000)
    return context


def faults_of(page: Page) -> list[str]:
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa']})")
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found["violations"]]


def test_from_a_word_to_the_conversation_to_those_who_wait(console: Console, browser: Browser, url: str) -> None:
    faults: list[str] = []
    context = desk(console, browser, url)
    page = context.new_page()
    page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))

    page.goto(f"{url}/console/chats")
    expect(page.get_by_role("link", name="会话内容")).to_have_attribute("aria-current", "page")
    page.get_by_role("link", name="搜索内容").click()
    page.get_by_role("searchbox", name="搜索", exact=True).fill("报价")
    row = page.locator("#list tbody tr")
    expect(row).to_have_count(1)
    keep_picture(page, "chat-search")
    assert faults_of(page) == []
    row.get_by_role("link").first.click()
    wanted = page.locator("li.wanted")
    expect(wanted).to_contain_text("這款門的報價")
    expect(wanted).to_be_in_viewport()
    keep_picture(page, "chat-talk")
    assert faults_of(page) == []

    page.get_by_role("link", name="更新的消息").click()
    expect(page.locator(".bubbles li").last).to_contain_text("第 110 句")
    address = page.url.partition("?")[0]
    page.goto(f"{address}#m21")  # a link that knows nothing of pages
    page.reload()
    expect(page.locator("li.wanted")).to_be_in_viewport()

    page.goto(f"{url}/console/replies")
    expect(page.get_by_role("heading", name="回复时效")).to_be_visible()
    keep_picture(page, "replies")
    assert faults_of(page) == []
    page.get_by_role("link", name="等待回复").first.click()
    page.get_by_role("button", name="不需要回复").first.click()
    page.get_by_role("dialog").get_by_role("button", name="不需要回复").click()
    expect(page.get_by_text("没有符合条件的记录")).to_be_visible()
    page.goto(f"{url}/console/replies/rules")
    assert faults_of(page) == []
    page.get_by_label("上班时间").fill("08:00")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已保存")).to_be_visible()
    keep_picture(page, "reply-rules")

    phone = desk(console, browser, url, width=375, dark=True).new_page()
    for path in (address.removeprefix(url), "/console/chats", "/console/replies", "/console/replies/rules"):
        phone.goto(url + path)
        assert phone.evaluate("document.documentElement.scrollWidth") <= 375, path
        assert faults_of(phone) == []
    phone.goto(address)
    keep_picture(phone, "chat-talk-phone")
    assert faults == []
