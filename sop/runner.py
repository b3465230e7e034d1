"""The body of the due-steps loop."""

import time

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlmodel import col, select

from crm_core.db import Database, UnitOfWork
from sop.engine import SopEngine
from sop.model import EnrolmentState
from sop.tables import EnrolmentRow

BATCH_SECONDS = 1.0  # other writers wait for the rows of a batch, and the job's lease runs on
DATABASE_AWAY = (OperationalError, InterfaceError)
log = structlog.get_logger()


def run_once(db: Database, engine: SopEngine, limit: int) -> int:
    """Run up to ``limit`` due steps, about a second's worth, one commit for the batch. Answers how many; 0: none due.

    Exactly once: the rows are locked for the transaction, and (enrolment, step) is unique. A batch that fails is
    tried row by row, so that one broken enrolment cannot hold up the others. A database that is away is nobody's
    fault: that is raised, and the steps stay due.
    """
    with db.unit() as uow:
        rows = _claim(uow, limit)
        ids = [row.id or 0 for row in rows]  # read now: after a failed flush the rows tell nothing any more
        began, done = time.monotonic(), 0
        try:
            for row in rows:
                engine.run_step(uow, row)
                done += 1
                if time.monotonic() - began > BATCH_SECONDS:
                    break
            uow.commit()
        except DATABASE_AWAY:
            raise
        except Exception as error:  # noqa: BLE001 - whose fault it is shows row by row
            log.warning("sop.batch_failed", error=type(error).__name__, rows=len(ids))
        else:
            return done
    return _one_by_one(db, engine, ids)


def _claim(uow: UnitOfWork, limit: int, row_id: int | None = None) -> list[EnrolmentRow]:
    statement = (
        select(EnrolmentRow)
        .where(EnrolmentRow.status == EnrolmentState.ACTIVE.value, col(EnrolmentRow.next_at) <= uow.now())
        .order_by(col(EnrolmentRow.next_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    if row_id is not None:
        statement = statement.where(col(EnrolmentRow.id) == row_id)
    return list(uow.session.exec(statement))


def _one_by_one(db: Database, engine: SopEngine, ids: list[int]) -> int:
    done = 0
    for row_id in ids:
        try:
            with db.unit() as uow:
                for row in _claim(uow, 1, row_id):
                    engine.run_step(uow, row)
                    done += 1
                uow.commit()
        except DATABASE_AWAY:
            raise
        except Exception as error:  # noqa: BLE001 - the row keeps the fault; the others go on
            _fail(db, row_id, f"{type(error).__name__}: {error}")
    return done


def _fail(db: Database, row_id: int, reason: str) -> None:
    with db.unit() as uow:
        row = uow.session.get(EnrolmentRow, row_id)
        if row is not None:
            row.status, row.end_reason, row.ended_at = EnrolmentState.STOPPED.value, reason, uow.now()
            uow.session.add(row)
            uow.commit()
