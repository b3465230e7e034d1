"""Departments and staff as WeCom's directory knows them."""

from collections.abc import Iterable

from sqlalchemy import bindparam, update
from sqlmodel import Session, col, select

from crm_core.db import UnitOfWork, remembered
from crm_core.events import (
    DepartmentCreated,
    DepartmentDeleted,
    DepartmentUpdated,
    StaffCreated,
    StaffDeleted,
    StaffUpdated,
)
from crm_core.ids import CorpId, StaffUserId
from crm_core.listing import batches
from crm_core.ports import DepartmentFacts, StaffFacts
from crm_core.tables import DepartmentRow, FollowRow, StaffRoleRow, StaffRow, TimelineRow, WelcomeMessageRow

LEFT = 5
ACTIVE = 1


def apply_staff(uow: UnitOfWork, corp: CorpId, facts: StaffFacts) -> None:
    """Bring one member in step with WeCom; fields that WeCom does not tell keep their value."""
    row = uow.session.get(StaffRow, (corp, facts.userid)) or StaffRow(corp_id=corp, userid=facts.userid)
    row.name, row.alias = facts.name or row.name, facts.alias or row.alias
    row.avatar_url, row.position = facts.avatar_url or row.avatar_url, facts.position or row.position
    row.departments = list(facts.departments) or row.departments
    row.main_department = facts.main_department or row.main_department
    row.status = facts.status or row.status
    row.synced_at = uow.now()
    uow.session.add(row)


def apply_departments(uow: UnitOfWork, corp: CorpId, departments: Iterable[DepartmentFacts]) -> None:
    """Bring all departments in step; those WeCom no longer lists are removed."""
    listed = {facts.dept_id: facts for facts in departments}
    for row in uow.session.exec(select(DepartmentRow).where(DepartmentRow.corp_id == corp)):
        if row.dept_id not in listed:
            uow.session.delete(row)
    for facts in listed.values():
        row = uow.session.get(DepartmentRow, (corp, facts.dept_id)) or DepartmentRow(
            corp_id=corp, dept_id=facts.dept_id
        )
        row.name, row.parent_id, row.sort_order = facts.name or row.name, facts.parent_id, facts.sort_order
        row.synced_at = uow.now()
        uow.session.add(row)


def apply_contact_scope(uow: UnitOfWork, corp: CorpId, follow_staff: Iterable[StaffUserId]) -> None:
    """Remember who has the customer-contact function; unknown members are added by id."""
    allowed = set(follow_staff)
    for row in uow.session.exec(select(StaffRow).where(StaffRow.corp_id == corp)):
        row.can_contact = row.userid in allowed
        uow.session.add(row)
        allowed.discard(StaffUserId(row.userid))
    for userid in sorted(allowed):
        uow.session.add(StaffRow(corp_id=corp, userid=userid, can_contact=True, synced_at=uow.now()))


def mark_left(uow: UnitOfWork, corp: CorpId, listed: set[str]) -> int:
    """After a full listing: members that WeCom no longer lists have left. Answers how many."""
    rows = uow.session.exec(select(StaffRow).where(StaffRow.corp_id == corp, StaffRow.status != LEFT)).all()
    gone = [row for row in rows if row.userid not in listed]
    for row in gone:
        row.status, row.can_contact = LEFT, False
        uow.session.add(row)
    return len(gone)


def record_created(event: StaffCreated, uow: UnitOfWork) -> None:
    """A member joined."""
    apply_staff(uow, event.corp, _facts(event.staff, {"Status": ACTIVE, **event.fields}))


def record_updated(event: StaffUpdated, uow: UnitOfWork) -> None:
    """A member changed; a changed userid is carried through all that hangs on it."""
    if event.new_staff is not None and event.new_staff != event.staff:
        _rename(uow, event.corp, event.staff, event.new_staff)
    apply_staff(uow, event.corp, _facts(event.new_staff or event.staff, event.fields))


def record_deleted(event: StaffDeleted, uow: UnitOfWork) -> None:
    """A member left; the follows stay until they are transferred."""
    row = uow.session.get(StaffRow, (event.corp, event.staff))
    if row is not None:
        row.status, row.can_contact = LEFT, False
        uow.session.add(row)


