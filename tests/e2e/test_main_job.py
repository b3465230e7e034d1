"""The main job through public doors only: real processes, the local WeCom's page, a real browser."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect
from sqlalchemy import create_engine
from sqlalchemy import text as sql

from bot.sandbox.corp import Corp
from bot.sandbox.server import SandboxServer
from tests.support.product import Processes, admin, free_port, local_wecom, processes, wait_for


@pytest.fixture
def company() -> Iterator[SandboxServer]:
    """A local WeCom of its own: the product's processes change its settings."""
    with local_wecom(callback_retry_pause_real_seconds=0.1) as server:
        yield server


@pytest.fixture
def crew(company: SandboxServer, tmp_path: Path, database_url: str, redis_url: str) -> Iterator[Processes]:
    """``scrm serve`` with the demo's live codes made."""
    demo = {"enabled": True, "clock_file": str(tmp_path / "clock.json")}
    company.world.clock._path = tmp_path / "clock.json"  # the product follows this file
    company.world.clock.shift_to(0.0)
    with processes(company, tmp_path, database_url, redis=redis_url, demo=demo, sop={"tick_seconds": 0.5}) as running:
        running.start("web", "serve")
        running.wait_ready()
        wait_for(lambda: len(company.world.corps[company.corp_id].ways) == 3, seconds=30, what="live codes")
        yield running


def open_stage(browser: Browser, company: SandboxServer) -> tuple[Page, FrameLocator]:
    """The local WeCom's page; answers it with the sidebar's frame."""
    page = browser.new_page(viewport={"width": 1440, "height": 900}, locale="zh-CN")
    page.goto(company.url)
    return page, page.frame_locator("#side-frame iframe")


def scan(page: Page, code: str) -> None:
    """Press 扫码 at one live code on the customer's phone."""
    name = page.locator("#phone-body").get_by_text(code)
    name.locator("xpath=ancestor::*[.//button][1]").get_by_role("button", name="扫码").click()


@pytest.mark.browser
def test_scan_welcome_tags_task_sent_ticked(browser: Browser, company: SandboxServer, crew: Processes) -> None:
    page, sidebar = open_stage(browser, company)
    scan(page, "门店活码·徐汇")

    expect(page.locator("#phone-body")).to_contain_text("我是云帆家居徐汇店的设计顾问", timeout=20_000)
    expect(sidebar.locator("#head")).to_contain_text("门店活码·徐汇", timeout=30_000)
    expect(sidebar.locator("#head")).to_contain_text("张三")
    for tag in ("中意向", "全屋定制"):
        expect(sidebar.locator("#head")).to_contain_text(tag, timeout=30_000)

    corp = company.world.corps[company.corp_id]
    follow = max(corp.by_staff["zhang.san"].values(), key=lambda one: one.created)
    assert len(follow.tags) == 2, "both tags are on the relation at WeCom"
    chat_both_ways(page)
    page.locator("#desk-list").get_by_text("云帆客户助手").click()
    expect(page.locator("#desk-lines")).to_contain_text("加好友后的第一句", timeout=20_000)

    page.locator("#desk-lines").get_by_text("去跟进").last.click()
    todo = sidebar.locator("li.entry-todo").first
    expect(todo).to_contain_text("很高兴认识您", timeout=30_000)
    todo.locator("button[data-act=send]").click()
    expect(todo).to_contain_text("已发送", timeout=30_000)
    expect(page.locator("#phone-body")).to_contain_text("很高兴认识您", timeout=20_000)

    sidebar.get_by_role("tab", name="轨迹").click()
    expect(sidebar.locator("#panel")).to_contain_text("加好友后的第一句", timeout=20_000)
    counted = admin(company, "counters")["welcomes"]
    assert (counted["delivered"], counted["delivered_twice"]) == (1, 0)
    lead_a_group(page)
    confirm_a_mass_message(page)


def chat_both_ways(page: Page) -> None:
    """A question on the phone, an answer at the desk, each seen on the other side."""
    page.locator("#phone-text").fill("三居室大概多少钱？")
    page.keyboard.press("Enter")
    expect(page.locator("#desk-lines")).to_contain_text("三居室大概多少钱？")
    page.locator("#desk-text").fill("一般三万五到五万，我先给您算个大概。")
    page.keyboard.press("Enter")
    expect(page.locator("#phone-body")).to_contain_text("一般三万五到五万")


