"""Rate limits: calls per window (45009 until the window ends) and calls at once (45033)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bot.sandbox.options import Options
from bot.sandbox.refusal import Refusal


@dataclass(slots=True)
class _Window:
    ends_at: float
    calls: int = 0


class Pacing:
    """Counts calls per corp, per source address and per API on the sandbox clock.

    A window opens with its first call; once the limit is passed every call fails until the window ends.
    Source: WeCom doc 90454 (10 000 a minute and 150 000 an hour per corp and API; twice and four times per
    address).
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._windows: dict[tuple[str, str, int], _Window] = {}
        self._running: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def count(self, scope: str, path: str, seconds: int, limit: int, now: float) -> None:
        """Count one call in one window; Refusal 45009 over the limit."""
        key = (scope, path, seconds)
        with self._lock:
            window = self._windows.get(key)
            if window is None or now >= window.ends_at or now < window.ends_at - seconds:
                window = self._windows[key] = _Window(now + seconds)
                self._sweep(now)
            window.calls += 1
            if window.calls > limit:
                raise Refusal(45009)

    def count_call(self, corp_id: str, path: str, ip: str, now: float) -> None:
        """Count one API call in all its windows; Refusal 45009 when one of them is full."""
        o = self._options
        self.count(corp_id, path, 60, o.calls_per_minute, now)
        self.count(corp_id, path, 3600, o.calls_per_hour, now)
        self.count(f"ip {ip}", path, 60, o.ip_calls_per_minute, now)
        self.count(f"ip {ip}", path, 3600, o.ip_calls_per_hour, now)

    @contextmanager
    def running(self, corp_id: str, path: str) -> Iterator[None]:
        """Hold one of the places for simultaneous calls of an API; Refusal 45033 when none is free."""
        key = (corp_id, path)
        with self._lock:
            if self._running[key] >= self._options.concurrent_calls_of.get(path, self._options.concurrent_calls):
                raise Refusal(45033)
            self._running[key] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running[key] -= 1

    def within(self, scope: str, path: str, seconds: int, limit: int, now: float) -> bool:
        """As count, but answers whether the call is still within the limit."""
        try:
            self.count(scope, path, seconds, limit, now)
        except Refusal:
            return False
        return True

    def _sweep(self, now: float) -> None:
        if len(self._windows) > 20_000:
            self._windows = {k: w for k, w in self._windows.items() if w.ends_at > now}
