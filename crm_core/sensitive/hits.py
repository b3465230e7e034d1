"""Hits (命中): what was kept of them, the review queue, and what managers decide."""

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, Table, update
from sqlalchemy import select as select_columns
from sqlmodel import Session, SQLModel, col, select

from crm_core import audit, customers, groups, staff
from crm_core.chat.model import Conversation, ConversationKind
from crm_core.db import UnitOfWork
from crm_core.errors import InputInvalid, NotFound
from crm_core.events import StaffUpdated
from crm_core.ids import ChatId, CorpId, StaffUserId
from crm_core.listing import Count, Listed, counted, page_of
from crm_core.ports import TextCipher
from crm_core.sensitive.rulebook import WAY_NAMES, Way
from crm_core.sensitive.words import SEVERITIES
from crm_core.sensitive_tables import SensitiveCategoryRow, SensitiveHitRow

OPEN, CONFIRMED, FALSE_ALARM, HANDLED = "open", "confirmed", "false_alarm", "handled"
STATES = {OPEN: "待审", CONFIRMED: "确认违规", FALSE_ALARM: "误报", HANDLED: "已处理"}
MOST_NOTE_CHARS = 500
MOST_AT_ONCE = 500
AROUND = 24  # characters shown on each side
ACT = "act"  # the way of a hit that is an act
HITS: Table = SQLModel.metadata.tables[str(SensitiveHitRow.__tablename__)]


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the message something was found. name: the entry or detector."""

    start: int
    end: int
    name: str
    way: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HitFilter:
    """Which hits. Empty means any. week: a Monday as 2026-11-16; until_week: up to and with it."""

    state: str = ""
    severity: int = 0
    category: int = 0
    staff: str = ""
    department: int = 0
    week: str = ""
    since_week: str = ""
    external_user: str = ""
    assignee: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One hit for display. text and places: "" and none after the customer was erased."""

    id: int
    category: int
    category_name: str
    severity: int
    way: str
    msgid: str
    position: int
    conversation: Conversation
    sender_kind: str
    sender: str
    sender_name: str
    staff: str
    staff_name: str
    external_user: str
    customer_name: str
    chat_name: str
    text: str
    places: tuple[Place, ...]
    sent_at: datetime
    state: str
    note: str
    assignee: str
    assignee_name: str
    due_at: datetime | None
    reviewed_by: str
    reviewed_at: datetime | None

    @property
    def state_name(self) -> str:
        """The state in words."""
        return STATES[self.state]

    @property
    def severity_name(self) -> str:
        """The severity in words."""
        return SEVERITIES.get(self.severity, "")

    @property
    def way_name(self) -> str:
        """How it was written, in words."""
        return "行为" if self.way == ACT else WAY_NAMES[Way(self.way)]

    @property
    def word(self) -> str:
        """What was hit first."""
        return self.places[0].name if self.places else ""

    @property
    def parts(self) -> tuple[tuple[str, bool], ...]:
        """The words around the first place, each with whether it was hit."""
        if not self.places:
            return ((self.text[: 2 * AROUND], False),) if self.text else ()
        first = self.places[0]
        start, end = max(0, first.start - AROUND), min(len(self.text), first.end + AROUND)
        before = ("…" if start else "") + self.text[start : first.start]
        after = self.text[first.end : end] + ("…" if end < len(self.text) else "")
        return (before, False), (self.text[first.start : first.end], True), (after, False)


class HitBook:
    """Reads and judges hits; opens what is sealed."""

    def __init__(self, cipher: TextCipher) -> None:
        self._cipher = cipher

    def seal(self, text: str, places: Sequence[Place]) -> bytes:
        """What a row keeps of a message."""
        told = {"text": text, "places": [[one.start, one.end, one.name, one.way] for one in places]}
        return self._cipher.seal(json.dumps(told, ensure_ascii=False))

    def page(
        self,
        session: Session,
        corp: CorpId,
        wanted: HitFilter,
        visible: AbstractSet[str] | None,
        *,
        cursor: str = "",
        limit: int = 50,
    ) -> Listed[Hit]:
        """One page, the newest first."""
        found = page_of(
            session,
            _chosen(corp, wanted, visible),
            keys=(HITS.c.id,),
            kinds=(int,),
            descending=True,
            cursor=cursor,
            tell=lambda row: row,
            key_of=lambda row: (row.id,),
            limit=limit,
        )
        return Listed(items=tuple(self._views(session, corp, found.items)), next_cursor=found.next_cursor)

    def count(self, session: Session, corp: CorpId, wanted: HitFilter, visible: AbstractSet[str] | None) -> Count:
        """How many hits fit."""
        return counted(session, _chosen(corp, wanted, visible))

    def get(self, session: Session, corp: CorpId, hit: int, visible: AbstractSet[str] | None) -> Hit:
        """One hit. Raises: NotFound, also when it is out of sight."""
        row = session.get(SensitiveHitRow, hit)
        if row is None or row.corp_id != corp or (visible is not None and row.staff_userid not in visible):
            raise NotFound("没有这条命中，或者您没有查看权限")
        return self._views(session, corp, [row])[0]

    def _views(self, session: Session, corp: CorpId, rows: Sequence[Any]) -> list[Hit]:
        people = {row.staff_userid for row in rows} | {row.assignee for row in rows}
        people |= {row.sender_id for row in rows if row.sender_kind == "staff"}
        names = staff.names(session, corp, people - {""}) | {"": ""}
        guests = {row.external_userid for row in rows} | {
            row.sender_id for row in rows if row.sender_kind == "customer"
        }
        called = customers.display_names(session, corp, guests - {""})
        chats = {ChatId(row.conversation_key) for row in rows if row.conversation_kind == ConversationKind.GROUP}
        chat_names = groups.names(session, corp, chats)
        return [self._view(row, names, called, chat_names) for row in rows]

    def _view(self, row: Any, names: Mapping[str, str], called: Mapping[str, str], chats: Mapping[str, str]) -> Hit:
        told: dict[str, Any] = (
            json.loads(self._cipher.unseal(row.content)) if row.content else {"text": "", "places": []}
        )
        known = names if row.sender_kind == "staff" else called
        return Hit(
            id=row.id,
            category=row.category_id,
            category_name=row.category_name,
            severity=row.severity,
            way=row.way,
            msgid=row.msgid,
            position=row.position,
            conversation=Conversation(ConversationKind(row.conversation_kind), row.conversation_key),
            sender_kind=row.sender_kind,
            sender=row.sender_id,
            sender_name=known.get(row.sender_id, "") or row.sender_id,
            staff=row.staff_userid,
            staff_name=names.get(row.staff_userid, row.staff_userid),
            external_user=row.external_userid,
            customer_name=called.get(row.external_userid, "") or ("一位客户" if row.external_userid else ""),
            chat_name=chats.get(row.conversation_key, "") if row.conversation_kind == ConversationKind.GROUP else "",
            text=told["text"],
            places=tuple(Place(*one) for one in told["places"]),
            sent_at=row.sent_at,
            state=row.state,
            note=row.note,
            assignee=row.assignee,
            assignee_name=names.get(row.assignee, row.assignee),
            due_at=row.due_at,
            reviewed_by=row.reviewed_by,
            reviewed_at=row.reviewed_at,
        )


