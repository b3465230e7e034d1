"""Who waits for a reply, who is told of it and when; the end of messages; batches that a reader cannot bear."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import LargeBinary, select, text

from bot import migrate
from bot.chat_desk import ReadingDesk
from bot.ciphers import open_cipher
from bot.cli_keys import SEALED
from bot.jobs import JobRunner
from crm_core import audit, outbox, roles, staff
from crm_core.audit import AuditFilter
from crm_core.chat import keeping, reply_rules, reply_watch, resealing, search
from crm_core.chat.model import ChatMessage, Conversation, Party, PartyKind, StoredMessage
from crm_core.chat.reading import LANE
from crm_core.chat.reply_rules import ReplyRules
from crm_core.chat.reply_watch import ReplyWatch
from crm_core.chat.search import Search
from crm_core.chat.store import ChatStore
from crm_core.chat.work_calendar import WorkCalendar
from crm_core.chat_tables import ReplyDayRow, ReplyWaitRow
from crm_core.config import Settings, WorktimePart
from crm_core.config_chat import ChatPart
from crm_core.db import UnitOfWork
from crm_core.errors import Conflict, InputInvalid, NotFound
from crm_core.ids import CorpId, ExternalUserId, StaffUserId
from crm_core.lease import Backoff, LeaseTable
from crm_core.outbox import JOBS, OUTBOX
from crm_core.ports import StaffFacts
from crm_core.roles import Role
from tests.support.ground import CORP, FRIDAY_MORNING, Ground
from tests.support.product import InProcess

WORKTIME = WorktimePart()
KNOWN_OPEN = {("inbox", "body"), ("tag_models", "content")}  # callbacks as they came; what the learner learned
CALENDAR = ReplyRules().calendar(WORKTIME)
XIAO = Conversation.single("zhang", "wm_xiao")
KF = Conversation.kf("wk_1", "wm_kf")
CUSTOMER, ZHANG = Party(PartyKind.CUSTOMER, "wm_xiao"), Party(PartyKind.STAFF, "zhang")


def said(number: int, words: str, by: Party, minute: float, *, where: Conversation = XIAO, **more) -> ChatMessage:
    fields = {"source": "archive", "kind": "text", "body": {}, "seq": number, "text": words}
    at = FRIDAY_MORNING + timedelta(minutes=minute)
    return ChatMessage(**{"msgid": f"m{number}", "conversation": where, "sender": by, "sent_at": at, **fields, **more})


@pytest.fixture
def store(ground: Ground) -> ChatStore:
    return ChatStore(open_cipher(ground.settings), ())


def keep(ground: Ground, store: ChatStore, *messages: ChatMessage) -> list[StoredMessage]:
    with ground.committed() as uow:
        return store.append(uow, CORP, messages)


def watch(ground: Ground, batches: Sequence[Sequence[StoredMessage]], *, live: bool = True) -> None:
    for batch in batches:
        with ground.committed() as uow:
            ReplyWatch(WORKTIME).read(uow, CORP, batch, live=live)


def waits(ground: Ground) -> list[tuple[int, str, int | None, int]]:
    with ground.reading() as session:
        rows = session.execute(select(ReplyWaitRow).order_by(ReplyWaitRow.position)).scalars()
        return [(row.position, row.outcome, row.worked_seconds, row.messages) for row in rows]


def test_a_wait_begins_with_the_first_question_and_ends_with_the_answer(ground: Ground, store: ChatStore) -> None:
    kept = keep(
        ground,
        store,
        said(1, "在吗", CUSTOMER, 0),
        said(2, "多少钱", CUSTOMER, 1),
        said(3, "三千八", ZHANG, 9),
        said(4, "好的，谢谢~", CUSTOMER, 10),
        said(5, "[强][强]\U0001f600", CUSTOMER, 11),
        said(6, "能送货吗", CUSTOMER, 20),
    )
    watch(ground, [kept])
    assert waits(ground) == [(1, "answered", 540, 2), (6, "", None, 1)]
    (day,) = ground.all(select(ReplyDayRow.from_staff, ReplyDayRow.from_customers))
    assert tuple(day) == (1, 5)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_batches_in_any_order_leave_the_same_waits(ground: Ground, store: ChatStore, order: tuple[int, int]) -> None:
    kept = keep(ground, store, said(1, "在吗？", CUSTOMER, 0), said(2, "在的", ZHANG, 5), said(3, "价格", CUSTOMER, 6))
    parts = [kept[:1], kept[1:]]
    watch(ground, [parts[at] for at in order])
    assert [one[:3] for one in waits(ground)] == [(1, "answered", 300), (3, "", None)]


def test_history_and_internal_talk_remind_nobody(ground: Ground, store: ChatStore) -> None:
    group = Conversation.group("wr_1")
    watch(
        ground,
        [keep(ground, store, said(1, "在吗", CUSTOMER, 0), said(2, "群里问", CUSTOMER, 0, where=group))],
        live=False,
    )
    assert ground.all(select(ReplyWaitRow.next_at)) == [(None,)]


def test_working_time_counts_only_when_people_work() -> None:
    friday_evening = FRIDAY_MORNING + timedelta(hours=7, minutes=55)  # 17:55 in Shanghai
    monday = FRIDAY_MORNING + timedelta(days=3)
    assert CALENDAR.after(friday_evening, 10) == monday - timedelta(minutes=55)
    assert CALENDAR.worked_seconds(friday_evening, monday) == 5 * 60 + 3600
    holiday = ReplyRules(holidays=("2026-11-23",), extra_workdays=("2026-11-22",)).calendar(WORKTIME)
    sunday = FRIDAY_MORNING + timedelta(days=2)
    assert holiday.after(friday_evening, 10) == sunday - timedelta(minutes=55)
    never = ReplyRules().calendar(WorktimePart(workdays=(1,), holidays=tuple(_mondays())))
    assert never.after(FRIDAY_MORNING, 1) is None
    night = ReplyRules(work_from="00:00", work_to="00:00").calendar(WorktimePart(workdays=(1, 2, 3, 4, 5, 6, 7)))
    assert night.worked_seconds(friday_evening, monday) == (monday - friday_evening).total_seconds()


def _mondays() -> list[str]:
    first = datetime(2026, 11, 23)
    return [f"{first + timedelta(days=7 * week):%Y-%m-%d}" for week in range(70)]


@given(
    since=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1)),
    minutes=st.integers(1, 5000),
)
def test_after_and_worked_seconds_agree(since: datetime, minutes: int) -> None:
    begin = since.replace(tzinfo=FRIDAY_MORNING.tzinfo, microsecond=0)
    due = CALENDAR.after(begin, minutes)
    assert due is not None
    assert due >= begin
    assert CALENDAR.worked_seconds(begin, due) == minutes * 60


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"work_from": "25:00"}, "work_from"),
        ({"work_from": "19:00"}, "work_to"),
        ({"steps": (("staff", 30), ("supervisor", 10))}, "steps"),
        ({"steps": (("nobody", 30),)}, "steps"),
        ({"holidays": ("国庆",)}, "holidays"),
        ({"closings": ("很长" * 20,)}, "closings"),
    ],
)
def test_rules_that_make_no_sense_are_refused(ground: Ground, changed: dict, field: str) -> None:
    with ground.committed() as uow, pytest.raises(InputInvalid) as caught:
        reply_rules.change(uow, CORP, ReplyRules(**changed), actor="boss")
    assert caught.value.field == field


def test_each_step_of_the_ladder_is_due_once_and_ends_with_the_answer(ground: Ground, store: ChatStore) -> None:
    watch(ground, [keep(ground, store, said(1, "在吗", CUSTOMER, 0))])
    assert due(ground) == []
    ground.clock.move(minutes=10)
    assert due(ground) == ["staff"]
    assert due(ground) == []
    ground.clock.move(minutes=20)
    assert due(ground) == ["supervisor"]
    watch(ground, [keep(ground, store, said(2, "来了", ZHANG, 31))])
    ground.clock.move(hours=30)
    assert due(ground) == []


def test_rules_that_are_switched_off_remind_nobody(ground: Ground, store: ChatStore) -> None:
    watch(ground, [keep(ground, store, said(1, "在吗", CUSTOMER, 0))])
    with ground.committed() as uow:
        reply_rules.change(uow, CORP, ReplyRules(is_on=False), actor="boss")
    ground.clock.move(hours=1)
    assert due(ground) == []


def due(ground: Ground) -> list[str]:
    with ground.committed() as uow:
        return [step.whom for step in reply_watch.take_due(uow, WORKTIME, limit=10)]


def test_a_wait_is_ended_by_hand_once(ground: Ground, store: ChatStore) -> None:
    watch(ground, [keep(ground, store, said(1, "在吗", CUSTOMER, 0))])
    (wait,) = ground.all(select(ReplyWaitRow.id))
    with ground.committed() as uow:
        reply_watch.end(uow, CORP, wait[0], outcome="dismissed", actor="boss")
    with ground.unit() as uow, pytest.raises(Conflict):
        reply_watch.end(uow, CORP, wait[0], outcome="dismissed", actor="boss")
    with ground.unit() as uow, pytest.raises(NotFound):
        reply_watch.end(uow, CorpId("other"), wait[0], outcome="dismissed", actor="boss")


# --- keeping, erasing, keys ------------------------------------------------------------------------------------------


def test_messages_past_their_time_go_with_their_index(ground: Ground, store: ChatStore) -> None:
    kept = keep(ground, store, said(1, "旧价格", CUSTOMER, -3 * 24 * 60), said(2, "新价格", CUSTOMER, 0))
    watch(ground, [kept])
    with ground.committed() as uow:
        told = keeping.drop_older(uow, store, CORP, "single", FRIDAY_MORNING - timedelta(days=1))
        keeping.note_dropped(uow, CORP, {"single": told.messages})
    assert (told.messages, told.is_over) == (1, True)
    with ground.reading() as session:
        found = search.find(session, store, CORP, Search(words="价格")).items
        entries, _ = audit.page(session, CORP, AuditFilter(act="chat.expired"))
        assert keeping.counts_by_kind(session, CORP)["single"][0] == 1
    assert [one.message.msgid for one in found] == ["m2"]
    assert entries[0].data == {"single": 1}
    assert index_rows(ground) == 1


def index_rows(ground: Ground) -> int:
    """How many messages the index itself still knows."""
    with ground.reading() as session:
        if session.connection().dialect.name != "sqlite":
            return int(
                session.execute(
                    text("SELECT count(*) FROM chat_words WHERE message_id IN (SELECT id FROM chat_messages)")
                ).scalar()
                or 0
            )
        store = ChatStore(open_cipher(ground.settings), ())
        blinder = store.blinder(session)
        assert blinder
        word = f'"{blinder.hash(" c" + CORP) & 0xFFFFFFFF:x}"'
        found = session.execute(text("SELECT count(*) FROM chat_words WHERE chat_words MATCH :word"), {"word": word})
        return int(found.scalar() or 0)


def test_a_customer_takes_their_words_along(ground: Ground, store: ChatStore) -> None:
    group = Conversation.group("wr_1")
    watch(
        ground,
        [
            keep(
                ground,
                store,
                said(1, "我的身份证", CUSTOMER, 0),
                said(2, "收到", ZHANG, 1),
                said(3, "群里我也说了", CUSTOMER, 2, where=group),
                said(4, "别人的话", Party(PartyKind.CUSTOMER, "wm_else"), 3, where=group),
            )
        ],
    )
    with ground.reading() as session:
        assert [one["text"] for one in keeping.gather(session, store, CORP, ExternalUserId("wm_xiao"))] == [
            "我的身份证",
            "收到",
            "群里我也说了",
        ]
    with ground.committed() as uow:
        assert keeping.erase(uow, store, CORP, ExternalUserId("wm_xiao")).messages == 3
    with ground.reading() as session:
        assert [one.message.msgid for one in search.find(session, store, CORP, Search()).items] == ["m4"]
    assert waits(ground) == []
    assert index_rows(ground) == 1


def test_another_key_takes_over_batch_by_batch(
    ground: Ground, store: ChatStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resealing, "AT_ONCE", 2)
    keep(ground, store, *(said(number, f"第{number}句", CUSTOMER, number) for number in range(1, 6)))
    both = ground.settings.model_copy(update={"data_keys": Settings(data_keys="n" * 40).data_keys})  # type: ignore[arg-type]
    cipher = open_cipher(both)
    at = resealing.Place()
    while at is not None:
        with ground.committed() as uow:
            resealing.reseal_secrets(uow, cipher)
            at = resealing.reseal(uow, cipher, SEALED, at).following
        with ground.reading() as session:
            assert resealing.place(session, cipher) == (at or resealing.Place())
    only_new = ChatStore(
        open_cipher(both.model_copy(update={"secret_key": Settings(secret_key="x" * 40).secret_key})), ()
    )  # type: ignore[arg-type]
    with ground.reading() as session:
        assert search.find(session, only_new, CORP, Search(words="句")).items[0].message.text == "第5句"
        assert resealing.total(session, SEALED) == 5


def test_every_binary_column_is_sealed_or_known_to_be_open() -> None:
    open_ones = {("chat_secrets", "sealed")}  # turned all at once
    known = {(one.table, one.column) for one in SEALED} | open_ones
    binary = {
        (table.name, column.name)
        for table in migrate.gather_metadata().sorted_tables
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    vectors = {(table, column) for table, column in binary if column in {"vector", "vectors"}}
    assert binary - vectors - known == KNOWN_OPEN
    assert known <= binary
    assert all("id" in migrate.gather_metadata().tables[one.table].columns for one in SEALED)


# --- a message that a reader cannot bear -----------------------------------------------------------------------------


class Fussy:
    """A reader that cannot bear one message."""

    name = "fussy"

    def __init__(self) -> None:
        self.read_ones: list[int] = []

    def read(self, uow: UnitOfWork, corp: CorpId, messages: Sequence[StoredMessage], *, live: bool) -> None:
        if any(one.message.text == "毒" for one in messages):
            raise ValueError("this one")
        self.read_ones += [one.position for one in messages]


def test_one_message_that_cannot_be_read_ends_alone(ground: Ground) -> None:
    store, fussy = ChatStore(open_cipher(ground.settings), ("fussy",)), Fussy()
    keep(ground, store, *(said(number, "毒" if number == 5 else "好", CUSTOMER, number) for number in range(1, 9)))
    jobs = LeaseTable(JOBS, ground.work_clock, lease_seconds=30, backoff=Backoff(1, 2, 4))
    runner = JobRunner(ground.db, jobs, {}, {"chat.read": ReadingDesk(store, [fussy]).read})
    for _ in range(60):
        rows = runner.claim([LANE], "me", 10)
        runner.perform(rows)
        ground.work_clock.advance(3000)
    assert sorted(fussy.read_ones) == [1, 2, 3, 4, 6, 7, 8]
    dead = ground.all(select(JOBS.c.payload).where(JOBS.c.state == "dead"))
    assert [(one[0]["first"], one[0]["last"]) for one in dead] == [(5, 5)]


# --- the house tells people ------------------------------------------------------------------------------------------


def test_staff_then_supervisor_then_colleagues_are_told(product: InProcess) -> None:
    corp, db = product.corp, product.house.db
    for name in ("zhang", "li", "boss"):
        with db.unit() as uow:
            staff.apply_staff(uow, corp, StaffFacts(userid=StaffUserId(name), name=name, departments=(1,), status=1))
            uow.commit()
    with db.unit() as uow:
        roles.give(uow, corp, StaffUserId("boss"), Role.SUPERVISOR, actor="test")
        product.house.chat.store.append(
            uow, corp, [said(1, "在吗", CUSTOMER, 0, where=Conversation.single("zhang", "wm_xiao"))]
        )
        uow.commit()
    product.work()
    told = []
    for minutes in (11, 20, 90):
        product.clock.advance(minutes=minutes)
        with db.unit() as uow:
            outbox.add_job(uow, "reply.tick", dedupe_key=f"tick:{minutes}")
            uow.commit()
        product.work()
        with db.reading() as session:
            rows = session.execute(
                select(OUTBOX.c.payload).where(OUTBOX.c.kind == "send_app_message").order_by(OUTBOX.c.id)
            ).scalars()
            told = [(row["staff"][0], row["body"]["textcard"]["title"]) for row in rows]
    assert [one for one, _ in told] == ["zhang", "boss", "boss"]
    assert "在等你回复" in told[0][1]
    assert told[2][1].startswith("请接手")


def test_the_night_deletes_by_rule(product: InProcess) -> None:
    settings = product.house.settings
    assert settings.chat == ChatPart()
    with product.house.db.unit() as uow:
        product.house.chat.store.append(uow, product.corp, [said(1, "很久以前", CUSTOMER, -400 * 24 * 60)])
        outbox.add_job(uow, "chat.expire", dedupe_key="night")
        uow.commit()
    product.work()
    with product.house.db.reading() as session:
        assert (
            len(product.house.chat.store.read(session, product.corp, 1, 9)) == 1
        )  # nothing is deleted unless a rule says so
    from bot.reply_desk import ReplyDesk

    strict = settings.model_copy(update={"chat": ChatPart(keep_single_days=30)})
    ReplyDesk(product.house.db, strict, product.house.chat.store, product.house.chat.archive.files).expire(
        {}, lambda: None
    )
    with product.house.db.reading() as session:
        assert product.house.chat.store.read(session, product.corp, 1, 9) == []


def test_a_calendar_without_days_never_ends() -> None:
    empty = WorkCalendar(
        zone=CALENDAR.zone, workdays=frozenset(), work_from=CALENDAR.work_from, work_to=CALENDAR.work_to
    )
    assert empty.after(FRIDAY_MORNING, 1) is None
    assert empty.worked_seconds(FRIDAY_MORNING, FRIDAY_MORNING + timedelta(days=3)) == 0
