"""Looking at durable work: how much waits where, one page of rows, one row. For the inbox, the outbox and the jobs.

Reads follow indexes: open rows by the partial index, ended ones by (state, finished_ms), pages by the primary key.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, ColumnElement, CursorResult, Row, Table, and_, func, literal_column, or_, select, update
from sqlmodel import Session

from crm_core.db import UnitOfWork
from crm_core.errors import Conflict, NotFound
from crm_core.ids import CorpId
from crm_core.lease import REPLAYABLE_STATES, WorkState

GOOD_STATES = (WorkState.DONE.value, WorkState.IGNORED.value)
MOST_COUNTED = 10_000
RECENT_ROWS = 20_000
# What a row becomes when a person has looked at it and nothing more is to be done.
CHECKED_STATES = {
    WorkState.UNKNOWN.value: WorkState.DONE.value,
    WorkState.DEAD.value: WorkState.IGNORED.value,
    WorkState.EXPIRED.value: WorkState.IGNORED.value,
    WorkState.QUARANTINED.value: WorkState.IGNORED.value,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkFilter:
    """Which rows to show. Empty means any. since_ms, until_ms: when they were stored, milliseconds UTC."""

    states: tuple[str, ...] = ()
    lane: str = ""
    kind: str = ""
    since_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkCounts:
    """open, given_up: rows by (lane, state). ended_well: rows by state, at most ``MOST_COUNTED`` + 1."""

    open: dict[tuple[str, str], int]
    given_up: dict[tuple[str, str], int]
    ended_well: dict[str, int]

    def of(self, state: str) -> int:
        """All lanes together."""
        by_lane = {**self.open, **self.given_up}
        return sum(number for (_, found), number in by_lane.items() if found == state) + self.ended_well.get(state, 0)

    @property
    def waiting(self) -> int:
        """Rows that wait or are worked on."""
        return sum(self.open.values())

    @property
    def lanes(self) -> list[str]:
        """Every lane that has rows to look at."""
        return sorted({lane for lane, _ in (*self.open, *self.given_up)})


def counts(session: Session, table: Table, corp: CorpId) -> WorkCounts:
    """How many rows of one corp stand where."""
    return WorkCounts(
        open=_by_lane(session, table, corp, _open_rows(table)),
        given_up=_by_lane(session, table, corp, table.c.state.in_(REPLAYABLE_STATES)),
        ended_well={state: _count_upto(session, table, corp, state) for state in GOOD_STATES},
    )


def _open_rows(table: Table) -> ColumnElement[bool]:
    """Spelled like the partial index, with literals, so that the planner takes it."""
    return literal_column(f"{table.name}.state IN ('ready', 'leased')", Boolean)


def _by_lane(session: Session, table: Table, corp: CorpId, which: ColumnElement[bool]) -> dict[tuple[str, str], int]:
    statement = select(table.c.lane, table.c.state, func.count()).where(which, of_corp(table, corp))
    rows = session.execute(statement.group_by(table.c.lane, table.c.state)).all()
    return {(lane, state): number for lane, state, number in rows}


def _count_upto(session: Session, table: Table, corp: CorpId, state: str) -> int:
    some = select(table.c.id).where(table.c.state == state, of_corp(table, corp)).limit(MOST_COUNTED + 1).subquery()
    return int(session.execute(select(func.count()).select_from(some)).scalar_one())


def of_corp(table: Table, corp: CorpId) -> ColumnElement[bool]:
    """Rows of one corp. Jobs that serve the whole installation belong to nobody and are seen by all."""
    return or_(table.c.corp_id == corp, table.c.corp_id == "")


def page(
    session: Session, table: Table, corp: CorpId, wanted: WorkFilter, *, before: int | None = None, limit: int = 50
) -> tuple[Sequence[Row[Any]], int | None]:
    """One page, newest first, and the id to go on before (None at the end)."""
    clauses = [of_corp(table, corp)]
    if wanted.states:
        clauses.append(table.c.state.in_(wanted.states))
    if wanted.lane:
        clauses.append(table.c.lane == wanted.lane)
    if wanted.kind:
        clauses.append(kind_column(table) == wanted.kind)
    if wanted.since_ms is not None:
        clauses.append(table.c.created_ms >= wanted.since_ms)
    if wanted.until_ms is not None:
        clauses.append(table.c.created_ms < wanted.until_ms)
    if before is not None:
        clauses.append(table.c.id < before)
    rows = session.execute(select(table).where(and_(*clauses)).order_by(table.c.id.desc()).limit(limit + 1)).all()
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def get(session: Session, table: Table, corp: CorpId, row_id: int) -> Row[Any]:
    """One row. Raises: NotFound."""
    row = session.execute(select(table).where(table.c.id == row_id, of_corp(table, corp))).one_or_none()
    if row is None:
        raise NotFound("没有这一行，可能已过保留期")
    return row


def kind_column(table: Table) -> ColumnElement[str]:
    """What tells the kinds of this table's rows apart."""
    return table.c.kind if "kind" in table.c else table.c.event_name


def kinds(session: Session, table: Table) -> list[str]:
    """The kinds among the newest rows, in name order."""
    newest = select(func.max(table.c.id)).scalar_subquery()
    statement = select(kind_column(table)).where(table.c.id > newest - RECENT_ROWS).distinct()
    return sorted(kind for kind in session.execute(statement).scalars() if kind)


def has_open(session: Session, table: Table, corp: CorpId, kind: str) -> bool:
    """Whether a row of this kind waits or is worked on."""
    clauses = (_open_rows(table), of_corp(table, corp), kind_column(table) == kind)
    return session.execute(select(table.c.id).where(*clauses).limit(1)).first() is not None


def newest_ms(session: Session, table: Table, corp: CorpId, *, kind: str = "") -> int | None:
    """When the newest row among the last ``RECENT_ROWS`` was stored; milliseconds UTC, None when there is none."""
    newest = select(func.max(table.c.id)).scalar_subquery()
    clauses = [table.c.id > newest - RECENT_ROWS, of_corp(table, corp)]
    if kind:
        clauses.append(kind_column(table) == kind)
    statement = select(table.c.created_ms).where(*clauses).order_by(table.c.id.desc()).limit(1)
    found = session.execute(statement).scalar_one_or_none()
    return None if found is None else int(found)


def ids_to_replay(session: Session, table: Table, corp: CorpId, ids: Sequence[int]) -> list[int]:
    """Which of these rows are this corp's and can be replayed."""
    statement = select(table.c.id).where(
        table.c.id.in_(list(ids)), table.c.state.in_(REPLAYABLE_STATES), of_corp(table, corp)
    )
    return list(session.execute(statement).scalars())


def mark_checked(uow: UnitOfWork, table: Table, corp: CorpId, row_id: int) -> str:
    """A person has looked at a given-up row: it waits for nobody any more. Answers the state it had.

    Only the row's state changes; what the act should have brought about is not made up for.
    Raises: NotFound, Conflict (the row is not given up, or not any more).
    """
    before = str(get(uow.session, table, corp, row_id).state)
    after = CHECKED_STATES.get(before)
    if after is None:
        raise Conflict("这一行不需要核对")
    dialect = uow.session.connection().dialect.name
    statement = (
        update(table)
        .where(table.c.id == row_id, table.c.state == before)
        .values(state=after, finished_ms=uow.work_clock.expression(dialect))
    )
    changed: CursorResult[Any] = uow.session.connection().execute(statement, uow.work_clock.parameters(dialect))
    if changed.rowcount != 1:
        raise Conflict("这一行刚刚被别人处理过，请刷新")
    return before
