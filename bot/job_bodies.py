"""What each kind of job does."""

from collections.abc import Callable, Mapping
from typing import Any

from bot import notices
from bot.chat_side import ChatSide
from bot.jobs import JobBody
from bot.meaning_desk import MeaningDesk
from bot.media_desk import MediaDesk
from bot.radar_desk import RadarDesk
from bot.sync import Syncer
from bot.task_desk import TaskDesk
from crm_core import checkups
from crm_core.config import Settings
from crm_core.customers import CustomerFiles
from crm_core.db import Database
from crm_core.lease import LeaseTable
from crm_core.outbox import JOBS
from crm_core.ports import Gateways
from crm_core.tasks import RUN_TASK
from sop import runner as sop_runner
from sop.engine import SopEngine

DAY_MS = 86_400_000
KEEP_JOBS_DAYS = 2  # a tick every few seconds leaves a row each


def job_bodies(
    settings: Settings,
    db: Database,
    gateways: Gateways,
    files: CustomerFiles,
    engine: SopEngine,
    desk: MediaDesk,
    meaning: MeaningDesk,
    task_desk: TaskDesk,
    chat: ChatSide,
    examine: JobBody,
    work_tables: tuple[LeaseTable, ...],
) -> Mapping[str, JobBody]:
    """What each kind of job does. examine: the doctor (``bot.checkup``)."""

    def tick(_payload: Mapping[str, Any], keep_alive: Callable[[], None]) -> None:
        while sop_runner.run_once(db, engine, settings.sop.batch):
            keep_alive()

    def sync(payload: Mapping[str, Any], keep_alive: Callable[[], None]) -> None:
        wanted = payload.get("corp")  # one corp, or all
        for gateway in gateways:
            if wanted is None or gateway.corp_id == wanted:
                Syncer(db, gateway, files, keep_alive=keep_alive).run(full=bool(payload.get("full")))

    def purge(_payload: Mapping[str, Any], _keep_alive: Callable[[], None]) -> None:
        for table in work_tables:
            days = KEEP_JOBS_DAYS if table.table is JOBS else settings.work.keep_done_days
            with db.unit() as uow:
                older = table.now_ms(uow.session) - days * DAY_MS
                table.purge(uow.session, older_than_ms=older)
                uow.commit()
        task_desk.drop_expired()

    return {
        "sop.tick": tick,
        "reminders.tick": notices.reminder_body(db, settings),
        "sync.incremental": sync,
        "sync.full": sync,
        "work.purge": purge,
        checkups.JOB_KIND: examine,
        **desk.bodies(),
        **meaning.bodies(),
        **chat.bodies(),
        **RadarDesk(settings).bodies(db),
        RUN_TASK: task_desk.run,
    }
