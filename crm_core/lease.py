"""Durable work: rows that are claimed with a lease, done, retried or given up.

One implementation serves the inbox, the outbox and the jobs table, on SQLite and PostgreSQL. Times are
milliseconds of the work clock: PostgreSQL's own clock there, this machine's on SQLite, a given one in tests.
"""

import functools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    CursorResult,
    Executable,
    Row,
    Table,
    bindparam,
    case,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert
from sqlmodel import Field, Session, SQLModel

from crm_core.db import BigId, WorkClock
from crm_core.errors import LeaseLost


class WorkState(StrEnum):
    """Where a row stands.

    ready: waits for run_at (also for a retry). leased: somebody works on it. The rest are final:
    done | dead (gave up; can be replayed) | unknown (an act on the outside that may have happened) |
    expired (deadline passed) | ignored (a callback we do not use) | quarantined (a callback that makes no sense).
    """

    READY = "ready"
    LEASED = "leased"
    DONE = "done"
    DEAD = "dead"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    IGNORED = "ignored"
    QUARANTINED = "quarantined"


REPLAYABLE_STATES = (
    WorkState.DEAD.value,
    WorkState.UNKNOWN.value,
    WorkState.EXPIRED.value,
    WorkState.QUARANTINED.value,
)


class WorkRow(SQLModel):
    """Columns that every table of durable work has. Times in milliseconds UTC."""

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    dedupe_key: str = Field(unique=True)
    lane: str
    priority: int = 100
    created_ms: int = Field(sa_type=BigInteger)
    run_at: int = Field(sa_type=BigInteger)
    deadline_at: int | None = Field(default=None, sa_type=BigInteger)
    attempts: int = 0
    lease_until: int | None = Field(default=None, sa_type=BigInteger)
    owner: str | None = None
    interrupted: bool = False
    state: str = WorkState.READY.value
    last_error: str | None = None
    finished_ms: int | None = Field(default=None, sa_type=BigInteger)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential waiting with full jitter in the upper half. Seconds."""

    first_seconds: float = 2.0
    most_seconds: float = 900.0
    max_attempts: int = 8

    def wait_ms(self, attempts: int, rand: random.Random | None = None) -> int:
        """Milliseconds before the next try, after ``attempts`` tries."""
        ceiling = min(self.most_seconds, self.first_seconds * 2.0 ** max(0, attempts - 1))
        share = (rand or random).uniform(0.5, 1.0)
        return int(ceiling * share * 1000)


def insert_work(
    session: Session, clock: WorkClock, table: Table, values: Mapping[str, Any], *, delay_ms: int = 0
) -> int | None:
    """Insert a row of durable work unless its ``dedupe_key`` is known. Answers the new id, or None for a double.

    ``run_at`` and ``created_ms`` come from the clock; ``deadline_at`` is absolute milliseconds. ``values`` needs
    every column of the table that has no default in ``WORK_DEFAULTS``.
    """
    connection = session.connection()
    statement = _insert_statement(table, connection.dialect.name, clock)
    parameters = {**WORK_DEFAULTS, **values, **clock.parameters(connection.dialect.name), "delay_ms": delay_ms}
    return connection.execute(statement, parameters).scalar_one_or_none()


WORK_DEFAULTS: dict[str, Any] = {
    "priority": 100,
    "attempts": 0,
    "interrupted": False,
    "state": WorkState.READY.value,
    "deadline_at": None,
}
_FILLED_LATER = frozenset({"id", "lease_until", "owner", "last_error", "finished_ms", "result"})


@functools.lru_cache(maxsize=64)
def _insert_statement(table: Table, dialect: str, clock: WorkClock) -> Insert:
    now = clock.expression(dialect)
    columns = {
        column.name: bindparam(column.name, type_=column.type)
        for column in table.columns
        if column.name not in _FILLED_LATER
    }
    builder = postgresql if dialect == "postgresql" else sqlite
    statement: Insert = (
        builder.insert(table)
        .values({**columns, "created_ms": now, "run_at": now + bindparam("delay_ms", type_=BigInteger)})
        .on_conflict_do_nothing(index_elements=[table.c.dedupe_key])
        .returning(table.c.id)
    )
    return statement


class LeaseTable:
    """Claim, renew, acknowledge and give up rows of one work table. Statements are built once per dialect."""

    def __init__(self, table: Table, clock: WorkClock, *, lease_seconds: float, backoff: Backoff) -> None:
        self.table = table
        self.clock = clock
        self.lease_ms = int(lease_seconds * 1000)
        self.backoff = backoff
        self._statements: dict[tuple[object, ...], Any] = {}

    def now_ms(self, session: Session) -> int:
        """The work clock, read once; milliseconds."""
        return int(self._run(session, ("now",), select).scalar_one())

    def _run(
        self,
        session: Session,
        key: tuple[object, ...],
        build: Callable[[ColumnElement[int]], Executable],
        parameters: Mapping[str, Any] | None = None,
    ) -> CursorResult[Any]:
        """Execute the statement kept under ``key``, building it on first use."""
        connection = session.connection()
        dialect = connection.dialect.name
        statement = self._statements.get((dialect, *key))
        if statement is None:
            statement = self._statements[dialect, *key] = build(self.clock.expression(dialect))
        bound = {**self.clock.parameters(dialect), **(parameters or {})}
        return connection.execute(statement, bound)

    def claim(self, session: Session, *, lanes: Sequence[str], owner: str, limit: int) -> list[Row[Any]]:
        """Take up to ``limit`` due rows, most urgent first; each is ours until its lease runs out.

        A row whose last owner let the lease run out comes with ``interrupted`` true: it may have acted.
        """
        table, is_postgres = self.table, session.connection().dialect.name == "postgresql"

        def build(now: ColumnElement[int]) -> Executable:
            urgency = case((table.c.deadline_at.is_not(None), table.c.deadline_at), else_=table.c.run_at)
            due = (
                select(table.c.id)
                .where(_in_lanes(table), _is_open(table), table.c.run_at <= now)
                .order_by(table.c.priority, urgency, table.c.id)
                .limit(bindparam("most", type_=BigInteger))
            )
            if is_postgres:  # as a WITH query it runs once; a plain sub-select may run, and lock, once per row
                due = select(due.with_for_update(skip_locked=True).cte("due").c.id)
            until = now + bindparam("lease_ms", type_=BigInteger)
            return (
                update(table)
                .where(table.c.id.in_(due))
                .values(
                    interrupted=table.c.state == WorkState.LEASED.value,
                    state=WorkState.LEASED.value,
                    owner=bindparam("new_owner"),
                    attempts=table.c.attempts + 1,
                    lease_until=until,
                    run_at=until,
                )
                .returning(*table.c)
            )

        given = {"lanes": list(lanes), "most": limit, "lease_ms": self.lease_ms, "new_owner": owner}
        rows = list(self._run(session, ("claim",), build, given).all())
        return sorted(rows, key=lambda row: (row.priority, row.deadline_at or row.created_ms, row.id))

    def renew(self, session: Session, row: Row[Any]) -> None:
        """Prolong the lease. Raises: LeaseLost."""

        def change(now: ColumnElement[int]) -> dict[str, Any]:
            until = now + bindparam("lease_ms", type_=BigInteger)
            return {"lease_until": until, "run_at": until}

        self._fenced(session, row, "renew", change, {"lease_ms": self.lease_ms})

    def finish(
        self, session: Session, row: Row[Any], state: WorkState, *, error: str | None = None, **more: object
    ) -> None:
        """Put the row into a final state. Raises: LeaseLost when somebody else took it over."""

        def change(now: ColumnElement[int]) -> dict[str, Any]:
            values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in more}
            return values | {
                "state": bindparam("new_state"),
                "last_error": bindparam("new_error"),
                "lease_until": None,
                "finished_ms": now,
            }

        given = {f"new_{name}": value for name, value in more.items()} | {"new_state": state.value, "new_error": error}
        self._fenced(session, row, f"finish:{','.join(more)}", change, given)

    def retry(self, session: Session, row: Row[Any], *, error: str, wait_ms: int | None = None) -> WorkState:
        """Put the row back for later, or into ``dead`` when its attempts are used up. Raises: LeaseLost."""
        if row.attempts >= self.backoff.max_attempts:
            self.finish(session, row, WorkState.DEAD, error=error)
            return WorkState.DEAD
        pause = self.backoff.wait_ms(row.attempts) if wait_ms is None else wait_ms
        self._release(session, row, pause, error, uncounted=0)
        return WorkState.READY

    def postpone(self, session: Session, row: Row[Any], *, wait_ms: int, error: str | None = None) -> None:
        """Put the row back without counting the attempt (nothing was tried). Raises: LeaseLost."""
        self._release(session, row, wait_ms, error, uncounted=1)

    def pass_on(self, session: Session, row: Row[Any], *, lane: str) -> None:
        """Hand the row to another lane, fresh: due now, attempts counted anew. Raises: LeaseLost."""

        def change(now: ColumnElement[int]) -> dict[str, Any]:
            return {
                "lane": bindparam("new_lane"),
                "state": WorkState.READY.value,
                "run_at": now,
                "lease_until": None,
                "deadline_at": None,
                "owner": None,
                "attempts": 0,
            }

        self._fenced(session, row, "pass_on", change, {"new_lane": lane})

    def _release(self, session: Session, row: Row[Any], wait_ms: int, error: str | None, *, uncounted: int) -> None:
        def change(now: ColumnElement[int]) -> dict[str, Any]:
            return {
                "state": WorkState.READY.value,
                "run_at": now + bindparam("wait_ms", type_=BigInteger),
                "lease_until": None,
                "owner": None,
                "attempts": self.table.c.attempts - bindparam("uncounted", type_=BigInteger),
                "last_error": bindparam("new_error"),
            }

        given = {"wait_ms": wait_ms, "new_error": error, "uncounted": uncounted}
        self._fenced(session, row, "release", change, given)

    def _fenced(
        self,
        session: Session,
        row: Row[Any],
        name: str,
        change: Callable[[ColumnElement[int]], dict[str, Any]],
        given: Mapping[str, Any],
    ) -> None:
        table = self.table

        def build(now: ColumnElement[int]) -> Executable:
            return (
                update(table)
                .where(
                    table.c.id == bindparam("row_id"),
                    table.c.owner == bindparam("row_owner"),
                    table.c.attempts == bindparam("row_attempts"),
                    table.c.state == WorkState.LEASED.value,
                )
                .values(change(now))
            )

        fence = {"row_id": row.id, "row_owner": row.owner, "row_attempts": row.attempts}
        if self._run(session, ("fenced", name), build, {**fence, **given}).rowcount != 1:
            raise LeaseLost(f"{table.name} {row.id} 已被其他执行者接手")

    def release_dead(self, session: Session, is_dead: Callable[[str], bool]) -> int:
        """Let rows of owners that are certainly gone be claimed at once, not only when the lease runs out.

        They stay leased until claimed, so that the next owner sees ``interrupted``. Answers how many.
        """
        table = self.table
        gone = self._dead_owners(session, is_dead)

        def build(now: ColumnElement[int]) -> Executable:
            return (
                update(table)
                .where(
                    table.c.state == WorkState.LEASED.value,
                    table.c.owner.in_(bindparam("gone", expanding=True)),
                )
                .values(run_at=now)
            )

        return self._run(session, ("release_dead",), build, {"gone": gone}).rowcount

    def has_dead_owners(self, session: Session, is_dead: Callable[[str], bool]) -> bool:
        """Whether ``release_dead`` would find something; only reads."""
        return bool(self._dead_owners(session, is_dead))

    def _dead_owners(self, session: Session, is_dead: Callable[[str], bool]) -> list[str]:
        table = self.table

        def build(now: ColumnElement[int]) -> Executable:
            held = (table.c.state == WorkState.LEASED.value) & (table.c.run_at > now)
            return select(table.c.owner).where(_is_open(table), held).distinct()

        owners = self._run(session, ("owners",), build).scalars()
        return [owner for owner in owners if owner and is_dead(owner)]

    def replay(self, session: Session, ids: Sequence[int] | None = None, *, states: Sequence[str] | None = None) -> int:
        """Make given-up rows ready again, by id or by state. Answers how many. Deadlines are lifted."""
        table = self.table

        def build(now: ColumnElement[int]) -> Executable:
            chosen: ColumnElement[bool] = table.c.state.in_(bindparam("states", expanding=True))
            if ids is not None:
                chosen = chosen & table.c.id.in_(bindparam("ids", expanding=True))
            return (
                update(table)
                .where(chosen)
                .values(
                    state=WorkState.READY.value,
                    attempts=0,
                    owner=None,
                    lease_until=None,
                    deadline_at=None,
                    interrupted=False,
                    finished_ms=None,
                    run_at=now,
                )
            )

        given: dict[str, Any] = {"states": list(states or REPLAYABLE_STATES)}
        if ids is not None:
            given["ids"] = list(ids)
        return self._run(session, ("replay", ids is None), build, given).rowcount

    def next_due_ms(self, session: Session, lanes: Sequence[str]) -> int | None:
        """Milliseconds until the next open row of these lanes is due (0 = now), None when there is none."""
        table = self.table

        def build(now: ColumnElement[int]) -> Executable:
            return select(func.min(table.c.run_at) - now).where(_in_lanes(table), _is_open(table))

        value = self._run(session, ("next_due",), build, {"lanes": list(lanes)}).scalar_one_or_none()
        return None if value is None else max(0, int(value))

    def counts(self, session: Session) -> dict[str, int]:
        """Rows by state."""
        table = self.table
        rows = session.execute(select(table.c.state, func.count()).group_by(table.c.state)).all()
        return {row[0]: row[1] for row in rows}

    def purge(self, session: Session, *, older_than_ms: int) -> int:
        """Delete rows that ended well (done, ignored) before ``older_than_ms``. Answers how many."""
        table = self.table
        ended_well = table.c.state.in_([WorkState.DONE.value, WorkState.IGNORED.value])
        result: CursorResult[Any] = session.connection().execute(
            table.delete().where(ended_well, table.c.finished_ms < older_than_ms)
        )
        return result.rowcount


def _in_lanes(table: Table) -> ColumnElement[bool]:
    return table.c.lane.in_(bindparam("lanes", expanding=True))


def _is_open(table: Table) -> ColumnElement[bool]:
    """Spelled like the partial index, with literals, so that the planner takes it."""
    return literal_column(f"{table.name}.state IN ('ready', 'leased')", Boolean)
