"""Work inside the house: claimed from the jobs table, one job to a unit or more."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy import Row

from bot.handler_runs import trace_of
from crm_core.db import Database, UnitOfWork
from crm_core.errors import LeaseLost
from crm_core.lease import LeaseTable, WorkState

log = structlog.get_logger()

JobBody = Callable[[Mapping[str, Any], Callable[[], None]], None]
"""A job gets its payload and ``keep_alive``, to be called at least once per lease on long work."""

UnitBody = Callable[[UnitOfWork, Row[Any]], None]
"""Short work that happens in the very unit that ends the job: once, or not at all."""


class JobRunner:
    """Claims jobs and runs them. ``bodies`` and ``unit_bodies`` map a kind to what it does."""

    def __init__(
        self,
        db: Database,
        jobs: LeaseTable,
        bodies: Mapping[str, JobBody],
        unit_bodies: Mapping[str, UnitBody],
    ) -> None:
        self._db = db
        self._jobs = jobs
        self._bodies = bodies
        self._unit_bodies = unit_bodies

    def claim(self, lanes: Collection[str], owner: str, limit: int) -> list[Row[Any]]:
        """Take up to ``limit`` due jobs."""
        with self._db.unit() as uow:
            rows = self._jobs.claim(uow.session, lanes=list(lanes), owner=owner, limit=limit)
            uow.commit()
        return rows

    def perform(self, rows: Sequence[Row[Any]]) -> None:
        """Run claimed jobs, one after the other."""
        for row in rows:
            try:
                self._run(row)
            except LeaseLost:
                log.warning("job_lease_lost", job_id=row.id, kind=row.kind)
            except Exception as error:  # noqa: BLE001 - kept on the row
                self._put_back(row, error)

    def _run(self, row: Row[Any]) -> None:
        in_one_unit = self._unit_bodies.get(row.kind)
        if in_one_unit is not None:
            with self._db.unit() as uow:
                self._jobs.finish(uow.session, row, WorkState.DONE)
                in_one_unit(uow, row)
                uow.commit()
            return
        body = self._bodies.get(row.kind)
        if body is None:
            self._finish(row, WorkState.DEAD, f"没有名为 {row.kind} 的任务")
            return
        body(row.payload, lambda: self._keep(row))
        self._finish(row, WorkState.DONE, None)

    def _keep(self, row: Row[Any]) -> None:
        with self._db.unit() as uow:
            self._jobs.renew(uow.session, row)
            uow.commit()

    def _finish(self, row: Row[Any], state: WorkState, error: str | None) -> None:
        with self._db.unit() as uow:
            self._jobs.finish(uow.session, row, state, error=error)
            uow.commit()

    def _put_back(self, row: Row[Any], error: Exception) -> None:
        log.warning("job_failed", job_id=row.id, kind=row.kind, error=type(error).__name__)
        with self._db.unit() as uow:
            try:
                self._jobs.retry(uow.session, row, error=trace_of(error))
            except LeaseLost:
                return
            uow.commit()
