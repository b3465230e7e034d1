"""Reminders (跟进提醒): what a staff member wants to be told about a customer, and when."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import Session, col, select

from crm_core import customers, timeline
from crm_core.db import UnitOfWork
from crm_core.errors import Conflict, InputInvalid, NotFound
from crm_core.events import StaffUpdated
from crm_core.ids import AppKey, CorpId, ExternalUserId, StaffUserId
from crm_core.record_tables import ReminderRow

MOST_NOTE_CHARS = 200
LONGEST = timedelta(days=3 * 366)
OPEN, DONE, DELETED = "open", "done", "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """One reminder for display. status: open | done | deleted; customer_name "" while WeCom has not told it."""

    id: int
    corp: str
    app: str
    staff: str
    external_user: str
    customer_name: str
    note: str
    due_at: datetime
    status: str


def remind(
    uow: UnitOfWork,
    *,
    corp: CorpId,
    app: AppKey,
    staff: StaffUserId,
    external_user: ExternalUserId,
    due_at: datetime,
    note: str,
    key: str,
) -> int:
    """Set a reminder, once per ``key``. Answers its id. due_at: aware; it must lie ahead. Raises: InputInvalid."""
    if len(note.strip()) > MOST_NOTE_CHARS:
        raise InputInvalid(f"提醒内容最多 {MOST_NOTE_CHARS} 个字", field="note")
    _check_time(uow, due_at)
    dedupe_key = f"{staff}:{key}"
    uow.lock(f"reminder:{corp}:{dedupe_key}")
    known = uow.session.exec(
        select(ReminderRow.id).where(ReminderRow.corp_id == corp, ReminderRow.dedupe_key == dedupe_key)
    ).first()
    if known is not None:
        return known
    row = ReminderRow(
        corp_id=corp,
        app_key=app,
        staff_userid=staff,
        external_userid=external_user,
        note=note.strip(),
        due_at=due_at,
        created_at=uow.now(),
        dedupe_key=dedupe_key,
    )
    uow.session.add(row)
    uow.session.flush()
    return row.id or 0


def waiting(
    session: Session,
    corp: CorpId,
    staff: StaffUserId,
    *,
    external_user: ExternalUserId | None = None,
    limit: int = 50,
) -> list[Reminder]:
    """Open reminders of a staff member, earliest first."""
    statement = select(ReminderRow).where(
        ReminderRow.corp_id == corp, ReminderRow.staff_userid == staff, ReminderRow.status == OPEN
    )
    if external_user is not None:
        statement = statement.where(ReminderRow.external_userid == external_user)
    return _views(session, session.exec(statement.order_by(col(ReminderRow.due_at), col(ReminderRow.id)).limit(limit)))


def get(session: Session, corp: CorpId, staff: StaffUserId, reminder_id: int) -> Reminder:
    """One reminder of this staff member. Raises: NotFound."""
    return _views(session, [_own(session, corp, staff, reminder_id)])[0]


def settle(uow: UnitOfWork, corp: CorpId, staff: StaffUserId, reminder_id: int, *, status: str) -> Reminder:
    """Tick a reminder off (done), take it away (deleted) or bring it back (open). Doing it twice changes nothing.

    Raises: NotFound.
    """
    row = _own(uow.session, corp, staff, reminder_id, for_update=True)
    if row.status != status:
        row.status = status
        row.ended_at = None if status == OPEN else uow.now()
        uow.session.add(row)
        if status == DONE:
            _tell_done(uow, row)
    return _views(uow.session, [row])[0]


def postpone(uow: UnitOfWork, corp: CorpId, staff: StaffUserId, reminder_id: int, *, due_at: datetime) -> Reminder:
    """Another time for an open reminder; it is told again then. Raises: NotFound, Conflict (over), InputInvalid."""
    row = _own(uow.session, corp, staff, reminder_id, for_update=True)
    if row.status != OPEN:
        raise Conflict("这条提醒已经处理过")
    _check_time(uow, due_at)
    row.due_at, row.told_at = due_at, None
    uow.session.add(row)
    return _views(uow.session, [row])[0]


def take_due(uow: UnitOfWork, *, limit: int) -> list[Reminder]:
    """The reminders whose time has come and that nobody was told of; they count as told once this unit commits."""
    rows = uow.session.exec(
        select(ReminderRow)
        .where(ReminderRow.status == OPEN, col(ReminderRow.told_at).is_(None), ReminderRow.due_at <= uow.now())
        .order_by(col(ReminderRow.due_at), col(ReminderRow.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        row.told_at = uow.now()
        uow.session.add(row)
    return _views(uow.session, rows)


def rename_staff(event: StaffUpdated, uow: UnitOfWork) -> None:
    """A changed userid is carried through the reminders."""
    if event.new_staff is not None:
        uow.session.execute(
            update(ReminderRow)
            .where(col(ReminderRow.corp_id) == event.corp, col(ReminderRow.staff_userid) == event.staff)
            .values(staff_userid=event.new_staff)
        )


def _check_time(uow: UnitOfWork, due_at: datetime) -> None:
    if due_at <= uow.now():
        raise InputInvalid("提醒时间已经过去，请选以后的时间", field="due")
    if due_at > uow.now() + LONGEST:
        raise InputInvalid("提醒时间最远三年", field="due")


def _own(
    session: Session, corp: CorpId, staff: StaffUserId, reminder_id: int, *, for_update: bool = False
) -> ReminderRow:
    row = session.get(ReminderRow, reminder_id, with_for_update=for_update or None)
    if row is None or row.corp_id != corp or row.staff_userid != staff:
        raise NotFound("没有这条提醒")
    return row


def _tell_done(uow: UnitOfWork, row: ReminderRow) -> None:
    timeline.append(
        uow,
        corp=CorpId(row.corp_id),
        external_user=ExternalUserId(row.external_userid),
        staff=row.staff_userid,
        kind="reminder.done",
        at=uow.now(),
        dedupe_key=f"reminder:{row.id}:done:{row.due_at.timestamp():.0f}",
        data={"note": row.note},
    )


def _views(session: Session, rows: Iterable[ReminderRow]) -> list[Reminder]:
    found = list(rows)
    names: dict[str, dict[str, str]] = {}
    for corp in {row.corp_id for row in found}:
        users = {row.external_userid for row in found if row.corp_id == corp}
        names[corp] = customers.display_names(session, CorpId(corp), users)
    return [
        Reminder(
            id=row.id or 0,
            corp=row.corp_id,
            app=row.app_key,
            staff=row.staff_userid,
            external_user=row.external_userid,
            customer_name=names[row.corp_id][row.external_userid],
            note=row.note,
            due_at=row.due_at,
            status=row.status,
        )
        for row in found
    ]
