"""The demo page in a real browser, with a sidebar page of the test's own in its frame."""

import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from bot.sandbox import Company
from bot.sandbox.crypto import js_signature
from tests.sandbox_driver import running

PAGE = """<!doctype html><meta charset="utf-8"><pre id="out"></pre><button id="send">发送</button>
<script src="%(sandbox)s/sandbox/jssdk.js"></script><script>
const out = document.getElementById('out');
const query = new URLSearchParams(location.search);
const show = (promise) => promise.then((v) => { out.textContent = JSON.stringify(v); },
  (e) => { out.textContent = 'ERR ' + e.errMsg + ' ' + e.errCode; });
const sign = (kind) => async (url) =>
  (await fetch('/sign?kind=' + kind + '&url=' + encodeURIComponent(url))).json();
ww.register({
  corpId: '%(corp)s', agentId: %(agent)s,
  jsApiList: ['getContext', 'getCurExternalContact', 'sendChatMessage', 'selectExternalContact', 'shareToExternalContact'],
  getConfigSignature: sign('config'), getAgentConfigSignature: sign(query.get('sign') || 'agent'),
});
const ask = query.get('ask') || 'getCurExternalContact';
const hello = { msgtype: 'text', text: { content: '来自侧边栏' } };
const share = { text: hello.text, attachments: [] };
show(ww[ask]({ sendChatMessage: hello, shareToExternalContact: share }[ask] || {}));
document.getElementById('send').onclick = () => show(ww.sendChatMessage(hello));
</script>"""


AXE = (Path(__file__).parents[1] / "browser" / "vendor" / "axe.min.js").read_text("utf-8")
CHECK = """async () => (await axe.run({exclude: [['iframe']]}, {iframes: false, resultTypes: ['violations']})).violations
  .map((one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 120)).join(' | ')}`)"""


def faults_of(page):
    """What axe-core has against the page as it stands; the product's own frame is tested by the product."""
    if not page.evaluate("typeof window.axe === 'object'"):
        page.evaluate(AXE)
    return page.evaluate(CHECK)


class Product:
    """A stand-in product page that signs with real tickets."""

    def __init__(self, driver):
        product = self
        self.tickets = {}

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args):
                return

            def do_GET(self):
                parts = urlsplit(self.path)
                query = {k: v[0] for k, v in parse_qs(parts.query).items()}
                names = {"sandbox": driver.server.url, "corp": driver.corp, "agent": driver.app.agentid}
                body, kind = (PAGE % names).encode(), "text/html; charset=utf-8"
                if parts.path == "/sign":
                    digest = js_signature(product.tickets[query["kind"]], "n1", "17", query["url"])
                    body = json.dumps({"timestamp": 17, "nonceStr": "n1", "signature": digest}).encode()
                    kind = "application/json"
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()
        host = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{host}/side"
        driver.setting(trusted_domains=[host], sidebar_url=self.url)
        self.tickets["config"] = driver.good("get_jsapi_ticket")["ticket"]
        self.tickets["agent"] = driver.good("ticket/get", type="agent_config")["ticket"]

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def w():
    with running(Company.builtin()) as driver:
        yield driver


@pytest.fixture
def product(w):
    made = Product(w)
    yield made
    made.close()


@pytest.fixture
def page(browser, w, product):
    context = browser.new_context(viewport={"width": 1440, "height": 980})
    opened = context.new_page()
    faults = []
    opened.on("pageerror", lambda fault: faults.append(str(fault)))
    opened.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    w.way(remark="徐汇门店活码")
    opened.goto(w.server.url + "/")
    opened.wait_for_selector("#side-frame iframe")
    yield opened
    context.close()
    assert faults == []


