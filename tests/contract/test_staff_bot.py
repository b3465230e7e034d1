"""The staff bot: words, menu and card buttons of a member, against the local WeCom's app conversation."""

import itertools

import pytest

from bot import demo_company
from bot.staff_words import Ask, Verb, menu_buttons, parse_card, parse_words
from crm_core.ids import StaffUserId
from materials import service as materials
from sop import runner as sop_runner
from sop import service as sop
from tests.support.product import InProcess, admin

STAFF = "zhang.san"
NUMBERS = itertools.count(7_000_000_001)


@pytest.mark.parametrize(
    ("text", "verb", "about"),
    [
        ("找 王女士", Verb.FIND, "王女士"),
        ("查客户：138", Verb.FIND, "138"),
        ("任务", Verb.TASKS, ""),
        ("我的数据", Verb.NUMBERS, ""),
        ("数据怎么看", Verb.HELP, ""),
        ("怎么说 太贵了", Verb.SAY, "太贵了"),
        ("怎么回：再便宜点", Verb.SAY, "再便宜点"),
        ("?", Verb.HELP, ""),
        ("早上好", Verb.HELP, ""),
        ("", Verb.HELP, ""),
    ],
)
def test_what_staff_say(text: str, verb: Verb, about: str) -> None:
    assert parse_words(text) == Ask(verb, about)


@pytest.mark.parametrize(
    ("key", "found"),
    [("scrm_todo:done:12", ("done", 12)), ("scrm_todo:drop:12", None), ("scrm_todo:done:x", None), ("claim", None)],
)
def test_whose_button_it_is(key: str, found: tuple[str, int] | None) -> None:
    assert parse_card(key) == found


class Desk:
    """A member at the app's conversation."""

    def __init__(self, product: InProcess) -> None:
        self.product = product
        self.agent = product.wecom.app.agentid

    def event(self, inside: str) -> None:
        now = int(self.product.clock.now().timestamp())
        self.product.receive(
            f"<xml><ToUserName><![CDATA[{self.product.corp}]]></ToUserName><FromUserName><![CDATA[{STAFF}]]></FromUserName>"
            f"<CreateTime>{now}</CreateTime><AgentID>{self.agent}</AgentID>{inside}</xml>"
        )
        self.product.work()

    def says(self, text: str, *, message: int | None = None) -> list[dict]:
        """Answers to one message."""
        before = len(self.shown())
        number = message or next(NUMBERS)
        self.event(f"<MsgType>text</MsgType><Content><![CDATA[{text}]]></Content><MsgId>{number}</MsgId>")
        return self.shown()[before:]

    def clicks_card(self, key: str, task_id: str, response_code: str) -> None:
        self.event(
            "<MsgType>event</MsgType><Event>template_card_event</Event>"
            f"<EventKey><![CDATA[{key}]]></EventKey><TaskId><![CDATA[{task_id}]]></TaskId>"
            f"<CardType>button_interaction</CardType><ResponseCode><![CDATA[{response_code}]]></ResponseCode>"
        )

    def shown(self) -> list[dict]:
        """What the app told this member, oldest first."""
        corp = self.product.wecom.world.corps[self.product.corp]
        return [
            {"msgtype": one.msgtype, "content": one.body, "seen": one.seen_as.get(STAFF), "msgid": one.msgid}
            for one in corp.app_messages.values()
            if STAFF in one.receivers and one.agentid == self.agent
        ]

    def response_code(self, msgid: str) -> str:
        codes = self.product.wecom.world.corps[self.product.corp].response_codes
        return next(code for code, one in codes.items() if one.msgid == msgid)


@pytest.fixture
def desk(product: InProcess) -> Desk:
    product.wecom.options.change({"app_messages_per_member_minute": 1000})
    demo_company.furnish(product.house)
    with product.house.db.unit() as uow:
        materials.install_missing(uow, product.corp)
        sop.install_missing(uow, product.corp)
        uow.commit()
    product.work()
    return Desk(product)


def test_a_member_finds_only_customers_of_their_own(desk: Desk) -> None:
    with desk.product.house.db.reading() as session:
        from crm_core import customer_list
        from crm_core.customer_list import CustomerFilter

        every = customer_list.page(session, desk.product.corp, CustomerFilter()).items
    mine = next(one for one in every if one.staff == STAFF)
    others = next(one for one in every if one.staff != STAFF and not _follows(desk, one.external_user))
    (answer,) = desk.says(f"找 {mine.name}")
    assert mine.external_user in answer["content"]["content"]
    (answer,) = desk.says(f"找 {others.name}")
    assert others.external_user not in answer["content"]["content"]


def _follows(desk: Desk, external_user: str) -> bool:
    from crm_core import customers

    with desk.product.house.db.reading() as session:
        return customers.is_known(session, desk.product.corp, external_user, {STAFF})


def test_a_task_is_done_once_by_its_card(desk: Desk) -> None:
    came = admin(desk.product.wecom, "add", {"userid": STAFF, "name": "新来的"})["external_userid"]
    desk.product.receive(desk.product.add_xml(STAFF, came))
    desk.product.work()
    for _ in range(4):
        desk.product.clock.advance(hours=12)
        while sop_runner.run_once(desk.product.house.db, desk.product.house.sop, 100):
            pass
        desk.product.work()
    with desk.product.house.db.reading() as session:
        waiting = sop.todos(session, desk.product.corp, StaffUserId(STAFF))
    assert waiting, "the plan for new friends has a task for this member"
    answers = desk.says("任务")
    assert f"有 {len(waiting)} 条任务" in answers[0]["content"]["content"]
    card = answers[1]
    assert card["msgtype"] == "template_card"
    done, _skip = card["content"]["button_list"]
    code = desk.response_code(card["msgid"])
    desk.clicks_card(done["key"], card["content"]["task_id"], code)
    desk.clicks_card(done["key"], card["content"]["task_id"], code)
    with desk.product.house.db.reading() as session:
        left = sop.todos(session, desk.product.corp, StaffUserId(STAFF))
        settled = sop.get_todo(session, desk.product.corp, StaffUserId(STAFF), waiting[0].id)
    assert (len(left), settled.status) == (len(waiting) - 1, "sent")
    seen = next(one["seen"] for one in desk.shown() if one["msgid"] == card["msgid"])
    assert "已完成" in str(seen)


def test_figures_wording_help_and_the_menu(desk: Desk) -> None:
    (numbers,) = desk.says("数据")
    assert "近 7 天" in numbers["content"]["content"]
    (wording,) = desk.says("怎么说 太贵了")
    assert wording["content"]["content"].startswith("1. ")
    (said,) = desk.says("早上好")
    assert "我可以帮您" in said["content"]["content"]
    gateway = desk.product.house.gateways.of(desk.product.corp)
    gateway.publish_menu(menu_buttons("https://scrm.example.com"))
    before = len(desk.shown())
    desk.product.clock.advance(seconds=5)  # within one second WeCom takes the same figures for a repeat
    key = "scrm_numbers"
    desk.event(f"<MsgType>event</MsgType><Event>click</Event><EventKey><![CDATA[{key}]]></EventKey>")
    assert len(desk.shown()) == before + 1
    admin(desk.product.wecom, "menu_click", {"agentid": desk.agent, "userid": STAFF, "key": key})


def test_the_same_message_delivered_twice_is_answered_once(desk: Desk) -> None:
    assert len(desk.says("帮助", message=99)) == 1
    assert desk.says("帮助", message=99) == []
