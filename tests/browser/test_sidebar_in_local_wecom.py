"""The sidebar inside the local WeCom: real sign-in, real signatures, a real frame, messages that arrive."""

import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect
from werkzeug.serving import make_server

from bot.app import create_app
from bot.sandbox.company import Company
from bot.sandbox.server import SandboxServer
from materials import lessons, library, script_desk, script_statistics
from materials import service as materials
from materials.material_model import MaterialDraft
from materials.script_model import parse_form
from materials.sending import attachment_of
from materials.uploads import receive, rules_of
from tests.support.product import InProcess, admin, free_port, in_process
from tests.support.recommend_chats import from_customer
from tests.unit.materials.conftest import picture

pytestmark = pytest.mark.browser

STAFF, COLLEAGUE = "zhang.san", "ChenJing"


@dataclass
class Shop:
    """The product and the local WeCom, each on its port, and the demo page in a browser."""

    product: InProcess
    page: Page

    def sit(self, userid: str) -> None:
        self.page.select_option("#staff", userid)

    def conversations(self, userid: str) -> list[dict[str, Any]]:
        query = f"desk?corp={self.product.corp}&userid={userid}"
        return admin(self.product.wecom, query)["conversations"]

    def sidebar(self, userid: str, external_user: str) -> FrameLocator:
        """The frame, once it shows this customer to this member."""
        frame = self.page.frame_locator("#side-frame iframe")
        shown = frame.locator(f'body[data-staff="{userid}"] [data-shown-customer="{external_user}"]')
        expect(shown).to_be_visible(timeout=15_000)
        return frame


