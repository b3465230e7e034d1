"""The sidebar in a real browser, at the widths and in the themes staff have."""

import re

import pytest
from playwright.sync_api import expect

from crm_core import customers
from tests.sidebar_house import CHEN, CORP, WANG, ZHANG, ZHAO
from tests.support.pictures import keep_picture

pytestmark = pytest.mark.browser

IN_CHAT = {"entry": "single_chat_tools", "userId": WANG}
SMALL_TARGETS = """() => Array.from(document.querySelectorAll('button, a[href], input, summary, textarea'))
  .filter((e) => e.offsetParent !== null && e.type !== 'hidden')
  .map((e) => { const r = e.getBoundingClientRect(), after = getComputedStyle(e, '::after');
    const more = after.content !== 'none' && after.position === 'absolute' ? -2 * parseFloat(after.top) : 0;
    const label = e.closest('label'); const box = label ? label.getBoundingClientRect() : r;
    return [Math.max(r.height + more, box.height), e.outerHTML.slice(0, 80)]; })
  .filter(([height]) => height < 43.5)"""


def shoot(page, name: str) -> None:
    keep_picture(page, f"sidebar-{name}")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 375, 1280])
def test_the_page_fits_and_stays_quiet(office, width, dark):
    page = office.open("/sidebar/main/", width=width, dark=dark, chat=IN_CHAT)
    expect(page.get_by_role("heading", name="王女士")).to_be_visible()
    name = f"{width}-{'dark' if dark else 'light'}"
    shoot(page, f"{name}-scripts")
    for key, label in (("materials", "素材"), ("todos", "任务"), ("timeline", "轨迹"), ("data", "资料")):
        page.get_by_role("tab", name=label).click()
        expect(page.locator("#panel")).to_have_attribute("aria-labelledby", f"tab-{key}")
        expect(page.locator("#panel")).not_to_have_class(re.compile("htmx-request"))
        shoot(page, f"{name}-{key}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(SMALL_TARGETS) == []
    expect(page.locator(".who")).to_have_count(1)
    columns = page.evaluate("getComputedStyle(document.querySelector('.columns')).display")
    assert columns == ("grid" if width >= 640 else "block")
    assert page.faults == []


def test_large_text_does_not_break_the_page(office):
    page = office.open("/sidebar/main/", width=360, chat=IN_CHAT)
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    for label in ("任务", "轨迹", "资料", "话术"):
        page.get_by_role("tab", name=label).click()
        expect(page.locator("#panel")).not_to_have_class(re.compile("htmx-request"))
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
    shoot(page, "360-large-text")


def test_one_tap_sends_a_script_and_the_button_says_so(office):
    page = office.open("/sidebar/main/", chat=IN_CHAT | {"delay": 150})
    button = page.locator(".entry-script").first.locator("[data-act=send]")
    before = button.bounding_box()
    button.click()
    expect(button).to_have_text("发送中")
    expect(button).to_have_text("已发送")
    assert button.bounding_box() == before
    assert len(page.evaluate("window.__sent")) == 1
    assert page.evaluate("window.__sent[0].text.content").startswith("王女士，您好！我是云帆家居的家装顾问张三")
    page.get_by_role("tab", name="轨迹").click()
    expect(page.locator(".timeline")).to_contain_text("张三发送了话术「加好友后的自我介绍」")
    assert office.house.kinds(WANG).count("message.sent") == 1
    assert page.evaluate("localStorage.getItem('sidebar-outcomes')") == "[]"


def test_tapping_twice_sends_once(office):
    page = office.open("/sidebar/main/", chat=IN_CHAT | {"delay": 100})
    page.evaluate("() => { const b = document.querySelector('.entry-script [data-act=send]'); b.click(); b.click(); }")
    expect(page.locator("[data-state=done]")).to_have_count(1)
    assert len(page.evaluate("window.__sent")) == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("no permission", "没有权限"),
        ("without context of external contact", "当前不在客户聊天里"),
        ("user not in allow list", "使用范围"),
        ("cancel", "您取消了发送"),
        ("something else", "企业微信没有接受这次操作"),
    ],
)
def test_a_refused_send_rolls_back_with_one_sentence(office, wrong, said):
    page = office.open("/sidebar/main/", chat=IN_CHAT | {"fail": {"sendChatMessage": wrong}})
    entry = page.locator(".entry-script").first
    entry.locator("[data-act=send]").click()
    expect(entry.locator(".entry-said")).to_contain_text(said)
    expect(entry.locator("[data-act=send]")).to_have_text("发送")
    expect(entry.locator("[data-act=send]")).to_be_enabled()
    assert "message.sent" not in office.house.kinds(WANG)
    shoot(page, "375-refused")


