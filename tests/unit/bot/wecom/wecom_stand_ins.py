"""Time that only moves when told, and shared state without Redis."""

import threading
from typing import Any

from bot.wecom.shared_state import SharedStateDown


class Time:
    """monotonic() and sleep() of a world where sleeping takes no time. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        with self._lock:
            return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds
            self.slept.append(seconds)

    def pass_by(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds


class MemoryState:
    """SharedState for several caches in one test."""

    def __init__(self, time: Time) -> None:
        self._time = time
        self.values: dict[str, tuple[str, float]] = {}
        self.running: dict[str, int] = {}
        self.paused_until: dict[str, float] = {}
        self.writes: list[tuple[str, str, float]] = []

    def read(self, key: str) -> tuple[str, float] | None:
        value, ends_at = self.values.get(key, ("", 0.0))
        left = ends_at - self._time.monotonic()
        return (value, left) if left > 0 else None

    def write(self, key: str, value: str, ttl_seconds: float) -> None:
        self.writes.append((key, value, ttl_seconds))
        self.values[key] = (value, self._time.monotonic() + ttl_seconds)

    def drop_if_same(self, key: str, value: str) -> None:
        found = self.read(key)
        if found and found[0] == value:
            del self.values[key]

    def lock(self, key: str, ttl_seconds: float) -> str | None:
        if self.read(key):
            return None
        self.values[key] = ("owner", self._time.monotonic() + ttl_seconds)
        return "owner"

    def enter(self, lane: str, *, cap: int, calls_per_minute: int, lease_seconds: float) -> tuple[str, float]:
        paused = self.paused_until.get(lane, 0.0) - self._time.monotonic()
        if paused > 0:
            return "", paused
        if self.running.get(lane, 0) >= cap:
            return "", 0.05
        self.running[lane] = self.running.get(lane, 0) + 1
        return "slot", 0.0

    def leave(self, lane: str, slot: str) -> None:
        self.running[lane] -= 1

    def pause(self, lane: str, seconds: float) -> None:
        self.paused_until[lane] = self._time.monotonic() + seconds


class DownState:
    """SharedState whose Redis is gone."""

    def __getattr__(self, name: str) -> Any:
        def fail(*args: object, **kwargs: object) -> Any:
            raise SharedStateDown(name)

        return fail
