"""How the SOPs are doing: figures per plan and step, the people inside, what is due. Only reads."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from crm_core import customers, staff
from crm_core.errors import NotFound
from crm_core.ids import CorpId
from sop.model import EnrolmentState, Plan, StepState, parse_plan
from sop.tables import EnrolmentRow, SopRow, StepRunRow

Visible = AbstractSet[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SopCard:
    """One plan by its key. enrolled: enrolments by state since a moment; version: the newest."""

    key: str
    name: str
    version: int
    plan: Plan
    is_running: bool
    created_at: datetime
    enrolled: dict[str, int]

    @property
    def standing(self) -> int:
        """How many stand still inside a paused plan."""
        return self.enrolled.get(EnrolmentState.PAUSED.value, 0)

    @property
    def total(self) -> int:
        """Everybody who came in."""
        return sum(self.enrolled.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFigures:
    """What became of one step. by_state: runs by state."""

    step: int
    key: str
    title: str
    by_state: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """One customer inside a sop with one staff member. next_step counts from 0."""

    id: int
    staff: str
    staff_name: str
    external_user: str
    customer_name: str
    status: str
    next_step: int
    next_at: datetime
    entered_at: datetime
    ended_at: datetime | None
    end_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One step of one enrolment as people see it."""

    id: int
    enrolment_id: int
    step: int
    title: str
    sop_name: str
    staff: str
    staff_name: str
    external_user: str
    customer_name: str
    status: str
    due_at: datetime
    ended_at: datetime | None
    reason: str


def cards(session: Session, corp: CorpId, since: datetime, visible: Visible = None) -> list[SopCard]:
    """Every plan, running ones first. since: whose enrolments count."""
    rows = session.exec(select(SopRow).where(SopRow.corp_id == corp).order_by(col(SopRow.version))).all()
    by_key: dict[str, list[SopRow]] = {}
    for row in rows:
        by_key.setdefault(row.key, []).append(row)
    found = [_card(session, versions, since, visible) for versions in by_key.values()]
    return sorted(found, key=lambda card: (not card.is_running, card.name))


def card(session: Session, corp: CorpId, key: str, since: datetime, visible: Visible = None) -> SopCard:
    """One plan. Raises: NotFound."""
    return _card(session, versions_of(session, corp, key), since, visible)


def _card(session: Session, versions: Sequence[SopRow], since: datetime, visible: Visible) -> SopCard:
    newest = versions[-1]
    statement = (
        select(EnrolmentRow.status, func.count())
        .where(*_of_sops(versions, since), *_seen(col(EnrolmentRow.staff_userid), visible))
        .group_by(EnrolmentRow.status)
    )
    return SopCard(
        key=newest.key,
        name=newest.name,
        version=newest.version,
        plan=parse_plan(newest.plan),
        is_running=any(row.enabled for row in versions),
        created_at=newest.created_at,
        enrolled=dict(session.exec(statement).all()),
    )


def steps(session: Session, corp: CorpId, key: str, since: datetime, visible: Visible = None) -> list[StepFigures]:
    """What became of each step of the newest version's plan, over all versions. Raises: NotFound."""
    versions = versions_of(session, corp, key)
    statement = (
        select(StepRunRow.step, StepRunRow.status, func.count())
        .join(EnrolmentRow, col(EnrolmentRow.id) == StepRunRow.enrolment_id)
        .where(*_of_sops(versions, since), *_seen(col(EnrolmentRow.staff_userid), visible))
        .group_by(col(StepRunRow.step), StepRunRow.status)
    )
    counted: dict[int, dict[str, int]] = {}
    for step, status, number in session.exec(statement).all():
        counted.setdefault(step, {})[status] = number
    plan = parse_plan(versions[-1].plan)
    return [
        StepFigures(step=number, key=step.key, title=step.title, by_state=counted.get(number, {}))
        for number, step in enumerate(plan.steps)
    ]


def enrolments(
    session: Session,
    corp: CorpId,
    key: str,
    since: datetime,
    *,
    status: str = "",
    visible: Visible = None,
    before: int | None = None,
    limit: int = 50,
) -> tuple[list[Enrolment], int | None]:
    """One page of those who came in, newest first, and the id to go on before. Raises: NotFound."""
    clauses = [*_of_sops(versions_of(session, corp, key), since), *_seen(col(EnrolmentRow.staff_userid), visible)]
    if status:
        clauses.append(col(EnrolmentRow.status) == status)
    if before is not None:
        clauses.append(col(EnrolmentRow.id) < before)
    statement = select(EnrolmentRow).where(*clauses).order_by(col(EnrolmentRow.id).desc()).limit(limit + 1)
    rows = session.exec(statement).all()
    shown = rows[:limit]
    return _enrolments(session, corp, shown), shown[-1].id if len(rows) > limit else None


def enrolment(
    session: Session, corp: CorpId, enrolment_id: int, visible: Visible = None
) -> tuple[Enrolment, list[Run]]:
    """One enrolment with its steps so far. Raises: NotFound, also when not visible."""
    row = visible_enrolment(session, corp, enrolment_id, visible)
    runs = session.exec(
        select(StepRunRow).where(StepRunRow.enrolment_id == enrolment_id).order_by(col(StepRunRow.step))
    ).all()
    return _enrolments(session, corp, [row])[0], _runs(session, corp, runs)