def judge(
    uow: UnitOfWork,
    corp: CorpId,
    ids: Sequence[int],
    state: str,
    visible: AbstractSet[str] | None,
    *,
    actor: str,
    note: str | None = None,
) -> dict[int, str]:
    """Put hits into a state. Answers the former state of each that changed. note: None leaves the notes alone.

    Raises: InputInvalid.
    """
    if state not in STATES:
        raise InputInvalid("没有这种状态", field="state")
    if note is not None and len(note.strip()) > MOST_NOTE_CHARS:
        raise InputInvalid(f"备注最多 {MOST_NOTE_CHARS} 个字", field="note")
    former: dict[int, str] = {}
    for row in _rows(uow.session, corp, ids, visible):
        if note is not None:
            row.note = note.strip()
        if row.state != state:
            former[row.id or 0] = row.state
            row.state = state
            row.reviewed_by, row.reviewed_at = ("", None) if state == OPEN else (actor, uow.now())
        uow.session.add(row)
    if former:
        _audit(uow, corp, actor, "sensitive.judged", former, {"count": len(former), "state": state})
    return former


def assign(
    uow: UnitOfWork,
    corp: CorpId,
    ids: Sequence[int],
    assignee: str,
    due_at: datetime | None,
    visible: AbstractSet[str] | None,
    *,
    actor: str,
) -> int:
    """Give hits to somebody until a time; "" gives them to nobody. Answers how many. Raises: InputInvalid."""
    if assignee and not staff.is_known(uow.session, corp, StaffUserId(assignee)):
        raise InputInvalid("没有这位成员", field="assignee")
    rows = _rows(uow.session, corp, ids, visible)
    for row in rows:
        row.assignee, row.due_at = assignee, due_at
        uow.session.add(row)
    if rows:
        told = {"count": len(rows), "assignee": assignee}
        _audit(uow, corp, actor, "sensitive.assigned", [row.id or 0 for row in rows], told)
    return len(rows)


def rename_staff(event: StaffUpdated, uow: UnitOfWork) -> None:
    """A changed userid is carried through the hits and the categories' owners."""
    if event.new_staff is None:
        return
    columns = (SensitiveHitRow.staff_userid, SensitiveHitRow.assignee, SensitiveCategoryRow.owner_userid)
    for column in columns:
        table = column.class_  # type: ignore[attr-defined]
        mine = (col(table.corp_id) == event.corp) & (col(column) == event.staff)
        uow.session.execute(update(table).where(mine).values({column.key: event.new_staff}))  # type: ignore[attr-defined]


def _rows(
    session: Session, corp: CorpId, ids: Sequence[int], visible: AbstractSet[str] | None
) -> list[SensitiveHitRow]:
    wanted = col(SensitiveHitRow.id).in_(list(ids)[:MOST_AT_ONCE])
    rows = session.exec(select(SensitiveHitRow).where(SensitiveHitRow.corp_id == corp, wanted).with_for_update())
    return [row for row in rows if visible is None or row.staff_userid in visible]


def _chosen(corp: CorpId, wanted: HitFilter, visible: AbstractSet[str] | None) -> Select[Any]:
    found = select_columns(HITS).where(HITS.c.corp_id == corp)
    exact = {
        "state": wanted.state,
        "severity": wanted.severity,
        "category_id": wanted.category,
        "staff_userid": wanted.staff,
        "department": wanted.department,
        "week": wanted.week,
        "external_userid": wanted.external_user,
        "assignee": wanted.assignee,
    }
    for name, value in exact.items():
        if value:
            found = found.where(HITS.c[name] == value)
    if wanted.since_week:
        found = found.where(HITS.c.week >= wanted.since_week)
    return found if visible is None else found.where(HITS.c.staff_userid.in_(sorted(visible)))


def _audit(uow: UnitOfWork, corp: CorpId, actor: str, act: str, ids: Any, data: dict[str, Any]) -> None:
    first = next(iter(ids))
    audit.record(uow, corp=corp, actor=actor, act=act, object_kind="sensitive_hit", object_id=str(first), data=data)
