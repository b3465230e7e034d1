"""The customer group list with today's joins and leaves, and the members of one group."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, case, exists, func, or_, select
from sqlmodel import Session, col

from crm_core import staff
from crm_core.clock import midnight_of
from crm_core.db import UtcDateTime
from crm_core.groups import EXTERNAL_MEMBER, STAFF_MEMBER
from crm_core.ids import CorpId
from crm_core.listing import PAGE_ROWS, Listed, page_of
from crm_core.tables import CustomerGroupRow, ExternalUserRow, GroupMemberRow

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
JOIN_SCENES = {1: "员工邀请", 2: "链接邀请", 3: "扫码入群"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFilter:
    """What a group must fit. visible: who must own it or be inside, None for any."""

    words: str = ""
    owner: str = ""
    status: str = ""
    visible: AbstractSet[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLine:
    """One group. members, customers: inside now; joined_today, left_today: customers since midnight."""

    chat: str
    name: str
    owner: str
    owner_name: str
    notice: str
    status: str
    members: int
    customers: int
    joined_today: int
    left_today: int
    created_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLine:
    """One member. is_inside: still in the group; is_customer: has a record among the customers."""

    member_id: str
    name: str
    is_staff: bool
    is_customer: bool
    is_inside: bool
    how: str
    invitor_name: str
    joined_at: datetime | None
    left_at: datetime | None


def page(
    session: Session,
    corp: CorpId,
    wanted: GroupFilter,
    *,
    now: datetime,
    zone: ZoneInfo,
    cursor: str = "",
    limit: int = PAGE_ROWS,
) -> Listed[GroupLine]:
    """One page, the youngest groups first. Raises: InputInvalid."""
    born = func.coalesce(CustomerGroupRow.created_at, EPOCH, type_=UtcDateTime)
    found: Listed[Any] = page_of(
        session,
        _fitting(corp, wanted, born),
        keys=(born, col(CustomerGroupRow.chat_id)),
        kinds=(datetime, str),
        descending=True,
        cursor=cursor,
        tell=lambda row: row,
        key_of=lambda row: (row.born, row.chat_id),
        limit=limit,
    )
    lines = _lines(session, corp, found.items, midnight_of(now, zone))
    return Listed(items=tuple(lines), next_cursor=found.next_cursor)


def every(
    session: Session, corp: CorpId, visible: AbstractSet[str] | None, now: datetime, zone: ZoneInfo
) -> Iterator[GroupLine]:
    """All groups in sight, for exports."""
    cursor = ""
    while True:
        found = page(session, corp, GroupFilter(visible=visible), now=now, zone=zone, cursor=cursor, limit=200)
        yield from found.items
        cursor = found.next_cursor
        if not cursor:
            return


def read(session: Session, corp: CorpId, chat: str, *, now: datetime, zone: ZoneInfo) -> GroupLine | None:
    """One group, None when it is not there."""
    born = func.coalesce(CustomerGroupRow.created_at, EPOCH, type_=UtcDateTime)
    rows = (
        session.connection()
        .execute(_fitting(corp, GroupFilter(), born).where(col(CustomerGroupRow.chat_id) == chat))
        .all()
    )
    return next(iter(_lines(session, corp, rows, midnight_of(now, zone))), None)


def _fitting(corp: CorpId, wanted: GroupFilter, born: ColumnElement[Any]) -> Select[Any]:
    statement = select(*CustomerGroupRow.__table__.c, born.label("born")).where(  # type: ignore[attr-defined]
        col(CustomerGroupRow.corp_id) == corp
    )
    if wanted.words:
        statement = statement.where(col(CustomerGroupRow.name).icontains(wanted.words, autoescape=True))
    if wanted.owner:
        statement = statement.where(col(CustomerGroupRow.owner) == wanted.owner)
    if wanted.status:
        statement = statement.where(col(CustomerGroupRow.status) == wanted.status)
    if wanted.visible is not None:
        names = sorted(wanted.visible)
        inside = exists().where(
            col(GroupMemberRow.corp_id) == corp,
            col(GroupMemberRow.chat_id) == CustomerGroupRow.chat_id,
            col(GroupMemberRow.kind) == STAFF_MEMBER,
            col(GroupMemberRow.left_at).is_(None),
            col(GroupMemberRow.member_id).in_(names),
        )
        statement = statement.where(or_(col(CustomerGroupRow.owner).in_(names), inside))
    return statement


def _lines(session: Session, corp: CorpId, rows: Sequence[Any], midnight: datetime) -> Iterator[GroupLine]:
    counts = _counts(session, corp, [row.chat_id for row in rows], midnight)
    known = staff.names(session, corp, {row.owner for row in rows if row.owner})
    for row in rows:
        members, customers, joined, left = counts.get(row.chat_id, (0, 0, 0, 0))
        yield GroupLine(
            chat=row.chat_id,
            name=row.name,
            owner=row.owner,
            owner_name=known.get(row.owner, ""),
            notice=row.notice,
            status=row.status,
            members=members,
            customers=customers,
            joined_today=joined,
            left_today=left,
            created_at=row.created_at,
        )


def _counts(
    session: Session, corp: CorpId, chats: list[str], midnight: datetime
) -> dict[str, tuple[int, int, int, int]]:
    inside, customer = col(GroupMemberRow.left_at).is_(None), col(GroupMemberRow.kind) == EXTERNAL_MEMBER

    def how_many(*fits: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((fits[0] if len(fits) == 1 else fits[0] & fits[1], 1), else_=0)), 0)

    statement = (
        select(
            col(GroupMemberRow.chat_id),
            how_many(inside),
            how_many(inside, customer),
            how_many(customer, col(GroupMemberRow.joined_at) >= midnight),
            how_many(customer, col(GroupMemberRow.left_at) >= midnight),
        )
        .where(col(GroupMemberRow.corp_id) == corp, col(GroupMemberRow.chat_id).in_(chats))
        .group_by(col(GroupMemberRow.chat_id))
    )
    return {
        chat: (int(members), int(customers), int(joined), int(left))
        for chat, members, customers, joined, left in session.connection().execute(statement)
    }


def members(session: Session, corp: CorpId, chat: str, *, limit: int = 1000) -> list[MemberLine]:
    """Who is and was inside: those inside first, then by when they came."""
    statement = (
        select(*GroupMemberRow.__table__.c, ExternalUserRow.name.label("known_as"))  # type: ignore[attr-defined]
        .join(
            ExternalUserRow,
            (col(ExternalUserRow.corp_id) == GroupMemberRow.corp_id)
            & (col(ExternalUserRow.external_userid) == GroupMemberRow.member_id),
            isouter=True,
        )
        .where(col(GroupMemberRow.corp_id) == corp, col(GroupMemberRow.chat_id) == chat)
        .order_by(
            case((col(GroupMemberRow.left_at).is_(None), 0), else_=1),
            col(GroupMemberRow.joined_at),
            col(GroupMemberRow.member_id),
        )
        .limit(limit)
    )
    rows = session.connection().execute(statement).all()
    known = staff.names(
        session, corp, {row.member_id for row in rows if row.kind == STAFF_MEMBER} | {row.invitor for row in rows}
    )
    return [
        MemberLine(
            member_id=row.member_id,
            name=known.get(row.member_id, "") if row.kind == STAFF_MEMBER else row.name or row.known_as or "微信用户",
            is_staff=row.kind == STAFF_MEMBER,
            is_customer=row.known_as is not None,
            is_inside=row.left_at is None,
            how=JOIN_SCENES.get(row.join_scene, "其他方式"),
            invitor_name=known.get(row.invitor, "") if row.invitor else "",
            joined_at=row.joined_at,
            left_at=row.left_at,
        )
        for row in rows
    ]
