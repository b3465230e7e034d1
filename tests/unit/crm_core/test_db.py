"""The unit of work, column types, engines."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import literal, select, text
from sqlalchemy.exc import StatementError
from sqlmodel import select as pick

from crm_core import audit
from crm_core.db import Database, DatabaseClock, UtcDateTime, open_engine, open_migration_engine
from crm_core.tables import AuditRow, CustomerRow
from tests.fakes import FrozenClock, SilentWaker
from tests.support.ground import CORP, FRIDAY_MORNING, Ground, ground_on


def note(ground: Ground, uow: object, act: str = "saw") -> None:
    audit.record(uow, corp=CORP, actor="zhang", act=act, object_kind="sop", object_id="7")  # type: ignore[arg-type]


def test_leaving_without_commit_takes_everything_back(ground: Ground) -> None:
    with ground.unit() as uow:
        note(ground, uow)
        uow.session.flush()
    assert ground.all(pick(AuditRow)) == []


def test_an_error_takes_everything_back_and_frees_the_database(ground: Ground) -> None:
    def fail_halfway() -> None:
        with ground.unit() as uow:
            note(ground, uow)
            uow.wake("inbox:default")
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        fail_halfway()
    assert ground.waker.lanes == []
    with ground.committed() as uow:
        note(ground, uow, "tried again")
    assert ground.all(pick(AuditRow.act)) == ["tried again"]


def test_lanes_are_woken_after_the_commit_and_once_each(ground: Ground) -> None:
    seen: list[int] = []

    class Looker(SilentWaker):
        def wake(self, lanes: object) -> None:
            super().wake(lanes)
            seen.append(len(ground.all(pick(AuditRow))))

    db = Database(ground.db.engine, ground.clock, Looker(), ground.work_clock)
    with db.unit() as uow:
        note(ground, uow)
        uow.wake("b")
        uow.wake("a")
        uow.wake("b")
        assert db.waker.lanes == []  # type: ignore[attr-defined]
        uow.commit()
        uow.commit()
    assert db.waker.lanes == ["a", "b"]  # type: ignore[attr-defined]
    assert seen == [1]


def test_what_is_remembered_is_found_once_until_it_is_forgotten(ground: Ground) -> None:
    found: list[int] = []

    def find() -> int:
        found.append(1)
        return len(found)

    with ground.unit() as uow:
        assert [uow.remember(("way", "a"), find), uow.remember(("way", "a"), find)] == [1, 1]
        assert uow.remember(("way", "b"), find) == 2
        uow.forget()
        assert uow.remember(("way", "a"), find) == 3


def test_now_in_a_unit_is_the_business_clock(ground: Ground) -> None:
    ground.clock.move(minutes=5)
    with ground.unit() as uow:
        assert uow.now() == FRIDAY_MORNING + timedelta(minutes=5)


def test_audit_tells_who_did_what_when(ground: Ground) -> None:
    with ground.committed() as uow:
        audit.record(
            uow, corp=CORP, actor="li", act="replayed", object_kind="outbox", object_id="9", data={"state": "dead"}
        )
        note(ground, uow)
    first, second = ground.all(pick(AuditRow).order_by(AuditRow.id))  # type: ignore[arg-type]
    assert (first.actor, first.act, first.object_kind, first.object_id) == ("li", "replayed", "outbox", "9")
    assert (first.at, first.data, second.data) == (FRIDAY_MORNING, {"state": "dead"}, {})


def test_times_go_in_with_any_zone_and_come_out_as_aware_utc(ground: Ground) -> None:
    shanghai = timezone(timedelta(hours=8))
    with ground.committed() as uow:
        uow.session.add(CustomerRow(corp_id=CORP, created_at=datetime(2026, 11, 20, 10, 0, 0, 123456, shanghai)))
    [moment] = ground.all(pick(CustomerRow.created_at))
    assert moment == datetime(2026, 11, 20, 2, 0, 0, 123456, UTC)
    assert moment.utcoffset() == timedelta()
    with ground.reading() as session:
        assert session.scalar(select(literal(None, UtcDateTime()))) is None


def test_a_naive_time_is_refused(ground: Ground) -> None:
    with ground.unit() as uow:
        uow.session.add(CustomerRow(corp_id=CORP, created_at=datetime(2026, 1, 1)))
        with pytest.raises(StatementError, match="naive"):
            uow.session.flush()


def test_reading_does_not_wait_for_a_writer(ground: Ground) -> None:
    with ground.unit() as uow:
        note(ground, uow)
        uow.session.flush()
        assert ground.all(pick(AuditRow)) == []


def test_a_lock_keeps_another_unit_waiting_until_the_end(ground: Ground) -> None:
    order: list[str] = []

    def second() -> None:
        with ground.committed() as uow:
            uow.lock("defaults:ww1")
            order.append("second")

    with ground.unit() as uow:
        uow.lock("defaults:ww1")
        thread = Thread(target=second)
        thread.start()
        thread.join(0.1)
        order.append("first")
        uow.commit()
    thread.join(20)
    assert order == ["first", "second"]


def test_the_database_clock_is_near_this_machines(ground: Ground) -> None:
    clock = DatabaseClock()
    name = ground.db.engine.dialect.name
    with ground.reading() as session:
        told = session.connection().execute(select(clock.expression(name)), clock.parameters(name)).scalar_one()
    assert abs(int(told) - datetime.now(UTC).timestamp() * 1000) < 60_000
    assert clock.expression(name) is clock.expression(name)


def test_a_database_without_a_work_clock_of_its_own_goes_by_the_databases(ground: Ground) -> None:
    db = Database(ground.db.engine, ground.clock, ground.waker)
    assert isinstance(db.work_clock, DatabaseClock)
    assert db.is_sqlite is (ground.db.engine.dialect.name == "sqlite")


def test_sqlite_is_opened_so_that_a_commit_is_on_disk(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    with engine.connect() as connection:
        pragmas = [connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in ("journal_mode", "synchronous")]
        assert pragmas == ["wal", 2]
        assert connection.execute(text("PRAGMA foreign_keys")).scalar_one() == 1
    engine.dispose()


def test_a_migration_engine_keeps_no_connection(tmp_path: Path) -> None:
    engine = open_migration_engine(f"sqlite:///{tmp_path / 'a.db'}")
    with engine.connect() as connection:
        assert connection.execute(text("select 1")).scalar_one() == 1
    assert "NullPool" in engine.pool.status()


@pytest.mark.postgres
def test_postgres_sessions_give_up_waiting_and_speak_utc(postgres_url: str) -> None:
    with ground_on(postgres_url) as ground, ground.reading() as session:
        settings = [session.scalar(text(f"SHOW {name}")) for name in ("lock_timeout", "statement_timeout", "TimeZone")]
    assert settings == ["10s", "1min", "UTC"]


def test_closing_gives_all_connections_back(tmp_path: Path) -> None:
    db = Database(open_engine(f"sqlite:///{tmp_path / 'a.db'}"), FrozenClock(), SilentWaker())
    with db.reading() as session:
        session.execute(text("select 1"))
    db.close()
    assert db.engine.pool.checkedin() == 0  # type: ignore[attr-defined]
