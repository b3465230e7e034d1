"""Whether the installation is at work: what waits, what gave up, when we last heard from WeCom, who keeps time."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from bot.replaying import TABLES, table_of
from bot.wiring import House
from crm_core import sync_progress, work_list
from crm_core.clock import from_millis
from crm_core.ids import CorpId
from crm_core.lease import WorkState
from crm_core.work_list import WorkCounts

TICKS_MISSED = 3
LEAST_SILENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One corp's view of the work."""

    counts: dict[str, WorkCounts]
    last_callback: datetime | None
    last_sync: datetime | None
    sync_error: str
    last_tick: datetime | None
    is_keeping_time: bool

    @property
    def given_up(self) -> int:
        """Rows that wait for a person: dead, unknown and quarantined."""
        asked = (WorkState.DEAD.value, WorkState.UNKNOWN.value, WorkState.QUARANTINED.value)
        return sum(found.of(state) for found in self.counts.values() for state in asked)

    @property
    def waiting(self) -> int:
        """Rows that wait or are worked on, all tables together."""
        return sum(found.waiting for found in self.counts.values())


def look(house: House, session: Session, corp: CorpId) -> Health:
    """How the work of this corp stands now."""
    now_ms = house.jobs.now_ms(session)
    tick_ms = work_list.newest_ms(session, house.jobs.table, corp, kind="sop.tick")
    silence = max(LEAST_SILENCE_SECONDS, TICKS_MISSED * house.settings.sop.tick_seconds)
    stages = sync_progress.listing(session, corp)
    finished = [stage.finished_at for stage in stages if stage.finished_at is not None]
    return Health(
        counts={name: work_list.counts(session, table_of(house, name).table, corp) for name in TABLES},
        last_callback=_moment(work_list.newest_ms(session, house.inbox.table, corp)),
        last_sync=max(finished, default=None),
        sync_error=next((stage.last_error for stage in stages if stage.last_error), ""),
        last_tick=_moment(tick_ms),
        is_keeping_time=tick_ms is not None and now_ms - tick_ms <= silence * 1000,
    )


def _moment(ms: int | None) -> datetime | None:
    return None if ms is None else from_millis(ms)
