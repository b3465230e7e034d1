"""The chat store: appended once and in order, sealed at rest, told to readers in the same commit."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import select
from sqlmodel import col

from bot.chat_desk import ReadingDesk
from bot.ciphers import open_cipher
from bot.jobs import JobRunner
from crm_core.chat.model import ChatMessage, Conversation, ConversationKind, MediaRef, Party, PartyKind, StoredMessage
from crm_core.chat.reading import LANE, READ_JOB
from crm_core.chat.store import ChatStore
from crm_core.chat_tables import ChatMessageRow
from crm_core.config import Settings
from crm_core.db import UnitOfWork
from crm_core.errors import ScrmError
from crm_core.ids import CorpId
from crm_core.lease import Backoff, LeaseTable
from crm_core.outbox import JOBS
from tests.support.ground import CORP, FRIDAY_MORNING, OTHER_CORP, Ground

KEY, OTHER_KEY = (Settings(secret_key=SecretStr(letter * 40)) for letter in "ab")
WITH_XIAO = Conversation.single("zhang", "wm_xiao")


def said(number: int, text: str = "", *, where: Conversation = WITH_XIAO, **more: object) -> ChatMessage:
    fields = {
        "msgid": f"m{number}",
        "source": "archive",
        "conversation": where,
        "sender": Party(PartyKind.CUSTOMER, "wm_xiao"),
        "sent_at": FRIDAY_MORNING + timedelta(seconds=number, milliseconds=7),
        "kind": "text",
        "text": text or f"第{number}句",
        "body": {"content": text},
        "seq": number,
    }
    return ChatMessage(**{**fields, **more})  # type: ignore[arg-type]


@pytest.fixture
def store() -> ChatStore:
    return ChatStore(open_cipher(KEY), ("echo",))


def append(ground: Ground, store: ChatStore, *messages: ChatMessage, corp: CorpId = CORP) -> list[int]:
    with ground.committed() as uow:
        return [one.position for one in store.append(uow, corp, messages)]


def test_messages_come_back_as_they_were(ground: Ground, store: ChatStore) -> None:
    file = said(2, kind="file", media=(MediaRef(sdkfileid="f", filename="报价.pdf", md5="1", size=9),), revokes="m0")
    append(ground, store, said(1, "您好\U0001f600 \x00"), file)
    with ground.reading() as session:
        read = store.read(session, CORP, 1, 9)
    assert [one.message for one in read] == [said(1, "您好\U0001f600 \x00"), file]
    assert [one.corp for one in read] == [CORP, CORP]


def test_a_message_that_is_known_is_kept_once_and_positions_have_no_gaps(ground: Ground, store: ChatStore) -> None:
    assert append(ground, store, said(1), said(2), said(1)) == [1, 2]
    assert append(ground, store, said(2), said(3)) == [3]
    assert append(ground, store, said(3)) == []
    assert append(ground, store, said(1), corp=OTHER_CORP) == [1]


def test_content_is_sealed_and_only_our_key_opens_it(ground: Ground, store: ChatStore) -> None:
    append(ground, store, said(1, "我的身份证"))
    with ground.reading() as session:
        (content,) = session.execute(select(col(ChatMessageRow.content))).scalars()
        assert "我的身份证".encode() not in content
        with pytest.raises(ScrmError, match="SCRM_SECRET_KEY"):
            ChatStore(open_cipher(OTHER_KEY), ()).read(session, CORP, 1, 1)


def test_a_conversation_is_paged_from_its_end(ground: Ground, store: ChatStore) -> None:
    group = Conversation.group("wr_1")
    append(ground, store, *(said(number, where=(WITH_XIAO, group)[number % 2]) for number in range(1, 9)))
    with ground.reading() as session:
        newest = store.last_of(session, CORP, WITH_XIAO, 2)
        older = store.last_of(session, CORP, WITH_XIAO, 2, before=newest[0].position)
        since = store.between(session, CORP, FRIDAY_MORNING + timedelta(seconds=3), ground.at(7), after=3, limit=9)
    assert [one.position for one in (*older, *newest)] == [2, 4, 6, 8]
    assert [one.position for one in since] == [4, 5, 6]


def test_conversations_know_their_sides() -> None:
    kf, alone = Conversation.kf("wk1", "wm1"), Conversation.internal("li", "an")
    assert (WITH_XIAO.staff, WITH_XIAO.external_user) == ("zhang", "wm_xiao")
    assert (kf.open_kfid, kf.external_user, kf.staff) == ("wk1", "wm1", None)
    assert (Conversation.group("wr").chat, alone.key, alone.external_user) == ("wr", "an|li", None)
    assert Conversation.internal("li", room="r1") == Conversation(ConversationKind.INTERNAL, "r1")


class Echo:
    name = "echo"

    def __init__(self) -> None:
        self.heard: list[tuple[int, bool]] = []
        self.fails = False

    def read(self, uow: UnitOfWork, corp: CorpId, messages: Sequence[StoredMessage], *, live: bool) -> None:
        assert corp == CORP
        if self.fails:
            raise ValueError
        self.heard += [(one.position, live) for one in messages]


def test_every_reader_gets_every_message_in_the_unit_that_ends_its_job(ground: Ground, store: ChatStore) -> None:
    echo = Echo()
    jobs = LeaseTable(JOBS, ground.work_clock, lease_seconds=30, backoff=Backoff())
    runner = JobRunner(ground.db, jobs, {}, {READ_JOB: ReadingDesk(store, [echo]).read})
    append(ground, store, *(said(number) for number in range(1, 701)))
    with ground.committed() as uow:
        store.append(uow, CORP, [said(701)], live=False)
    echo.fails = True
    runner.perform(runner.claim((LANE,), "me", 1))
    assert echo.heard == []
    echo.fails = False
    ground.work_clock.advance(3_600_000)
    runner.perform(runner.claim((LANE,), "me", 9))
    assert sorted(echo.heard) == [*((number, True) for number in range(1, 701)), (701, False)]
    assert runner.claim((LANE,), "me", 9) == []
