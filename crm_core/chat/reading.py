"""Readers: those who make something of messages, each by jobs of its own, exactly once."""

from collections.abc import Sequence
from typing import Protocol

from crm_core.chat.model import StoredMessage
from crm_core.db import UnitOfWork
from crm_core.ids import CorpId

READ_JOB = "chat.read"
LANE = "chat"


class ChatReader(Protocol):
    """Makes something of messages. It calls nothing outside; what must happen there goes into the outbox."""

    @property
    def name(self) -> str:
        """A stable name: jobs carry it."""
        ...

    def read(self, uow: UnitOfWork, corp: CorpId, messages: Sequence[StoredMessage], *, live: bool) -> None:
        """Messages by position, at most 500, each exactly once: the unit that commits this also ends the job.

        Batches may come out of order and side by side. live: False while history is loaded; nobody is told then.
        """
        ...