def record_department(event: DepartmentCreated | DepartmentUpdated, uow: UnitOfWork) -> None:
    """A department was made, renamed or moved."""
    row = uow.session.get(DepartmentRow, (event.corp, event.dept_id)) or DepartmentRow(
        corp_id=event.corp, dept_id=event.dept_id
    )
    row.name = event.name if event.name is not None else row.name
    row.parent_id = event.parent_id if event.parent_id is not None else row.parent_id
    if isinstance(event, DepartmentCreated) and event.sort_order is not None:
        row.sort_order = event.sort_order
    uow.session.add(row)


def record_department_deleted(event: DepartmentDeleted, uow: UnitOfWork) -> None:
    """A department is gone."""
    row = uow.session.get(DepartmentRow, (event.corp, event.dept_id))
    if row is not None:
        uow.session.delete(row)


_FIND_NAMES = select(StaffRow.userid, StaffRow.name).where(
    StaffRow.corp_id == bindparam("corp"), col(StaffRow.userid).in_(bindparam("userids", expanding=True))
)


def names(session: Session, corp: CorpId, userids: Iterable[str]) -> dict[str, str]:
    """Display names by userid; a member without a known name shows the userid."""
    wanted = set(userids)
    known: dict[str, str] = remembered(session, ("staff names", corp), dict[str, str])
    if missing := wanted - known.keys():
        rows = session.exec(_FIND_NAMES, params={"corp": corp, "userids": list(missing)}).all()
        known |= {userid: userid for userid in missing} | {userid: name or userid for userid, name in rows}
    return {userid: known[userid] for userid in wanted}


def department_names(session: Session, corp: CorpId) -> list[tuple[int, str]]:
    """Every department with its name, in WeCom's order."""
    rows = session.exec(
        select(DepartmentRow)
        .where(DepartmentRow.corp_id == corp)
        .order_by(col(DepartmentRow.sort_order).desc(), col(DepartmentRow.dept_id))
    )
    return [(row.dept_id, row.name or str(row.dept_id)) for row in rows]


def first_departments(session: Session, corp: CorpId, userids: Iterable[str]) -> dict[str, int]:
    """The first department of each member who has one."""
    wanted = col(StaffRow.userid).in_(set(userids))
    rows = session.exec(select(StaffRow.userid, StaffRow.departments).where(StaffRow.corp_id == corp, wanted))
    return {userid: inside[0] for userid, inside in rows if inside}


def root_departments(session: Session, corp: CorpId) -> list[int]:
    """The departments above which there is none that we know."""
    parents = dict(
        session.exec(select(DepartmentRow.dept_id, DepartmentRow.parent_id).where(DepartmentRow.corp_id == corp)).all()
    )
    return sorted(number for number, parent in parents.items() if parent not in parents)


def departments_above(session: Session, corp: CorpId, staff: StaffUserId) -> frozenset[int]:
    """The departments a member is in and all those above them."""
    return remembered(session, ("departments above", corp, staff), lambda: _departments_above(session, corp, staff))


def _departments_above(session: Session, corp: CorpId, staff: StaffUserId) -> frozenset[int]:
    row = session.get(StaffRow, (corp, staff))
    parents = dict(
        session.exec(select(DepartmentRow.dept_id, DepartmentRow.parent_id).where(DepartmentRow.corp_id == corp)).all()
    )
    found: set[int] = set()
    waiting = list(row.departments) if row is not None else []
    while waiting:
        department = waiting.pop()
        if department and department not in found:
            found.add(department)
            waiting.append(parents.get(department, 0))
    return frozenset(found)


def face(session: Session, corp: CorpId, staff: StaffUserId) -> tuple[str, str]:
    """A member's name and the address of their picture, for eyes outside the company; "" where we know neither."""
    row = session.get(StaffRow, (corp, staff))
    return (row.name, row.avatar_url) if row is not None else ("", "")


def is_active(session: Session, corp: CorpId, staff: StaffUserId) -> bool:
    """Whether the member is known and can work. A member we have not synced yet counts as active."""
    row = session.get(StaffRow, (corp, staff))
    return row is None or row.status == ACTIVE


