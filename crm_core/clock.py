"""The only source of now."""

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

MOST_OFFSET = timedelta(days=36_500)


class Clock(Protocol):
    """The only source of now; aware UTC."""

    def now(self) -> datetime:
        """Aware UTC, microsecond resolution."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Aware UTC."""
        return datetime.now(UTC)


class FileOffsetClock:
    """The machine's clock plus an offset read from a small JSON file ``{"offset_seconds": N}``.

    The local WeCom writes the file when somebody turns its clock, so the product's due times follow in the
    demo and in tests. The file is looked at no more often than every ``look_every_seconds``.
    """

    def __init__(
        self, path: Path, *, look_every_seconds: float = 0.2, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._look_every = look_every_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._looked_at = float("-inf")
        self._offset = timedelta()

    def now(self) -> datetime:
        """Aware UTC, shifted by the file's offset; a missing, half-written or senseless file keeps the last offset."""
        return datetime.now(UTC) + self._current_offset()

    def _current_offset(self) -> timedelta:
        with self._lock:
            moment = self._monotonic()
            if moment - self._looked_at >= self._look_every:
                self._looked_at = moment
                try:
                    content = json.loads(self._path.read_text("utf-8"))
                    offset = timedelta(seconds=float(content["offset_seconds"]))
                    if abs(offset) < MOST_OFFSET:
                        self._offset = offset
                except (OSError, ValueError, KeyError, TypeError, OverflowError):
                    pass
            return self._offset


def to_millis(moment: datetime) -> int:
    """Milliseconds since the epoch of an aware datetime."""
    return round(moment.timestamp() * 1000)


def from_millis(millis: int) -> datetime:
    """Aware UTC datetime of milliseconds since the epoch."""
    return datetime.fromtimestamp(millis / 1000, UTC)


def midnight_of(moment: datetime, zone: ZoneInfo) -> datetime:
    """When the calendar day of ``moment`` began in a company's time zone; aware."""
    return moment.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
