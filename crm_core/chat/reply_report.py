"""How quickly and how often staff answer: figures by member, and the waits behind them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, and_, func, or_, select
from sqlmodel import Session, SQLModel

from crm_core.chat.model import Conversation, ConversationKind
from crm_core.chat.reply_watch import ANSWERED, DAYS
from crm_core.chat_tables import ReplyWaitRow
from crm_core.ids import CorpId
from crm_core.listing import PAGE_ROWS, Listed, page_of

WAITS = SQLModel.metadata.tables[str(ReplyWaitRow.__tablename__)]
OPEN, LATE = "open", "late"
LATE_MINUTES = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Whole days of the company's time zone: [first, last], both included."""

    first: date
    last: date
    zone: ZoneInfo

    @classmethod
    def week_of(cls, moment: datetime, zone: ZoneInfo, *, weeks_ago: int = 0) -> "Period":
        """Monday to Sunday."""
        today = moment.astimezone(zone).date()
        first = today - timedelta(days=today.weekday() + 7 * weeks_ago)
        return cls(first=first, last=first + timedelta(days=6), zone=zone)

    @property
    def since(self) -> datetime:
        """The first moment."""
        return datetime.combine(self.first, time(), self.zone)

    @property
    def until(self) -> datetime:
        """The first moment after it."""
        return datetime.combine(self.last + timedelta(days=1), time(), self.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffFigures:
    """One member in a period. Reply times are seconds of working time, None without an answer.

    rate: answered of all that waited, in percent, None when nobody waited; duration: mean minutes between the first and
    the last message of a conversation on one day.
    """

    staff: str
    conversations: int
    from_staff: int
    from_customers: int
    waits: int
    answered: int
    open_waits: int
    first_reply_p50: int | None
    first_reply_p90: int | None
    longest: int | None
    duration_minutes: int

    @property
    def rate(self) -> int | None:
        """Answered of all that waited, in percent."""
        return self.answered * 100 // self.waits if self.waits else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One wait for a reply. worked_seconds: working time until the answer, None while there is none."""

    id: int
    conversation: Conversation
    staff: str
    external_user: str
    since: datetime
    position: int
    messages: int
    outcome: str
    ended_at: datetime | None
    answered_by: str
    worked_seconds: int | None
    told: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFilter:
    """Which waits. state: "" any | open | late (answered after half an hour of working time) | answered."""

    staff: str = ""
    state: str = ""
    period: Period | None = None
    visible: AbstractSet[str] | None = None


def figures(session: Session, corp: CorpId, period: Period, visible: AbstractSet[str] | None) -> list[StaffFigures]:
    """Every member in sight who talked or was waited for, the busiest first."""
    talked = {row.staff_userid: row for row in session.connection().execute(_talked(session, corp, period, visible))}
    waited: dict[str, list[Any]] = {}
    asked = select(WAITS.c.staff_userid, WAITS.c.outcome, WAITS.c.worked_seconds).where(
        WAITS.c.corp_id == corp,
        WAITS.c.since >= period.since,
        WAITS.c.since < period.until,
        WAITS.c.outcome.in_(("", ANSWERED)),
        *_seen(WAITS, visible),
    )
    for row in session.connection().execute(asked):
        waited.setdefault(row.staff_userid, []).append(row)
    found = [_figures(one, talked.get(one), waited.get(one, ())) for one in {*talked, *waited}]
    return sorted(found, key=lambda one: (-one.conversations, one.staff))


def _talked(session: Session, corp: CorpId, period: Period, visible: AbstractSet[str] | None) -> Select[Any]:
    is_sqlite = session.connection().dialect.name == "sqlite"
    seconds: Any = (
        (func.julianday(DAYS.c.last_at) - func.julianday(DAYS.c.first_at)) * 86400
        if is_sqlite
        else func.extract("epoch", DAYS.c.last_at - DAYS.c.first_at)
    )
    told = DAYS.c.kind + ":" + DAYS.c.key
    return (
        select(
            DAYS.c.staff_userid,
            func.count(func.distinct(told)).label("conversations"),
            func.sum(DAYS.c.from_staff).label("from_staff"),
            func.sum(DAYS.c.from_customers).label("from_customers"),
            func.avg(seconds).label("seconds"),
        )
        .where(DAYS.c.corp_id == corp, DAYS.c.day.between(period.first, period.last), *_seen(DAYS, visible))
        .group_by(DAYS.c.staff_userid)
    )


def _seen(table: Any, visible: AbstractSet[str] | None) -> list[Any]:
    return [] if visible is None else [table.c.staff_userid.in_(sorted(visible))]


def _figures(staff: str, talked: Any, waited: Iterable[Any]) -> StaffFigures:
    rows = list(waited)
    took = sorted(row.worked_seconds for row in rows if row.outcome == ANSWERED and row.worked_seconds is not None)
    answered = sum(row.outcome == ANSWERED for row in rows)
    return StaffFigures(
        staff=staff,
        conversations=int(talked.conversations) if talked else 0,
        from_staff=int(talked.from_staff) if talked else 0,
        from_customers=int(talked.from_customers) if talked else 0,
        waits=len(rows),
        answered=answered,
        open_waits=len(rows) - answered,
        first_reply_p50=quantile(took, 0.5),
        first_reply_p90=quantile(took, 0.9),
        longest=took[-1] if took else None,
        duration_minutes=round(float(talked.seconds or 0) / 60) if talked else 0,
    )


def quantile(ordered: Sequence[int], part: float) -> int | None:
    """The smallest value that at least ``part`` of the values do not exceed; None of nothing."""
    return ordered[max(0, -(-int(len(ordered) * part * 1000) // 1000) - 1)] if ordered else None


def waits(
    session: Session, corp: CorpId, wanted: WaitFilter, *, cursor: str = "", limit: int = PAGE_ROWS
) -> Listed[Wait]:
    """One page of waits, the newest first. Raises: InputInvalid."""
    found = select(WAITS).where(WAITS.c.corp_id == corp, *_seen(WAITS, wanted.visible))
    if wanted.staff:
        found = found.where(WAITS.c.staff_userid == wanted.staff)
    if wanted.period is not None:
        found = found.where(WAITS.c.since >= wanted.period.since, WAITS.c.since < wanted.period.until)
    if wanted.state == OPEN:
        found = found.where(WAITS.c.outcome == "")
    elif wanted.state == LATE:
        found = found.where(WAITS.c.outcome == ANSWERED, WAITS.c.worked_seconds > LATE_MINUTES * 60)
    elif wanted.state:
        found = found.where(WAITS.c.outcome == wanted.state)
    return page_of(
        session,
        found,
        keys=(WAITS.c.since, WAITS.c.id),
        kinds=(datetime, int),
        descending=True,
        cursor=cursor,
        tell=_wait,
        key_of=lambda row: (row.since, row.id),
        limit=limit,
    )


def wait(session: Session, corp: CorpId, wait_id: int, visible: AbstractSet[str] | None) -> Wait | None:
    """One wait in sight."""
    found = select(WAITS).where(WAITS.c.corp_id == corp, WAITS.c.id == wait_id, *_seen(WAITS, visible))
    row = session.connection().execute(found).first()
    return _wait(row) if row is not None else None


def open_waits(session: Session, corp: CorpId, talks: Iterable[Conversation]) -> dict[Conversation, datetime]:
    """Of these conversations, those whose customer waits, with since when."""
    asked = [and_(WAITS.c.kind == one.kind.value, WAITS.c.key == one.key) for one in talks]
    if not asked:
        return {}
    found = select(WAITS.c.kind, WAITS.c.key, WAITS.c.since).where(
        WAITS.c.corp_id == corp, WAITS.c.outcome == "", or_(*asked)
    )
    rows = session.connection().execute(found)
    return {Conversation(ConversationKind(row.kind), row.key): row.since for row in rows}


def every_wait(session: Session, corp: CorpId, wanted: WaitFilter) -> Iterator[Wait]:
    """All waits that fit, the newest first."""
    cursor = ""
    while True:
        found = waits(session, corp, wanted, cursor=cursor, limit=500)
        yield from found.items
        cursor = found.next_cursor
        if not cursor:
            return


def _wait(row: Any) -> Wait:
    return Wait(
        id=row.id,
        conversation=Conversation(ConversationKind(row.kind), row.key),
        staff=row.staff_userid,
        external_user=row.external_userid,
        since=row.since,
        position=row.position,
        messages=row.messages,
        outcome=row.outcome,
        ended_at=row.ended_at,
        answered_by=row.answered_by,
        worked_seconds=row.worked_seconds,
        told=tuple(row.told),
    )