def test_every_error_name_of_the_client_has_its_sentence(office):
    page = office.open("/sidebar/main/", chat=IN_CHAT)
    said = page.evaluate(
        """() => [{errMsg: 'x:fail no permission'}, {errMsg: 'x:fail without context of external contact'},
        {errMsg: 'x:fail invalid imgUrl'}, {errMsg: 'x:fail user not in allow list'}, {errCode: 40093}, {errCode: 80001},
        {errCode: 85005}, {errCode: 40013}, {errCode: 42012}, {errMsg: 'x:cancel'},
        new TypeError('wx.agentConfig is not a function'), new Error('timeout')].map(Toolbar.sentence)"""
    )
    other = page.evaluate("() => Toolbar.sentence({errMsg: 'x:fail whatever'})")
    assert len({*said, other}) == 13
    assert not any(re.search("[a-zA-Z]{4,}", sentence) for sentence in said)


def test_several_messages_go_out_in_order_and_resume_where_they_stopped(office):
    page = office.open("/sidebar/main/", chat=IN_CHAT)
    entry = page.locator(".entry-script", has_text="一句话介绍云帆家居")
    button = entry.locator("[data-act=send]")
    expect(button).to_have_text("全部发送")
    page.evaluate(
        """() => { const send = ww.sendChatMessage; let n = 0;
        const refuse = () => Promise.reject({errMsg: 'sendChatMessage:fail invalid imgUrl'});
        ww.sendChatMessage = (m) => (++n === 2 ? refuse() : send(m)); }"""
    )
    button.click()
    expect(entry.locator(".entry-said")).to_contain_text("前 1 条已发出，第 2 条没有：链接的封面图地址不可用")
    button.click()
    expect(button).to_have_text("已发送")
    assert page.evaluate("window.__sent.map((m) => m.msgtype)") == ["text", "news"]
    entry.locator(".entry-text").click()
    entry.locator("[data-act=send-part]").nth(1).click()
    expect(entry.locator("[data-act=send-part]").nth(1)).to_have_text("已发送")
    assert page.evaluate("window.__sent[2].news.title") == "三分钟看懂云帆家居"
    shoot(page, "375-parts")


def test_edit_then_send(office):
    page = office.open("/sidebar/main/", chat=IN_CHAT)
    entry = page.locator(".entry-script").first
    entry.locator("[data-act=edit]").click()
    area = page.locator("#sheet-body textarea")
    expect(area).to_be_focused()
    area.fill("   ")
    page.locator("#sheet-body [type=submit]").click()
    expect(page.locator("#sheet-body .form-fault")).to_have_text("内容不能为空")
    area.fill("王女士，改过的话")
    shoot(page, "375-edit")
    page.locator("#sheet-body [type=submit]").click()
    expect(page.locator("#sheet")).to_be_hidden()
    expect(entry.locator("[data-act=send]")).to_have_text("已发送")
    assert page.evaluate("window.__sent[0].text.content") == "王女士，改过的话"
    page.get_by_role("tab", name="轨迹").click()
    expect(page.locator(".timeline")).to_contain_text("张三改写后发送了话术")


def test_a_refused_edit_keeps_the_words(office):
    page = office.open("/sidebar/main/", chat=IN_CHAT | {"fail": {"sendChatMessage": "no permission"}})
    page.locator(".entry-script [data-act=edit]").first.click()
    page.locator("#sheet-body textarea").fill("写了很久的话")
    page.locator("#sheet-body [type=submit]").click()
    expect(page.locator("#sheet-body .form-fault")).to_contain_text("没有权限")
    expect(page.locator("#sheet-body textarea")).to_have_value("写了很久的话")


def test_a_todo_is_sent_with_one_tap_and_stays_done(office):
    todo = office.house.todo_of(WANG)
    page = office.open(f"/sidebar/main/?external_userid={WANG}&todo={todo.id}", chat=IN_CHAT)
    entry = page.locator(f"#todo-{todo.id}")
    expect(entry).to_have_class(re.compile("is-chosen"))
    shoot(page, "375-todo")
    entry.locator("[data-act=send]").click()
    expect(entry.locator("[data-act=send]")).to_have_text("已发送")
    expect(page.locator("#tasks [data-count]")).to_have_text("0")
    assert "您好！我是张三" in page.evaluate("window.__sent[0].text.content")
    page.get_by_role("tab", name="任务").click()
    expect(page.locator("#panel")).to_contain_text("已发送")
    assert "sop.sent" in office.house.kinds(WANG)


