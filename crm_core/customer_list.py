"""The customer list: one row per customer, shown by their latest follow that fits. Walks an index, never counts past.

What other rooms know of a customer (tags) comes in as ``within``: selects of external user ids.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, and_, cast, exists, func, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from crm_core import staff
from crm_core.customers import STAGES
from crm_core.ids import CorpId
from crm_core.listing import PAGE_ROWS, Count, Listed, counted, page_of
from crm_core.profile import ADD_WAYS
from crm_core.tables import ContactWayRow, ExternalUserRow, FollowRow, GroupMemberRow

EXTERNAL_MEMBER = 2


class Order(StrEnum):
    """How the list is ordered."""

    NEWEST = "newest"
    OLDEST = "oldest"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerFilter:
    """What a row must fit. visible, staff: whose follows count, None for everybody's. Moments are aware.

    status: "" | active | half | ended. within: selects of external user ids that must hold the row's.
    """

    words: str = ""
    visible: AbstractSet[str] | None = None
    staff: AbstractSet[str] | None = None
    status: str = ""
    stages: tuple[str, ...] = ()
    contact_way: int = 0
    add_way: int | None = None
    added_from: datetime | None = None
    added_until: datetime | None = None
    lost_from: datetime | None = None
    lost_until: datetime | None = None
    has_mobile: bool | None = None
    in_group: bool | None = None
    chat: str = ""
    within: tuple[Select[Any], ...] = ()
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerLine:
    """One row. staff_name, remark, started_at, ended_at, source: of the follow that shows the customer."""

    external_user: str
    name: str
    avatar_url: str
    kind: int
    gender: int
    corp_name: str
    stage: str
    stage_name: str
    staff: str
    staff_name: str
    staff_count: int
    remark: str
    status: str
    started_at: datetime
    ended_at: datetime | None
    source: str
    mobiles: tuple[str, ...]


KEYS: dict[Order, tuple[Any, ...]] = {
    Order.NEWEST: (col(FollowRow.started_at), col(FollowRow.id)),
    Order.OLDEST: (col(FollowRow.started_at), col(FollowRow.id)),
    Order.LOST: (col(FollowRow.ended_at), col(FollowRow.id)),
}


def page(
    session: Session,
    corp: CorpId,
    wanted: CustomerFilter,
    *,
    order: Order = Order.NEWEST,
    cursor: str = "",
    limit: int = PAGE_ROWS,
) -> Listed[CustomerLine]:
    """One page. Raises: InputInvalid (a cursor of another list)."""
    statement = shown(corp, wanted, order).join(
        ContactWayRow, col(ContactWayRow.id) == FollowRow.contact_way_id, isouter=True
    )
    found: Listed[Any] = page_of(
        session,
        statement.with_only_columns(*_TOLD),
        keys=KEYS[order],
        kinds=(datetime, int),
        descending=order is not Order.OLDEST,
        cursor=cursor,
        tell=lambda row: row,
        key_of=lambda row: (row.ended_at if order is Order.LOST else row.started_at, row.follow_id),
        limit=limit,
    )
    return Listed(items=_lines(session, corp, wanted, found.items), next_cursor=found.next_cursor)


def count(session: Session, corp: CorpId, wanted: CustomerFilter) -> Count:
    """How many customers fit, counted up to a limit."""
    order = Order.LOST if wanted.lost_from or wanted.lost_until else Order.NEWEST
    return counted(session, shown(corp, wanted, order).with_only_columns(col(FollowRow.id)))


def every(
    session: Session, corp: CorpId, wanted: CustomerFilter, *, cursor: str = ""
) -> Iterator[Listed[CustomerLine]]:
    """All pages from ``cursor`` on, the newest follow first; for exports and bulk acts."""
    while True:
        found = page(session, corp, wanted, cursor=cursor, limit=500)
        yield found
        cursor = found.next_cursor
        if not cursor:
            return


_TOLD: tuple[Any, ...] = (
    col(FollowRow.id).label("follow_id"),
    col(FollowRow.external_userid),
    col(FollowRow.staff_userid),
    col(FollowRow.status),
    col(FollowRow.started_at),
    col(FollowRow.ended_at),
    col(FollowRow.remark),
    col(FollowRow.remark_mobiles),
    col(FollowRow.add_way),
    col(ExternalUserRow.name),
    col(ExternalUserRow.avatar_url),
    col(ExternalUserRow.kind),
    col(ExternalUserRow.gender),
    col(ExternalUserRow.corp_name),
    col(ExternalUserRow.lifecycle_stage),
    col(ContactWayRow.name).label("way_name"),
)


def shown(corp: CorpId, wanted: CustomerFilter, order: Order) -> Select[Any]:
    """Every follow that fits and is the last in order among the fitting ones of its customer.

    A rival is looked up by its customer alone: ``_Covered`` keeps planners from walking a time or code index anew for
    every row, which they would choose while they have no statistics.
    """
    other = aliased(FollowRow)
    rival = _Covered(other)
    at, own_at = (
        (rival.ended_at, FollowRow.ended_at) if order is Order.LOST else (rival.started_at, FollowRow.started_at)
    )
    rivals = exists().where(
        col(other.corp_id) == corp,
        col(other.external_userid) == FollowRow.external_userid,
        at >= own_at,
        or_(at > own_at, rival.id > FollowRow.id),
        *_of_follow(rival, wanted, order),
    )
    fitting: Select[Any] = (
        select(FollowRow.id)  # type: ignore[call-overload]
        .join(
            ExternalUserRow,
            and_(
                col(ExternalUserRow.corp_id) == FollowRow.corp_id,
                col(ExternalUserRow.external_userid) == FollowRow.external_userid,
            ),
        )
        .where(
            col(FollowRow.corp_id) == corp,
            *_of_follow(FollowRow, wanted, order),
            ~rivals,
            *_of_customer(corp, wanted),
        )
    )
    return fitting


class _Covered:
    """A follow whose columns no index serves."""

    def __init__(self, row: Any) -> None:
        self._row = row

    def __getattr__(self, name: str) -> Any:
        column = getattr(self._row, name)
        return func.coalesce(column, column, type_=column.type)


def _of_follow(row: Any, wanted: CustomerFilter, order: Order) -> Iterator[ColumnElement[bool]]:
    """What the follow itself must fit; the same for the one shown and for its rivals."""
    if order is Order.LOST:
        yield row.ended_at.is_not(None)
    for allowed in (wanted.visible, wanted.staff):
        if allowed is not None:
            yield row.staff_userid.in_(sorted(allowed))
    if wanted.status:
        yield row.status == wanted.status
    if wanted.contact_way:
        yield row.contact_way_id == wanted.contact_way
    if wanted.add_way is not None:
        yield row.add_way == wanted.add_way
    yield from _within(row.started_at, wanted.added_from, wanted.added_until)
    yield from _within(row.ended_at, wanted.lost_from, wanted.lost_until)
    if wanted.has_mobile is not None:
        has = cast(row.remark_mobiles, Text) != "[]"
        yield has if wanted.has_mobile else ~has


def _within(moment: Any, since: datetime | None, until: datetime | None) -> Iterator[ColumnElement[bool]]:
    if since is not None:
        yield moment >= since
    if until is not None:
        yield moment < until


def _of_customer(corp: CorpId, wanted: CustomerFilter) -> Iterator[ColumnElement[bool]]:
    """What the customer must fit, whichever follow shows them."""
    if wanted.only:
        yield col(FollowRow.external_userid).in_(wanted.only)
    if wanted.stages:
        yield col(ExternalUserRow.lifecycle_stage).in_(wanted.stages)
    if wanted.words:
        yield _says(wanted.words)
    if wanted.chat or wanted.in_group is not None:
        inside = exists().where(
            col(GroupMemberRow.corp_id) == corp,
            col(GroupMemberRow.member_id) == FollowRow.external_userid,
            col(GroupMemberRow.kind) == EXTERNAL_MEMBER,
            col(GroupMemberRow.left_at).is_(None),
            *([col(GroupMemberRow.chat_id) == wanted.chat] if wanted.chat else []),
        )
        yield ~inside if wanted.in_group is False and not wanted.chat else inside
    for listed in wanted.within:
        yield col(FollowRow.external_userid).in_(listed)


def _says(words: str) -> ColumnElement[bool]:
    """Name, remark or company hold the words; letters are also tried as pinyin and its initials."""
    needle = words.strip()
    fits = [
        col(column).icontains(needle, autoescape=True)
        for column in (ExternalUserRow.name, FollowRow.remark, ExternalUserRow.corp_name)
    ]
    letters = needle.replace(" ", "").lower()
    if letters.isascii() and letters.isalpha():
        fits += [
            col(column).contains(letters, autoescape=True)
            for column in (ExternalUserRow.sounds, FollowRow.remark_sounds)
        ]
    if letters.isdigit() and len(letters) >= 4:
        fits.append(cast(col(FollowRow.remark_mobiles), Text).contains(letters))
    fits.append(col(FollowRow.external_userid) == needle)
    return or_(*fits)


def _lines(session: Session, corp: CorpId, wanted: CustomerFilter, rows: Sequence[Any]) -> tuple[CustomerLine, ...]:
    known = staff.names(session, corp, {row.staff_userid for row in rows})
    counts = _staff_counts(session, corp, wanted, [row.external_userid for row in rows])
    return tuple(
        CustomerLine(
            external_user=row.external_userid,
            name=row.name,
            avatar_url=row.avatar_url,
            kind=row.kind,
            gender=row.gender,
            corp_name=row.corp_name,
            stage=row.lifecycle_stage,
            stage_name=STAGES.get(row.lifecycle_stage, row.lifecycle_stage),
            staff=row.staff_userid,
            staff_name=known[row.staff_userid],
            staff_count=counts.get(row.external_userid, 0),
            remark=row.remark,
            status=row.status,
            started_at=row.started_at,
            ended_at=row.ended_at,
            source=row.way_name or ADD_WAYS.get(row.add_way, "其他来源"),
            mobiles=tuple(row.remark_mobiles),
        )
        for row in rows
    )


def _staff_counts(session: Session, corp: CorpId, wanted: CustomerFilter, external_users: list[str]) -> dict[str, int]:
    """How many staff the visitor may see follow each customer now."""
    statement = select(FollowRow.external_userid, FollowRow.staff_userid).where(  # type: ignore[call-overload]
        col(FollowRow.corp_id) == corp,
        col(FollowRow.external_userid).in_(external_users),
        col(FollowRow.status) != "ended",
    )
    found: dict[str, int] = {}
    for external_user, userid in session.connection().execute(statement):
        if wanted.visible is None or userid in wanted.visible:
            found[external_user] = found.get(external_user, 0) + 1
    return found


def follows_of(
    session: Session, corp: CorpId, external_users: Sequence[str], visible: AbstractSet[str] | None
) -> dict[str, list[str]]:
    """The staff who follow each customer now, of those the visitor may see; the longest follow first."""
    statement = (
        select(FollowRow.external_userid, FollowRow.staff_userid)  # type: ignore[call-overload]
        .where(
            col(FollowRow.corp_id) == corp,
            col(FollowRow.external_userid).in_(external_users),
            col(FollowRow.status) == "active",
        )
        .order_by(col(FollowRow.started_at), col(FollowRow.id))
    )
    found: dict[str, list[str]] = {one: [] for one in external_users}
    for external_user, userid in session.connection().execute(statement):
        if visible is None or userid in visible:
            found[external_user].append(userid)
    return found


def phone_book(session: Session, corp: CorpId, visible: AbstractSet[str] | None) -> dict[str, set[str]]:
    """Whose phone number each is, from the remarks of follows in sight; read in one pass for whole files of numbers."""
    statement = select(FollowRow.external_userid, FollowRow.staff_userid, FollowRow.remark_mobiles).where(  # type: ignore[call-overload]
        col(FollowRow.corp_id) == corp, cast(col(FollowRow.remark_mobiles), Text) != "[]"
    )
    found: dict[str, set[str]] = {}
    for external_user, userid, mobiles in session.connection().execute(statement):
        if visible is None or userid in visible:
            for mobile in mobiles:
                found.setdefault(mobile, set()).add(external_user)
    return found
