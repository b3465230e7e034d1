"""Full and incremental sync with WeCom: page by page, each page and its cursor in one commit.

Safe to stop anywhere: the next run goes on from the last committed page. Full reads everything. Incremental reads
the small things (directory, tags) whole, but of customers and groups only ids, then fetches what is new.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from crm_core import customers, groups, outbox, staff, sync_progress
from crm_core.customers import CustomerFiles
from crm_core.db import Database, UnitOfWork
from crm_core.errors import ScrmError, WeComRefused
from crm_core.ids import ChatId, ExternalUserId, StaffUserId
from crm_core.ports import CustomerFacts, WeComGateway
from crm_core.sync_progress import SyncProgress
from tagging import service as tagging

log = structlog.get_logger()

STAFF_PER_CALL = 100  # doc 92994
BAD_CURSOR = 50100

FULL_STAGES = ("directory", "tags", "customers", "groups")
INCREMENTAL_STAGES = ("directory", "tags", "customers.new", "groups.new")


class SyncStopped(Exception):
    """Somebody asked the sync to stop; it goes on from here next time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport:
    """What one stage did. error is "" when it finished."""

    corp: str
    stage: str
    done: int
    error: str


class Syncer:
    """Brings one corp in step with WeCom."""

    def __init__(
        self,
        db: Database,
        gateway: WeComGateway,
        files: CustomerFiles,
        *,
        keep_alive: Callable[[], None] = lambda: None,
        stopping: threading.Event | None = None,
        report: Callable[[str, int, int], None] = lambda _stage, _done, _total: None,
    ) -> None:
        self._db = db
        self._gateway = gateway
        self._files = files
        self._corp = gateway.corp_id
        self._keep_alive = keep_alive
        self._stopping = stopping or threading.Event()
        self._report = report

    def run(self, *, full: bool) -> list[SyncReport]:
        """Run every stage in order. A failed stage is noted and does not stop the others."""
        bodies = {
            "directory": self._directory,
            "tags": self._tags,
            "customers": self._customers,
            "groups": self._groups,
            "customers.new": self._new_customers,
            "groups.new": self._new_groups,
        }
        reports = []
        for stage in FULL_STAGES if full else INCREMENTAL_STAGES:
            with self._db.unit() as uow:
                progress = sync_progress.begin(uow, self._corp, stage)
                uow.commit()
            error = ""
            try:
                bodies[stage](stage, progress)
            except SyncStopped:
                error = "已停止，下次从这里继续"
            except ScrmError as fault:
                error = fault.message
            reports.append(self._close(stage, error))
            if self._stopping.is_set():
                break
        return reports

    def _close(self, stage: str, error: str) -> SyncReport:
        with self._db.unit() as uow:
            sync_progress.finish(uow, self._corp, stage, error=error)
            uow.commit()
        done = next(item.done_count for item in self._progress() if item.stage == stage)
        if error:
            log.warning("sync_stage_stopped", corp_id=self._corp, stage=stage, error=error)
        return SyncReport(corp=self._corp, stage=stage, done=done, error=error)

    def _progress(self) -> list[SyncProgress]:
        with self._db.reading() as session:
            return sync_progress.listing(session, self._corp)

    def _breathe(self, stage: str, done: int, total: int) -> None:
        self._report(stage, done, total)
        self._keep_alive()
        if self._stopping.is_set():
            raise SyncStopped

    def _directory(self, stage: str, progress: SyncProgress) -> None:
        departments = self._gateway.list_departments()
        with self._db.unit() as uow:
            staff.apply_departments(uow, self._corp, departments)
            uow.commit()
        ids = sorted(facts.dept_id for facts in departments)
        listed: set[str] = set()
        for number, dept_id in enumerate(ids):
            members = self._gateway.list_staff_of(dept_id)
            listed |= {facts.userid for facts in members}
            with self._db.unit() as uow:
                for facts in members:
                    staff.apply_staff(uow, self._corp, facts)
                sync_progress.advance(uow, self._corp, stage, cursor={}, done=len(members))
                uow.commit()
            self._breathe(stage, number + 1, len(ids))
        allowed = self._gateway.list_follow_staff()
        with self._db.unit() as uow:
            staff.apply_contact_scope(uow, self._corp, allowed)
            staff.mark_left(uow, self._corp, listed | set(allowed))
            uow.commit()
        del progress

    def _tags(self, stage: str, progress: SyncProgress) -> None:
        library = self._gateway.list_tag_groups()
        with self._db.unit() as uow:
            tagging.apply_library(uow, self._corp, library, complete=True)
            count = sum(len(group.tags) for group in library)
            sync_progress.advance(uow, self._corp, stage, cursor={}, done=count, total=count)
            uow.commit()
        del progress

    def _customers(self, stage: str, progress: SyncProgress) -> None:
        everybody = sorted(self._gateway.list_follow_staff())
        first, page = self._place(progress, everybody)
        while first < len(everybody):
            chunk = everybody[first : first + STAFF_PER_CALL]
            after = everybody[first - 1] if first else ""
            page = self._customer_page(stage, chunk, after, page, progress.started_at)
            if not page:
                first += len(chunk)

    def _place(self, progress: SyncProgress, everybody: Sequence[str]) -> tuple[int, str]:
        """Where to go on: by the staff member's id, since the list may have changed meanwhile."""
        last = str(progress.cursor.get("after_staff", ""))
        first = sum(1 for userid in everybody if userid <= last) if last else 0
        return first, str(progress.cursor.get("page", ""))

    def _customer_page(self, stage: str, chunk: list[StaffUserId], after: str, cursor: str, began: datetime) -> str:
        try:
            page = self._gateway.list_customers_of(chunk, cursor)
        except WeComRefused as refused:
            if refused.errcode != BAD_CURSOR or not cursor:
                raise
            page = self._gateway.list_customers_of(chunk, "")
        place = {"after_staff": after, "page": page.next_cursor} if page.next_cursor else {"after_staff": chunk[-1]}
        with self._db.unit() as uow:
            for facts in page.items:
                self._apply(uow, facts)
            if not page.next_cursor:
                for userid in chunk:
                    customers.end_missing_follows(uow, self._corp, userid, listing_began=began)
            sync_progress.advance(uow, self._corp, stage, cursor=place, done=len(page.items))
            uow.commit()
        self._breathe(stage, len(page.items), 0)
        return page.next_cursor

    def _apply(self, uow: UnitOfWork, facts: CustomerFacts) -> None:
        self._files.apply_facts(uow, self._corp, facts)
        for follow in facts.follows:
            key = f"sync:{facts.external_user}:{int(uow.now().timestamp())}"
            tagging.apply_follow_tags(uow, self._corp, facts.external_user, follow, key=key)

    def _new_customers(self, stage: str, progress: SyncProgress) -> None:
        everybody = sorted(self._gateway.list_follow_staff())
        first, _ = self._place(progress, everybody)
        for number, userid in enumerate(everybody[first:], first + 1):
            began = self._db.clock.now()
            listed = {str(external_user) for external_user in self._gateway.list_external_users(userid)}
            with self._db.unit() as uow:
                known = customers.active_external_users(uow.session, self._corp, userid)
                for external_user in sorted(listed - known):
                    self._ask(uow, userid, ExternalUserId(external_user))
                customers.end_missing_follows(uow, self._corp, userid, listing_began=began, listed=listed)
                sync_progress.advance(uow, self._corp, stage, cursor={"after_staff": userid}, done=len(listed - known))
                uow.commit()
            self._breathe(stage, number, len(everybody))

    def _ask(self, uow: UnitOfWork, userid: StaffUserId, external_user: ExternalUserId) -> None:
        outbox.add(
            uow,
            outbox.FETCH_CUSTOMER,
            corp=self._corp,
            app=self._gateway.app_key,
            payload={"staff": userid, "external_user": external_user},
            dedupe_key=f"fetch_customer:sync:{userid}:{external_user}:{uow.now():%Y%m%d%H%M}",
            cause="sync",
        )

    def _groups(self, stage: str, progress: SyncProgress) -> None:
        cursor = str(progress.cursor.get("page", ""))
        while True:
            page = self._gateway.list_groups(cursor)
            for chat in page.items:
                self._read_group(stage, ChatId(chat), cursor)
            cursor = page.next_cursor
            with self._db.unit() as uow:
                sync_progress.advance(uow, self._corp, stage, cursor={"page": cursor}, done=0)
                uow.commit()
            if not cursor:
                return

    def _new_groups(self, stage: str, progress: SyncProgress) -> None:
        cursor = str(progress.cursor.get("page", ""))
        while True:
            page = self._gateway.list_groups(cursor)
            with self._db.reading() as session:
                known = groups.known_chats(session, self._corp)
            for chat in page.items:
                if chat not in known:
                    self._read_group(stage, ChatId(chat), cursor)
            cursor = page.next_cursor
            if not cursor:
                return

    def _read_group(self, stage: str, chat: ChatId, cursor: str) -> None:
        facts = self._gateway.get_group(chat)
        with self._db.unit() as uow:
            groups.apply_facts(uow, self._corp, facts)
            sync_progress.advance(uow, self._corp, stage, cursor={"page": cursor}, done=1)
            uow.commit()
        self._breathe(stage, 1, 0)