def test_skipping_asks_for_a_reason(office):
    page = office.open("/sidebar/main/", chat=IN_CHAT)
    page.locator("#tasks").get_by_role("button", name="跳过").click()
    sheet = page.locator("#sheet-body")
    expect(sheet).to_contain_text("跳过任务")
    shoot(page, "375-skip")
    sheet.locator("[type=submit]").click()
    expect(sheet).to_be_visible()
    sheet.locator("textarea").evaluate("e => { e.required = false; }")
    sheet.locator("[type=submit]").click()
    expect(sheet.locator(".form-fault")).to_have_text("请写明跳过的原因")
    sheet.get_by_role("button", name="刚刚聊过").click()
    sheet.locator("[type=submit]").click()
    expect(page.locator("#sheet")).to_be_hidden()
    expect(page.locator("#tasks")).to_contain_text("这位客户今天没有任务")
    assert "sop.skipped" in office.house.kinds(WANG)


def test_stage_record_and_tags_change_in_their_sheets(office):
    page = office.open("/sidebar/main/", chat=IN_CHAT)
    page.get_by_role("button", name=re.compile("客户阶段")).click()
    page.get_by_label("意向客户").check(force=True)
    shoot(page, "375-stage")
    page.locator("#sheet-body").get_by_role("button", name="保存").click()
    expect(page.locator(".stage")).to_contain_text("意向客户")
    expect(page.locator("#sheet")).to_be_hidden()
    page.locator(".chip-add").click()
    page.locator("[data-find]").fill("ylr")
    expect(page.get_by_text("养宠物")).to_be_hidden()
    page.get_by_label("有老人").check(force=True)
    page.locator("[data-find]").fill("xyz")
    expect(page.locator("[data-find-none]")).to_be_visible()
    shoot(page, "375-tags")
    page.locator("#sheet-body").get_by_role("button", name="保存").click()
    expect(page.locator(".chip-adding")).to_contain_text("有老人同步中")
    shoot(page, "375-tag-syncing")
    page.locator(".chip-add").click()
    expect(page.locator("#sheet-body")).to_contain_text("最近用过")
    page.get_by_placeholder("写一个只给自己看的标签").fill("周末才有空")
    page.locator("#personal-tags").get_by_role("button", name="添加", exact=True).click()
    expect(page.get_by_role("button", name="移除个人标签：周末才有空")).to_be_visible()
    page.get_by_role("button", name="关闭").click()
    expect(page.locator("#head")).to_contain_text("周末才有空个人")
    assert page.faults == []


def test_sheets_hold_the_focus_and_give_it_back(office):
    page = office.open("/sidebar/main/", width=1280, chat=IN_CHAT)
    opener = page.locator(".stage")
    opener.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#sheet-body")).to_be_visible()
    for _ in range(14):
        page.keyboard.press("Tab")
        assert page.evaluate("document.getElementById('sheet-body').contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(page.locator("#sheet")).to_be_hidden()
    expect(opener).to_be_focused()
    page.get_by_role("tab", name="素材").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="任务")).to_be_focused()
    expect(page.locator("#panel")).to_contain_text("待处理")


def test_search_while_typing(office):
    page = office.open("/sidebar/main/", chat=IN_CHAT)
    page.locator("#script-search").fill("bjqx")
    expect(page.locator(".entry-script")).to_have_count(1)
    expect(page.locator(".entry-title")).to_contain_text(["加好友后的第一句", "报价前先问面积"])
    page.locator("#script-search").fill("质保几年")
    expect(page.locator(".entry-script").first).to_contain_text("质保多久")
    expect(page.locator("#script-search")).to_be_focused()
    shoot(page, "375-search")
    page.locator(".chip-pick", has_text="异议处理").click()
    expect(page.locator(".entry-script").first).to_contain_text("客户说太贵了")
    assert page.faults == []


def test_outside_a_chat_my_customers_and_todos_are_shown(office):
    page = office.open("/sidebar/main/")
    expect(page.locator("#hits")).to_contain_text("陈先生")
    page.get_by_placeholder("搜客户昵称或备注").fill("陈")
    expect(page.locator("#hits li")).to_have_count(1)
    shoot(page, "375-start")
    page.locator("#hits a").click()
    expect(page.get_by_role("heading", name="陈先生")).to_be_visible()


def test_outside_a_chat_sending_copies_and_opens_the_chat(office):
    page = office.open(f"/sidebar/main/?external_userid={CHEN}")
    entry = page.locator(".entry-todo")
    entry.locator("[data-act=send]").click()
    expect(entry.locator(".entry-said")).to_contain_text("聊天已打开")
    assert page.evaluate("window.__opened.externalUserIds") == [CHEN]
    assert page.evaluate("window.__sent") == []
    shoot(page, "375-handed-over")
    entry.get_by_role("button", name="我已发送").click()
    expect(entry.locator("[data-act=send]")).to_have_text("已发送")
    assert "sop.sent" in office.house.kinds(CHEN)


