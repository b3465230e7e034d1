"""The clock: APScheduler only rings; every ring is one row with a unique (schedule, fire time) key."""

import fcntl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import Connection, text

from crm_core import outbox
from crm_core.config import Settings
from crm_core.db import Database

log = structlog.get_logger()

RADAR_TICK_SECONDS = 30.0  # how late a kept notice may be
KF_SWEEP_SECONDS = 600.0  # how late 微信客服 may be read when a bell was lost
LEADER_LOCK_ID = 7_211_304_118  # any fixed number; it names the advisory lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One regular job. every_seconds, or cron fields in the configured time zone."""

    kind: str
    every_seconds: float = 0
    cron: dict[str, str] | None = None


def schedules(settings: Settings) -> tuple[Schedule, ...]:
    """All regular jobs."""
    archives = [corp.archive for corp in settings.corps if corp.archive is not None]
    return (
        *(Schedule(kind="archive.tick", every_seconds=min(one.tick_seconds for one in archives)) for _ in archives[:1]),
        *(Schedule(kind="archive.media_purge", cron={"hour": "4", "minute": "50"}) for _ in archives[:1]),
        Schedule(kind="sop.tick", every_seconds=settings.sop.tick_seconds),
        Schedule(kind="reminders.tick", every_seconds=settings.work.reminder_tick_seconds),
        Schedule(kind="radar.tell", every_seconds=RADAR_TICK_SECONDS),
        Schedule(kind="radar.purge", cron={"hour": "4", "minute": "25"}),
        Schedule(kind="sync.incremental", cron={"hour": "3", "minute": "20"}),
        Schedule(kind="work.purge", cron={"hour": "4", "minute": "10"}),
        Schedule(kind="scripts.expire", every_seconds=300),
        Schedule(kind="scripts.embed", every_seconds=120),
        Schedule(kind="kf.sweep", every_seconds=KF_SWEEP_SECONDS),
        Schedule(kind="chat_tags.tend", cron={"hour": "2", "minute": "40"}),
        Schedule(kind="media.renew", every_seconds=600),
        Schedule(kind="reply.tick", every_seconds=settings.chat.reply_tick_seconds),
        Schedule(kind="chat.expire", cron={"hour": "2", "minute": "30"}),
        Schedule(kind="materials.empty_bin", cron={"hour": "4", "minute": "40"}),
    )


class LeaderLock:
    """Held by at most one scheduler: an advisory lock on PostgreSQL, a locked file beside a SQLite database."""

    def __init__(self, db: Database, file: Path) -> None:
        self._db = db
        self._file = file
        self._held: IO[str] | Connection | None = None

    def hold(self) -> bool:
        """Take the lock, or make sure we still have it. Answers whether we lead."""
        if self._db.is_sqlite:
            return self._hold_file()
        return self._hold_advisory()

    def _hold_file(self) -> bool:
        if self._held is None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            handle = self._file.open("w")
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                handle.close()
                return False
            self._held = handle
        return True

    def _hold_advisory(self) -> bool:
        try:
            if isinstance(self._held, Connection):
                self._held.execute(text("SELECT 1"))
                return True
            connection = self._db.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            if connection.execute(text("SELECT pg_try_advisory_lock(:id)"), {"id": LEADER_LOCK_ID}).scalar():
                self._held = connection
                return True
            connection.close()
        except Exception as error:  # noqa: BLE001 - without a database nobody leads
            log.warning("leader_lock_lost", error=type(error).__name__)
            self._held = None
        return False

    def release(self) -> None:
        """Give the lock back."""
        if isinstance(self._held, Connection):
            self._held.execute(text("SELECT pg_advisory_unlock(:id)"), {"id": LEADER_LOCK_ID})
        if self._held is not None:
            self._held.close()
            self._held = None


class Scheduler:
    """Rings the schedules while it leads."""

    def __init__(self, db: Database, settings: Settings, lock: LeaderLock) -> None:
        self._db = db
        self._settings = settings
        self._lock = lock
        self._clock: Any = BackgroundScheduler(timezone=settings.worktime.time_zone)

    def start(self) -> None:
        """Begin to ring. A follower asks for the lead at every ring."""
        for schedule in schedules(self._settings):
            self._clock.add_job(
                self.ring,
                _trigger(schedule, self._settings.worktime.time_zone),
                args=[schedule],
                id=schedule.kind,
                max_instances=1,
                coalesce=True,
                misfire_grace_time=3600,
            )
        self._clock.start()

    def ring(self, schedule: Schedule, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> int | None:
        """Enqueue one fire of ``schedule``, once over all schedulers. Answers the job's id, None if not ours."""
        if not self._lock.hold():
            return None
        moment = now().timestamp()
        step = schedule.every_seconds or 60.0
        fire = int(moment // step)
        with self._db.unit() as uow:
            row_id = outbox.add_job(uow, schedule.kind, dedupe_key=f"schedule:{schedule.kind}:{step:g}:{fire}")
            uow.commit()
        return row_id

    def stop(self) -> None:
        """Stop ringing and give the lead back."""
        if self._clock.running:
            self._clock.shutdown(wait=True)
        self._lock.release()


def _trigger(schedule: Schedule, zone: str) -> IntervalTrigger | CronTrigger:
    if schedule.cron is not None:
        return CronTrigger(timezone=zone, **schedule.cron)
    return IntervalTrigger(seconds=schedule.every_seconds, timezone=zone)
