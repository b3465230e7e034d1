"""The directory as people read it: the department tree, members with customers and roles, who left."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from sqlmodel import Session, col, func, select

from crm_core import roles
from crm_core.errors import NotFound
from crm_core.ids import CorpId
from crm_core.roles import NOBODY_SPECIAL, Grant
from crm_core.staff import ACTIVE, LEFT
from crm_core.tables import DepartmentRow, FollowRow, StaffRow

STATUS_NAMES = {ACTIVE: "在职", 2: "已停用", 4: "未激活", LEFT: "已离职"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Department:
    """One department with those below it. people: members in it or below who have not left."""

    dept_id: int
    name: str
    people: int
    children: tuple["Department", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member. customers: follows that last."""

    userid: str
    name: str
    position: str
    avatar_url: str
    departments: tuple[str, ...]
    status: int
    can_contact: bool
    customers: int
    grant: Grant

    @property
    def status_name(self) -> str:
        """在职, 已停用, 未激活 or 已离职."""
        return STATUS_NAMES.get(self.status, "未知")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberFilter:
    """Which members to show. dept_id 0: everywhere. status 0: all but those who left. role "": any.

    visible: only these userids; None for everybody. contact: only those with the customer-contact function.
    """

    words: str = ""
    dept_id: int = 0
    status: int = 0
    role: str = ""
    contact: bool = False
    visible: AbstractSet[str] | None = field(default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftBehind:
    """Members who left and still have customers: how many of them, how many customers."""

    members: int
    customers: int


def tree(session: Session, corp: CorpId, visible: AbstractSet[str] | None = None) -> tuple[Department, ...]:
    """All departments from the top. visible: whose members count, None for everybody."""
    rows = session.exec(
        select(DepartmentRow).where(DepartmentRow.corp_id == corp).order_by(col(DepartmentRow.dept_id))
    ).all()
    known = {row.dept_id for row in rows}
    below: dict[int, list[DepartmentRow]] = {}
    for row in rows:
        below.setdefault(row.parent_id if row.parent_id in known else 0, []).append(row)
    inside = [set(row.departments) for row in _members(session, corp, visible) if row.status != LEFT]

    def grow(parent: int, seen: frozenset[int]) -> tuple[tuple[Department, ...], set[int]]:
        found, covered = [], set()
        for row in sorted(below.get(parent, []), key=lambda one: (-one.sort_order, one.dept_id)):
            if row.dept_id in seen:
                continue
            children, ids = grow(row.dept_id, seen | {row.dept_id})
            ids = ids | {row.dept_id}
            people = sum(1 for departments in inside if departments & ids)
            found.append(
                Department(
                    dept_id=row.dept_id, name=row.name or f"部门 {row.dept_id}", people=people, children=children
                )
            )
            covered |= ids
        return tuple(found), covered

    return grow(0, frozenset())[0]


def page(
    session: Session, corp: CorpId, wanted: MemberFilter, *, after: str = "", limit: int = 50
) -> tuple[list[Member], str]:
    """One page by name, and the userid to go on after ("" at the end)."""
    given = roles.grants(session, corp)
    below = roles.departments_below(session, corp, {wanted.dept_id}) if wanted.dept_id else None
    rows = [
        row
        for row in _members(session, corp, wanted.visible)
        if _fits(row, wanted, below) and (not wanted.role or given.get(row.userid, NOBODY_SPECIAL).role == wanted.role)
    ]
    rows.sort(key=lambda row: (row.name or row.userid, row.userid))
    start = next((number + 1 for number, row in enumerate(rows) if row.userid == after), 0) if after else 0
    shown = rows[start : start + limit]
    return _views(session, corp, shown, given), shown[-1].userid if len(rows) > start + limit else ""


def get(session: Session, corp: CorpId, userid: str, visible: AbstractSet[str] | None = None) -> Member:
    """One member. Raises: NotFound, also when not visible."""
    row = session.get(StaffRow, (corp, userid))
    if row is None or (visible is not None and userid not in visible):
        raise NotFound("没有这位成员")
    return _views(session, corp, [row], roles.grants(session, corp))[0]


def left_behind(session: Session, corp: CorpId) -> LeftBehind:
    """Customers whose staff member has left."""
    statement = (
        select(func.count(func.distinct(FollowRow.staff_userid)), func.count())
        .select_from(FollowRow)
        .join(StaffRow, (col(StaffRow.corp_id) == FollowRow.corp_id) & (col(StaffRow.userid) == FollowRow.staff_userid))
        .where(StaffRow.corp_id == corp, StaffRow.status == LEFT, FollowRow.status != "ended")
    )
    members, customers = session.exec(statement).one()
    return LeftBehind(members=members, customers=customers)


def _members(session: Session, corp: CorpId, visible: AbstractSet[str] | None) -> list[StaffRow]:
    rows = session.exec(select(StaffRow).where(StaffRow.corp_id == corp)).all()
    return [row for row in rows if visible is None or row.userid in visible]


def _fits(row: StaffRow, wanted: MemberFilter, below: set[int] | None) -> bool:
    words = wanted.words.strip().casefold()
    return (
        (row.status == wanted.status if wanted.status else row.status != LEFT)
        and (below is None or bool(below & set(row.departments)))
        and (not wanted.contact or row.can_contact)
        and (not words or any(words in text.casefold() for text in (row.name, row.userid, row.alias, row.position)))
    )


def _views(session: Session, corp: CorpId, rows: Sequence[StaffRow], given: dict[str, Grant]) -> list[Member]:
    numbers = _customer_numbers(session, corp, [row.userid for row in rows])
    wanted = {dept_id for row in rows for dept_id in row.departments}
    named = session.exec(
        select(DepartmentRow.dept_id, DepartmentRow.name).where(
            DepartmentRow.corp_id == corp, col(DepartmentRow.dept_id).in_(wanted)
        )
    ).all()
    names = dict(named)
    return [
        Member(
            userid=row.userid,
            name=row.name or row.userid,
            position=row.position,
            avatar_url=row.avatar_url,
            departments=tuple(names.get(dept_id) or f"部门 {dept_id}" for dept_id in row.departments),
            status=row.status,
            can_contact=row.can_contact,
            customers=numbers.get(row.userid, 0),
            grant=given.get(row.userid, NOBODY_SPECIAL),
        )
        for row in rows
    ]


def _customer_numbers(session: Session, corp: CorpId, userids: Iterable[str]) -> dict[str, int]:
    statement = (
        select(FollowRow.staff_userid, func.count())
        .where(FollowRow.corp_id == corp, col(FollowRow.staff_userid).in_(list(userids)), FollowRow.status != "ended")
        .group_by(FollowRow.staff_userid)
    )
    return dict(session.exec(statement).all())