def lead_a_group(page: Page) -> None:
    """The member opens a group with their newest customer, who writes there."""
    page.get_by_role("button", name="建客户群").click()
    page.locator("#dialog .choose input").first.check()
    page.get_by_role("button", name="建群", exact=True).click()
    expect(page.locator("#desk-head")).to_contain_text("秋季装修交流群")
    page.locator("#phone-tabs button", has_text="消息").click()
    page.locator("#phone-body .person", has_text="秋季装修交流群").click()
    page.locator("#phone-text").fill("大家好，我刚收房")
    page.keyboard.press("Enter")
    expect(page.locator("#desk-lines")).to_contain_text("大家好，我刚收房")


def confirm_a_mass_message(page: Page) -> None:
    """The console makes one, the member confirms it, the customer has it."""
    page.locator("#rail button", has_text="群发").click()
    page.get_by_role("button", name="后台建群发").click()
    page.get_by_role("button", name="创建").click()
    page.locator(".task").get_by_role("button", name="发送").click()
    expect(page.locator(".task")).to_contain_text("已发送")
    page.locator("#phone-tabs button", has_text="消息").click()
    page.locator("#phone-body .person", has_text="张三").click()
    expect(page.locator("#phone-body")).to_contain_text("周末到店量房送设计图")


@pytest.mark.browser
def test_a_day_is_played_and_the_product_reacts(browser: Browser, company: SandboxServer, crew: Processes) -> None:
    """演一天, speeded up: every newcomer greeted once, tagged and put on a plan; the page shows the scenes."""
    page, _ = open_stage(browser, company)
    admin(company, "play", {"seconds": 6})
    expect(page.locator("#play-strip")).to_be_visible(timeout=10_000)
    seen = set()
    while admin(company, "play")["running"]:
        seen.add(page.locator("#play-title").text_content())
        page.wait_for_timeout(300)
    expect(page.locator("#play-strip")).to_be_hidden(timeout=10_000)
    state = admin(company, "play")
    assert (state["progress"], state["fault"], len(seen) > 3) == (1.0, "", True)
    counted = admin(company, "counters")["welcomes"]
    assert (counted["issued"], counted["delivered"], counted["delivered_twice"]) == (5, 5, 0)
    corp = company.world.corps[company.corp_id]
    newcomers = [f for links in corp.by_staff.values() for f in links.values() if f.welcome_code]
    wait_for(lambda: all(f.tags for f in newcomers), what="tags put on by the product")
    wait_for(lambda: len(corp.app_messages) >= 4, what="tasks for the members")


@pytest.mark.browser
def test_the_next_working_day_brings_the_next_step(browser: Browser, company: SandboxServer, crew: Processes) -> None:
    page, _ = open_stage(browser, company)
    scan(page, "展会活码·秋季家博会")
    expect(page.locator("#phone-body")).to_contain_text("感谢您来家博会看我们", timeout=20_000)
    corp = company.world.corps[company.corp_id]
    wait_for(lambda: len(corp.app_messages) == 1, what="the first task")
    titles: list[str] = []
    for _ in range(4):  # a weekend may lie between; a step more than a day late would be given up
        page.get_by_role("button", name="+1 天").click()
        with contextlib.suppress(AssertionError):
            titles = wait_for(lambda: next_day_titles(corp), seconds=4, what="the next day's task")
            break
    assert len(titles) == 1


def next_day_titles(corp: Corp) -> list[str]:
    """The follow-up tasks of the second step."""
    return [title for one in list(corp.app_messages.values()) if "次日回访" in (title := one.body["title"])]