def test_the_chat_on_screen_wins_over_the_address(office):
    page = office.open(f"/sidebar/main/?external_userid={CHEN}", chat=IN_CHAT)
    expect(page.get_by_role("heading", name="王女士")).to_be_visible()


def test_a_customer_not_known_yet_offers_to_try_again(office):
    page = office.open("/sidebar/main/", chat={"entry": "single_chat_tools", "userId": "wm_new"})
    expect(page.locator("#main")).to_contain_text("正在同步这位客户的资料")
    expect(page.locator("#main")).to_contain_text("如果是刚添加的，资料还在同步", timeout=30_000)
    shoot(page, "375-unknown")
    page.get_by_role("button", name="重试").click()
    expect(page.locator("#main")).to_contain_text("没有找到这位客户")


@pytest.mark.parametrize(
    ("chat", "said"),
    [
        ({"entry": "single_chat_tools", "fail": {"getCurExternalContact": "no permission"}}, "没有权限"),
        ({"entry": "single_chat_tools", "hang": "getContext", "refuseConfig": True}, "页面签名不正确"),
    ],
)
def test_a_deaf_client_still_shows_my_customers(office, chat, said):
    page = office.open("/sidebar/main/", chat=chat)
    expect(page.locator("#notice")).to_contain_text(said)
    expect(page.locator("#hits")).to_contain_text("陈先生")
    shoot(page, "375-deaf")


def test_a_client_that_never_answers_is_given_up(office):
    page = office.open("/sidebar/main/", chat={"entry": "single_chat_tools", "hang": "getContext"}, hurry_ms=7000)
    expect(page.locator("#notice")).to_contain_text("企业微信没有回应")
    expect(page.locator("#hits")).to_contain_text("陈先生")


def test_what_was_sent_offline_is_told_later_once(office):
    page = office.open("/sidebar/main/", chat=IN_CHAT)
    page.context.set_offline(True)
    expect(page.locator("#offline")).to_be_visible()
    entry = page.locator(".entry-script").first
    entry.locator("[data-act=send]").click()
    expect(entry.locator(".entry-said")).to_contain_text("网络恢复后自动补上")
    shoot(page, "375-offline")
    assert "message.sent" not in office.house.kinds(WANG)
    with page.expect_response(re.compile("/sidebar/api/sends")):
        page.context.set_offline(False)
    expect(page.locator("#offline")).to_be_hidden()
    page.get_by_role("tab", name="轨迹").click()
    expect(page.locator("#panel")).to_contain_text("发送了话术")
    assert office.house.kinds(WANG).count("message.sent") == 1


def test_a_hostile_name_runs_nothing(office):
    page = office.open("/sidebar/main/", chat={"entry": "single_chat_tools", "userId": ZHAO})
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    expect(page.get_by_role("heading", name="<script>alert(1)</script>")).to_be_visible()
    page.locator(".entry-script .entry-text").first.click()
    page.locator(".entry-script [data-act=edit]").first.click()
    expect(page.locator("#sheet-body textarea")).to_have_value(re.compile("<script>alert"))
    assert page.faults == []


def test_an_ended_friendship_disables_what_cannot_work(office):
    with office.house.db.unit() as uow:
        row = customers.find_follow(uow.session, CORP, ZHANG, WANG)
        row.status, row.ended_by = "ended", "customer"
        uow.session.add(row)
        uow.commit()
    page = office.open("/sidebar/main/", chat=IN_CHAT)
    expect(page.locator(".head-notice")).to_contain_text("现在不能发消息和改标签")
    expect(page.locator(".entry-script [data-act=send]").first).to_be_disabled()
    shoot(page, "375-ended")


def test_an_expired_session_signs_in_again(office):
    page = office.open("/sidebar/main/", chat=IN_CHAT)
    office.house.clock.move(hours=13)
    with page.expect_request(re.compile("connect/oauth2/authorize")):
        page.get_by_role("tab", name="轨迹").click()


def test_the_vendored_jssdk_leaves_an_ordinary_browser_alone(plain_office):
    page = plain_office.open("/sidebar/main/", agent="Mozilla/5.0 Chrome/130")
    expect(page.locator("#hits")).to_contain_text("陈先生")
    expect(page.locator("#notice")).to_be_hidden()
    assert page.evaluate("typeof ww.register") == "function"
    assert page.faults == []
