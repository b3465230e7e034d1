"""Readers of one batch share what was opened, but never see what was deleted since."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete
from sqlmodel import col, select

from bot.chat_desk import ReadingDesk
from crm_core.chat.model import ChatMessage, Conversation, Party, PartyKind, StoredMessage
from crm_core.chat.reading import READ_JOB
from crm_core.chat_tables import ChatMessageRow
from crm_core.db import UnitOfWork
from crm_core.ids import CorpId
from crm_core.outbox import JOBS
from tests.support.product import InProcess


class Listener:
    def __init__(self, name: str) -> None:
        self.name = name
        self.heard: list[str] = []

    def read(self, uow: UnitOfWork, corp: CorpId, messages: Sequence[StoredMessage], *, live: bool) -> None:
        self.heard += [one.message.text for one in messages]


def said(number: int, product: InProcess) -> ChatMessage:
    return ChatMessage(
        msgid=f"m{number}",
        source="archive",
        conversation=Conversation.single("zhang", "wm_xiao"),
        sender=Party(PartyKind.CUSTOMER, "wm_xiao"),
        sent_at=product.clock.now(),
        kind="text",
        text=f"第{number}句",
        body={"content": f"第{number}句"},
    )


def test_a_batch_is_opened_once_for_all_and_anew_when_a_message_is_gone(product: InProcess, monkeypatch: Any) -> None:
    house = product.house
    first, second, third = (Listener(name) for name in ("one", "two", "three"))
    desk = ReadingDesk(house.chat.store, (first, second, third))
    with house.db.unit() as uow:
        house.chat.store.append(uow, product.corp, [said(1, product), said(2, product)])
        uow.commit()
    opened: list[int] = []
    real = house.chat.store.read
    monkeypatch.setattr(house.chat.store, "read", lambda *given: opened.append(1) or real(*given))
    with house.db.unit() as uow:
        job = uow.session.connection().execute(select(JOBS).where(JOBS.c.kind == READ_JOB)).first()
        assert job is not None

        def hand_to(name: str) -> None:
            row = type("Job", (), {"payload": {**job.payload, "reader": name}, "attempts": 1, "corp_id": job.corp_id})
            desk.read(uow, row)  # type: ignore[arg-type]

        hand_to("one")
        hand_to("two")
        assert len(opened) == 1
        uow.session.exec(delete(ChatMessageRow).where(col(ChatMessageRow.position) == 1))
        hand_to("three")
    assert first.heard == second.heard == ["第1句", "第2句"]
    assert third.heard == ["第2句"]
