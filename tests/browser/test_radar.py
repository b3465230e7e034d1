"""A customer's phone opens what was sent: pages, beacons, notices; then the card; then a link that was taken back."""

import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, expect
from werkzeug.serving import make_server

from bot.app import create_app
from bot.sandbox.company import Company
from bot.sandbox.server import SandboxServer
from crm_core import contact_ways, roles, staff, timeline
from crm_core.config import RadarPart
from crm_core.contact_ways import ContactWayForm
from crm_core.ids import AppKey, ExternalUserId, StaffUserId
from crm_core.ports import StaffFacts
from crm_core.roles import Role
from materials import cards, library, radar_links, radar_rules, uploads
from materials.cards import BusinessCard
from materials.intake import IntakeRules
from materials.material_model import Material, MaterialDraft
from tests.support.pictures import keep_picture
from tests.support.product import APP, InProcess, admin, free_port, in_process, wait_for
from tests.support.readers import PHONE, Reader, make_article, send
from tests.unit.materials.conftest import mp4, pdf, picture

pytestmark = pytest.mark.browser

STAFF = "zhang.san"
AXE = Path(__file__).parent / "vendor" / "axe.min.js"


@dataclass
class Street:
    """The product on a port, and phones."""

    product: InProcess
    url: str
    browser: Browser
    customer: ExternalUserId
    faults: list[str]
    app: Flask

    def desk(self, userid: str, *, width: int = 1280, dark: bool = False) -> BrowserContext:
        """A browser in which a member is signed in to the console."""
        until = self.product.clock.now().timestamp() + 36_000
        kept = {"console": {"corp": self.product.corp, "app": APP, "staff": userid, "until": until}}
        signer = self.app.session_interface.get_signing_serializer(self.app)
        context = self.browser.new_context(
            viewport={"width": width, "height": 800}, locale="zh-CN", color_scheme="dark" if dark else "light"
        )
        context.add_cookies([{"name": "session", "value": signer.dumps(kept), "url": self.url}])
        return context

    def phone(self, *, dark: bool = False) -> BrowserContext:
        return self.browser.new_context(
            viewport={"width": 375, "height": 812},
            user_agent=PHONE,
            locale="zh-CN",
            has_touch=True,
            color_scheme="dark" if dark else "light",
        )

    def open(self, phone: BrowserContext, path: str) -> Page:
        page = phone.new_page()
        page.set_default_timeout(8000)
        page.on("console", lambda line: self.faults.append(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.goto(self.url + path)
        return page

    def settle(self) -> None:
        self.product.house.beacons.settle()
        self.product.work()

    def notices(self) -> list[str]:
        self.settle()
        wecom = self.product.wecom
        messages = wecom.world.corps[wecom.corp_id].app_messages.values()
        return [one.body["title"] for one in messages if one.msgtype == "textcard"]

    def told(self) -> set[str]:
        self.settle()
        with self.product.house.db.reading() as session:
            return {entry.kind for entry in timeline.read(session, self.product.corp, self.customer, limit=50)}

    def keep(self, content: bytes, name: str) -> str:
        house = self.product.house
        return uploads.receive(
            house.db, house.desk.store, self.product.corp, STAFF, io.BytesIO(content), name, IntakeRules()
        ).file.key

    def make(self, kind: str, name: str, /, **content: str) -> Material:
        with self.product.house.db.unit() as uow:
            made = library.create(
                uow, self.product.corp, STAFF, MaterialDraft(kind=kind, title=name, content=dict(content))
            )
            uow.commit()
        return made


def check(page: Page, name: str) -> None:
    """No serious fault for people who cannot see or point; nothing wider than the phone; a picture to look at."""
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    serious = [one["id"] for one in found["violations"] if one["impact"] in ("serious", "critical")]
    assert serious == [], name
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
    keep_picture(page, f"radar-{name}")


@pytest.fixture
def street(database_url: str, browser: Browser) -> Iterator[Street]:
    port = free_port()
    with (
        SandboxServer(Company.builtin()) as wecom,
        in_process(wecom, database_url, port=port, demo={"enabled": True}) as product,
    ):
        talks = admin(wecom, f"desk?corp={product.corp}&userid={STAFF}")["conversations"]
        customer = ExternalUserId(talks[0]["external_userid"])
        product.receive(product.add_xml(STAFF, customer))
        product.work()
        app = create_app(product.house)
        server = make_server("127.0.0.1", port, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        made = Street(product, f"http://127.0.0.1:{port}", browser, customer, [], app)
        yield made
        for context in browser.contexts:
            context.close()
        server.shutdown()
        thread.join()
    assert made.faults == []


def test_a_customer_reads_passes_on_and_says_no(street: Street) -> None:
    article = make_article(street.product.house, street.product.corp)
    link = send(street.product, article, external_user=street.customer)
    phone = street.phone()
    page = street.open(phone, f"/v/{link.token}")
    expect(page.get_by_role("heading", name="2026 秋季案例")).to_be_visible()
    page.wait_for_url("**/v/*?f=*")
    assert street.notices()[-1].endswith("正在看《2026 秋季案例》")
    street.product.clock.advance(minutes=3)  # time passes at the server; what a page says is bounded by it
    page.mouse.wheel(0, 20_000)
    page.wait_for_timeout(1700)
    page.mouse.wheel(0, 20_000)
    wait_for(lambda: "radar.finished" in street.told(), what="the end of the article")
    check(page, "article")
    other = street.phone(dark=True)
    again = street.open(other, page.url.removeprefix(street.url))
    wait_for(lambda: "radar.forwarded" in street.told(), what="the friend")
    check(again, "article-dark")
    with again.expect_response("**/v/forget"):
        again.get_by_role("button", name="不要记录").click()
    expect(again.get_by_text("不再记录您的阅读")).to_be_visible()
    again.reload()
    expect(again.get_by_text("已按您的意愿不记录")).to_be_visible()
    privacy = street.open(other, "/v/privacy")
    check(privacy, "privacy")
    privacy.get_by_role("button", name="允许记录").click()
    expect(privacy.get_by_text("按上述说明记录", exact=True)).to_be_visible()


def test_pages_of_a_file_a_video_a_link_and_a_link_taken_back(street: Street) -> None:
    house, corp = street.product.house, street.product.corp
    key = street.keep(pdf(3), "方案.pdf")
    drawing = house.desk.draw_pages
    drawing({"corp": corp, "file_key": key}, lambda: None)
    link = send(
        street.product, street.make("file", "装修方案", file=key, filename="方案.pdf"), external_user=street.customer
    )
    phone = street.phone()
    page = street.open(phone, f"/v/{link.token}")
    page.wait_for_url("**/v/*?f=*")
    assert street.notices()[-1].endswith("正在看《装修方案》")
    street.product.clock.advance(minutes=11)
    page.locator('[data-page="2"]').scroll_into_view_if_needed()
    page.mouse.wheel(0, 400)
    expect(page.locator("#place")).to_have_text("第 2 / 3 页")
    wait_for(lambda: street.notices()[-1].endswith("正在看《装修方案》第 2 页"), what="second page")
    check(page, "file")
    with house.db.unit() as uow:
        radar_links.revoke(uow, corp, link.id, actor=STAFF)
        uow.commit()
    gone = street.open(phone, f"/v/{link.token}")
    expect(gone.get_by_role("heading", name="内容不存在或已失效")).to_be_visible()
    check(gone, "gone")
    assert [fault for fault in street.faults if "404" not in fault] == []
    street.faults.clear()
    cover = street.keep(picture((600, 400), "JPEG", "steelblue"), "c.jpg")
    for kind, content in (
        ("video", {"file": street.keep(mp4(), "v.mp4"), "cover": cover}),
        ("link", {"url": "https://example.com/a?b=c", "title": "量房预约", "cover": cover}),
        ("poster", {"background": cover, "file": cover}),
        ("miniprogram", {"title": "云帆家居", "appid": "wx1", "page": "index.html", "cover": cover}),
    ):
        sent = send(street.product, street.make(kind, f"素材·{kind}", **content), external_user=street.customer)
        shown = street.open(phone, f"/v/{sent.token}")
        shown.wait_for_url("**/v/*?f=*")
        check(shown, kind)
        shown.close()


def test_a_card_and_its_visitor(street: Street) -> None:
    house, corp = street.product.house, street.product.corp
    article = make_article(house, corp)
    with house.db.unit() as uow:
        way = contact_ways.create(
            uow, corp=corp, app=AppKey(APP), form=ContactWayForm(name="名片·张三", staff=(STAFF,)), created_by=STAFF
        )
        card = BusinessCard(
            staff=StaffUserId(STAFF), name="张三", title="高级设计顾问", company="云帆家居", mobile="13800138000",
            email="zhang@example.com", address="上海市徐汇区漕溪路 1 号", intro="十年整装经验。\n先听您怎么住，再谈怎么装。",
            picks=(article.id,), contact_way_id=way.id or 0, published=True,
        )  # fmt: skip
        cards.save(uow, corp, card)
        link = cards.link(uow, corp, AppKey(APP), StaffUserId(STAFF))
        cards.open_picks(uow, corp, AppKey(APP), card)
        uow.commit()
    street.product.work()
    phone = street.phone()
    page = street.open(phone, f"/c/{link.token}")
    page.wait_for_url("**/c/*?f=*")
    expect(page.get_by_role("heading", name="张三")).to_be_visible()
    assert street.notices() == ["有访客 正在看你的名片"]
    page.get_by_text("加 张三 为好友").click()
    expect(page.get_by_role("img", name="张三的企业微信二维码")).to_be_visible()
    check(page, "card")
    page.get_by_role("link", name="2026 秋季案例").click()
    page.wait_for_url("**/v/*?f=*")
    poster = phone.request.get(f"{street.url}/c/{link.token}/poster.png")
    assert poster.headers["content-type"] == "image/png"


def test_where_the_law_asks_for_consent_nothing_is_told_before(street: Street) -> None:
    room = street.app.extensions["viewer"]
    asking = room.settings.model_copy(update={"radar": RadarPart(consent="ask")})
    street.app.extensions["viewer"] = replace(room, house=replace(room.house, settings=asking))
    article = make_article(street.product.house, street.product.corp)
    link = send(street.product, article, external_user=street.customer)
    page = street.open(street.phone(), f"/v/{link.token}")
    said: list[str] = []
    page.on("request", lambda request: said.append(request.url) if request.method == "POST" else None)
    page.mouse.wheel(0, 20_000)
    page.wait_for_timeout(1200)
    assert said == []
    assert street.notices() == []
    check(page, "ask")
    page.get_by_role("button", name="同意", exact=True).click()
    page.wait_for_url("**/v/*?f=*")
    assert street.notices()[-1].endswith("正在看《2026 秋季案例》")


def test_operators_and_staff_see_it_in_the_console(street: Street) -> None:
    house, corp = street.product.house, street.product.corp
    with house.db.unit() as uow:
        staff.apply_staff(uow, corp, StaffFacts(userid=StaffUserId(STAFF), name="张三"))
        staff.apply_staff(uow, corp, StaffFacts(userid=StaffUserId("boss"), name="孙浩"))
        roles.give(uow, corp, StaffUserId("boss"), Role.ADMIN, actor="test")
        radar_rules.install_missing(uow, corp)
        uow.commit()
    article = make_article(house, corp)
    link = send(street.product, article, external_user=street.customer, key="s")
    first = Reader(street.app.test_client()).open(f"/v/{link.token}")
    Reader(street.app.test_client()).open(f"/v/{link.token}?f={first.ref}")
    street.product.clock.advance(minutes=2)
    first.beat(95, 100)
    street.settle()
    desk = street.desk("boss")
    page = street.open(desk, "/console/radar")
    page.get_by_role("link", name="2026 秋季案例").click()
    expect(page.get_by_role("heading", name="2026 秋季案例")).to_be_visible()
    page.get_by_label("渠道名称").fill("公众号菜单")
    page.get_by_role("button", name="生成链接").click()
    expect(page.get_by_role("cell", name="公众号菜单")).to_be_visible()
    check(page, "console-material")
    page.get_by_role("button", name="收回", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="收回").click()
    expect(page.get_by_text("已失效")).to_be_visible()
    for path, name in (("/console/radar", "console-list"), ("/console/radar/rules", "console-rules")):
        page.goto(street.url + path)
        check(page, name)
    own = street.open(street.desk(STAFF, width=375, dark=True), "/console/card")
    own.get_by_label("职位").fill("设计顾问")
    own.get_by_label("公开名片").check()
    own.get_by_role("button", name="保存").click()
    expect(own.get_by_role("link", name="名片海报")).to_be_visible()
    check(own, "console-card")
    small = street.open(street.desk("boss", width=375), "/console/radar")
    check(small, "console-list-phone")
