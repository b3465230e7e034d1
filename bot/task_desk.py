"""Works tasks off: one job each, chunk by chunk, so that a killed worker goes on where it stood."""

import contextlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlmodel import Session

from bot.spreadsheets import write_sheet
from crm_core import staff, tasks
from crm_core.db import Database, UnitOfWork
from crm_core.errors import LeaseLost, ScrmError
from crm_core.ids import AppKey, CorpId
from crm_core.ports import MediaStore
from crm_core.tasks import TaskItem, TaskView

log = structlog.get_logger()
CHUNK_ROWS = 100
TOLD_EVERY = 500


class Cancelled(ScrmError):
    """Somebody asked the task to stop."""

    code = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One task at work."""

    db: Database
    store: MediaStore
    zone: ZoneInfo
    corp: CorpId
    task: TaskView
    keep_alive: Callable[[], None]

    @property
    def app(self) -> AppKey:
        """Through which WeCom is spoken to."""
        return AppKey(self.task.app)

    @property
    def now(self) -> datetime:
        """The business clock."""
        return self.db.clock.now()

    def chunk(
        self, things: Sequence[str], act: Callable[[UnitOfWork, str], TaskItem], *, cursor: dict[str, Any]
    ) -> bool:
        """Do ``act`` to each thing not dealt with before, in one commit with the cursor. Answers whether to go on.

        An act that raises an error of ours leaves a failed item and must have written nothing before.
        """
        self.keep_alive()
        with self.db.unit() as uow:
            known = tasks.known_items(uow.session, self.task.id, things)
            told = [_tried(uow, one, act) for one in things if one not in known]
            goes_on = tasks.advance(uow, self.task, cursor=cursor, items=told)
            uow.commit()
        return goes_on

    def count(self, total: int) -> None:
        """Tell how much there is."""
        with self.db.unit() as uow:
            tasks.advance(uow, self.task, cursor=dict(self.task.cursor), total=total)
            uow.commit()

    def sheet(self, name: str, columns: Sequence[str], rows: Callable[[Session], Iterator[Sequence[object]]]) -> None:
        """Write all rows into an xlsx and keep it as the task's result. Raises: LeaseLost, Cancelled."""
        with self.db.unit() as uow:
            tasks.restart_counts(uow, self.task)
            uow.commit()
        with tempfile.TemporaryDirectory() as folder, self.db.reading() as session:
            place = Path(folder) / "export.xlsx"
            who = staff.names(session, self.corp, [self.task.created_by])[self.task.created_by]
            local = self.now.astimezone(self.zone)
            watermark = f"由 {who} 于 {local:%Y-%m-%d %H:%M} 导出，仅限内部使用，请勿外传"
            write_sheet(place, columns, self._told(rows(session)), watermark=watermark)
            with place.open("rb") as content:
                blob = self.store.put(content)
        with self.db.unit() as uow:
            file_name = f"{name}-{local:%Y%m%d-%H%M}.xlsx"
            tasks.finish(uow, self.task, file_key=blob.key, file_name=file_name, file_bytes=blob.size_bytes)
            uow.commit()

    def _told(self, rows: Iterable[Sequence[object]]) -> Iterator[Sequence[object]]:
        untold = 0
        for row in rows:
            yield row
            untold += 1
            if untold == TOLD_EVERY:
                self._tell(untold)
                untold = 0
        self._tell(untold)

    def _tell(self, done: int) -> None:
        self.keep_alive()
        with self.db.unit() as uow:
            goes_on = tasks.advance(uow, self.task, cursor={}, done=done)
            uow.commit()
        if not goes_on:
            raise Cancelled("已取消")


def _tried(uow: UnitOfWork, thing: str, act: Callable[[UnitOfWork, str], TaskItem]) -> TaskItem:
    try:
        return act(uow, thing)
    except ScrmError as error:
        return TaskItem(item=thing, outcome="failed", message=error.message, undo={})


TaskBody = Callable[[Bench], None]


class TaskDesk:
    """The body of ``task.run`` jobs. store: where result files are kept; bodies: what each kind of task does."""

    def __init__(self, db: Database, store: MediaStore, zone: ZoneInfo, bodies: Mapping[str, TaskBody]) -> None:
        self.store = store
        self._db = db
        self._zone = zone
        self._bodies = bodies

    def run(self, payload: Mapping[str, Any], keep_alive: Callable[[], None]) -> None:
        """Work one task off. Raises: LeaseLost; every other fault becomes the task's own state."""
        with self._db.unit() as uow:
            task = tasks.begin(uow, int(payload["task"]), int(payload["run"]))
            corp = tasks.corp_of(uow.session, int(payload["task"]))
            uow.commit()
        if task is None:
            return
        bench = Bench(db=self._db, store=self.store, zone=self._zone, corp=corp, task=task, keep_alive=keep_alive)
        try:
            self._bodies[task.kind](bench)
        except LeaseLost:
            raise
        except Cancelled:
            pass
        except Exception as error:
            log.exception("task_failed", task_id=task.id, kind=task.kind, error=type(error).__name__)
            self._fail(task, error.message if isinstance(error, ScrmError) else "内部错误，请重试；仍失败请联系管理员")
            return
        with self._db.unit() as uow:
            tasks.finish(uow, task)
            uow.commit()

    def _fail(self, task: TaskView, said: str) -> None:
        with self._db.unit() as uow:
            tasks.fail(uow, task.id, task.run, said)
            uow.commit()

    def drop_expired(self) -> None:
        """Delete result files whose time is over."""
        with self._db.unit() as uow:
            keys = tasks.drop_expired(uow, uow.now())
            uow.commit()
        for key in keys:
            with contextlib.suppress(OSError):
                self.store.delete(key)
