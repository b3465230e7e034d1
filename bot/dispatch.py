"""Inbox row → typed event → handlers."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import structlog
from sqlalchemy import Row

from bot.handler_runs import run_handlers, trace_of
from crm_core.bus import HandlerTable
from crm_core.db import Database, UnitOfWork
from crm_core.errors import CallbackAnomalous, CallbackUnsupported, LeaseLost
from crm_core.events import Event
from crm_core.lease import LeaseTable, WorkState

log = structlog.get_logger()

ParseCallback = Callable[[Row[Any]], Event]


class Dispatcher:
    """Claims inbox rows and runs their handlers, a batch to a commit.

    pass_on_to: "" finishes a row after its handlers. Otherwise the row then goes on to that lane, where another
    dispatcher runs the rest: that is how greeting is decided before anything else takes its time.
    """

    def __init__(
        self, db: Database, inbox: LeaseTable, parse: ParseCallback, handlers: HandlerTable, *, pass_on_to: str = ""
    ) -> None:
        self._db = db
        self._inbox = inbox
        self._parse = parse
        self._handlers = handlers
        self._pass_on_to = pass_on_to

    def claim(self, lanes: Collection[str], owner: str, limit: int) -> list[Row[Any]]:
        """Take up to ``limit`` due rows."""
        with self._db.unit() as uow:
            rows = self._inbox.claim(uow.session, lanes=list(lanes), owner=owner, limit=limit)
            uow.commit()
        return rows

    def perform(self, rows: Sequence[Row[Any]]) -> None:
        """Finish claimed rows: all in one commit; when that fails, one by one with each handler by itself."""
        try:
            with self._db.unit() as uow:
                for row in rows:
                    self._take(uow, row, apart=False)
                uow.commit()
        except Exception as error:  # noqa: BLE001 - some handler of some row failed: find it
            log.info("inbox_batch_apart", rows=len(rows), error=type(error).__name__)
            self._one_by_one(rows)

    def _one_by_one(self, rows: Sequence[Row[Any]]) -> None:
        for row in rows:
            try:
                with self._db.unit() as uow:
                    self._take(uow, row, apart=True)
                    uow.commit()
            except Exception as error:  # noqa: BLE001 - kept on the row
                self._put_back(row, error)

    def _put_back(self, row: Row[Any], error: Exception) -> None:
        with self._db.unit() as uow:
            try:
                self._inbox.retry(uow.session, row, error=trace_of(error))
            except LeaseLost:
                return
            uow.commit()

    def _take(self, uow: UnitOfWork, row: Row[Any], *, apart: bool) -> None:
        try:
            event = self._parse(row)
        except CallbackUnsupported as unsupported:
            self._close(uow, row, WorkState.IGNORED, str(unsupported), "")
            return
        except CallbackAnomalous as anomalous:
            log.critical("callback_quarantined", inbox_id=row.id, corp_id=row.corp_id, reason=str(anomalous))
            self._close(uow, row, WorkState.QUARANTINED, str(anomalous), "")
            return
        name = type(event).__name__
        try:
            self._end(uow, row, name)
        except LeaseLost:
            log.warning("inbox_lease_lost", inbox_id=row.id)
            return
        run_handlers(uow, event, self._handlers, apart=apart)

    def _end(self, uow: UnitOfWork, row: Row[Any], name: str) -> None:
        if self._pass_on_to:
            self._inbox.pass_on(uow.session, row, lane=self._pass_on_to)
            uow.wake(f"{self._inbox.table.name}:{self._pass_on_to}")
        else:
            self._inbox.finish(uow.session, row, WorkState.DONE, event_name=name)

    def _close(self, uow: UnitOfWork, row: Row[Any], state: WorkState, reason: str, name: str) -> None:
        try:
            self._inbox.finish(uow.session, row, state, error=reason, event_name=name)
        except LeaseLost:
            log.warning("inbox_lease_lost", inbox_id=row.id)