@pytest.mark.browser
def test_scan_chat_and_send_from_the_sidebar(page, w):
    page.locator(".codes button", has_text="扫码").first.click()
    page.locator("#phone-text").wait_for()
    side = page.frame_locator("#side-frame iframe")
    external = w.look("welcomes")["welcomes"][0]["external_userid"]
    side.locator("#out", has_text=external).wait_for()
    page.locator("#phone-text").fill("三居室多少钱")
    page.keyboard.press("Enter")
    page.locator("#desk-lines .bubble", has_text="三居室多少钱").wait_for()
    side.locator("#send").click()
    side.locator("#out", has_text="sendChatMessage:ok").wait_for()
    page.locator("#phone-body .bubble", has_text="来自侧边栏").wait_for()
    sent = w.look("chat", userid="zhang.san", external_userid=external)["messages"][-1]
    assert (sent["sender"], sent["via"], len(sent["id"]) > 15) == ("staff", "sidebar", True)
    page.locator("#phone-head button", has_text="删除").click()
    page.locator("#dialog button", has_text="删除").click()
    page.locator("#phone-body .empty").wait_for()
    assert w.look("log/callbacks")["callbacks"][0]["change_type"] == "del_follow_user"


@pytest.mark.browser
@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?sign=config", "agentConfig:fail invalid signature 40093"),
        ("?ask=openUserProfile", "no permission"),
        ("?ask=sendChatMessage", "without context of external contact"),
    ],
)
def test_the_stand_ins_refusals(page, w, product, query, words):
    if "sendChatMessage" in query:
        page.locator("#desk-list .person", has_text="云帆客户助手").click()
        w.setting(sidebar_url="")
        w.good("message/send", card(w, product.url + query))
        page.locator(".app-card").click()
    else:
        w.setting(sidebar_url=product.url + query)
        page.locator("#desk-list .person").nth(0).click()
        page.wait_for_timeout(1500)
        page.locator("#desk-list .person").nth(1).click()
    expected = words.removeprefix("agentConfig:fail ")
    page.frame_locator("#side-frame iframe").locator("#out", has_text=expected).wait_for()


@pytest.mark.browser
def test_the_clients_own_windows(page, w, product):
    """JS-SDK calls that ask the member: whom to choose, whether to send."""
    w.setting(sidebar_url=product.url + "?ask=selectExternalContact")
    page.select_option("#staff", "zhang.san")
    page.locator("#dialog").get_by_label("何小姐").check()
    page.locator("#dialog button", has_text="确定").click()
    out = page.frame_locator("#side-frame iframe").locator("#out")
    out.filter(has_text=w.customer("半糖")).wait_for()
    w.setting(sidebar_url=product.url + "?ask=shareToExternalContact")
    page.select_option("#staff", "LiNa")
    page.locator("#dialog").get_by_label("晨曦").check()
    page.locator("#dialog button", has_text="发送").click()
    out.filter(has_text="shareToExternalContact:ok").wait_for()
    sent = w.look("chat", userid="LiNa", external_userid=w.customer("晨曦"))["messages"][-1]
    assert (sent["via"], sent["body"]["content"]) == ("mass", "来自侧边栏")
    now = w.server.world.clock.stamp()
    span = {"chat_type": "single", "start_time": now - 600, "end_time": now + 600, "filter_type": 1}
    (told,) = w.good("externalcontact/get_groupmsg_list_v2", span)["group_msg_list"]
    assert (told["creator"], told["create_type"]) == ("LiNa", 1)


def card(w, url):
    body = {"title": "新客户", "description": "来自门店", "url": url}
    return {"touser": "ChenJing", "agentid": w.app.agentid, "msgtype": "textcard", "textcard": body}


@pytest.mark.browser
def test_a_card_that_names_a_customer_moves_the_conversation(page, w, product):
    external = w.customer("高明")
    w.good("message/send", card(w, f"{product.url}?external_userid={external}"))
    page.locator("#desk-list .person", has_text="云帆客户助手").click()
    page.locator(".app-card").click()
    page.frame_locator("#side-frame iframe").locator("#out", has_text=external).wait_for()
    assert "海辰 高经理" in page.locator("#desk-head").inner_text()


