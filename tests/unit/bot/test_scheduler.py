"""The clock: one row per fire however many schedulers ring, one leader at a time, no harm from a clock set back."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import text

from bot.scheduler import LEADER_LOCK_ID, LeaderLock, Schedule, Scheduler, _trigger, schedules
from bot.wake import WakeHub
from crm_core.clock import SystemClock
from crm_core.db import Database, open_engine
from tests.support import databases
from tests.support.bench import Bench
from tests.support.product import wait_for

TICK = Schedule(kind="sop.tick", every_seconds=5)
NIGHTLY = Schedule(kind="sync.incremental", cron={"hour": "3", "minute": "20"})
MOMENT = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)


@pytest.fixture
def other(bench: Bench, database_url: str) -> Iterator[Database]:
    """The database as another process has it."""
    engine = open_engine(database_url)
    yield Database(engine, bench.clock, bench.house.hub)
    engine.dispose()


@pytest.fixture
def schedulers(bench: Bench, other: Database, tmp_path: Path) -> Iterator[tuple[Scheduler, Scheduler]]:
    """Two that both believe they lead: on SQLite as if on two files, on PostgreSQL after a lock was lost."""
    one = Scheduler(bench.house.db, bench.house.settings, Leading(bench.house.db, tmp_path / "1.lock"))
    two = Scheduler(other, bench.house.settings, Leading(other, tmp_path / "2.lock"))
    yield one, two
    one.stop()
    two.stop()


class Leading(LeaderLock):
    """A leader by its own account."""

    def hold(self) -> bool:
        return True


def jobs(bench: Bench) -> list[str]:
    return [row.dedupe_key for row in bench.rows(bench.house.jobs)]


def test_one_fire_is_one_row_over_all_schedulers(bench: Bench, schedulers: tuple[Scheduler, Scheduler]) -> None:
    one, two = schedulers
    first = one.ring(TICK, lambda: MOMENT)
    assert first is not None
    assert two.ring(TICK, lambda: MOMENT + timedelta(seconds=4.9)) is None
    assert two.ring(TICK, lambda: MOMENT + timedelta(seconds=5)) is not None
    assert len(jobs(bench)) == 2


def test_two_that_ring_at_the_same_moment_leave_one_row(bench: Bench, schedulers: tuple[Scheduler, Scheduler]) -> None:
    barrier = threading.Barrier(2)

    def ring(scheduler: Scheduler) -> None:
        barrier.wait(10)
        for fire in range(20):
            scheduler.ring(TICK, lambda: MOMENT + timedelta(seconds=5 * fire))  # noqa: B023 - called at once

    threads = [threading.Thread(target=ring, args=(scheduler,)) for scheduler in schedulers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(jobs(bench)) == len(set(jobs(bench))) == 20


def test_a_clock_set_back_rings_nothing_twice(bench: Bench, schedulers: tuple[Scheduler, Scheduler]) -> None:
    one, _ = schedulers
    for seconds in (0, 5, 10, -20, 0, 5, 10, 15):
        one.ring(TICK, lambda: MOMENT + timedelta(seconds=seconds))  # noqa: B023 - called at once
    assert len(jobs(bench)) == 5


def test_different_schedules_and_a_changed_interval_do_not_collide(
    bench: Bench, schedulers: tuple[Scheduler, Scheduler]
) -> None:
    one, _ = schedulers
    for schedule in (TICK, NIGHTLY, Schedule(kind="sop.tick", every_seconds=1)):
        assert one.ring(schedule, lambda: MOMENT) is not None
    assert one.ring(NIGHTLY, lambda: MOMENT + timedelta(seconds=59)) is None
    assert len(jobs(bench)) == 3


def test_at_most_one_leads_and_the_next_takes_over(bench: Bench, other: Database, tmp_path: Path) -> None:
    first = LeaderLock(bench.house.db, tmp_path / "folder" / "lock")
    second = LeaderLock(other, tmp_path / "folder" / "lock")
    assert first.hold()
    assert first.hold()
    assert not second.hold()
    follower = Scheduler(other, bench.house.settings, second)
    assert follower.ring(TICK) is None
    assert jobs(bench) == []
    first.release()
    assert follower.ring(TICK) is not None
    assert not first.hold()
    follower.stop()
    assert first.hold()
    first.release()
    first.release()


@pytest.mark.postgres
def test_a_leader_whose_connection_breaks_knows_it_and_leads_again(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    template = request.getfixturevalue("postgres_template")
    with databases.postgres_clone(template) as url:
        engine = open_engine(url)
        db = Database(engine, SystemClock(), WakeHub())
        lock = LeaderLock(db, tmp_path / "unused")
        assert lock.hold()
        with engine.connect() as admin:
            admin.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = :low "
                    "AND classid = :high AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
                ),
                {"low": LEADER_LOCK_ID & 0xFFFFFFFF, "high": LEADER_LOCK_ID >> 32},
            )
        assert not lock.hold()
        assert wait_for(lock.hold, what="the lead")
        lock.release()
        engine.dispose()


def test_every_schedule_is_due_and_has_a_body(bench: Bench) -> None:
    house = bench.house
    (runner,) = [loop.work for loop in house.loops if loop.name == "jobs"]
    bodies = runner._bodies
    for schedule in schedules(house.settings):
        assert schedule.kind in bodies
        trigger = _trigger(schedule, "Asia/Shanghai")
        assert isinstance(trigger, CronTrigger if schedule.cron else IntervalTrigger)
        assert trigger.get_next_fire_time(None, MOMENT) is not None
    nightly = _trigger(NIGHTLY, "Asia/Shanghai").get_next_fire_time(None, MOMENT)
    assert nightly.astimezone(UTC) == datetime(2026, 11, 20, 19, 20, tzinfo=UTC)


def test_it_rings_by_itself_while_started(bench: Bench, tmp_path: Path) -> None:
    sop = bench.house.settings.sop.model_copy(update={"tick_seconds": 0.05})
    quick = bench.house.settings.model_copy(update={"sop": sop})
    scheduler = Scheduler(bench.house.db, quick, LeaderLock(bench.house.db, tmp_path / "lock"))
    scheduler.start()
    wait_for(lambda: len(jobs(bench)) >= 2, what="ticks")
    scheduler.stop()
    scheduler.stop()
    lock = LeaderLock(bench.house.db, tmp_path / "lock")
    assert lock.hold()
    lock.release()
