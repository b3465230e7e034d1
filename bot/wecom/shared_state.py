"""State that several of our workers share through Redis: tokens, locks, pauses, call counters.

Redis is optional and never holds the only copy of anything: when it fails, callers go on in-process.
"""

import secrets
import time
from collections.abc import Callable
from typing import Any, Protocol, cast

LEFT_ALONE_SECONDS = 5.0
DROP_IF_SAME = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end"

# KEYS: pause, leases (sorted set: slot → lease end), window (sorted set: one entry a call).
# ARGV: slot, cap, calls a minute, lease ms, window ms. Returns 0 = entered, else milliseconds to wait.
ENTER = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local paused = redis.call('PTTL', KEYS[1])
if paused > 0 then return paused end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[2]) then return 50 end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - ARGV[5])
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[3]) then
  local first = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
  return math.max(1, first[2] + ARGV[5] - now)
end
redis.call('ZADD', KEYS[2], now + ARGV[4], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
redis.call('ZADD', KEYS[3], now, ARGV[1])
redis.call('PEXPIRE', KEYS[3], ARGV[5])
return 0
"""
PAUSE = "if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], '1', 'PX', ARGV[1]) end"


class SharedStateDown(Exception):
    """Redis did not answer; go on without it."""


class SharedState(Protocol):
    """What tokens and pacing ask of the shared store; every method may raise SharedStateDown."""

    def read(self, key: str) -> tuple[str, float] | None:
        """Value and remaining life in seconds, None when absent."""
        ...

    def write(self, key: str, value: str, ttl_seconds: float) -> None:
        """Store a value that dies after ``ttl_seconds``."""
        ...

    def drop_if_same(self, key: str, value: str) -> None:
        """Delete the key if it still holds ``value``."""
        ...

    def lock(self, key: str, ttl_seconds: float) -> str | None:
        """An owner mark when the lock was free (release with ``drop_if_same``), else None."""
        ...

    def enter(self, lane: str, *, cap: int, calls_per_minute: int, lease_seconds: float) -> tuple[str, float]:
        """A slot and 0, or "" and the seconds to wait. Slots of dead workers end with their lease."""
        ...

    def leave(self, lane: str, slot: str) -> None:
        """Give a slot back."""
        ...

    def pause(self, lane: str, seconds: float) -> None:
        """Let nobody enter for ``seconds``; never shortens a pause."""
        ...


class RedisState:
    """SharedState on a redis-py client (``decode_responses`` either way).

    prefix: keeps installations apart. After a fault Redis is left alone for a few seconds, so that a dead Redis costs
    one time-out and not one per call. Give the client short time-outs and no retries of its own.
    """

    def __init__(
        self, client: Any, *, prefix: str = "scrm:wecom:", monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        from redis.exceptions import RedisError  # noqa: PLC0415 - redis is an extra

        self._client = client
        self._prefix = prefix
        self._faults: tuple[type[Exception], ...] = (RedisError, OSError)
        self._monotonic = monotonic
        self._left_alone_until = float("-inf")

    def read(self, key: str) -> tuple[str, float] | None:
        """See SharedState."""
        value = self._do("GET", self._prefix + key)
        if value is None:
            return None
        left = int(self._do("PTTL", self._prefix + key))
        return (_text(value), left / 1000) if left > 0 else None

    def write(self, key: str, value: str, ttl_seconds: float) -> None:
        """See SharedState."""
        self._do("SET", self._prefix + key, value, "PX", max(1, round(ttl_seconds * 1000)))

    def drop_if_same(self, key: str, value: str) -> None:
        """See SharedState."""
        self._do("EVAL", DROP_IF_SAME, 1, self._prefix + key, value)

    def lock(self, key: str, ttl_seconds: float) -> str | None:
        """See SharedState."""
        owner = secrets.token_hex(8)
        took = self._do("SET", self._prefix + key, owner, "NX", "PX", max(1, round(ttl_seconds * 1000)))
        return owner if took else None

    def enter(self, lane: str, *, cap: int, calls_per_minute: int, lease_seconds: float) -> tuple[str, float]:
        """See SharedState."""
        slot = secrets.token_hex(8)
        keys = (f"{self._prefix}pause:{lane}", f"{self._prefix}slots:{lane}", f"{self._prefix}calls:{lane}")
        wait = self._do("EVAL", ENTER, 3, *keys, slot, cap, calls_per_minute, round(lease_seconds * 1000), 60_000)
        return ("", int(wait) / 1000) if int(wait) else (slot, 0.0)

    def leave(self, lane: str, slot: str) -> None:
        """See SharedState."""
        self._do("ZREM", f"{self._prefix}slots:{lane}", slot)

    def pause(self, lane: str, seconds: float) -> None:
        """See SharedState."""
        self._do("EVAL", PAUSE, 1, f"{self._prefix}pause:{lane}", max(1, round(seconds * 1000)))

    def _do(self, *command: str | int) -> Any:
        if self._monotonic() < self._left_alone_until:
            raise SharedStateDown("left alone")
        try:
            return self._client.execute_command(*command)
        except self._faults as error:
            self._left_alone_until = self._monotonic() + LEFT_ALONE_SECONDS
            raise SharedStateDown(type(error).__name__) from None


def _text(value: object) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else cast("str", value)