def test_callbacks_from_an_outside_client(company: SandboxServer, crew: Processes) -> None:
    """Somebody else's encryption (wechatpy's) reaches the door; a forged one gets 403 without a word."""
    from wechatpy.enterprise.crypto import WeChatCrypto

    app = company.app
    crypto = WeChatCrypto(app.callback.token, app.callback.aes_key, company.corp_id)
    text = (
        f"<xml><ToUserName><![CDATA[{company.corp_id}]]></ToUserName><FromUserName><![CDATA[LiNa]]></FromUserName>"
        f"<CreateTime>{int(time.time())}</CreateTime><MsgType><![CDATA[event]]></MsgType>"
        f"<Event><![CDATA[enter_agent]]></Event><EventKey><![CDATA[]]></EventKey><AgentID>{app.agentid}</AgentID></xml>"
    )
    envelope = crypto.encrypt_message(text, "nonce12345", "1795340000")
    import xmltodict

    signature = xmltodict.parse(envelope)["xml"]["MsgSignature"]
    query = {"msg_signature": signature, "timestamp": "1795340000", "nonce": "nonce12345"}
    answer = httpx.post(crew.callback_url, params=query, content=envelope)
    assert (answer.status_code, answer.content) == (200, b"")
    forged = httpx.post(crew.callback_url, params=query | {"nonce": "other"}, content=envelope)
    assert (forged.status_code, forged.content) == (403, b"")


def test_the_demo_is_one_command(tmp_path: Path) -> None:
    """``scrm demo`` gets ready, prints what outside clients need, and ends on SIGTERM."""
    port, wecom_port = free_port(), free_port()
    command = [sys.executable, "-m", "bot", "demo", "--port", str(port), "--wecom-port", str(wecom_port)]
    environment = {"PYTHONPATH": str(Path.cwd()), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    demo = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        wait_for((tmp_path / "var/demo/callback.env").exists, seconds=60, what="the demo's callback file")
        wait_for(lambda: _live_codes(wecom_port) == 3, seconds=60, what="live codes")
        shown = subprocess.run(
            [sys.executable, "-m", "bot", "demo", "--show-callback"],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        values = dict(line.split("=", 1) for line in shown.splitlines())
        assert {"CALLBACK_URL", "CALLBACK_TOKEN", "CALLBACK_KEY", "CORP_ID", "API_BASE"} <= set(values)
        token = httpx.get(
            f"{values['API_BASE']}/cgi-bin/gettoken",
            params={"corpid": values["CORP_ID"], "corpsecret": values["APP_SECRET"]},
        ).json()
        assert token["errcode"] == 0
    finally:
        demo.terminate()
        demo.communicate(timeout=30)
    assert demo.returncode == 0


def test_a_demo_ended_while_it_starts_leaves_nothing_running(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bot", "demo", "--port", str(free_port()), "--wecom-port", str(free_port())]
    environment = {"PYTHONPATH": str(Path.cwd()), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    demo = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
    wait_for(lambda: _children(demo.pid), seconds=60, what="the product's process")
    (child, *_) = _children(demo.pid)
    demo.terminate()
    assert demo.wait(60) == 0
    wait_for(lambda: not Path(f"/proc/{child}").exists(), seconds=30, what="the product's end")


def _children(pid: int) -> list[int]:
    return [int(found) for found in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _live_codes(port: int) -> int:
    try:
        return len(httpx.get(f"http://127.0.0.1:{port}/sandbox/api/codes").json()["codes"])
    except (httpx.HTTPError, json.JSONDecodeError):
        return 0


def test_redis_may_stop_and_start(company: SandboxServer, tmp_path: Path, database_url: str) -> None:
    """A product whose Redis is not there works; it only wakes up by polling between processes."""
    with processes(
        company, tmp_path, database_url, redis=f"redis://127.0.0.1:{free_port()}/0", demo={"enabled": True}
    ) as running:
        running.start("web", "serve")
        running.wait_ready()
        way = wait_for(lambda: next(iter(company.world.corps[company.corp_id].ways), None), seconds=30, what="a code")
        admin(company, "scan", {"config_id": way, "name": "没有 Redis"})
        corp = company.world.corps[company.corp_id]
        wait_for(lambda: any(one.deliveries for one in corp.welcomes.values()), what="the welcome")
        assert [httpx.get(f"{running.url}/sidebar/").status_code for _ in range(5)] == [302] * 5
    engine = create_engine(database_url)
    with engine.connect() as connection:
        count = connection.execute(
            sql("SELECT count(*) FROM follows WHERE status = 'active' AND state <> ''")
        ).scalar_one()
    engine.dispose()
    assert count >= 1
