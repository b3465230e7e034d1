"""A customer asks in the local WeCom's 微信客服 chat and is answered there; then asks for a person."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect

from bot.sandbox.server import SandboxServer
from materials import service as materials
from tests.contract.test_kf_desk import Kf, set_account
from tests.support.product import admin, in_process

pytestmark = pytest.mark.browser


@dataclass
class Phone:
    """The customer's phone on the local WeCom's page, and the account behind it."""

    kf: Kf
    page: Page

    def says(self, text: str) -> None:
        """Written on the phone; then the bell is worked off."""
        before = len(self.kf.tokens())
        self.page.fill("#phone-form textarea, #phone-form input[type=text], #phone-form input:not([type])", text)
        self.page.keyboard.press("Enter")
        expect(self.page.locator("#phone-body")).to_contain_text(text)
        assert len(self.kf.tokens()) > before
        self.kf.ring()
        self.kf.product.work()


@pytest.fixture
def phone(sandbox: SandboxServer, database_url: str, browser: Browser) -> Iterator[Phone]:
    with in_process(sandbox, database_url) as product:
        with product.house.db.unit() as uow:
            materials.install_missing(uow, product.corp)
            uow.commit()
        made = admin(sandbox, "kf_account", {"name": "在线客服", "userids": ["zhou-min"]})["open_kfid"]
        came = admin(sandbox, "kf_enter", {"open_kfid": made, "name": "夜猫子"})
        kf = Kf(product, made, came["person_id"], came["external_userid"])
        kf.ring()
        product.work()
        set_account(product, made)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(10_000)
        page.goto(sandbox.url)
        page.select_option("#customer", kf.person)
        page.locator("#phone-body").get_by_text("在线客服").first.click()
        yield Phone(kf, page)
        page.close()


def test_a_question_is_answered_and_a_person_is_called(phone: Phone) -> None:
    screen = phone.page.locator("#phone-body")
    expect(screen).to_contain_text("欢迎咨询")
    phone.says("定金能退吗")
    expect(screen).to_contain_text("意向金")
    screen.get_by_text("没有解决？转人工").first.click()
    expect(screen.get_by_text("没有解决？转人工")).to_have_count(2)
    phone.kf.ring()
    phone.kf.product.work()
    expect(screen).to_contain_text("正在为您转接人工客服")
    assert phone.kf.standing() == 2
