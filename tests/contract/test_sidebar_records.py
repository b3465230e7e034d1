"""What staff write down, through the real machinery: a reminder rings in the local WeCom; a new group can be opened."""

from datetime import timedelta

import pytest

from bot.bootstrap import install_defaults
from crm_core import group_profile, outbox, reminders
from crm_core.ids import AppKey, ChatId, ExternalUserId, StaffUserId
from tests.support.product import APP, InProcess, admin

ZHANG = StaffUserId("zhang.san")


@pytest.fixture
def shop(product: InProcess) -> InProcess:
    install_defaults(product.house)
    product.work()
    return product


def tick(shop: InProcess, key: str) -> None:
    """What the scheduler's ring leaves behind, and the work it asks for."""
    with shop.house.db.unit() as uow:
        outbox.add_job(uow, "reminders.tick", dedupe_key=f"tick:{key}")
        uow.commit()
    shop.work()


def cards(shop: InProcess) -> list[str]:
    corp = shop.wecom.world.corps[shop.corp]
    return [
        message.body["title"]
        for message in corp.app_messages.values()
        if message.msgtype == "textcard" and message.receivers == [ZHANG]
    ]


def test_a_reminder_rings_at_its_time_and_once(shop: InProcess) -> None:
    with shop.house.db.unit() as uow:
        reminders.remind(
            uow, corp=shop.corp, app=AppKey(APP), staff=ZHANG, external_user=ExternalUserId("wm_x"),
            due_at=shop.clock.now() + timedelta(hours=1), note="问量房", key="k",
        )  # fmt: skip
        uow.commit()
    tick(shop, "early")
    assert cards(shop) == []
    shop.clock.advance(hours=2)
    tick(shop, "due")
    tick(shop, "again")
    assert cards(shop) == ["跟进提醒：一位客户"]


def test_a_group_made_in_wecom_can_be_opened_by_its_owner(shop: InProcess) -> None:
    made = admin(shop.wecom, "create_group", {"corp": shop.corp, "userid": ZHANG, "name": "秋季装修群"})
    chat = ChatId(made["group"]["chat_id"])
    shop.receive(
        f"<xml><ToUserName><![CDATA[{shop.corp}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>"
        f"<CreateTime>{int(shop.clock.now().timestamp())}</CreateTime><MsgType><![CDATA[event]]></MsgType>"
        "<Event><![CDATA[change_external_chat]]></Event><ChangeType><![CDATA[create]]></ChangeType>"
        f"<ChatId><![CDATA[{chat}]]></ChatId></xml>"
    )
    with shop.house.db.unit() as uow:
        uow.session.execute(outbox.OUTBOX.update().values(run_at=0))
        uow.commit()
    shop.work()
    with shop.house.db.unit() as uow:  # the detail is asked for a little later than the event
        uow.session.execute(outbox.OUTBOX.update().values(run_at=0))
        uow.commit()
    shop.work()
    with shop.house.db.reading() as session:
        assert group_profile.may_see(session, shop.corp, ZHANG, chat)
        seen = group_profile.read(session, shop.corp, ZHANG, chat, today=shop.clock.now())
    assert (seen.name, seen.staff_count, seen.customer_count) == ("秋季装修群", 1, 0)