@pytest.mark.browser
def test_clock_log_faults_and_customer_service(page, w):
    out = page.frame_locator("#side-frame iframe").locator("#out")
    out.filter(has_text="getCurExternalContact:ok").wait_for()  # signed before the clock makes the tickets old
    page.locator("#plus-day").click()
    page.locator("#plus-hour").click()
    deadline = time.monotonic() + 5
    while w.server.world.clock.offset_seconds < 90_000 and time.monotonic() < deadline:
        page.wait_for_timeout(20)
    assert w.server.world.clock.offset_seconds == 90_000
    page.locator("#log summary").first.click()
    page.select_option("#log-kind", "call")
    page.locator("#log-find").fill("contact_way")
    page.locator("#log-lines li", has_text="externalcontact/add_contact_way").locator("summary").click()
    page.locator("#log-lines pre", has_text="徐汇门店活码").wait_for()
    assert faults_of(page) == []
    page.locator("#log summary").first.click()

    page.locator("#faults").click()
    assert faults_of(page) == []
    page.get_by_label("接口返回 -1 系统繁忙").check()
    page.get_by_label("JS-SDK 调用失败").check()
    page.get_by_role("button", name="开始").click()
    page.locator(".fault-chip", has_text="-1 系统繁忙").wait_for()
    page.locator(".fault-chip", has_text="JS-SDK 调用失败").wait_for()
    assert w.code("department/list") == -1
    page.locator("#side-frame").frame_locator("iframe").locator("#send").click()
    out.filter(has_text="no permission").wait_for()
    page.get_by_role("button", name="全部关闭").click()
    page.locator("#fault-strip").wait_for(state="hidden")
    w._tokens.clear()
    assert w.code("department/list") == 0

    page.locator("#phone-body li", has_text="云帆在线客服").get_by_role("button", name="咨询").click()
    page.locator("#phone-text").fill("还有货吗")
    page.keyboard.press("Enter")
    page.select_option("#staff", "zhou-min")
    page.locator("#rail button", has_text="客服").click()
    page.locator("#desk-list .person").click()
    page.get_by_role("button", name="接入").click()
    page.locator("#desk-text").fill("有的，今天可发")
    page.keyboard.press("Enter")
    page.locator("#phone-body .bubble", has_text="有的，今天可发").wait_for()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_sideways_scrolling_and_no_barriers(browser, w, product, scheme):
    """At every width, on both sides, with a talk open and with the sidebar shown; axe-core finds nothing."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme=scheme)
    opened = context.new_page()
    opened.goto(w.server.url + "/")
    opened.wait_for_selector("#side-frame iframe")
    for width, height in ((1440, 900), (1280, 800), (768, 900), (375, 760)):
        opened.set_viewport_size({"width": width, "height": height})
        assert opened.evaluate("document.documentElement.scrollWidth") == width
        assert faults_of(opened) == []
        if width < 1240:
            opened.locator(".views button", has_text="员工桌面").click()
            opened.locator("#desk-list .person").first.click()
            assert opened.locator("#desk-text").is_visible()
            assert opened.evaluate("document.documentElement.scrollWidth") == width
        if width < 900:
            opened.locator(".desk-chat button", has_text="侧边栏").click()
            assert opened.locator("#side-frame iframe").is_visible()
            opened.locator(".desk-side button[data-pane=chat]").click()
            opened.locator(".desk-chat button[data-pane=list]").click()
            opened.locator(".views button", has_text="客户手机").click()
    context.close()


@pytest.mark.browser
def test_tasks_groups_moments_and_cards_by_hand(page, w):
    """A mass message confirmed, a moment liked, a group led, a card's button pressed: all through the page."""
    w.good("externalcontact/add_msg_template", {"sender": "zhang.san", "text": {"content": "周末到店有礼"}})
    w.good(
        "menu/create", {"button": [{"type": "click", "name": "我的客户", "key": "MINE"}]}, agentid=str(w.app.agentid)
    )
    page.select_option("#customer", label="半糖")
    page.select_option("#staff", "zhang.san")
    page.locator("#task-badge", has_text="1").wait_for()
    page.locator("#rail button", has_text="群发").click()
    page.locator(".task").get_by_role("button", name="发送").click()
    page.locator(".task", has_text="已发送").wait_for()
    page.locator("#phone-body .person", has_text="张三").click()
    page.locator("#phone-body .bubble", has_text="周末到店有礼").wait_for()

    page.locator("#desk-list .person", has_text="客户朋友圈").click()
    page.get_by_role("button", name="发朋友圈").click()
    page.locator("#dialog textarea").fill("今天的阳光房")
    page.get_by_role("button", name="发表", exact=True).click()
    page.locator(".task", has_text="今天的阳光房").wait_for()
    page.locator("#phone-tabs button", has_text="朋友圈").click()
    page.locator(".feed li", has_text="今天的阳光房").get_by_role("button", name="赞").click()
    page.locator(".remarks", has_text="半糖").first.wait_for()
    assert faults_of(page) == []

    page.get_by_role("button", name="建客户群").click()
    page.locator("#dialog").get_by_label("何小姐").check()
    page.get_by_role("button", name="建群", exact=True).click()
    page.locator("#desk-head", has_text="秋季装修交流群").wait_for()
    page.locator("#phone-tabs button", has_text="消息").click()
    page.locator("#phone-body .person", has_text="秋季装修交流群").click()
    page.locator("#phone-text").fill("大家好")
    page.keyboard.press("Enter")
    page.locator("#desk-lines .bubble", has_text="大家好").wait_for()
    page.get_by_role("button", name="群管理").click()
    assert faults_of(page) == []
    page.locator("#dialog").get_by_label("群名称").fill("改了名的群")
    page.locator("#dialog select[name=owner]").select_option("LiNa")
    page.get_by_role("button", name="保存").click()
    page.locator("#desk-head", has_text="群主 李娜").wait_for()
    assert {"change_name", "change_owner"} <= {
        d["xml"].partition("<UpdateDetail><![CDATA[")[2].partition("]]")[0]
        for d in w.look("log/callbacks")["callbacks"]
    }

    task = {"card_type": "button_interaction", "main_title": {"title": "新线索"}, "task_id": "lead-1"}
    task["button_list"] = [{"type": 0, "text": "我来跟进", "style": 1, "key": "claim"}]
    body = {"touser": "zhang.san", "agentid": w.app.agentid, "msgtype": "template_card", "template_card": task}
    w.good("message/send", body)
    page.locator("#rail button", has_text="消息").click()
    page.locator("#desk-list .person", has_text="云帆客户助手").click()
    page.locator(".app-card button", has_text="我来跟进").click()
    page.locator("#app-menu button", has_text="我的客户").click()
    deadline = time.monotonic() + 5
    kinds = set()
    while not {"template_card_event", "click"} <= kinds and time.monotonic() < deadline:
        page.wait_for_timeout(50)
        kinds = {d["event"] for d in w.look("log/callbacks")["callbacks"]}
    assert {"template_card_event", "click"} <= kinds


