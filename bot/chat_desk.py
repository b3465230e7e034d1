"""Hands messages to their readers: the body of the ``chat.read`` jobs."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row
from sqlmodel import Session

from crm_core import outbox
from crm_core.chat.model import StoredMessage
from crm_core.chat.reading import LANE, READ_JOB, ChatReader
from crm_core.chat.store import ChatStore
from crm_core.db import UnitOfWork
from crm_core.errors import ScrmError
from crm_core.ids import CorpId

FAILURES_BEFORE_HALVING = 2
BATCHES_KEPT = 2  # opened messages in memory: the readers of a batch follow each other


class ReadingDesk:
    """Knows the readers by name."""

    def __init__(self, store: ChatStore, readers: Sequence[ChatReader]) -> None:
        self._store = store
        self._readers = {reader.name: reader for reader in readers}
        self._opened: OrderedDict[tuple[CorpId, int, int], list[StoredMessage]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, uow: UnitOfWork, row: Row[Any]) -> None:
        """One ``chat.read`` job, in the unit that ends it. Raises: ScrmError for a reader that is no more.

        A batch that failed twice becomes two jobs (halves of halves at their first failure), so that one message which
        a reader cannot bear ends alone in a dead letter and the others get through.
        """
        failures = row.attempts - 1
        most = 1 if row.payload.get("halved") else FAILURES_BEFORE_HALVING
        if failures >= most and row.payload["first"] < row.payload["last"]:
            self._halve(uow, row)
            return
        reader = self._readers.get(row.payload["reader"])
        if reader is None:
            raise ScrmError(f"没有名为 {row.payload['reader']} 的消息处理程序")
        corp = CorpId(row.corp_id)
        messages = self._batch(uow.session, corp, row.payload["first"], row.payload["last"])
        if messages:
            reader.read(uow, corp, messages, live=row.payload["live"])

    def _batch(self, session: Session, corp: CorpId, first: int, last: int) -> list[StoredMessage]:
        """The messages; opened once for all readers that come one after the other, unless some were deleted since."""
        key = (corp, first, last)
        with self._lock:
            known = self._opened.get(key)
        if known is not None and self._store.positions(session, corp, first, last) == [one.position for one in known]:
            return known
        messages = self._store.read(session, corp, first, last)
        with self._lock:
            self._opened[key] = messages
            while len(self._opened) > BATCHES_KEPT:
                self._opened.popitem(last=False)
        return messages

    def _halve(self, uow: UnitOfWork, row: Row[Any]) -> None:
        first, last = row.payload["first"], row.payload["last"]
        middle = (first + last) // 2
        for start, end in ((first, middle), (middle + 1, last)):
            outbox.add_job(
                uow,
                READ_JOB,
                dedupe_key=f"{READ_JOB}:{row.payload['reader']}:{row.corp_id}:{start}-{end}",
                payload={**row.payload, "first": start, "last": end, "halved": True},
                lane=LANE,
                corp=row.corp_id,
            )
