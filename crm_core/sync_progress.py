"""How far each stage of a sync has come; written in the commit that applies the page."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, select

from crm_core.db import UnitOfWork
from crm_core.ids import CorpId
from crm_core.tables import SyncProgressRow

RUNNING, DONE, FAILED = "running", "done", "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncProgress:
    """One stage. total 0: not known yet."""

    stage: str
    status: str
    cursor: dict[str, Any]
    done_count: int
    total_count: int
    started_at: datetime
    changed_at: datetime
    finished_at: datetime | None
    last_error: str


def begin(uow: UnitOfWork, corp: CorpId, stage: str) -> SyncProgress:
    """Go on with a stage that was stopped, or begin it anew when it had finished."""
    row = uow.session.get(SyncProgressRow, (corp, stage))
    now = uow.now()
    if row is None or row.status == DONE:
        fresh = SyncProgressRow(corp_id=corp, stage=stage, status=RUNNING, started_at=now, changed_at=now)
        row = uow.session.merge(fresh)
    row.status, row.last_error, row.changed_at = RUNNING, "", now
    uow.session.add(row)
    uow.session.flush()
    return _view(row)


def advance(
    uow: UnitOfWork, corp: CorpId, stage: str, *, cursor: dict[str, Any], done: int, total: int | None = None
) -> None:
    """Note that ``done`` more items are applied and where to go on."""
    row = uow.session.get_one(SyncProgressRow, (corp, stage))
    row.cursor, row.done_count, row.changed_at = cursor, row.done_count + done, uow.now()
    row.total_count = row.total_count if total is None else total
    uow.session.add(row)


def finish(uow: UnitOfWork, corp: CorpId, stage: str, *, error: str = "") -> None:
    """Close a stage; with ``error`` it stays where it is and a later run goes on from there."""
    row = uow.session.get_one(SyncProgressRow, (corp, stage))
    row.status, row.last_error, row.changed_at = (FAILED if error else DONE), error, uow.now()
    row.finished_at = None if error else row.changed_at
    row.cursor = row.cursor if error else {}
    uow.session.add(row)


def listing(session: Session, corp: CorpId) -> list[SyncProgress]:
    """All stages of a corp, in name order."""
    rows = session.exec(select(SyncProgressRow).where(SyncProgressRow.corp_id == corp).order_by(SyncProgressRow.stage))
    return [_view(row) for row in rows]


def _view(row: SyncProgressRow) -> SyncProgress:
    return SyncProgress(**row.model_dump(exclude={"corp_id"}))
