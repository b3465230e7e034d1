"""Hands messages to their readers: the body of the ``chat.read`` jobs."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from crm_core.chat.reading import ChatReader
from crm_core.chat.store import ChatStore
from crm_core.db import UnitOfWork
from crm_core.errors import ScrmError
from crm_core.ids import CorpId


class ReadingDesk:
    """Knows the readers by name."""

    def __init__(self, store: ChatStore, readers: Sequence[ChatReader]) -> None:
        self._store = store
        self._readers = {reader.name: reader for reader in readers}

    def read(self, uow: UnitOfWork, row: Row[Any]) -> None:
        """One ``chat.read`` job, in the unit that ends it. Raises: ScrmError for a reader that is no more."""
        reader = self._readers.get(row.payload["reader"])
        if reader is None:
            raise ScrmError(f"没有名为 {row.payload['reader']} 的消息处理程序")
        corp = CorpId(row.corp_id)
        messages = self._store.read(uow.session, corp, row.payload["first"], row.payload["last"])
        if messages:
            reader.read(uow, corp, messages, live=row.payload["live"])
