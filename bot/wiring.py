"""The composition root: adapters, the one handler table, the loops. Nothing is made at import time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, make_url
from sqlmodel import SQLModel

from bot import checkup, kf_desk, tables, welcome
from bot.beacons import BeaconRecorder
from bot.chat_side import LANES, ChatSide, open_chat_side
from bot.dispatch import Dispatcher
from bot.embedders import Ladder
from bot.handler_runs import HANDLER_RUN, again_with
from bot.job_bodies import job_bodies
from bot.jobs import JobBody, JobRunner, UnitBody
from bot.meaning_desk import MeaningDesk
from bot.media_desk import MediaDesk
from bot.media_store import FolderStore
from bot.member_pace import MemberPace
from bot.notices import NoticeDesk
from bot.places import make_clock, media_folder, var_folder
from bot.radar_desk import RadarDesk
from bot.scheduler import LeaderLock, Scheduler
from bot.sender import Sender
from bot.task_bodies import BODIES
from bot.task_desk import TaskDesk
from bot.wake import WakeHub
from bot.wake_links import open_redis, wake_links
from bot.wecom.archives import open_archives
from bot.wecom.gateways import GatewaySet
from bot.wecom.parse import parse_callback
from bot.wecom.shared_state import RedisState, SharedState
from bot.welcome import WelcomeDesk
from bot.worker import Loop, Work, WorkerPool
from crm_core import contact_ways, customers, groups, record_renames, staff
from crm_core.bus import HandlerTable
from crm_core.chat import consents
from crm_core.chat import renames as chat_renames
from crm_core.clock import Clock
from crm_core.config import AppPart, CorpPart, Settings
from crm_core.customers import CustomerFiles
from crm_core.db import Database, WorkClock, open_engine
from crm_core.errors import CallbackUnsupported
from crm_core.events import (
    ArchiveConsentGiven,
    ArchiveHasNews,
    ContactWayCreated,
    CustomerFetched,
    DepartmentCreated,
    DepartmentDeleted,
    DepartmentUpdated,
    Event,
    FollowEdited,
    FollowEndedByCustomer,
    FollowEndedByStaff,
    FollowHalfStarted,
    FollowStarted,
    GroupChanged,
    GroupCreated,
    GroupDismissed,
    GroupFetched,
    InterceptRuleMade,
    InterceptRulesFetched,
    MediaUploaded,
    OutboundFinished,
    RadarForwarded,
    RadarOpened,
    RadarProgressed,
    RadarRuleMet,
    StaffCreated,
    StaffDeleted,
    StaffUpdated,
    TagCreated,
    TagDeleted,
    TagsFetched,
    TagsMarked,
    TagsShuffled,
    TagUpdated,
    TransferFailed,
)
from crm_core.ids import AppKey, CorpId
from crm_core.kf import sessions as kf_sessions
from crm_core.kf.accounts import LANE as KF_LANE
from crm_core.lease import Backoff, LeaseTable
from crm_core.outbox import JOBS, OUTBOX
from crm_core.ports import Gateways
from crm_core.sensitive import hits as sensitive_hits
from crm_core.sensitive import official
from crm_core.turn import WriteTurn
from materials import media, radar, radar_handlers, renames
from sop import handlers as sop_handlers
from sop.engine import SopEngine
from sop.handlers import SopReactions
from tagging import changes as tagging_changes
from tagging import handlers as tagging_handlers
from tagging import suggestions as tag_suggestions
from tagging.rules import RuleDesk

INBOX = SQLModel.metadata.tables[str(tables.InboxRow.__tablename__)]


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Everything a process needs, made once by ``build``."""

    settings: Settings
    db: Database
    turn: WriteTurn | None
    hub: WakeHub
    gateways: Gateways
    inbox: LeaseTable
    outbox: LeaseTable
    jobs: LeaseTable
    handlers: HandlerTable
    loops: tuple[Loop, ...]
    files: CustomerFiles
    sop: SopEngine
    desk: MediaDesk
    meaning: MeaningDesk
    beacons: BeaconRecorder
    chat: ChatSide
    tasks: TaskDesk
    closers: tuple[Callable[[], None], ...] = ()

    def workers(self) -> WorkerPool:
        """The loops in threads of this process."""
        return WorkerPool(self.db, self.hub, self.loops, idle_poll_seconds=self.settings.work.idle_poll_seconds)

    def scheduler(self) -> Scheduler:
        """The clock."""
        return Scheduler(self.db, self.settings, LeaderLock(self.db, var_folder(self.settings) / "scheduler.lock"))

    def close(self) -> None:
        """Give everything back."""
        self.hub.stop()
        for close in self.closers:
            close()
        self.db.close()


