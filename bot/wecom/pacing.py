"""Keeps our calls inside WeCom's limits, per corp and per API: so many at once, so many a minute, none while blocked.

Always in-process; with ``shared`` also over all workers, and back to in-process when Redis fails.
Source: WeCom doc 90454; protocol notes, customer contact 14.2 (a block lasts as long as its window).
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from bot.wecom.shared_state import SharedState, SharedStateDown
from crm_core.errors import WeComThrottled
from crm_core.ids import CorpId

WINDOW_SECONDS = 60.0
QUOTA_PAUSE_FIRST_SECONDS = 60.0
QUOTA_PAUSE_MOST_SECONDS = 3600.0
PARALLEL_PAUSE_FIRST_SECONDS = 0.5
PARALLEL_PAUSE_MOST_SECONDS = 15.0
LOOK_AGAIN_SECONDS = 0.05
SLOT_LEASE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceLimits:
    """calls_per_minute and parallel_calls hold for every API; ``parallel_of`` names stricter ones by path."""

    calls_per_minute: int = 10_000
    parallel_calls: int = 8
    parallel_of: Mapping[str, int] = field(default_factory=lambda: {"externalcontact/mark_tag": 5})

    def parallel(self, api: str) -> int:
        """How many calls of ``api`` may run at once for one corp."""
        return self.parallel_of.get(api, self.parallel_calls)


@dataclass(slots=True)
class _Lane:
    running: int = 0
    calls: deque[list[float]] = field(default_factory=deque)  # [second, number of calls in it]
    called: int = 0
    paused_until: float = float("-inf")
    quota_strikes: int = 0
    parallel_strikes: int = 0


class Pacer:
    """Lets calls in, or says how long to wait. Safe for many threads.

    monotonic and sleep: seconds, injected so that tests need no waiting.
    """

    def __init__(
        self,
        limits: PaceLimits,
        *,
        shared: SharedState | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        chance: random.Random | None = None,
    ) -> None:
        self._limits = limits
        self._shared = shared
        self._monotonic = monotonic
        self._sleep = sleep
        self._chance = chance or random.Random()  # noqa: S311 - jitter, not secrecy
        self._lock = threading.Lock()
        self._lanes: dict[tuple[CorpId, str], _Lane] = {}

    @contextmanager
    def enter(self, corp: CorpId, api: str, *, wait_at_most_seconds: float = 0.0) -> Iterator[None]:
        """Run one call of ``api`` inside.

        Raises: WeComThrottled with ``sent`` False and ``wait_seconds`` when it cannot start soon enough.
        """
        gives_up_at = self._monotonic() + wait_at_most_seconds
        while True:
            slot, wait = self._try(corp, api)
            if slot is not None:
                break
            if self._monotonic() + wait > gives_up_at:
                raise self._throttled(api, wait)
            self._sleep(wait)
        try:
            yield
        finally:
            self._leave(corp, api, slot)

    def note_success(self, corp: CorpId, api: str) -> None:
        """WeCom answered: the next block starts from the shortest pause again."""
        with self._lock:
            lane = self._lane(corp, api)
            lane.quota_strikes = lane.parallel_strikes = 0

    def note_quota(self, corp: CorpId, api: str) -> float:
        """After 45009: nobody calls ``api`` for 60 s, doubling to 1 h while it goes on. Returns the seconds."""
        with self._lock:
            lane = self._lane(corp, api)
            if self._monotonic() < lane.paused_until and lane.quota_strikes:
                return lane.paused_until - self._monotonic()
            seconds = float(min(QUOTA_PAUSE_MOST_SECONDS, QUOTA_PAUSE_FIRST_SECONDS * 2 ** min(lane.quota_strikes, 10)))
            lane.quota_strikes += 1
        return self._pause(corp, api, seconds)

    def note_parallel(self, corp: CorpId, api: str) -> float:
        """After 45033: a short jittered pause, doubling to 15 s while it goes on. Returns the seconds."""
        with self._lock:
            lane = self._lane(corp, api)
            most = min(PARALLEL_PAUSE_MOST_SECONDS, PARALLEL_PAUSE_FIRST_SECONDS * 2 ** min(lane.parallel_strikes, 10))
            lane.parallel_strikes += 1
        return self._pause(corp, api, most * (0.5 + self._chance.random() / 2))

    def _pause(self, corp: CorpId, api: str, seconds: float) -> float:
        with self._lock:
            lane = self._lane(corp, api)
            lane.paused_until = max(lane.paused_until, self._monotonic() + seconds)
        if self._shared is not None:
            try:
                self._shared.pause(_shared_name(corp, api), seconds)
            except SharedStateDown:
                return seconds
        return seconds

    def _lane(self, corp: CorpId, api: str) -> _Lane:
        return self._lanes.setdefault((corp, api), _Lane())

    def _try(self, corp: CorpId, api: str) -> tuple[str | None, float]:
        """A slot ("" without Redis) and 0, or None and the seconds to wait."""
        with self._lock:
            wait = self._local_wait(self._lane(corp, api), api)
            if wait:
                return None, wait
            self._take(self._lane(corp, api))
        if self._shared is None:
            return "", 0.0
        try:
            slot, wait = self._shared.enter(
                _shared_name(corp, api),
                cap=self._limits.parallel(api),
                calls_per_minute=self._limits.calls_per_minute,
                lease_seconds=SLOT_LEASE_SECONDS,
            )
        except SharedStateDown:
            return "", 0.0
        if slot:
            return slot, 0.0
        self._give_back(corp, api)
        return None, wait

    def _local_wait(self, lane: _Lane, api: str) -> float:
        now = self._monotonic()
        if now < lane.paused_until:
            return lane.paused_until - now
        if lane.running >= self._limits.parallel(api):
            return LOOK_AGAIN_SECONDS
        while lane.calls and lane.calls[0][0] + WINDOW_SECONDS + 1 <= now:
            lane.called -= int(lane.calls.popleft()[1])
        if lane.called >= self._limits.calls_per_minute:
            return max(LOOK_AGAIN_SECONDS, lane.calls[0][0] + WINDOW_SECONDS + 1 - now)
        return 0.0

    def _take(self, lane: _Lane) -> None:
        """Count a call in its second: at most 62 entries however many calls."""
        second = float(int(self._monotonic()))
        if not lane.calls or lane.calls[-1][0] != second:
            lane.calls.append([second, 0.0])
        lane.calls[-1][1] += 1
        lane.called += 1
        lane.running += 1

    def _give_back(self, corp: CorpId, api: str) -> None:
        """Undo a local entry that the other workers did not leave room for."""
        with self._lock:
            lane = self._lane(corp, api)
            lane.running -= 1
            if lane.calls:
                lane.calls[-1][1] -= 1
                lane.called -= 1

    def _leave(self, corp: CorpId, api: str, slot: str) -> None:
        with self._lock:
            self._lane(corp, api).running -= 1
        if slot and self._shared is not None:
            try:
                self._shared.leave(_shared_name(corp, api), slot)
            except SharedStateDown:
                return

    @staticmethod
    def _throttled(api: str, wait: float) -> WeComThrottled:
        error = WeComThrottled(
            None, "paced by ourselves", api, sent=False, remedy=f"接口 {api} 调用过于密集，{wait:.1f} 秒后自动再试"
        )
        error.wait_seconds = wait
        return error


def _shared_name(corp: CorpId, api: str) -> str:
    return f"{corp}:{api}"
