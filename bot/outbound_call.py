"""One outbox row at work: what a performer gets, and what it answers."""

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row

from bot.media_desk import MediaDesk
from crm_core.db import Database
from crm_core.events import OutboundFinished
from crm_core.ports import CustomerFacts, WeComGateway


class RecentFacts:
    """What WeCom told in the last moments, so that a greeting and the record of its customer ask only once."""

    def __init__(self, *, keep_seconds: float = 5.0, most: int = 500) -> None:
        self._keep_ms = int(keep_seconds * 1000)
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], tuple[int, CustomerFacts]] = OrderedDict()

    def put(self, corp: str, facts: CustomerFacts) -> None:
        """Keep an answer that has just come in."""
        with self._lock:
            self._kept[corp, facts.external_user] = (time.time_ns() // 1_000_000, facts)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def take(self, corp: str, external_user: str, *, since_ms: int) -> CustomerFacts | None:
        """An answer that is no older than the question (``since_ms``, epoch) and still fresh; given out once."""
        with self._lock:
            at_ms, facts = self._kept.pop((corp, external_user), (0, None))
        fresh = time.time_ns() // 1_000_000 - at_ms < self._keep_ms
        return facts if facts is not None and fresh and at_ms >= since_ms else None


@dataclass(frozen=True, slots=True)
class Call:
    """One outbox row about to be performed. now_ms: the work clock."""

    row: Row[Any]
    gateway: WeComGateway
    db: Database
    recent: RecentFacts
    desk: MediaDesk
    now_ms: int

    @property
    def payload(self) -> Mapping[str, Any]:
        """The row's arguments."""
        return self.row.payload  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of a call. event_kind and fields make the event; note explains a success that is none."""

    event_kind: type[OutboundFinished] = OutboundFinished
    fields: dict[str, Any] = field(default_factory=dict)
    note: str = ""