@pytest.fixture
def shop(database_url: str, browser: Browser) -> Iterator[Shop]:
    port = free_port()
    company = Company.builtin()
    company.corps[0]["apps"][0]["trusted_domains"] = [f"127.0.0.1:{port}"]
    company.settle({"sidebar_url": f"http://127.0.0.1:{port}/sidebar/"})
    with (
        SandboxServer(company) as wecom,
        in_process(wecom, database_url, port=port, demo={"enabled": True}) as product,
    ):
        with product.house.db.unit() as uow:
            materials.install_missing(uow, product.corp)
            uow.commit()
        server = make_server("127.0.0.1", port, create_app(product.house), threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(10_000)
        made = Shop(product, page)
        for userid in (STAFF, COLLEAGUE):
            for talk in made.conversations(userid):
                product.receive(product.add_xml(userid, talk["external_userid"]))
        product.work()
        page.goto(wecom.url)
        page.frame_locator("#side-frame iframe").locator("html[data-ready]").wait_for(state="attached")
        yield made
        page.close()
        server.shutdown()
        thread.join()


def test_a_message_sent_from_the_frame_arrives(shop):
    shop.sit(STAFF)
    talk = shop.conversations(STAFF)[0]
    frame = shop.sidebar(STAFF, talk["external_userid"])
    button = frame.locator(".entry-script [data-act=send]").first
    button.click()
    expect(button).to_have_text("已发送")
    query = f"chat?corp={shop.product.corp}&userid={STAFF}&external_userid={talk['external_userid']}"
    assert "我是云帆家居的家装顾问" in str(admin(shop.product.wecom, query))
    frame.get_by_role("tab", name="轨迹").click()
    expect(frame.locator(".timeline")).to_contain_text("发送了话术「加好友后的自我介绍」")


def test_a_customers_question_brings_an_answer_that_one_tap_sends(shop):
    house, corp = shop.product.house, shop.product.corp
    with house.db.unit() as uow:
        folder = script_desk.create_folder(uow, corp, "售后")
        form = parse_form(
            group_id=folder, title="开发票", messages=[{"text": "电子发票三天内发到您邮箱"}], similar=("发票怎么开",)
        )
        script_id = script_desk.save(uow, corp, STAFF, form, may_approve=True).script_id
        uow.commit()
    shop.sit(STAFF)
    who = shop.conversations(STAFF)[0]["external_userid"]
    frame = shop.sidebar(STAFF, who)
    expect(frame.locator("#suggest")).to_be_hidden()
    body = {"corp": corp, "userid": STAFF, "external_userid": who, "content": "发票怎么开"}
    admin(shop.product.wecom, "customer_message", body)
    with house.db.unit() as uow:  # what the chat archive brings in
        house.chat.store.append(uow, corp, [from_customer(STAFF, who, "发票怎么开", shop.product.clock.now())])
        uow.commit()
    shop.product.work()
    card = frame.locator("#suggest")
    expect(card).to_be_visible(timeout=15_000)
    expect(card.locator("blockquote")).to_contain_text("发票怎么开")
    entry = card.locator("[data-entry]").first
    expect(entry).to_contain_text("就是这句问法")
    entry.locator("[data-act=expand]").click()
    entry.get_by_role("button", name="合适", exact=True).click()
    expect(entry.locator(".entry-said")).to_contain_text("排序会参考")
    button = entry.locator("[data-act=send]")
    button.click()
    expect(button).to_have_text("已发送")
    query = f"chat?corp={corp}&userid={STAFF}&external_userid={who}"
    assert admin(shop.product.wecom, query)["messages"][-1]["body"]["content"] == "电子发票三天内发到您邮箱"
    frame.get_by_role("tab", name="轨迹").click()
    expect(frame.locator(".timeline")).to_contain_text("发送了话术「开发票」")
    with house.db.reading() as session:
        told = lessons.counts(session, corp, [script_id])[script_id]
        assert script_statistics.usage(session, corp, [script_id])[script_id].sends == 1
    assert told == {"sent": 1, "up": 1, "down": 0, "replied": 0}


def script_with_picture(product: InProcess) -> None:
    """A company script of a sentence and a picture from the library; the local WeCom has no copy of it yet."""
    stream, rules = io.BytesIO(picture((320, 240), color="teal")), rules_of(product.house.settings.materials)
    stored = receive(product.house.db, product.house.desk.store, product.corp, STAFF, stream, "a.png", rules).file
    with product.house.db.unit() as uow:
        draft = MaterialDraft(kind="image", title="样板间", content={"file": stored.key})
        image = library.create(uow, product.corp, STAFF, draft)
        folder = script_desk.create_folder(uow, product.corp, "带图的话术")
        messages = [{"text": "这是样板间", "attachments": [attachment_of(image)]}]
        form = parse_form(group_id=folder, title="样板间实拍", messages=messages)
        script_desk.save(uow, product.corp, STAFF, form, may_approve=True)
        uow.commit()


def test_a_picture_is_uploaded_at_the_tap_and_arrives(shop):
    script_with_picture(shop.product)
    shop.sit(STAFF)
    talk = shop.conversations(STAFF)[0]
    frame = shop.sidebar(STAFF, talk["external_userid"])
    frame.get_by_role("searchbox").fill("样板间实拍")
    entry = frame.locator(".entry-script", has_text="样板间实拍").first
    button = entry.locator("[data-act=send]")
    button.click()
    expect(entry).to_contain_text("素材正在上传到企业微信")
    shop.product.work()
    expect(button).to_have_text("已发送")
    query = f"chat?corp={shop.product.corp}&userid={STAFF}&external_userid={talk['external_userid']}"
    sent = admin(shop.product.wecom, query)["messages"][-2:]
    assert [line["msgtype"] for line in sent] == ["text", "image"]
    uploads = [one for one in shop.product.wecom.world.api_log if one["path"] == "media/upload"]
    assert len(uploads) == 1


def test_another_member_at_the_desk_sees_their_own_customers(shop):
    for userid in (STAFF, COLLEAGUE, STAFF):
        shop.sit(userid)
        shop.sidebar(userid, shop.conversations(userid)[0]["external_userid"])
