"""How many app messages one staff member may get: WeCom drops what is over the limit without a word (notes 3.3)."""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from crm_core.config import WeComPart

MINUTE, HOUR = 60.0, 3600.0


@dataclass(frozen=True, slots=True)
class MemberPace:
    """Counts app messages per (corp, app, staff member) in this process.

    Several processes count each for themselves, so with N workers a member may get up to N times as many.
    """

    per_minute: int
    per_hour: int
    monotonic: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _sent: dict[tuple[str, str, str], deque[float]] = field(default_factory=lambda: defaultdict(deque))

    @classmethod
    def from_settings(cls, part: WeComPart) -> "MemberPace":
        """From config.yaml's ``wecom``."""
        return cls(part.app_messages_per_member_minute, part.app_messages_per_member_hour)

    def wait_seconds(self, corp: str, app: str, staff: Sequence[str]) -> float:
        """0 and one message counted for each of ``staff``; or how long to wait, and nothing is counted."""
        now = self.monotonic()
        with self._lock:
            waits = [self._wait((corp, app, userid), now) for userid in staff]
            if any(waits):
                return max(waits)
            for userid in staff:
                self._sent[corp, app, userid].append(now)
        return 0.0

    def _wait(self, who: tuple[str, str, str], now: float) -> float:
        sent = self._sent[who]
        while sent and sent[0] <= now - HOUR:
            sent.popleft()
        if len(sent) >= self.per_hour:
            return sent[-self.per_hour] + HOUR - now
        if len(sent) >= self.per_minute:
            return max(0.0, sent[-self.per_minute] + MINUTE - now)
        return 0.0
