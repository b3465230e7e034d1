"""The user story of tags from chats: a suggestion is confirmed and undone, with the sentence that proves it."""

import pytest
from playwright.sync_api import expect

from tests.browser.test_sidebar_page import shoot
from tests.sidebar_house import WANG
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
