"""Long work somebody asked for (任务): written down, worked off by a durable job, watched, cancelled, taken up again.

The job holds the task's id and run number only. Each chunk of work commits its rows, its progress and the cursor to
go on from together, so that a killed worker loses nothing and repeats nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, delete, select

from crm_core import outbox
from crm_core.console_tables import TaskItemRow, TaskRow
from crm_core.db import UnitOfWork
from crm_core.errors import Conflict, NotFound
from crm_core.ids import AppKey, CorpId
from crm_core.listing import Listed, page_of

RUN_TASK = "task.run"
KEEP_FILE = timedelta(days=7)
OPEN_STATES = frozenset({"waiting", "running"})
STATE_NAMES = {"waiting": "排队中", "running": "进行中", "done": "已完成", "failed": "失败", "cancelled": "已取消"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """One task for display. percent: 0 to 100, None while nobody knows how much there is."""

    id: int
    kind: str
    title: str
    state: str
    done: int
    failed: int
    total: int
    is_stopping: bool
    last_error: str
    file_name: str
    file_key: str
    file_bytes: int
    expires_at: datetime | None
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    undone_by_task: int | None
    asked: Mapping[str, Any]
    cursor: Mapping[str, Any]
    scope: frozenset[str] | None
    run: int
    app: str

    @property
    def is_open(self) -> bool:
        """Whether it still waits or runs."""
        return self.state in OPEN_STATES

    @property
    def state_name(self) -> str:
        """The state in words."""
        return "正在取消" if self.is_open and self.is_stopping else STATE_NAMES[self.state]

    @property
    def percent(self) -> int | None:
        """How far it has come."""
        if self.state == "done":
            return 100
        return min(99, (self.done + self.failed) * 100 // self.total) if self.total else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskItem:
    """What a task did to one thing."""

    item: str
    outcome: str
    message: str
    undo: Mapping[str, Any]


def ask(
    uow: UnitOfWork,
    *,
    corp: CorpId,
    app: AppKey,
    kind: str,
    title: str,
    asked: dict[str, Any],
    scope: AbstractSet[str] | None,
    created_by: str,
) -> int:
    """Write a task down and have it begun after the commit. Answers its id."""
    row = TaskRow(
        corp_id=corp,
        app_key=app,
        kind=kind,
        title=title,
        asked=asked,
        scope=None if scope is None else sorted(scope),
        created_by=created_by,
        created_at=uow.now(),
    )
    uow.session.add(row)
    uow.session.flush()
    _enqueue(uow, row)
    return row.id or 0


def _enqueue(uow: UnitOfWork, row: TaskRow) -> None:
    outbox.add_job(
        uow, RUN_TASK, dedupe_key=f"task:{row.id}:{row.run}", payload={"task": row.id, "run": row.run}, lane="task"
    )


def get(session: Session, corp: CorpId, task_id: int) -> TaskView:
    """One task. Raises: NotFound."""
    return _view(_row(session, corp, task_id))


def corp_of(session: Session, task_id: int) -> CorpId:
    """Whose task it is. Raises: NotFound."""
    return CorpId(_row(session, None, task_id).corp_id)


def listing(
    session: Session, corp: CorpId, *, created_by: str = "", cursor: str = "", limit: int = 50
) -> Listed[TaskView]:
    """Tasks, newest first; of one person when ``created_by`` is given."""
    table = TaskRow.__table__  # type: ignore[attr-defined]
    statement = select(table).where(table.c.corp_id == corp)
    if created_by:
        statement = statement.where(table.c.created_by == created_by)
    return page_of(
        session,
        statement,
        keys=(table.c.id,),
        kinds=(int,),
        descending=True,
        cursor=cursor,
        tell=_view,
        key_of=lambda row: (row.id,),
        limit=limit,
    )


def begin(uow: UnitOfWork, task_id: int, run: int) -> TaskView | None:
    """A worker takes the task up, first or after a crash. None: it is over, or another run has replaced this one."""
    row = uow.session.get(TaskRow, task_id)
    if row is None or row.state not in OPEN_STATES or row.run != run:
        return None
    row.state, row.started_at = "running", row.started_at or uow.now()
    uow.session.add(row)
    return _view(row)


def advance(
    uow: UnitOfWork,
    task: TaskView,
    *,
    cursor: dict[str, Any],
    items: Iterable[TaskItem] = (),
    done: int = 0,
    total: int | None = None,
) -> bool:
    """Write down a chunk: what became of each item, and where to go on. Answers whether to go on (not cancelled).

    done: counts what leaves no item row (rows of an export). Items that failed count as failed.
    """
    row = uow.session.get(TaskRow, task.id)
    if row is None or row.run != task.run or row.state != "running":
        return False
    told = list(items)
    for item in told:
        uow.session.add(
            TaskItemRow(
                corp_id=row.corp_id,
                task_id=task.id,
                item=item.item,
                outcome=item.outcome,
                message=item.message,
                undo=dict(item.undo),
            )
        )
    failed = sum(item.outcome == "failed" for item in told)
    row.done_count += done + len(told) - failed
    row.failed_count += failed
    row.cursor = cursor
    row.total_count = row.total_count if total is None else total
    uow.session.add(row)
    return not row.cancel_asked


def restart_counts(uow: UnitOfWork, task: TaskView) -> None:
    """An export begins its file anew after a crash: what was counted is void."""
    row = _row(uow.session, None, task.id)
    row.done_count = row.failed_count = 0
    uow.session.add(row)


def finish(uow: UnitOfWork, task: TaskView, *, file_key: str = "", file_name: str = "", file_bytes: int = 0) -> None:
    """The task is through, or stopped where it was when somebody cancelled it."""
    row = _row(uow.session, None, task.id)
    if row.state != "running" or row.run != task.run:
        return
    row.state = "cancelled" if row.cancel_asked and not file_key else "done"
    row.finished_at = uow.now()
    if file_key:
        row.file_key, row.file_name, row.file_bytes = file_key, file_name, file_bytes
        row.expires_at = uow.now() + KEEP_FILE
    uow.session.add(row)


def fail(uow: UnitOfWork, task_id: int, run: int, error: str) -> None:
    """The task cannot go on; it may be taken up again by hand."""
    row = uow.session.get(TaskRow, task_id)
    if row is not None and row.run == run and row.state in OPEN_STATES:
        row.state, row.last_error, row.finished_at = "failed", error, uow.now()
        uow.session.add(row)


def cancel(uow: UnitOfWork, corp: CorpId, task_id: int) -> None:
    """Stop after the chunk under way; what is done stays done. Raises: NotFound, Conflict."""
    row = _row(uow.session, corp, task_id)
    if row.state not in OPEN_STATES:
        raise Conflict("任务已经结束，无法取消")
    row.cancel_asked = True
    if row.state == "waiting":
        row.state, row.finished_at = "cancelled", uow.now()
    uow.session.add(row)


def take_up(uow: UnitOfWork, corp: CorpId, task_id: int) -> None:
    """Go on with a failed or cancelled task from where it stood; items that failed are tried again.

    Raises: NotFound, Conflict.
    """
    row = _row(uow.session, corp, task_id)
    if row.state not in ("failed", "cancelled") and not (row.state == "done" and row.failed_count):
        raise Conflict("只有失败、已取消或有失败行的任务可以重试")
    uow.session.execute(
        delete(TaskItemRow).where(col(TaskItemRow.task_id) == row.id, col(TaskItemRow.outcome) == "failed")
    )
    row.failed_count = 0
    row.cursor = {} if row.state == "done" else row.cursor
    row.run, row.state, row.cancel_asked = row.run + 1, "waiting", False
    row.last_error, row.finished_at = "", None
    uow.session.add(row)
    uow.session.flush()
    _enqueue(uow, row)


def mark_undone(uow: UnitOfWork, corp: CorpId, task_id: int, by_task: int) -> None:
    """Remember which task takes this one back. Raises: NotFound, Conflict."""
    row = _row(uow.session, corp, task_id)
    if row.undone_by_task is not None:
        raise Conflict("这个任务已经撤销过")
    row.undone_by_task = by_task
    uow.session.add(row)


def known_items(session: Session, task_id: int, items: Sequence[str]) -> set[str]:
    """Which of these the task has dealt with already."""
    statement = select(TaskItemRow.item).where(TaskItemRow.task_id == task_id, col(TaskItemRow.item).in_(items))
    return set(session.exec(statement))


def items(
    session: Session, task_id: int, *, outcomes: Sequence[str] = (), after: int = 0, limit: int = 500
) -> tuple[list[TaskItem], int]:
    """Items of a task in the order they were done, with the place to go on from (0: no more)."""
    statement = select(TaskItemRow).where(TaskItemRow.task_id == task_id, col(TaskItemRow.id) > after)
    if outcomes:
        statement = statement.where(col(TaskItemRow.outcome).in_(outcomes))
    rows = session.exec(statement.order_by(col(TaskItemRow.id)).limit(limit)).all()
    told = [TaskItem(item=row.item, outcome=row.outcome, message=row.message, undo=row.undo) for row in rows]
    return told, (rows[-1].id or 0) if len(rows) == limit else 0


def drop_expired(uow: UnitOfWork, now: datetime) -> list[str]:
    """Forget the files whose time is over. Answers their keys that nobody else needs, for the store to delete."""
    rows = uow.session.exec(
        select(TaskRow).where(col(TaskRow.expires_at) < now, TaskRow.file_key != "").limit(200)
    ).all()
    keys = {row.file_key for row in rows}
    for row in rows:
        row.file_key = ""
        uow.session.add(row)
    uow.session.flush()
    still = set(uow.session.exec(select(TaskRow.file_key).where(col(TaskRow.file_key).in_(keys))))
    return sorted(keys - still)


def _row(session: Session, corp: CorpId | None, task_id: int) -> TaskRow:
    row = session.get(TaskRow, task_id)
    if row is None or (corp is not None and row.corp_id != corp):
        raise NotFound("没有这个任务")
    return row


def _view(row: Any) -> TaskView:
    return TaskView(
        id=row.id,
        kind=row.kind,
        title=row.title,
        state=row.state,
        done=row.done_count,
        failed=row.failed_count,
        total=row.total_count,
        is_stopping=row.cancel_asked,
        last_error=row.last_error,
        file_name=row.file_name,
        file_key=row.file_key,
        file_bytes=row.file_bytes,
        expires_at=row.expires_at,
        created_by=row.created_by,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        undone_by_task=row.undone_by_task,
        asked=row.asked,
        cursor=row.cursor,
        scope=None if row.scope is None else frozenset(row.scope),
        run=row.run,
        app=row.app_key,
    )