def runs(
    session: Session,
    corp: CorpId,
    key: str,
    since: datetime,
    *,
    step: int,
    status: str,
    visible: Visible = None,
    before: int | None = None,
    limit: int = 50,
) -> tuple[list[Run], int | None]:
    """One page of what became of one step, newest first. Raises: NotFound."""
    clauses = [
        *_of_sops(versions_of(session, corp, key), since),
        *_seen(col(EnrolmentRow.staff_userid), visible),
        col(StepRunRow.step) == step,
        col(StepRunRow.status) == status,
    ]
    if before is not None:
        clauses.append(col(StepRunRow.id) < before)
    statement = select(StepRunRow).join(EnrolmentRow, col(EnrolmentRow.id) == StepRunRow.enrolment_id).where(*clauses)
    rows = session.exec(statement.order_by(col(StepRunRow.id).desc()).limit(limit + 1)).all()
    shown = rows[:limit]
    return _runs(session, corp, shown), shown[-1].id if len(rows) > limit else None


@dataclass(frozen=True, slots=True, kw_only=True)
class DueCounts:
    """Todos that wait. today: due since midnight; overdue: due before."""

    today: int
    overdue: int


def due_counts(session: Session, corp: CorpId, midnight: datetime, visible: Visible = None) -> DueCounts:
    """How many todos wait for the staff one may see. midnight: of today, aware."""
    mine = [*_due(corp), *_seen(col(StepRunRow.staff_userid), visible)]
    all_due = session.exec(select(func.count()).select_from(StepRunRow).where(*mine)).one()
    old = session.exec(select(func.count()).select_from(StepRunRow).where(*mine, StepRunRow.due_at < midnight)).one()
    return DueCounts(today=all_due - old, overdue=old)


def due_runs(
    session: Session,
    corp: CorpId,
    midnight: datetime,
    *,
    overdue: bool | None = None,
    visible: Visible = None,
    after: int | None = None,
    limit: int = 50,
) -> tuple[list[Run], int | None]:
    """One page of todos that wait, in the order they came up, and the id to go on after. overdue None: both kinds."""
    clauses = [*_due(corp), *_seen(col(StepRunRow.staff_userid), visible)]
    if overdue is not None:
        due = col(StepRunRow.due_at)
        clauses.append(due < midnight if overdue else due >= midnight)
    if after is not None:
        clauses.append(col(StepRunRow.id) > after)
    rows = session.exec(select(StepRunRow).where(*clauses).order_by(col(StepRunRow.id)).limit(limit + 1)).all()
    shown = rows[:limit]
    return _runs(session, corp, shown), shown[-1].id if len(rows) > limit else None


def versions_of(session: Session, corp: CorpId, key: str, *, for_update: bool = False) -> Sequence[SopRow]:
    """All versions of a plan, oldest first. Raises: NotFound."""
    statement = select(SopRow).where(SopRow.corp_id == corp, SopRow.key == key).order_by(col(SopRow.version))
    rows = session.exec(statement.with_for_update() if for_update else statement).all()
    if not rows:
        raise NotFound("没有这个 SOP")
    return rows


def _of_sops(versions: Sequence[SopRow], since: datetime) -> list[ColumnElement[bool]]:
    return [col(EnrolmentRow.sop_id).in_([row.id for row in versions]), col(EnrolmentRow.entered_at) >= since]


def _due(corp: CorpId) -> list[ColumnElement[bool]]:
    return [col(StepRunRow.corp_id) == corp, col(StepRunRow.status) == StepState.DUE.value]


def _seen(column: Any, visible: Visible) -> list[ColumnElement[bool]]:
    return [] if visible is None else [column.in_(visible)]


def visible_enrolment(
    session: Session, corp: CorpId, enrolment_id: int, visible: Visible, *, for_update: bool = False
) -> EnrolmentRow:
    """The row of one enrolment. Raises: NotFound, also when not visible."""
    row = session.get(EnrolmentRow, enrolment_id, with_for_update=for_update or None)
    if row is None or row.corp_id != corp or (visible is not None and row.staff_userid not in visible):
        raise NotFound("没有这条记录")
    return row


def _names(
    session: Session, corp: CorpId, rows: Iterable[EnrolmentRow | StepRunRow]
) -> tuple[dict[str, str], dict[str, str]]:
    rows = list(rows)
    people = staff.names(session, corp, {row.staff_userid for row in rows})
    return people, customers.display_names(session, corp, {row.external_userid for row in rows})


def _enrolments(session: Session, corp: CorpId, rows: Sequence[EnrolmentRow]) -> list[Enrolment]:
    people, guests = _names(session, corp, rows)
    return [
        Enrolment(
            id=row.id or 0,
            staff=row.staff_userid,
            staff_name=people[row.staff_userid],
            external_user=row.external_userid,
            customer_name=guests[row.external_userid] or "未知客户",
            status=row.status,
            next_step=row.next_step,
            next_at=row.next_at,
            entered_at=row.entered_at,
            ended_at=row.ended_at,
            end_reason=row.end_reason,
        )
        for row in rows
    ]


def _runs(session: Session, corp: CorpId, rows: Sequence[StepRunRow]) -> list[Run]:
    people, guests = _names(session, corp, rows)
    return [
        Run(
            id=row.id or 0,
            enrolment_id=row.enrolment_id,
            step=row.step,
            title=row.title,
            sop_name=row.sop_name,
            staff=row.staff_userid,
            staff_name=people[row.staff_userid],
            external_user=row.external_userid,
            customer_name=guests[row.external_userid] or "未知客户",
            status=row.status,
            due_at=row.due_at,
            ended_at=row.ended_at,
            reason=row.reason,
        )
        for row in rows
    ]