def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    work_clock: WorkClock | None = None,
    gateways: Gateways | None = None,
) -> House:
    """Make the house. Tests may bring their own clock and gateways."""
    clock = clock or make_clock(settings)
    redis_client = open_redis(settings)
    hub = WakeHub(wake_links(settings, redis_client, var_folder(settings)))
    db, turn = _open_database(settings, clock, hub, work_clock)
    closers: list[Callable[[], None]] = []
    gateways = _open_gateways(settings, clock, redis_client, closers) if gateways is None else gateways
    files = CustomerFiles(settings.identity)
    engine_of_sop = SopEngine(settings)
    desk = MediaDesk(db, FolderStore(media_folder(settings)), settings)
    meaning = MeaningDesk(db, settings, Ladder(settings.materials))
    chat = open_chat_side(db, settings, gateways, meaning, open_archives(settings))
    task_desk = _task_desk(settings, db, chat)
    handlers = handler_table(settings, files, engine_of_sop, chat)
    beacons = BeaconRecorder(db, handlers)
    closers += [beacons.close, chat.close]
    inbox, outbox, jobs = (_lease_table(table, settings, db) for table in (INBOX, OUTBOX, JOBS))
    examine = checkup.job_body(settings, db, gateways, receive_ids, meaning.ladder)
    work = (inbox, outbox, jobs)
    bodies = job_bodies(settings, db, gateways, files, engine_of_sop, desk, meaning, task_desk, chat, examine, work)
    house = House(
        settings=settings,
        db=db,
        turn=turn,
        hub=hub,
        gateways=gateways,
        inbox=inbox,
        outbox=outbox,
        jobs=jobs,
        handlers=handlers,
        loops=_loops(settings, db, gateways, desk, bodies, chat.unit_bodies(), handlers, inbox, outbox, jobs),
        files=files,
        sop=engine_of_sop,
        desk=desk,
        meaning=meaning,
        beacons=beacons,
        chat=chat,
        tasks=task_desk,
        closers=tuple(closers),
    )
    hub.start()
    return house


def _open_gateways(settings: Settings, clock: Clock, redis_client: Any, closers: list[Callable[[], None]]) -> Gateways:
    shared: SharedState | None = RedisState(redis_client) if redis_client is not None else None
    made = GatewaySet(settings, clock=clock, shared=shared)
    closers.append(made.close)
    return made


def _open_database(
    settings: Settings, clock: Clock, hub: WakeHub, work_clock: WorkClock | None
) -> tuple[Database, WriteTurn | None]:
    engine = open_engine(settings.database.url, pool_size=settings.database.pool_size)
    turn = WriteTurn(Path(make_url(settings.database.url).database or "")) if engine.dialect.name == "sqlite" else None
    return Database(engine, clock, hub, work_clock, turn), turn


def _task_desk(settings: Settings, db: Database, chat: ChatSide) -> TaskDesk:
    results = FolderStore(media_folder(settings) / "tasks")  # apart, so that a result may be deleted by itself
    bodies = {**BODIES, **chat.task_bodies()}
    return TaskDesk(db, results, ZoneInfo(settings.worktime.time_zone), bodies)


def urgent_handler_table(settings: Settings) -> HandlerTable:
    """What happens before anything else, in the welcome lane: the one decider per welcome code."""
    greeting = WelcomeDesk(settings)
    return {FollowStarted: (greeting.offer_welcome,), FollowHalfStarted: (greeting.offer_welcome,)}


def handler_table(settings: Settings, files: CustomerFiles, engine: SopEngine, chat: ChatSide) -> HandlerTable:
    """Who reacts to what. The order is for reading only; no handler may rely on it."""
    notices, sop, watch = NoticeDesk(settings), SopReactions(engine), RadarDesk(settings)
    rules = RuleDesk(ZoneInfo(settings.worktime.time_zone))
    ended = (customers.record_follow_ended, sop.stop_for_follow, notices.tell_churn)
    return {
        FollowStarted: (
            customers.record_follow,
            contact_ways.attach_follow,
            tagging_handlers.apply_contact_way_tags,
            rules.on_added,
            sop.enrol_new_follow,
            radar.record_conversion,
        ),
        FollowHalfStarted: (customers.record_follow, contact_ways.attach_follow),
        FollowEdited: (customers.record_follow_edited,),
        FollowEndedByStaff: (*ended, chat.sensitive.reader.on_deleted),
        FollowEndedByCustomer: ended,
        TransferFailed: (notices.tell_transfer_failed,),
        CustomerFetched: (
            files.record_fetched,
            tagging_handlers.record_fetched,
            tag_suggestions.note_fetched,
            rules.on_fetched,
            contact_ways.offer_remark,
            sop.start_waiting,
        ),
        ContactWayCreated: (contact_ways.record_made,),
        TagsMarked: (tagging_handlers.settle_marks, tag_suggestions.note_marked),
        OutboundFinished: (
            welcome.record_outcome,
            contact_ways.record_not_made,
            contact_ways.record_changed,
            tagging_changes.settle,
            official.record_refused,
            media.record_not_uploaded,
            watch.record_greeting,
            kf_desk.record_not_done,
        ),
        InterceptRuleMade: (official.record_made,),
        InterceptRulesFetched: (official.record_fetched,),
        MediaUploaded: (media.record_uploaded,),
        **dict.fromkeys((TagCreated, TagUpdated, TagsShuffled), (tagging_handlers.ask_library,)),
        TagDeleted: (tagging_handlers.record_deleted,),
        TagsFetched: (tagging_handlers.record_library, tagging_changes.settle_added),
        GroupCreated: (groups.record_created,),
        GroupChanged: (groups.record_changed,),
        GroupDismissed: (groups.record_dismissed,),
        GroupFetched: (groups.record_fetched, rules.on_group),
        **chat.kf.handlers(),
        **chat.bot.handlers(),
        **_of_the_directory(),
        ArchiveHasNews: (chat.archive.on_news,),
        ArchiveConsentGiven: (consents.record_callback,),
        RadarOpened: (radar_handlers.note_opened, watch.tell_opened),
        RadarProgressed: (radar_handlers.note_progressed, watch.tell_progressed),
        RadarForwarded: (radar_handlers.note_forwarded, watch.tell_forwarded),
        RadarRuleMet: (radar_handlers.note_rule_met, tagging_handlers.apply_radar_tags),
    }


