"""What staff do in the sidebar beyond sending: follow up, remember, know, arrange; in single chats, groups and outside."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from crm_core import custom_fields, page_layouts, reminders, timeline
from crm_core.custom_fields import FieldForm
from crm_core.ids import AppKey
from crm_core.tables import ExternalUserRow
from materials import library, personal_scripts
from materials.material_model import MaterialDraft
from tests.browser.test_sidebar_page import shoot
from tests.sidebar_house import CHEN, CORP, OWNERS, WANG, ZHANG
from tests.unit.materials.conftest import picture

pytestmark = pytest.mark.browser

IN_CHAT = {"entry": "single_chat_tools", "userId": WANG}
IN_GROUP = {"entry": "group_chat_tools", "chatId": OWNERS}
SIZES = pytest.mark.parametrize("width", [375, 1280])


def remind(office, note: str, hours: float) -> None:
    with office.house.db.unit() as uow:
        due = office.house.clock.now() + timedelta(hours=hours)
        reminders.remind(
            uow, corp=CORP, app=AppKey("main"), staff=ZHANG, external_user=WANG, due_at=due, note=note, key=note
        )
        uow.commit()


def notes_of(office) -> list[str]:
    with office.house.db.reading() as session:
        return [item.note for item in reminders.waiting(session, CORP, ZHANG)]


@SIZES
def test_stage_record_and_next_contact_in_two_taps(office, width):
    page = office.open("/sidebar/main/", width=width, chat=IN_CHAT)
    page.get_by_role("button", name="展开跟进与提醒").click()
    page.locator("[data-stage]").click()
    page.get_by_label("意向客户").check(force=True)
    page.locator("#sheet-body textarea").fill("已到店看样板间，预算 12 万")
    page.get_by_label(re.compile("^明天")).check(force=True)
    shoot(page, f"{width}-follow-up")
    page.locator("#sheet-body [type=submit]").click()
    expect(page.locator("#sheet")).to_be_hidden()
    expect(page.locator("[data-stage]")).to_contain_text("意向客户")
    expect(page.locator("#follow .said")).to_have_text("已到店看样板间，预算 12 万")
    expect(page.locator("#follow .reminder")).to_contain_text("明天 10:00")
    page.get_by_role("tab", name="轨迹").click()
    page.get_by_role("button", name="跟进动态").click()
    expect(page.locator(".timeline")).to_contain_text("张三写了跟进记录")
    expect(page.locator(".timeline")).to_contain_text("从「新客户」改为「意向客户」")
    expect(page.locator(".timeline")).not_to_contain_text("成为好友")
    shoot(page, f"{width}-followed-up")
    assert page.faults == []


def test_a_refused_stage_rolls_back_and_the_draft_stays(office):
    page = office.open("/sidebar/main/", chat=IN_CHAT)
    page.locator("[data-stage]").click()
    page.get_by_label("已成交").check(force=True)
    page.locator("#sheet-body textarea").fill("写到一半")
    page.route("**/follow-up", lambda route: route.abort())
    page.locator("#sheet-body [type=submit]").click()
    expect(page.locator("#sheet-body .form-fault")).to_contain_text("网络不通")
    expect(page.locator("[data-stage]")).to_contain_text("新客户")
    expect(page.locator("#sheet-body textarea")).to_have_value("写到一半")
    page.unroute("**/follow-up")
    page.reload()
    page.wait_for_selector("html[data-ready]")
    page.locator("[data-stage]").click()
    expect(page.locator("#sheet-body textarea")).to_have_value("写到一半")
    page.locator("#sheet-body [type=submit]").click()
    expect(page.locator("#sheet")).to_be_hidden()
    page.wait_for_function("() => localStorage.getItem('sidebar-drafts') === '{}'")
    assert "follow_up.recorded" in office.house.kinds(WANG)


@SIZES
def test_reminders_are_done_deleted_with_a_way_back_and_put_off(office, width):
    remind(office, "问量房时间", 2)
    remind(office, "寄样板册", 3)
    page = office.open("/sidebar/main/", width=width, chat=IN_CHAT)
    tasks = page.locator("#tasks")
    expect(tasks.locator("[data-count]")).to_have_text("3")
    tasks.get_by_role("button", name="删除提醒：寄样板册").click()
    expect(tasks).to_contain_text("已删除：寄样板册")
    assert notes_of(office) == ["问量房时间"]
    tasks.get_by_role("button", name="撤销").click()
    expect(tasks.get_by_role("button", name="删除提醒：寄样板册")).to_be_visible()
    tasks.get_by_role("button", name="改时间：寄样板册").click()
    page.get_by_label("三天后").check(force=True)
    shoot(page, f"{width}-reminder")
    page.locator("#sheet-body [type=submit]").click()
    expect(tasks.locator("[data-count]")).to_have_text("2")
    tasks.get_by_role("button", name="完成提醒：问量房时间").click()
    expect(tasks).to_contain_text("已完成：问量房时间")
    assert notes_of(office) == ["寄样板册"]
    assert "reminder.done" in office.house.kinds(WANG)
    page.route("**/reminders/*/done", lambda route: route.fulfill(status=500, body="<p data-sentence>坏了</p>"))
    page.get_by_role("button", name="展开跟进与提醒").click()
    page.locator("#follow").get_by_role("button", name="完成提醒：寄样板册").click()
    expect(page.locator("#notice")).to_have_text("坏了")
    expect(page.locator("#follow .reminder")).to_be_visible()


@SIZES
def test_own_fields_are_filled_in_and_told(office, width):
    with office.house.db.unit() as uow:
        for name, kind, choices in (
            ("装修预算", "number", ()), ("户型", "choice", ("两居", "三居")), ("关注点", "multi", ("环保", "收纳")),
            ("生日", "date", ()), ("介绍人", "person", ()), ("小区", "address", ()), ("家庭", "text", ()), ("户型图", "image", ()),
        ):  # fmt: skip
            custom_fields.define(uow, CORP, FieldForm(name=name, kind=kind, choices=choices), actor="t")
        uow.commit()
    page = office.open("/sidebar/main/", width=width, chat=IN_CHAT)
    page.get_by_role("tab", name="资料").click()
    page.get_by_role("button", name="填写").click()
    sheet = page.locator("#sheet-body")
    sheet.get_by_label("装修预算").fill("十二")
    sheet.get_by_label("三居").check(force=True)
    sheet.get_by_label("收纳").check(force=True)
    sheet.get_by_label("介绍人").select_option(label="李四")
    sheet.locator("[type=submit]").click()
    expect(sheet.locator(".form-fault")).to_contain_text("「装修预算」应是数字")
    sheet.get_by_label("装修预算").fill("120000")
    pick = sheet.locator("input[type=file]")
    pick.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"<svg onload=alert(1)>"})
    expect(sheet.locator("[data-picture-said]")).to_contain_text("SVG 请先导出为 PNG")
    pick.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": picture()})
    expect(sheet.locator("[data-picture-said]")).to_contain_text("已上传")
    shoot(page, f"{width}-fields")
    sheet.locator("[type=submit]").click()
    expect(page.locator("#fields")).to_contain_text("120,000")
    expect(page.locator("#fields")).to_contain_text("李四")
    page.wait_for_function("() => document.querySelector('.field-picture').naturalWidth > 0")
    shoot(page, f"{width}-fields-filled")
    page.get_by_role("button", name="查看完整号码").click()
    expect(page.locator("#mobiles")).to_contain_text("13812348003")
    page.get_by_role("tab", name="轨迹").click()
    expect(page.locator(".timeline")).to_contain_text("张三修改了客户资料")


@SIZES
def test_two_accounts_of_one_person_are_merged_and_parted(office, width):
    with office.house.db.unit() as uow:
        for user in (WANG, CHEN):
            row = uow.session.get(ExternalUserRow, (CORP, user))
            row.name, row.avatar_url = "王女士", "data:,"
            uow.session.add(row)
        timeline.append(
            uow, corp=CORP, external_user=CHEN, kind="lead.claimed", at=uow.now(), dedupe_key="x",
            data={"text": "另一个账号的事"},
        )  # fmt: skip
        uow.commit()
    page = office.open("/sidebar/main/", width=width, chat=IN_CHAT)
    card = page.locator("#same")
    expect(card).to_contain_text("昵称和头像相同")
    page.get_by_role("button", name="与 王女士 合并").click()
    expect(card).to_contain_text("已与「王女士」合并")
    page.get_by_role("tab", name="轨迹").click()
    expect(page.locator(".timeline")).to_contain_text("另一个账号的事")
    shoot(page, f"{width}-merged")
    card.get_by_role("button", name="撤销合并").click()
    expect(page.locator(".timeline")).not_to_contain_text("另一个账号的事")
    expect(card).to_contain_text("没有疑似重复的客户")


@SIZES
def test_the_three_numbers_open_their_lists(office, width):
    page = office.open("/sidebar/main/", width=width, chat=IN_CHAT)
    for name, seen in (("跟进人", "李四"), ("客户群", "别人的群"), ("共同群", "家博会团购群")):
        page.locator("#head .links button", has_text=name).click()
        expect(page.locator("#sheet-body")).to_contain_text(seen)
        shoot(page, f"{width}-{name}")
        if name != "共同群":
            page.keyboard.press("Escape")
    expect(page.locator("#sheet-body")).not_to_contain_text("别人的群")
    page.locator("#sheet-body a", has_text="新居交流群").click()
    expect(page.get_by_role("heading", name="新居交流群")).to_be_visible()


@SIZES
def test_sections_are_arranged_folded_and_remembered(office, width):
    page = office.open("/sidebar/main/", width=width, chat=IN_CHAT)
    page.get_by_role("button", name="收起今日任务").click()
    expect(page.locator("#card-tasks-body")).to_be_hidden()
    page.locator("[data-act=layout]").click()
    up = page.get_by_role("button", name="上移：跟进与提醒")
    up.focus()
    with page.expect_response("**/api/layout"):
        page.keyboard.press("Enter")
    expect(up).to_be_focused()
    with page.expect_response("**/api/layout"):
        page.get_by_role("button", name="上移：素材").click()
    shoot(page, f"{width}-layout")
    page.get_by_role("button", name="完成").click()
    page.reload()
    page.wait_for_selector("html[data-ready]")
    expect(page.locator("#card-tasks-body")).to_be_hidden()
    cards = page.evaluate("Array.from(document.querySelectorAll('[data-card]')).map((e) => e.dataset.card)")
    assert cards == ["follow", "tasks", "same"]
    expect(page.locator("[role=tab]").first).to_have_text("素材")
    expect(page.locator("#panel")).to_contain_text("素材库还是空的")
    page.route("**/api/layout", lambda route: route.abort())
    page.get_by_role("button", name="展开今日任务").click()
    expect(page.locator("#notice")).to_contain_text("已恢复原样")
    expect(page.locator("#card-tasks-body")).to_be_hidden()
    with office.house.db.reading() as session:
        assert page_layouts.layout_of(session, CORP, ZHANG, "customer")["folded"] == ["follow", "tasks"]


@SIZES
def test_a_script_of_my_own_is_written_sent_kept_and_deleted(office, width):
    page = office.open("/sidebar/main/", width=width, chat=IN_CHAT)
    page.get_by_role("button", name="我的话术").click()
    page.get_by_role("button", name="新建个人话术").click()
    sheet = page.locator("#sheet-body")
    sheet.get_by_label("标题").fill("周末邀约")
    sheet.locator("textarea").fill("{备注}，周末有空吗？我是{员工}")
    page.get_by_role("button", name="再加一条消息").click()
    sheet.locator("textarea").nth(1).fill("样板间地址发您")
    shoot(page, f"{width}-own-script")
    sheet.locator("[type=submit]").click()
    entry = page.locator(".entry-script", has_text="周末邀约")
    entry.locator("[data-act=send]").click()
    expect(entry.locator("[data-act=send]")).to_have_text("已发送")
    assert page.evaluate("window.__sent.map((m) => m.text.content)") == [
        "王女士备注，周末有空吗？我是张三",
        "样板间地址发您",
    ]
    entry.locator(".entry-text").click()
    with page.expect_response("**/favourite"):
        entry.get_by_role("button", name="收藏").click()
    page.locator("#script-search").fill("zmyy")
    expect(page.locator(".entry-script").first).to_contain_text("周末邀约")
    page.locator("#script-search").fill("")
    page.get_by_role("button", name="收藏", exact=True).click()
    expect(page.locator(".entry-script")).to_have_count(1)
    page.locator(".entry-script .entry-text").click()
    page.get_by_role("button", name="删除", exact=True).click()
    expect(page.locator("#script-list")).to_contain_text("话术已删除")
    with office.house.db.reading() as session:
        assert personal_scripts.listing(session, CORP, ZHANG) == []
    page.get_by_role("button", name="撤销").click()
    expect(page.locator(".entry-script", has_text="周末邀约")).to_be_visible()
    assert page.faults == []


def test_scripts_work_by_keyboard(office):
    page = office.open("/sidebar/main/", width=1280, chat=IN_CHAT)
    expect(page.locator(".keys-line")).to_be_visible()
    page.keyboard.press("/")
    expect(page.locator("#script-search")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(page.locator(".entry-script .entry-text").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".entry-script .entry-more").first).to_be_visible()
    assert page.evaluate("window.__sent.length") == 0
    page.keyboard.press("Control+Enter")
    expect(page.locator(".entry-script [data-act=send]").first).to_have_text("已发送")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#script-search")).to_be_focused()


@SIZES
def test_a_material_is_found_and_sent(office, width):
    with office.house.db.unit() as uow:
        text = {"text": "量房、方案、签约、施工、验收"}
        library.create(uow, CORP, "t", MaterialDraft(kind="text", title="交付流程", content=text))
        link = {"title": "案例", "url": "https://e.cn/cases"}
        library.create(uow, CORP, "t", MaterialDraft(kind="link", title="秋季案例", content=link))
        uow.commit()
    page = office.open("/sidebar/main/", width=width, chat=IN_CHAT)
    page.get_by_role("tab", name="素材").click()
    expect(page.locator(".entry-material")).to_have_count(2)
    page.locator("#material-search").press_sequentially("jflc", delay=30)
    expect(page.locator(".entry-material")).to_have_count(1)
    shoot(page, f"{width}-materials")
    page.locator(".entry-material [data-act=send]").click()
    expect(page.locator(".entry-material [data-act=send]")).to_have_text("已发送")
    assert page.evaluate("window.__sent[0].text.content") == "量房、方案、签约、施工、验收"
    page.get_by_role("tab", name="轨迹").click()
    expect(page.locator(".timeline")).to_contain_text("交付流程")


@SIZES
def test_a_group_shows_its_people_takes_notes_and_gets_scripts(office, width):
    page = office.open("/sidebar/main/", width=width, chat=IN_GROUP)
    expect(page.get_by_role("heading", name="新居交流群")).to_be_visible()
    about = page.locator("[data-card=about]")
    expect(about).to_contain_text("装修问题随时问")
    assert [text.split() for text in about.locator(".numbers div").all_inner_texts()] == [
        ["客户", "3"], ["员工", "2"], ["今日进群", "1"], ["今日退群", "0"], ["重复进群", "1"],
    ]  # fmt: skip
    page.get_by_placeholder("搜群成员").fill("wns")
    expect(page.locator("[data-card=members] li:visible")).to_have_count(1)
    expect(page.locator("[data-card=members] li:visible")).to_contain_text("还在 2 个群")
    page.get_by_placeholder("新的群标签").fill("高端业主")
    page.locator("#group-notes").get_by_role("button", name="添加", exact=True).click()
    expect(page.get_by_role("button", name="移除群标签：高端业主")).to_be_visible()
    page.get_by_placeholder("写一条备注").fill("周六组织参观工地")
    page.locator("#group-notes").get_by_role("button", name="保存").click()
    expect(page.locator("#group-notes")).to_contain_text("周六组织参观工地")
    page.locator("#group-notes").get_by_role("button", name="删除").click()
    page.locator("#group-notes").get_by_role("button", name="撤销").click()
    expect(page.locator("#group-notes")).to_contain_text("周六组织参观工地")
    shoot(page, f"{width}-group")
    page.locator(".entry-script [data-act=send]").first.click()
    expect(page.locator(".entry-script [data-act=send]").first).to_have_text("已发送")
    assert page.evaluate("window.__sent[0].text.content").startswith("各位，您好！")
    assert "message.sent" not in office.house.kinds(WANG)
    page.get_by_placeholder("搜群成员").fill("")
    page.locator("[data-card=members] a", has_text="王女士").click()
    expect(page.get_by_role("heading", name="王女士")).to_be_visible()
    assert page.faults == []
