"""微信客服, end to end in one process: the local WeCom's customers and servicers, and what the house makes of them."""

from dataclasses import dataclass

import pytest

from crm_core.chat.model import Conversation, PartyKind
from crm_core.kf import accounts, session_lists
from crm_core.kf.accounts import AccountForm
from crm_core.kf.rules import Standing
from tests.support.product import InProcess, admin

PRICE = "定金能退吗，订金怎么退"


@dataclass
class Kf:
    """One account with the bot on, and somebody who opened its entry."""

    product: InProcess
    open_kfid: str
    person: str
    customer: str

    def ring(self, *, times: int = 1) -> None:
        """The bell, as WeCom would deliver it."""
        token = self.tokens()[-1]
        now = int(self.product.clock.now().timestamp())
        xml = (
            f"<xml><ToUserName><![CDATA[{self.product.corp}]]></ToUserName><CreateTime>{now}</CreateTime>"
            "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[kf_msg_or_event]]></Event>"
            f"<Token><![CDATA[{token}]]></Token><OpenKfId><![CDATA[{self.open_kfid}]]></OpenKfId></xml>"
        )
        for _ in range(times):
            self.product.receive(xml)

    def tokens(self) -> list[str]:
        known = self.product.wecom.world.corps[self.product.corp].kf_tokens.values()
        return [one.token for one in known if one.open_kfid == self.open_kfid]

    def act(self, path: str, **body: object):
        return admin(self.product.wecom, path, {"corp": self.product.corp, "open_kfid": self.open_kfid, **body})

    def says(self, content: str, **more: object) -> None:
        text = {"content": content, **more}
        self.act("kf_message", customer=self.person, msgtype="text", text=text)
        self.ring()
        self.product.work()

    def shown(self, via: str = "kf_api") -> list[dict]:
        """What the customer's phone shows of the account."""
        phone = admin(self.product.wecom, f"phone?customer={self.person}")
        return [one for one in phone["kf"][0]["messages"] if one["via"] == via]

    def standing(self) -> int:
        return self.product.wecom.world.corps[self.product.corp].kf_sessions[self.open_kfid, self.customer].state

    def sessions(self):
        with self.product.house.db.reading() as session:
            return session_lists.page(session, self.product.corp, session_lists.SessionFilter()).items

    def transcript(self) -> list[tuple[str, str]]:
        talk = Conversation.kf(self.open_kfid, self.customer)
        with self.product.house.db.reading() as session:
            found = self.product.house.chat.store.last_of(session, self.product.corp, talk, 50)
        return [
            (one.message.sender.kind.value, one.message.text)
            for one in found
            if one.message.sender.kind is not PartyKind.SYSTEM
        ]


def set_account(product: InProcess, open_kfid: str, **more: object) -> None:
    wanted = {
        "is_bot_on": True,
        "threshold": 0.55,
        "reception": "pool",
        "welcome": "您好，这里是云帆",
        "away": "人工时间：{时间}",
        "is_survey_on": True,
    }
    with product.house.db.unit() as uow:
        accounts.change(uow, product.corp, open_kfid, AccountForm(**{**wanted, **more}))
        uow.commit()


@pytest.fixture
def kf(product: InProcess) -> Kf:
    from materials import service

    with product.house.db.unit() as uow:
        service.install_missing(uow, product.corp)
        uow.commit()
    made = admin(product.wecom, "kf_account", {"name": "在线客服", "userids": ["zhou-min", "LiNa"]})["open_kfid"]
    came = admin(product.wecom, "kf_enter", {"open_kfid": made, "name": "夜猫子", "scene": "shop1"})
    one = Kf(product, made, came["person_id"], came["external_userid"])
    one.ring()
    product.work()
    set_account(product, made)
    return one


def test_the_customer_is_greeted_answered_and_the_bot_takes_the_session(kf: Kf) -> None:
    assert [one["body"]["content"] for one in kf.shown()] == [accounts.DEFAULT_WELCOME]
    kf.says(PRICE)
    answer = kf.shown()[-1]
    assert answer["msgtype"] == "msgmenu"
    assert "意向金" in answer["body"]["head_content"]
    assert (kf.standing(), kf.sessions()[0].standing, kf.sessions()[0].answers) == (1, Standing.BOT, 1)
    assert [who for who, _ in kf.transcript()] == ["robot", "customer", "robot"]
    assert kf.sessions()[0].customer_name == "夜猫子"


def test_a_person_is_asked_for_answers_ends_and_is_rated(kf: Kf) -> None:
    kf.says("转人工")
    assert (kf.standing(), kf.sessions()[0].standing) == (2, Standing.POOL)
    assert "转接人工" in kf.shown()[-1]["body"]["content"]
    pair = {"external_userid": kf.customer}
    kf.product.clock.advance(seconds=90)
    kf.act("kf_accept", userid="zhou-min", **pair)
    kf.act("kf_message", userid="zhou-min", content="我来帮您", **pair)
    kf.ring()
    kf.product.work()
    talk = kf.sessions()[0]
    assert (talk.standing, talk.servicer, talk.waited_seconds) == (Standing.HUMAN, "zhou-min", 90)
    kf.says("谢谢，" + PRICE)
    assert len(kf.shown()) == 2, "the bot is silent while a person serves"
    kf.act("kf_end", **pair)
    kf.ring()
    kf.product.work()
    menu = kf.shown()[-1]["body"]
    assert [one["click"]["content"] for one in menu["list"]] == ["满意", "一般", "不满意"]
    kf.says("满意", menu_id=menu["list"][0]["click"]["id"])
    assert kf.shown()[-1]["body"]["content"].startswith("感谢")
    (ended,) = kf.sessions()
    assert (ended.standing, ended.rating) == (Standing.ENDED, 3)
    kf.says(PRICE)
    assert kf.shown()[-1]["msgtype"] == "msgmenu", "a new session is the bot's again"
    assert len(kf.sessions()) == 2
    assert ("staff", "我来帮您") in kf.transcript()


