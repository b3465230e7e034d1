"""What each live code brought: counts for the list, a daily trend and a split by staff for its page."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Text, case, cast, func, select
from sqlmodel import Session, col

from crm_core import staff
from crm_core.clock import midnight_of
from crm_core.ids import CorpId
from crm_core.listing import PAGE_ROWS, Listed, page_of
from crm_core.tables import ContactWayRow, FollowRow

STATUS_NAMES = {
    "creating": "创建中",
    "active": "使用中",
    "changing": "更新中",
    "failed": "创建失败",
    "unknown": "结果未知",
    "deleting": "删除中",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WayFilter:
    """What a live code must fit. visible: whose follows are counted, None for everybody's."""

    words: str = ""
    status: str = ""
    staff: str = ""
    visible: AbstractSet[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WayLine:
    """One live code with its figures: follows begun today and ever, and those of them that ended."""

    id: int
    name: str
    status: str
    status_name: str
    last_error: str
    qr_url: str
    staff_names: tuple[str, ...]
    departments: int
    tag_ids: tuple[str, ...]
    today: int
    total: int
    lost: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffSplit:
    """What one staff member got from a live code."""

    staff: str
    name: str
    total: int
    lost: int


def page(
    session: Session,
    corp: CorpId,
    wanted: WayFilter,
    *,
    now: datetime,
    zone: ZoneInfo,
    cursor: str = "",
    limit: int = PAGE_ROWS,
) -> Listed[WayLine]:
    """One page, the newest first. Raises: InputInvalid."""
    table = ContactWayRow.__table__  # type: ignore[attr-defined]
    statement = select(table).where(table.c.corp_id == corp, table.c.status != "deleted")
    if wanted.words:
        statement = statement.where(table.c.name.icontains(wanted.words, autoescape=True))
    if wanted.status:
        statement = statement.where(table.c.status == wanted.status)
    if wanted.staff:
        statement = statement.where(cast(table.c.staff, Text).contains(f'"{wanted.staff}"', autoescape=True))
    found: Listed[Any] = page_of(
        session,
        statement,
        keys=(table.c.id,),
        kinds=(int,),
        descending=True,
        cursor=cursor,
        tell=lambda row: row,
        key_of=lambda row: (row.id,),
        limit=limit,
    )
    lines = _lines(session, corp, found.items, wanted.visible, midnight_of(now, zone))
    return Listed(items=tuple(lines), next_cursor=found.next_cursor)


def every(
    session: Session, corp: CorpId, visible: AbstractSet[str] | None, now: datetime, zone: ZoneInfo
) -> Iterator[WayLine]:
    """All live codes, for exports."""
    cursor = ""
    while True:
        found = page(session, corp, WayFilter(visible=visible), now=now, zone=zone, cursor=cursor, limit=200)
        yield from found.items
        cursor = found.next_cursor
        if not cursor:
            return


def read(
    session: Session, corp: CorpId, row: ContactWayRow, visible: AbstractSet[str] | None, now: datetime, zone: ZoneInfo
) -> WayLine:
    """The figures of one live code."""
    return next(iter(_lines(session, corp, [row], visible, midnight_of(now, zone))))


def _lines(
    session: Session, corp: CorpId, rows: Sequence[Any], visible: AbstractSet[str] | None, midnight: datetime
) -> Iterator[WayLine]:
    counts = _counts(session, corp, [row.id for row in rows], visible, midnight)
    known = staff.names(session, corp, {userid for row in rows for userid in row.staff})
    for row in rows:
        today, total, lost = counts.get(row.id, (0, 0, 0))
        yield WayLine(
            id=row.id,
            name=row.name,
            status=row.status,
            status_name=STATUS_NAMES.get(row.status, row.status),
            last_error=row.last_error,
            qr_url=row.qr_url,
            staff_names=tuple(known[userid] for userid in row.staff),
            departments=len(row.departments),
            tag_ids=tuple(row.tag_ids),
            today=today,
            total=total,
            lost=lost,
            created_at=row.created_at,
        )


def _brought(corp: CorpId, way: ColumnElement[bool], visible: AbstractSet[str] | None) -> list[ColumnElement[bool]]:
    mine = [col(FollowRow.corp_id) == corp, way]
    return mine if visible is None else [*mine, col(FollowRow.staff_userid).in_(sorted(visible))]


def _sum(fits: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((fits, 1), else_=0)), 0)


def _counts(
    session: Session, corp: CorpId, ways: list[int], visible: AbstractSet[str] | None, midnight: datetime
) -> dict[int, tuple[int, int, int]]:
    statement = (
        select(
            col(FollowRow.contact_way_id),
            _sum(col(FollowRow.started_at) >= midnight),
            func.count(),
            _sum(col(FollowRow.status) == "ended"),
        )
        .where(*_brought(corp, col(FollowRow.contact_way_id).in_(ways), visible))
        .group_by(col(FollowRow.contact_way_id))
    )
    return {
        int(way or 0): (int(today), int(total), int(lost))
        for way, today, total, lost in session.connection().execute(statement)
    }


def trend(
    session: Session,
    corp: CorpId,
    way: int,
    visible: AbstractSet[str] | None,
    *,
    now: datetime,
    zone: ZoneInfo,
    days: int = 30,
) -> list[tuple[date, int]]:
    """Follows begun on each of the last ``days`` days of the company's calendar, the oldest first."""
    midnight = midnight_of(now, zone)
    edges = [midnight - timedelta(days=back) for back in range(days - 1, -1, -1)]
    begun = col(FollowRow.started_at)
    columns = [_sum((begun >= edge) & (begun < edge + timedelta(days=1))) for edge in edges]
    statement = select(*columns).where(
        *_brought(corp, col(FollowRow.contact_way_id) == way, visible), begun >= edges[0]
    )
    row = session.connection().execute(statement).one()
    return [(edge.astimezone(zone).date(), int(count)) for edge, count in zip(edges, row, strict=True)]


def by_staff(session: Session, corp: CorpId, way: int, visible: AbstractSet[str] | None) -> list[StaffSplit]:
    """What each staff member got, the most first."""
    statement = (
        select(col(FollowRow.staff_userid), func.count(), _sum(col(FollowRow.status) == "ended"))
        .where(*_brought(corp, col(FollowRow.contact_way_id) == way, visible))
        .group_by(col(FollowRow.staff_userid))
        .order_by(func.count().desc(), col(FollowRow.staff_userid))
    )
    rows = session.connection().execute(statement).all()
    known = staff.names(session, corp, [userid for userid, _, _ in rows])
    return [
        StaffSplit(staff=userid, name=known[userid], total=int(total), lost=int(lost)) for userid, total, lost in rows
    ]
