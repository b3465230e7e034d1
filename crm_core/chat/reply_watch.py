"""Who waits for a reply: a reader of every message, and the waits it keeps."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam as bound
from sqlalchemy import insert, select, update
from sqlmodel import Session, SQLModel, col
from sqlmodel import select as select_rows

from crm_core import audit
from crm_core.chat.conversations import TALKS, by_kind
from crm_core.chat.model import Conversation, ConversationKind, PartyKind, StoredMessage
from crm_core.chat.reply_rules import ReplyRules, rules_of
from crm_core.chat.store import MESSAGES
from crm_core.chat.work_calendar import WorkCalendar
from crm_core.chat_tables import ReplyDayRow, ReplyWaitRow
from crm_core.config import WorktimePart
from crm_core.db import UnitOfWork
from crm_core.errors import Conflict, NotFound
from crm_core.ids import CorpId

NAME = "reply_watch"
WATCHED = frozenset({ConversationKind.SINGLE, ConversationKind.KF})
ANSWERED, CLOSED, DISMISSED = "answered", "closed", "dismissed"
TOO_LATE = timedelta(hours=24)  # a message that came in so late reminds nobody any more
DAYS = SQLModel.metadata.tables[str(ReplyDayRow.__tablename__)]
SIDES = {PartyKind.STAFF: "from_staff", PartyKind.CUSTOMER: "from_customers", PartyKind.ROBOT: "from_staff"}


class ReplyWatch:
    """The reader ``reply_watch``. Waits and daily figures follow the messages; nobody is told here (see the tick)."""

    name = NAME

    def __init__(self, worktime: WorktimePart) -> None:
        self._worktime = worktime
        self._zone = ZoneInfo(worktime.time_zone)

    def read(self, uow: UnitOfWork, corp: CorpId, messages: Sequence[StoredMessage], *, live: bool) -> None:
        """Messages of one batch; batches may come in any order."""
        talks: dict[Conversation, list[StoredMessage]] = {}
        for one in messages:
            where = one.message.conversation
            if where.kind in WATCHED and one.message.sender.kind in SIDES and not one.message.revokes:
                talks.setdefault(where, []).append(one)
        if not talks:
            return
        uow.lock(f"reply-watch:{corp}")
        rules = rules_of(uow.session, corp)
        _count_days(uow.session, corp, talks, self._zone)
        pass_through = _Pass(uow, corp, rules, rules.calendar(self._worktime), live=live)
        pass_through.load(talks)
        for where, said in talks.items():
            pass_through.follow(where, said)


class _Pass:
    """One batch on its way through the waits."""

    def __init__(self, uow: UnitOfWork, corp: CorpId, rules: ReplyRules, calendar: WorkCalendar, *, live: bool) -> None:
        self._uow, self._corp, self._rules, self._calendar, self._live = uow, corp, rules, calendar, live
        self._open: dict[tuple[str, str], ReplyWaitRow] = {}
        self._newest: dict[tuple[str, str], int] = {}
        self._late: tuple[ReplyWaitRow, int] | None = (
            None  # answered before its question was read; up to which position
        )

    def load(self, talks: Iterable[Conversation]) -> None:
        """What is known of these conversations."""
        session = self._uow.session
        for kind, keys in by_kind(talks).items():
            waits = select_rows(ReplyWaitRow).where(
                ReplyWaitRow.corp_id == self._corp,
                ReplyWaitRow.kind == kind,
                col(ReplyWaitRow.key).in_(keys),
                ReplyWaitRow.outcome == "",
            )
            self._open |= {(row.kind, row.key): row for row in session.exec(waits)}
            newest = select(TALKS.c.key, TALKS.c.last_position).where(
                TALKS.c.corp_id == self._corp, TALKS.c.kind == kind, TALKS.c.key.in_(keys)
            )
            self._newest |= {(kind, key): last for key, last in session.connection().execute(newest)}

    def follow(self, where: Conversation, said: Sequence[StoredMessage]) -> None:
        """The messages of one conversation, by position."""
        wait = self._open.get((where.kind.value, where.key))
        self._late = None
        for one in said:
            if one.message.sender.kind is PartyKind.CUSTOMER:
                wait = self._asked(where, one, wait)
            elif wait is not None and wait.position < one.position:
                self._answer(wait, one.message.sent_at, one.message.sender.id)
                wait = None
        last = said[-1].position
        if wait is not None and self._newest.get((where.kind.value, where.key), 0) > last:
            reply = _first_reply(self._uow.session, self._corp, where, max(last, wait.position))
            if reply is not None:
                self._answer(wait, reply.sent_at, reply.sender_id)

    def _asked(self, where: Conversation, one: StoredMessage, wait: ReplyWaitRow | None) -> ReplyWaitRow | None:
        if not self._rules.wants_answer(one.message):
            return wait
        if wait is not None and one.position < wait.position and self._was_answered(where, one, wait):
            return wait
        if wait is None:
            wait = self._begun(where, one)
            wait.next_at = self._first_step(wait)
        else:
            wait.messages += 1
            wait.asked_last_at = max(wait.asked_last_at, one.message.sent_at)
            if one.position < wait.position:  # an older batch came later
                wait.position, wait.since = one.position, min(wait.since, one.message.sent_at)
        self._uow.session.add(wait)
        return wait

    def _begun(self, where: Conversation, one: StoredMessage) -> ReplyWaitRow:
        return ReplyWaitRow(
            corp_id=self._corp,
            kind=where.kind.value,
            key=where.key,
            staff_userid=where.staff or _last_staff(self._uow.session, self._corp, where),
            external_userid=where.external_user or "",
            since=one.message.sent_at,
            position=one.position,
            asked_last_at=one.message.sent_at,
            is_live=self._live,
        )

    def _was_answered(self, where: Conversation, one: StoredMessage, wait: ReplyWaitRow) -> bool:
        """A question from a batch that came late: whether somebody replied before the wait that is open now began."""
        if self._late is not None and one.position < self._late[1]:
            self._late[0].messages += 1
            return True
        reply = _first_reply(self._uow.session, self._corp, where, one.position)
        if reply is None or reply.position > wait.position:
            return False
        late = self._begun(where, one)
        self._answer(late, reply.sent_at, reply.sender_id)
        self._late = (late, reply.position)
        return True

    def _first_step(self, wait: ReplyWaitRow) -> datetime | None:
        if not (self._live and self._rules.is_on and self._rules.steps):
            return None
        due = self._calendar.after(wait.since, self._rules.steps[0][1])
        return None if due is None or due < self._uow.now() - TOO_LATE else due

    def _answer(self, wait: ReplyWaitRow, at: datetime, by: str) -> None:
        wait.ended_at, wait.outcome, wait.answered_by, wait.next_at = at, ANSWERED, by, None
        wait.worked_seconds = self._calendar.worked_seconds(wait.since, at)
        wait.staff_userid = wait.staff_userid or by
        self._uow.session.add(wait)


def _first_reply(session: Session, corp: CorpId, where: Conversation, after: int) -> Any:
    found = (
        select(MESSAGES.c.position, MESSAGES.c.sent_at, MESSAGES.c.sender_id)
        .where(
            MESSAGES.c.corp_id == corp,
            MESSAGES.c.conversation_kind == where.kind.value,
            MESSAGES.c.conversation_key == where.key,
            MESSAGES.c.position > after,
            MESSAGES.c.sender_kind.in_((PartyKind.STAFF.value, PartyKind.ROBOT.value)),
            MESSAGES.c.revokes == "",
        )
        .order_by(MESSAGES.c.position)
        .limit(1)
    )
    return session.connection().execute(found).first()


def _last_staff(session: Session, corp: CorpId, where: Conversation) -> str:
    found = select(TALKS.c.staff_userid).where(
        TALKS.c.corp_id == corp, TALKS.c.kind == where.kind.value, TALKS.c.key == where.key
    )
    return str(session.connection().execute(found).scalar() or "")


def _count_days(session: Session, corp: CorpId, talks: dict[Conversation, list[StoredMessage]], zone: ZoneInfo) -> None:
    counts: dict[tuple[date, str, str], dict[str, Any]] = {}
    for where, said in talks.items():
        for one in said:
            _count_day(counts, corp, where, one, zone)
    asked: dict[tuple[date, str], list[str]] = {}
    for day, kind, key in counts:
        asked.setdefault((day, kind), []).append(key)
    rows: dict[tuple[date, str, str], Any] = {}
    for (day, kind), keys in asked.items():
        known = select(DAYS).where(DAYS.c.corp_id == corp, DAYS.c.day == day, DAYS.c.kind == kind, DAYS.c.key.in_(keys))
        rows |= {(row.day, row.kind, row.key): row for row in session.connection().execute(known)}
    added = [told for key, told in counts.items() if key not in rows]
    changed = [_more(rows[key], told) for key, told in counts.items() if key in rows]
    if added:
        session.connection().execute(insert(DAYS), added)
    if changed:
        named = (DAYS.c.corp_id == bound("b_corp"), DAYS.c.day == bound("b_day"))
        of_talk = (DAYS.c.kind == bound("b_kind"), DAYS.c.key == bound("b_key"))
        session.connection().execute(update(DAYS).where(*named, *of_talk), changed)


def _count_day(
    counts: dict[tuple[date, str, str], dict[str, Any]],
    corp: CorpId,
    where: Conversation,
    one: StoredMessage,
    zone: ZoneInfo,
) -> None:
    at, who = one.message.sent_at, one.message.sender
    day = at.astimezone(zone).date()
    told = counts.setdefault(
        (day, where.kind.value, where.key),
        {
            "corp_id": corp,
            "day": day,
            "kind": where.kind.value,
            "key": where.key,
            "staff_userid": where.staff or "",
            "external_userid": where.external_user or "",
            "from_staff": 0,
            "from_customers": 0,
            "first_at": at,
            "last_at": at,
        },
    )
    told[SIDES[who.kind]] += 1
    told["first_at"], told["last_at"] = min(told["first_at"], at), max(told["last_at"], at)
    if who.kind is PartyKind.STAFF and not where.staff:
        told["staff_userid"] = who.id


def _more(row: Any, told: dict[str, Any]) -> dict[str, Any]:
    return {
        "b_corp": row.corp_id,
        "b_day": row.day,
        "b_kind": row.kind,
        "b_key": row.key,
        "staff_userid": told["staff_userid"] or row.staff_userid,
        "from_staff": row.from_staff + told["from_staff"],
        "from_customers": row.from_customers + told["from_customers"],
        "first_at": min(row.first_at, told["first_at"]),
        "last_at": max(row.last_at, told["last_at"]),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class DueStep:
    """A step of the ladder whose time has come. number: 0 for the first."""

    wait: int
    corp: CorpId
    conversation: Conversation
    staff: str
    external_user: str
    since: datetime
    position: int
    messages: int
    number: int
    whom: str
    minutes: int


def take_due(uow: UnitOfWork, worktime: WorktimePart, *, limit: int) -> list[DueStep]:
    """Steps whose time has come; they count as done once this unit commits, and the next one is set."""
    rows = uow.session.exec(
        select_rows(ReplyWaitRow)
        .where(col(ReplyWaitRow.next_at) <= uow.now())
        .order_by(col(ReplyWaitRow.next_at), col(ReplyWaitRow.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    steps = []
    for row in rows:
        rules = rules_of(uow.session, CorpId(row.corp_id))
        if rules.is_on and row.outcome == "" and row.steps_done < len(rules.steps):
            whom, minutes = rules.steps[row.steps_done]
            steps.append(_due_step(row, whom, minutes))
            row.steps_done += 1
            following = rules.steps[row.steps_done : row.steps_done + 1]
            due = [rules.calendar(worktime).after(row.since, after) for _, after in following]
            row.next_at = due[0] if due else None
        else:
            row.next_at = None
        uow.session.add(row)
    return steps


def note_told(uow: UnitOfWork, step: DueStep, people: Sequence[str]) -> None:
    """Remember on the wait whom a step told."""
    row = uow.session.get(ReplyWaitRow, step.wait)
    if row is not None:
        row.told = [*row.told, {"whom": step.whom, "people": list(people), "at": uow.now().isoformat()}]
        uow.session.add(row)


def end(uow: UnitOfWork, corp: CorpId, wait_id: int, *, outcome: str, actor: str = "") -> None:
    """End a wait that nobody will answer: there is no contact any more (closed), or a person says so (dismissed).

    Raises: NotFound, Conflict.
    """
    row = uow.session.get(ReplyWaitRow, wait_id, with_for_update=True)
    if row is None or row.corp_id != corp:
        raise NotFound("没有这条等待")
    if row.outcome:
        raise Conflict("这条等待已经结束")
    row.outcome, row.ended_at, row.next_at = outcome, uow.now(), None
    uow.session.add(row)
    if actor:
        audit.record(
            uow, corp=corp, actor=actor, act="reply.dismissed", object_kind="customer", object_id=row.external_userid
        )


def _due_step(row: ReplyWaitRow, whom: str, minutes: int) -> DueStep:
    return DueStep(
        wait=row.id or 0,
        corp=CorpId(row.corp_id),
        conversation=Conversation(ConversationKind(row.kind), row.key),
        staff=row.staff_userid,
        external_user=row.external_userid,
        since=row.since,
        position=row.position,
        messages=row.messages,
        number=row.steps_done,
        whom=whom,
        minutes=minutes,
    )