@pytest.mark.browser
def test_the_page_behind_the_code(browser, w):
    config = w.way()
    context = browser.new_context(viewport={"width": 375, "height": 700})
    opened = context.new_page()
    opened.goto(f"{w.server.url}/scan/{config}")
    opened.locator("#scan-name").fill("真实的手机")
    opened.locator("button").click()
    opened.locator("#scan-result", has_text="已添加").wait_for()
    assert w.look("customers", q="真实的手机")["total"] == 1
    context.close()


def test_the_command_line_starts_within_a_second_and_obeys(tmp_path):
    clock = tmp_path / "clock.json"
    clock.write_text('{"offset_seconds": 86400}')
    environment = os.environ | {"SANDBOX_SECRET": "s3cret", "SANDBOX_CORP_ID": "wwcli", "PYTHONPATH": "."}
    command = [sys.executable, "-m", "bot.sandbox", "--port", "0", "--second", "--clock-file", str(clock)]
    began = time.monotonic()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as running_one:
        line = running_one.stdout.readline()
        took = time.monotonic() - began
        url = line.split()[1].rstrip("/")
        query = {"corpid": "wwcli", "corpsecret": "s3cret"}
        token = httpx.get(f"{url}/cgi-bin/gettoken", params=query, trust_env=False).json()
        state = httpx.get(f"{url}/sandbox/api/state", trust_env=False).json()
        running_one.terminate()
    assert token["errcode"] == 0
    assert state["clock"]["offset_seconds"] == 86400
    assert len(state["corps"]) == 2
    assert "s3cret" not in line
    assert took < 20