def _of_the_directory() -> HandlerTable:
    """Who reacts when members and departments come, change and go."""
    return {
        StaffCreated: (staff.record_created,),
        StaffUpdated: (
            staff.record_updated,
            tagging_handlers.rename_staff,
            sop_handlers.rename_staff,
            record_renames.rename_staff,
            kf_sessions.rename_staff,
            renames.rename_staff,
            chat_renames.ask,
            sensitive_hits.rename_staff,
        ),
        StaffDeleted: (staff.record_deleted,),
        **dict.fromkeys((DepartmentCreated, DepartmentUpdated), (staff.record_department,)),
        DepartmentDeleted: (staff.record_department_deleted,),
    }


def _lease_table(table: Any, settings: Settings, db: Database) -> LeaseTable:
    work = settings.work
    backoff = Backoff(work.backoff_first_seconds, work.backoff_most_seconds, work.max_attempts)
    return LeaseTable(table, db.work_clock, lease_seconds=work.lease_seconds, backoff=backoff)


def _loops(
    settings: Settings,
    db: Database,
    gateways: Gateways,
    desk: MediaDesk,
    bodies: Mapping[str, JobBody],
    unit_bodies: Mapping[str, UnitBody],
    handlers: HandlerTable,
    inbox: LeaseTable,
    outbox: LeaseTable,
    jobs: LeaseTable,
) -> tuple[Loop, ...]:
    counts = settings.work
    parse = _parser(settings)
    urgent = urgent_handler_table(settings)
    greet = Dispatcher(db, inbox, parse, urgent, pass_on_to="default")  # noqa: S106 - a lane
    dispatch = Dispatcher(db, inbox, parse, handlers)
    send = Sender(
        db,
        outbox,
        gateways,
        handlers,
        dedupe_seconds=settings.wecom.duplicate_check_seconds,
        pace=MemberPace.from_settings(settings.wecom),
        desk=desk,
    )
    every = {kind: (*urgent.get(kind, ()), *handlers.get(kind, ())) for kind in {*urgent, *handlers}}
    run_jobs = JobRunner(db, jobs, bodies, {**unit_bodies, HANDLER_RUN: again_with(every)})

    def loop(name: str, table: LeaseTable, lanes: tuple[str, ...], work: Work, limit: int, threads: int) -> Loop:
        return Loop(
            name=name,
            table=table,
            lanes=lanes,
            work=work,
            limit=limit,
            threads=threads,
            urgent=lanes == ("welcome",),
        )

    return (
        loop("inbox-welcome", inbox, ("welcome",), greet, 50, 1),
        loop("inbox", inbox, ("default",), dispatch, 8, counts.inbox_threads),
        loop("outbox-welcome", outbox, ("welcome",), send, 10, counts.welcome_threads),
        loop("outbox", outbox, ("default", "message"), send, 8, counts.outbox_threads),
        loop("outbox-single", outbox, ("single",), send, 1, 1),
        loop("outbox-kf", outbox, (KF_LANE,), send, 8, 1),
        loop("outbox-media", outbox, ("media",), send, 1, 2),
        loop("jobs", jobs, ("default",), run_jobs, 1, 1),
        *(loop(name, jobs, (lane,), run_jobs, 1, threads) for name, (lane, threads) in LANES.items()),
        loop("tasks", jobs, ("task",), run_jobs, 1, 1),
    )


def receive_ids(corp: CorpPart, app: AppPart) -> tuple[str, ...]:
    """Whom an envelope for this app may be addressed to (protocol notes 1.1)."""
    if app.receive_ids:
        return app.receive_ids
    return ("",) if app.kind == "ai_bot" else (corp.corp_id,)


def _parser(settings: Settings) -> Callable[[Row[Any]], Event]:
    addressees = {
        app.key: frozenset((corp.corp_id, *receive_ids(corp, app))) for corp in settings.corps for app in corp.apps
    }

    def parse(row: Row[Any]) -> Event:
        expected = addressees.get(row.app_key)
        if expected is None:
            raise CallbackUnsupported(f"应用 {row.app_key} 已不在配置中")
        return parse_callback(
            row.body,
            corp=CorpId(row.corp_id),
            app=AppKey(row.app_key),
            received_ms=row.created_ms,
            key=row.dedupe_key,
            expected_tousernames=expected,
        )

    return parse