def test_what_the_bot_is_not_sure_of_goes_to_people(kf: Kf) -> None:
    kf.says("火星上的氧气浓度是多少")
    talk = kf.sessions()[0]
    assert (kf.standing(), talk.standing, talk.why) == (2, Standing.POOL, "unsure")


def test_a_servicer_on_duty_is_given_the_session(kf: Kf) -> None:
    set_account(kf.product, kf.open_kfid, reception="assign")
    kf.says("转人工")
    assert (kf.standing(), kf.sessions()[0].servicer) == (3, "LiNa")
    assert "转接人工" in kf.shown()[-1]["body"]["content"]


def test_at_night_the_hours_are_told_once_an_hour(kf: Kf) -> None:
    kf.product.clock.advance(hours=14)  # midnight in Shanghai
    kf.says("火星上的氧气浓度是多少")
    kf.says("木星呢")
    assert [one["body"]["content"] for one in kf.shown()[1:]] == ["人工时间：周一、周二、周三、周四、周五 08:30–21:30"]
    assert kf.standing() == 0
    kf.says(PRICE)
    assert kf.shown()[-1]["msgtype"] == "msgmenu", "the bot answers at night as well"


def test_the_same_news_four_times_is_answered_once(kf: Kf) -> None:
    kf.act("kf_message", customer=kf.person, msgtype="text", text={"content": PRICE})
    kf.ring(times=4)
    kf.product.work()
    kf.ring(times=2)
    kf.product.work()
    assert len(kf.shown()) == 2
    calls = admin(kf.product.wecom, "log/api")["calls"]
    assert sum(one["path"] == "kf/send_msg" for one in calls) == 1


def test_a_sixth_message_is_refused_and_goes_to_people(kf: Kf) -> None:
    kf.says(PRICE)
    world = kf.product.wecom.world
    world.corps[kf.product.corp].kf_sessions[kf.open_kfid, kf.customer].answers_left = 0
    world.options.change({"kf_answers": 0})
    kf.says(PRICE)
    talk = kf.sessions()[0]
    assert (talk.standing, talk.why, kf.standing()) == (Standing.POOL, "used_up", 2)
    assert "5 条" in talk.problem
    assert "人工同事" in kf.shown()[-1]["body"]["content"], "said by the code of the hand-over, which needs no window"


def test_a_reading_that_breaks_off_goes_on_where_it_stood(kf: Kf) -> None:
    from bot import kf_desk

    for number in range(3):
        kf.act("kf_message", customer=kf.person, msgtype="text", text={"content": f"第{number}句，转人工"})
    kept, desk = kf_desk.ITEMS_A_PAGE, kf.product.house.chat.kf
    kf_desk.ITEMS_A_PAGE = 1
    whole, calls = desk._keep, []

    def breaks(*given: object, **more: object):
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("killed")
        return whole(*given, **more)

    desk._keep = breaks  # type: ignore[method-assign]
    try:
        kf.ring()
        kf.product.work()
        assert [text for who, text in kf.transcript() if who == "customer"] == ["第0句，转人工"]
        kf.says("第3句")
    finally:
        kf_desk.ITEMS_A_PAGE = kept
        del desk._keep
    assert [text for who, text in kf.transcript() if who == "customer"] == [f"第{n}句，转人工" for n in range(3)] + [
        "第3句"
    ]
    assert len(kf.sessions()) == 1


def test_history_is_kept_but_not_answered(product: InProcess) -> None:
    made = admin(product.wecom, "kf_account", {"name": "在线客服", "userids": ["zhou-min"]})["open_kfid"]
    came = admin(product.wecom, "kf_enter", {"open_kfid": made, "name": "早起的"})
    one = Kf(product, made, came["person_id"], came["external_userid"])
    one.act("kf_message", customer=one.person, msgtype="text", text={"content": "在吗"})
    product.clock.advance(hours=3)
    one.ring()
    product.work()
    assert one.transcript() == [("customer", "在吗")]
    assert (one.shown(), one.sessions()) == ([], ())


def test_the_sweep_ends_quiet_sessions_and_reads_what_nobody_rang_for(kf: Kf) -> None:
    kf.says(PRICE)
    kf.product.clock.advance(hours=49)
    kf.product.house.chat.kf.sweep({}, lambda: None)
    assert kf.sessions()[0].standing is Standing.ENDED
    kf.act("kf_message", customer=kf.person, msgtype="text", text={"content": "还在吗"})
    kf.product.house.chat.kf.sweep({}, lambda: None)
    kf.product.work()
    assert ("customer", "还在吗") in kf.transcript()


def test_accounts_are_read_from_wecom(kf: Kf) -> None:
    with kf.product.house.db.reading() as session:
        found = accounts.get(session, kf.product.corp, kf.open_kfid)
    assert (found.name, found.is_listed, found.is_manageable) == ("在线客服", True, True)
