"""A changed userid is carried through the chats: what was said is found and seen under the new one."""

from datetime import timedelta

from sqlalchemy import select

from bot.wiring import House
from crm_core.chat import conversations, renames, search
from crm_core.chat.conversations import TalkFilter
from crm_core.chat.model import ChatMessage, Conversation, Party, PartyKind
from crm_core.chat.search import Search
from crm_core.chat_tables import ReplyDayRow, ReplyWaitRow
from crm_core.events import StaffUpdated
from crm_core.ids import AppKey, StaffUserId
from tests.support.product import APP, FRIDAY_MORNING, InProcess

OLD, NEW = Conversation.single("zhang", "wm_xiao"), Conversation.single("zhang2", "wm_xiao")
GROUP = Conversation.group("wr_1")


def said(number: int, text: str, by: Party, where: Conversation) -> ChatMessage:
    return ChatMessage(
        msgid=f"r{number}",
        source="archive",
        conversation=where,
        sender=by,
        sent_at=FRIDAY_MORNING + timedelta(minutes=number),
        kind="text",
        text=text,
        body={},
    )


def found(house: House, corp: object, **wanted: object) -> list[str]:
    with house.db.reading() as session:
        hits = search.find(session, house.chat.store, corp, Search(**wanted))  # type: ignore[arg-type]
    return [one.message.msgid for one in hits.items]


def test_a_changed_userid_takes_its_chats_along(product: InProcess) -> None:
    house, corp = product.house, product.corp
    zhang, xiao = Party(PartyKind.STAFF, "zhang"), Party(PartyKind.CUSTOMER, "wm_xiao")
    with house.db.unit() as uow:
        house.chat.store.append(
            uow,
            corp,
            [
                said(1, "在吗", xiao, OLD),
                said(2, "价格三千", zhang, OLD),
                said(3, "群里的价格", zhang, GROUP),
                said(4, "换号以后", xiao, NEW),  # the archive knew the new userid first
            ],
        )
        uow.commit()
    product.work()
    event = StaffUpdated(
        corp=corp,
        app=AppKey(APP),
        occurred_at=product.clock.now(),
        key="rename-1",
        staff=StaffUserId("zhang"),
        new_staff=StaffUserId("zhang2"),
        fields={},
    )
    with house.db.unit() as uow:
        renames.ask(event, uow)
        uow.commit()
    product.work()
    assert found(house, corp, words="价格", staff="zhang2") == ["r3", "r2"]
    assert found(house, corp, words="价格", staff="zhang") == []
    assert found(house, corp, conversation=NEW) == ["r4", "r2", "r1"]
    assert found(house, corp, visible=frozenset({"zhang2"})) == ["r4", "r2", "r1"]
    with house.db.reading() as session:
        talks = conversations.page(session, corp, TalkFilter(visible=frozenset({"zhang2"}))).items
        assert [(one.conversation, one.messages, one.last_position) for one in talks] == [(NEW, 3, 4)]
        days = session.execute(select(ReplyDayRow.key, ReplyDayRow.from_staff, ReplyDayRow.from_customers)).all()
        assert [tuple(day) for day in days] == [(NEW.key, 1, 2)]
        waits = session.execute(select(ReplyWaitRow.staff_userid, ReplyWaitRow.key, ReplyWaitRow.answered_by)).all()
        assert {tuple(wait) for wait in waits} == {("zhang2", NEW.key, "zhang2"), ("zhang2", NEW.key, "")}
