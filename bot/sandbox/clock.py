"""The sandbox's clock: real time plus an offset that a page, a test or a file can move."""

from __future__ import annotations

import json
import os
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

CHINA = timezone(timedelta(hours=8))


def midnight(at: float) -> int:
    """The first second of the day in China that holds `at`."""
    day = datetime.fromtimestamp(at, CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
    return int(day.timestamp())


class SandboxClock:
    """Now for the local WeCom: the real clock plus `offset_seconds`.

    path: when given, the offset is read from that JSON file (`{"offset_seconds": N}`) at start and written
    there atomically on each change, so that the product can follow the same clock.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._offset = self._read() if path else 0.0
        if path and not path.exists():
            self._write()

    @property
    def offset_seconds(self) -> float:
        """How far this clock is ahead of the machine's, in seconds (negative: behind)."""
        return self._offset

    @property
    def followed(self) -> bool:
        """Whether a file tells somebody else of this clock."""
        return self._path is not None

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self._offset

    def stamp(self) -> int:
        """Whole seconds since the epoch, as WeCom writes times."""
        return int(self.now())

    def advance(self, seconds: float) -> None:
        """Move the clock by `seconds` (negative moves it back)."""
        self.shift_to(self._offset + seconds)

    def set_now(self, epoch_seconds: float) -> None:
        """Make it `epoch_seconds` now."""
        self.shift_to(epoch_seconds - time.time())

    def shift_to(self, offset_seconds: float) -> None:
        """Set the offset itself, in seconds."""
        with self._lock:
            self._offset = offset_seconds
            self._write()

    def _read(self) -> float:
        try:
            return float(json.loads(self._path.read_text("utf-8"))["offset_seconds"]) if self._path else 0.0
        except FileNotFoundError:
            return 0.0

    def _write(self) -> None:
        if not self._path:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        fresh.write_text(json.dumps({"offset_seconds": self._offset}), "utf-8")
        fresh.replace(self._path)
