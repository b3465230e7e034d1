"""What holds on every sidebar page: no serious accessibility fault, old engines can read it, nobody else is asked."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.sidebar_house import OWNERS, WANG

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
VENDOR = Path(__file__).parent / "vendor"
IN_CHAT = {"entry": "single_chat_tools", "userId": WANG}
IN_GROUP = {"entry": "group_chat_tools", "chatId": OWNERS}
ECMA = 2017  # WeCom's Windows client embeds an older Chromium, its iOS and mac clients WKWebView (protocol notes 6.4)
AXE = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
  .filter((fault) => ['serious', 'critical'].includes(fault.impact))
  .map((fault) => fault.id + ': ' + fault.nodes.map((node) => node.html.slice(0, 120)).join(' | '))"""


def faults(page) -> list[str]:
    if not page.evaluate("typeof window.axe === 'object'"):
        page.evaluate((VENDOR / "axe.min.js").read_text("utf-8"))
    return page.evaluate(AXE)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_serious_accessibility_fault_beside_a_customer(office, dark):
    page = office.open("/sidebar/main/", dark=dark, chat=IN_CHAT)
    page.emulate_media(reduced_motion="reduce", color_scheme="dark" if dark else "light")
    page.get_by_role("button", name="展开跟进与提醒").click()
    for label in ("话术", "素材", "任务", "轨迹", "资料"):
        page.get_by_role("tab", name=label).click()
        expect(page.locator("#panel")).not_to_have_class("panel htmx-request")
        assert faults(page) == [], label
    openers = ("[data-stage]", ".chip-add", "[data-act=layout]", "#head .links button >> nth=1")
    for opener in openers:
        page.locator(opener).click()
        expect(page.locator("#sheet-title")).to_be_visible()
        assert faults(page) == [], opener
        page.keyboard.press("Escape")
    assert page.faults == []


def test_no_serious_accessibility_fault_in_a_group_and_outside(office):
    for chat, seen in ((IN_GROUP, "新居交流群"), (None, "我的客户")):
        page = office.open("/sidebar/main/", width=1280, chat=chat)
        expect(page.locator("#main")).to_contain_text(seen)
        assert faults(page) == [], seen
        page.context.close()


def test_old_engines_can_read_every_script(office):
    page = office.open("/sidebar/main/")
    page.evaluate((VENDOR / "acorn.js").read_text("utf-8"))
    scripts = [*sorted((ROOT / "static/sidebar").glob("*.js")), *sorted((ROOT / "static/vendor").glob("*.js"))]
    assert len(scripts) >= 7
    parse = "([text, version]) => { try { acorn.parse(text, {ecmaVersion: version}); return ''; } catch (e) { return e.message; } }"
    for script in scripts:
        assert page.evaluate(parse, [script.read_text("utf-8"), ECMA]) == "", script.name
    assert page.evaluate(parse, ["var a = b?.c ?? d;", ECMA]) != ""
    for script in scripts:
        if script.parent.name == "sidebar":
            assert "`" not in script.read_text("utf-8"), script.name  # see sidebar.assets._squeeze


def test_nobody_but_us_is_asked(office):
    asked: list[str] = []
    page = office.open("/sidebar/main/")
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{office.url}/sidebar/main/?external_userid={WANG}")
    page.wait_for_selector("html[data-ready]")
    for label in ("素材", "任务", "轨迹", "资料"):
        page.get_by_role("tab", name=label).click()
        expect(page.locator("#panel")).not_to_have_class("panel htmx-request")
    assert len(asked) > 6
    assert {urlsplit(url).netloc for url in asked if not url.startswith("data:")} == {urlsplit(office.url).netloc}
