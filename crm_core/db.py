"""Engine, column types and the unit of work. SQLite and PostgreSQL behind one interface."""

import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Integer,
    bindparam,
    cast,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.pool import NullPool
from sqlalchemy.types import JSON, TypeDecorator
from sqlmodel import Session, SQLModel

from crm_core.clock import Clock
from crm_core.ports import Waker
from crm_core.turn import WriteTurn

SQLITE_BUSY_MS = 15_000
T = TypeVar("T")

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

BigId = BigInteger().with_variant(Integer(), "sqlite")
Json = JSON().with_variant(JSONB(), "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in Python; timestamptz on PostgreSQL, naive UTC text on SQLite. Naive input is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime given to the database")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def open_engine(url: str, *, pool_size: int = 12) -> Engine:
    """An engine for ``sqlite:///file`` or ``postgresql+psycopg://…``.

    SQLite runs in WAL with ``synchronous=FULL``: a commit is on disk when it returns.
    """
    if url.startswith("sqlite"):
        return _open_sqlite(url)
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": 5,
            "options": "-c lock_timeout=10s -c statement_timeout=60s -c timezone=UTC",
        },
    )


def _open_sqlite(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": SQLITE_BUSY_MS / 1000, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _tune(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("scrm_reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def open_migration_engine(url: str) -> Engine:
    """An engine without pool or pragmas hooks, for Alembic."""
    return create_engine(url, poolclass=NullPool)


NOW_MS = bindparam("now_ms", type_=BigInteger)


class WorkClock(Hashable, Protocol):
    """The clock that leases, retries and deadlines go by; milliseconds since the epoch.

    ``expression`` is the same object for every call with the same dialect, so that statements built on it can be
    kept; what it binds (``now_ms``, or nothing) comes from ``parameters``.
    """

    def expression(self, dialect: str) -> ColumnElement[int]:
        """Now, as SQL."""
        ...

    def parameters(self, dialect: str) -> dict[str, int]:
        """What ``expression`` binds."""
        ...


class DatabaseClock:
    """PostgreSQL's clock, or this machine's where the database is a local file."""

    def __init__(self) -> None:
        self._server = cast(func.extract("epoch", func.clock_timestamp()) * 1000, BigInteger)

    def expression(self, dialect: str) -> ColumnElement[int]:
        """Now, as SQL."""
        return self._server if dialect == "postgresql" else NOW_MS

    def parameters(self, dialect: str) -> dict[str, int]:
        """What ``expression`` binds."""
        return {} if dialect == "postgresql" else {"now_ms": time.time_ns() // 1_000_000}


class UnitOfWork:
    """One write transaction. ``with uow: … uow.commit()``; leaving without commit rolls back.

    ``session`` is a SQLModel session; ``now()`` is the business clock. Lanes named by ``wake`` are woken
    after the commit, and only then. No network call belongs between enter and exit.
    """

    session: Session

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        waker: Waker,
        work_clock: WorkClock,
        turn: WriteTurn | None = None,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self.work_clock = work_clock
        self._waker = waker
        self._turn = turn
        self._lanes: set[str] = set()
        self._memory: dict[object, object] = {}

    def __enter__(self) -> Self:
        if self._turn is not None:
            self._turn.acquire()
        self.session = Session(self._engine, expire_on_commit=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.session.close()
        finally:
            if self._turn is not None:
                self._turn.release()

    def now(self) -> datetime:
        """The business clock; aware UTC."""
        return self._clock.now()

    def work_now_ms(self) -> int:
        """The work clock, which leases and deadlines go by; milliseconds."""
        dialect = self._engine.dialect.name
        asked = select(self.work_clock.expression(dialect))
        return int(self.session.execute(asked, self.work_clock.parameters(dialect)).scalar_one())

    def lock(self, name: str) -> None:
        """Hold ``name`` until the end of this unit, against other units. On SQLite writers are alone anyway."""
        if self._engine.dialect.name == "postgresql":
            self.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))

    def remember(self, key: tuple[str, ...], find: Callable[[], T]) -> T:
        """``find()``, once per unit and key: for what several handlers of one event look up alike."""
        if key not in self._memory:
            self._memory[key] = find()
        return self._memory[key]  # type: ignore[return-value]  # the key's first word tells the type

    def forget(self) -> None:
        """After a savepoint was rolled back: what was remembered may be gone."""
        self._memory.clear()

    def wake(self, lane: str) -> None:
        """Wake whoever waits for ``lane`` once this unit is committed."""
        self._lanes.add(lane)

    def commit(self) -> None:
        """Make everything durable, then wake the lanes."""
        self.session.commit()
        lanes, self._lanes = self._lanes, set()
        if lanes:
            self._waker.wake(lanes)


class ReadingSession(Session):
    """A session that only reads, for the length of a request: what was found once is not looked up again."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.memory: dict[Hashable, Any] = {}

    def get(self, entity: Any, ident: Any, **options: Any) -> Any:
        """The row behind a key, or None; asked of the database once."""
        key = (entity, ident)
        if key not in self.memory:
            self.memory[key] = super().get(entity, ident, **options)
        return self.memory[key]


def remembered(session: Session, key: Hashable, find: Callable[[], T]) -> T:
    """``find()``; once per key while a session only reads, each time where it may write."""
    if not isinstance(session, ReadingSession):
        return find()
    if key not in session.memory:
        session.memory[key] = find()
    found: T = session.memory[key]
    return found


UowFactory = Callable[[], UnitOfWork]


class Database:
    """The engine with its units of work and read-only sessions."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        waker: Waker,
        work_clock: WorkClock | None = None,
        turn: WriteTurn | None = None,
    ) -> None:
        self.engine = engine
        self.work_clock = work_clock or DatabaseClock()
        self.clock = clock
        self.waker = waker
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._turn = turn
        self._reading_engine = engine.execution_options(scrm_reading=True)

    def unit(self) -> UnitOfWork:
        """A new write transaction; on SQLite writers take turns instead of spinning."""
        return UnitOfWork(self.engine, self.clock, self.waker, self.work_clock, self._turn)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads; never blocks writers."""
        with ReadingSession(self._reading_engine, expire_on_commit=False) as session:
            yield session

    def hurry(self) -> None:
        """The calling thread's writes go before those of the other threads of this process (SQLite only)."""
        if self._turn is not None:
            self._turn.hurry()

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()
