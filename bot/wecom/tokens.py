"""Access tokens and JS-SDK tickets: fetched once for all who ask at the same moment, kept until shortly before the end.

One token per (api_base, corp, secret); the secret itself never leaves this process, shared keys carry a fingerprint.
Source: protocol notes 3.1 (tokens), 6.1 (tickets); gettoken bans the IP for an hour after repeated wrong secrets.
"""

import hashlib
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.wecom.errcodes import error_for, same_again
from bot.wecom.loose import as_int, as_text
from bot.wecom.shared_state import SharedState, SharedStateDown
from bot.wecom.wire import Wire
from crm_core.errors import WeComError, WeComThrottled, WeComUnavailable
from crm_core.ids import CorpId

EARLY_SECONDS = 300.0
EARLY_JITTER = 0.2
EARLY_SHARE = 0.2
LOCK_SECONDS = 15.0
LOCK_WAIT_SECONDS = 4.0
LOCK_LOOK_SECONDS = 0.05
REFUSED_FIRST_SECONDS = 5.0
REFUSED_MOST_SECONDS = 300.0
BLOCKED_MOST_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Credential:
    """Who asks: one secret of one corp."""

    corp: CorpId
    secret: str = field(repr=False)

    def fingerprint(self, api_base: str) -> str:
        """A name for the secret that does not tell it."""
        return hashlib.sha256(f"{api_base}\n{self.corp}\n{self.secret}".encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Fresh:
    """A value and how long it may be used, seconds. cut: the early-refresh margin is already taken off."""

    value: str
    ttl_seconds: float
    cut: bool = False


@dataclass(slots=True)
class _Kept:
    value: str = ""
    refresh_at: float = float("-inf")
    ends_at: float = float("-inf")
    flight: "_Flight | None" = None
    refusal: WeComError | None = None
    refused_until: float = float("-inf")
    refusals: int = 0


class _Flight:
    """One fetch under way; others wait for its end and share its outcome."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.value = ""
        self.error: WeComError | None = None


class TokenCache:
    """Keeps tokens and tickets. Safe for many threads; with ``shared`` also for many workers.

    monotonic and sleep: seconds, injected so that tests need no waiting.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        shared: SharedState | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        chance: random.Random | None = None,
    ) -> None:
        self._wire = wire
        self._shared = shared
        self._monotonic = monotonic
        self._sleep = sleep
        self._chance = chance or random.Random()  # noqa: S311 - jitter, not secrecy
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}

    def token(self, credential: Credential) -> str:
        """The access token of a credential.

        Raises: the WeComError family with ``sent`` False: whatever the caller wanted to do has not been done.
        A refused secret is not tried again for 5 s, doubling to 5 min (blocked: 60 s, to 1 h); until then the same
        refusal is raised.
        """
        return self._get(f"token:{self._name(credential)}", lambda: self._gettoken(credential))

    def ticket(self, credential: Credential, agent_id: int | None, fetch: Callable[[], Fresh]) -> str:
        """A JS-SDK ticket, per corp (``agent_id`` None) or per app; ``fetch`` asks WeCom. Raises: see ``token``."""
        scope = "corp" if agent_id is None else f"agent:{agent_id}"
        place = hashlib.sha256(f"{self._wire.api_base}\n{credential.corp}".encode()).hexdigest()[:24]
        return self._get(f"ticket:{place}:{scope}", fetch)

    def invalidate(self, credential: Credential, token: str) -> None:
        """Forget ``token`` unless another thread or worker has already replaced it."""
        name = f"token:{self._name(credential)}"
        with self._lock:
            kept = self._kept.get(name)
            if kept is not None and kept.value == token:
                kept.value, kept.refresh_at, kept.ends_at = "", float("-inf"), float("-inf")
        if self._shared is not None:
            try:
                self._shared.drop_if_same(name, token)
            except SharedStateDown:
                return

    def _name(self, credential: Credential) -> str:
        return credential.fingerprint(self._wire.api_base)

    def _get(self, name: str, fetch: Callable[[], Fresh]) -> str:
        with self._lock:
            kept = self._kept.setdefault(name, _Kept())
            now = self._monotonic()
            if now < kept.refresh_at or (kept.flight is not None and now < kept.ends_at):
                return kept.value
            if kept.refusal is not None and now < kept.refused_until:
                if now < kept.ends_at:
                    return kept.value
                raise same_again(kept.refusal, sent=False)
            flight, leading = kept.flight, False
            if flight is None:
                flight, leading = _Flight(), True
                kept.flight = flight
        return self._lead(name, kept, flight, fetch) if leading else _follow(flight)

    def _lead(self, name: str, kept: _Kept, flight: _Flight, fetch: Callable[[], Fresh]) -> str:
        try:
            fresh = self._shared_or_fetched(name, fetch)
        except WeComError as error:
            return self._land_failed(kept, flight, error)
        except BaseException:
            self._land_failed_quietly(kept, flight)
            raise
        with self._lock:
            now = self._monotonic()
            kept.value, kept.ends_at = fresh.value, now + fresh.ttl_seconds
            kept.refresh_at = kept.ends_at - (0.0 if fresh.cut else self._early(fresh.ttl_seconds))
            kept.flight, kept.refusal, kept.refusals = None, None, 0
        flight.value = fresh.value
        flight.done.set()
        return fresh.value

    def _land_failed(self, kept: _Kept, flight: _Flight, error: WeComError) -> str:
        """Tell the others; a token that still lives is good enough, whatever the refresh said."""
        with self._lock:
            now = self._monotonic()
            kept.flight = None
            pause = self._refusal_seconds(kept, error)
            if pause:
                kept.refusal, kept.refused_until = error, now + pause
            usable = kept.value if now < kept.ends_at else ""
        flight.value, flight.error = usable, None if usable else error
        flight.done.set()
        if usable:
            return usable
        raise same_again(error, sent=False) from None

    def _land_failed_quietly(self, kept: _Kept, flight: _Flight) -> None:
        with self._lock:
            kept.flight = None
        flight.error = WeComUnavailable(None, "fetch broke off", "gettoken", sent=False)
        flight.done.set()

    @staticmethod
    def _refusal_seconds(kept: _Kept, error: WeComError) -> float:
        if isinstance(error, WeComUnavailable):
            return 0.0
        first, most = REFUSED_FIRST_SECONDS, REFUSED_MOST_SECONDS
        if isinstance(error, WeComThrottled):
            first, most = error.wait_seconds, BLOCKED_MOST_SECONDS
        kept.refusals += 1
        return float(min(most, first * 2 ** min(kept.refusals - 1, 10)))

    def _early(self, ttl_seconds: float) -> float:
        return min(EARLY_SECONDS * (1 + EARLY_JITTER * self._chance.random()), ttl_seconds * EARLY_SHARE)

    def _shared_or_fetched(self, name: str, fetch: Callable[[], Fresh]) -> Fresh:
        if self._shared is None:
            return fetch()
        try:
            return self._through_shared(self._shared, name, fetch)
        except SharedStateDown:
            return fetch()

    def _through_shared(self, shared: SharedState, name: str, fetch: Callable[[], Fresh]) -> Fresh:
        """Another worker's value, or our own fetch under a lock that others wait for."""
        gives_up_at = self._monotonic() + LOCK_WAIT_SECONDS
        while True:
            found = shared.read(name)
            if found is not None:
                return Fresh(*found, cut=True)
            owner = shared.lock(f"lock:{name}", LOCK_SECONDS)
            if owner is not None or self._monotonic() >= gives_up_at:
                break
            self._sleep(LOCK_LOOK_SECONDS)
        try:
            fresh = fetch()
            self._publish(shared, name, fresh)
        finally:
            if owner is not None:
                self._release(shared, name, owner)
        return fresh

    def _publish(self, shared: SharedState, name: str, fresh: Fresh) -> None:
        try:
            shared.write(name, fresh.value, fresh.ttl_seconds - self._early(fresh.ttl_seconds))
        except SharedStateDown:
            return

    @staticmethod
    def _release(shared: SharedState, name: str, owner: str) -> None:
        try:
            shared.drop_if_same(f"lock:{name}", owner)
        except SharedStateDown:
            return

    def _gettoken(self, credential: Credential) -> Fresh:
        answer = self._wire.exchange("gettoken", params={"corpid": credential.corp, "corpsecret": credential.secret})
        return fresh_from(answer, "access_token", "gettoken")


def fresh_from(answer: dict[str, object], name: str, call: str) -> Fresh:
    """Value and life out of a gettoken-like answer. Raises: the WeComError family."""
    errcode = as_int(answer.get("errcode"), -1)
    if errcode:
        error = error_for(errcode, as_text(answer.get("errmsg")), call)
        if isinstance(error, WeComError):
            raise error
        raise WeComUnavailable(errcode, as_text(answer.get("errmsg")), call)
    value = as_text(answer.get(name))
    if not value:
        raise WeComUnavailable(None, f"no {name} in the answer", call)
    return Fresh(value, float(max(1, as_int(answer.get("expires_in"), 7200))))


def _follow(flight: _Flight) -> str:
    flight.done.wait()
    if flight.error is not None:
        raise same_again(flight.error, sent=False)
    return flight.value