def is_known(session: Session, corp: CorpId, staff: StaffUserId) -> bool:
    """Whether this is a member of the corp who has not left."""
    row = session.get(StaffRow, (corp, staff))
    return row is not None and row.status != LEFT


def known_among(session: Session, corp: CorpId, userids: Iterable[str]) -> frozenset[str]:
    """Which of these are members of the corp, those who left included."""
    found: set[str] = set()
    for some in batches(userids):
        found.update(
            session.exec(select(StaffRow.userid).where(StaffRow.corp_id == corp, col(StaffRow.userid).in_(some)))
        )
    return frozenset(found)


def listing(session: Session, corp: CorpId, *, contact_only: bool = False) -> list[StaffRow]:
    """All members that have not left, by name."""
    statement = select(StaffRow).where(StaffRow.corp_id == corp, StaffRow.status != LEFT)
    if contact_only:
        statement = statement.where(col(StaffRow.can_contact).is_(True))
    return list(session.exec(statement.order_by(StaffRow.name, StaffRow.userid)))


def departments(session: Session, corp: CorpId) -> list[tuple[int, str]]:
    """All departments with their names, indented by depth, in WeCom's order (larger order first)."""
    rows = session.exec(select(DepartmentRow).where(DepartmentRow.corp_id == corp)).all()
    below: dict[int, list[DepartmentRow]] = {}
    for row in rows:
        below.setdefault(row.parent_id, []).append(row)
    known = {row.dept_id for row in rows}
    found: list[tuple[int, str]] = []

    def walk(parent: int, depth: int) -> None:
        for row in sorted(below.pop(parent, []), key=lambda one: (-one.sort_order, one.dept_id)):
            found.append((row.dept_id, "\u3000" * depth + (row.name or str(row.dept_id))))
            walk(row.dept_id, depth + 1)

    for root in sorted({row.parent_id for row in rows} - known):
        walk(root, 0)
    return found


def _rename(uow: UnitOfWork, corp: CorpId, old: StaffUserId, new: StaffUserId) -> None:
    """Carry everything to the new userid. A sync may have found the new one first: then both records become one."""
    session = uow.session
    _merge_follows(session, corp, old, new)
    for table in (FollowRow, TimelineRow):
        session.execute(
            update(table).where(col(table.corp_id) == corp, col(table.staff_userid) == old).values(staff_userid=new)
        )
    for kind, name in ((StaffRow, "userid"), (StaffRoleRow, "userid"), (WelcomeMessageRow, "staff_userid")):
        row = session.get(kind, (corp, old))
        if row is not None:
            if session.get(kind, (corp, new)) is None:
                session.add(kind(**{**row.model_dump(), name: new}))
            session.delete(row)
    session.flush()


def _merge_follows(session: Session, corp: CorpId, old: StaffUserId, new: StaffUserId) -> None:
    """Where both userids follow the same customer, the new follow takes over where the customer came from."""
    of_new = {
        row.external_userid: row
        for row in session.exec(select(FollowRow).where(FollowRow.corp_id == corp, FollowRow.staff_userid == new))
    }
    doubles = select(FollowRow).where(
        FollowRow.corp_id == corp, FollowRow.staff_userid == old, col(FollowRow.external_userid).in_(of_new)
    )
    for row in session.exec(doubles):
        kept = of_new[row.external_userid]
        kept.started_at = min(kept.started_at, row.started_at)
        kept.contact_way_id, kept.state = kept.contact_way_id or row.contact_way_id, kept.state or row.state
        session.add(kept)
        session.delete(row)
    session.flush()


def _facts(userid: StaffUserId, fields: dict[str, object]) -> StaffFacts:
    departments = tuple(int(part) for part in str(fields.get("Department") or "").split(",") if part.strip().isdigit())
    status = str(fields.get("Status") or "")
    return StaffFacts(
        userid=userid,
        name=str(fields.get("Name") or ""),
        alias=str(fields.get("Alias") or ""),
        avatar_url=str(fields.get("Avatar") or ""),
        position=str(fields.get("Position") or ""),
        departments=departments,
        main_department=int(str(fields.get("MainDepartment") or "0") or 0),
        status=int(status) if status.isdecimal() else 0,
    )
