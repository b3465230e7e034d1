"""Carries callbacks to the apps: encrypts, posts, waits five seconds, tries three times more."""

from __future__ import annotations

import heapq
import http.client
import itertools
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from bot.sandbox import crypto, ids
from bot.sandbox.clock import SandboxClock
from bot.sandbox.events import envelope
from bot.sandbox.faults import FaultBook
from bot.sandbox.model import App
from bot.sandbox.options import Options

_REPLY_LIMIT = 64 * 1024


@dataclass(slots=True)
class Delivery:
    """One callback on its way to one app. state: waiting, delivered, failed, lost or no_url."""

    id: int
    corp_id: str
    app: App
    event: str
    change_type: str
    summary: str
    xml: str
    at: float
    state: str = "waiting"
    unreachable: bool = False
    attempts: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The delivery as the log shows it; it holds no token and no key."""
        return {
            "id": self.id,
            "at": self.at,
            "corp_id": self.corp_id,
            "agentid": self.app.agentid,
            "event": self.event,
            "change_type": self.change_type,
            "summary": self.summary,
            "state": self.state,
            "attempts": self.attempts,
            "xml": self.xml,
        }


class Courier:
    """A pool of threads that deliver callbacks; order among different deliveries is not promised.

    on_reply is called with the delivery and the body of a 200 answer that has one (a passive reply).
    """

    def __init__(
        self,
        options: Options,
        clock: SandboxClock,
        faults: FaultBook,
        on_reply: Callable[[Delivery, bytes], None],
    ) -> None:
        self._options = options
        self._clock = clock
        self._faults = faults
        self._on_reply = on_reply
        self._heap: list[tuple[float, int, Delivery, int]] = []
        self._held: list[Delivery] = []
        self._held_until = 0.0
        self._order = itertools.count()
        self._wake = threading.Condition()
        self._busy = 0
        self._announced = 0
        self._stopping = False
        self._threads: list[threading.Thread] = []
        self._dice = random.Random(7)

    def start(self) -> None:
        """Start the threads."""
        for number in range(self._options.callback_threads):
            thread = threading.Thread(target=self._run, name=f"sandbox-courier-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Stop after the deliveries under way; what still waits is not sent."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        for thread in self._threads:
            thread.join(self._options.callback_timeout_real_seconds + 1)

    def announce(self, count: int) -> None:
        """Say that `count` deliveries will be posted once an answer is out,
        so that settle() waits for them.
        """
        with self._wake:
            self._announced += count

    def post(self, deliveries: list[Delivery]) -> None:
        """Take announced deliveries over, after the API answer that caused them has gone out."""
        now = time.monotonic()
        with self._wake:
            self._announced -= len(deliveries)
            for delivery in deliveries:
                self._take(delivery, now)
            self._wake.notify_all()

    def _take(self, delivery: Delivery, now: float) -> None:
        copies, due = 1, now
        if not delivery.app.callback.url:
            delivery.state = "no_url"
            return
        for rule in self._faults.firing_for_callback(delivery.event, delivery.change_type):
            if rule.kind == "drop_before":
                delivery.state = "lost"
                return
            if rule.kind == "shuffle":
                self._hold(delivery, rule.window, now + (rule.ms or 1000) / 1000)
                return
            if rule.kind == "unreachable":
                delivery.unreachable = True
            elif rule.kind == "repeat":
                copies += rule.n
            else:
                due += rule.ms / 1000
        for _ in range(copies):
            self._push(due, delivery)

    def _push(self, due: float, delivery: Delivery, tries: int = 0) -> None:
        heapq.heappush(self._heap, (due, next(self._order), delivery, tries))

    def _hold(self, delivery: Delivery, window: int, until: float) -> None:
        """Keep a delivery until `window` of them wait or `until` has come,
        then send them in another order.
        """
        if not self._held:
            self._held_until = until
        self._held.append(delivery)
        if len(self._held) >= window:
            self._release(time.monotonic())

    def _release(self, now: float) -> None:
        """Send what is held, never in the order it came."""
        mixed = self._dice.sample(self._held, len(self._held))
        if len(mixed) > 1 and mixed == self._held:
            mixed.reverse()
        self._held = []
        for delivery in mixed:
            self._push(now, delivery)

    def settle(self, seconds: float = 10.0) -> bool:
        """Wait until nothing is waiting or under way; False when `seconds` of real time were not enough."""
        with self._wake:
            return self._wake.wait_for(lambda: not self._pending(), seconds)

    def waiting(self) -> int:
        """Deliveries not yet finished."""
        with self._wake:
            return self._pending()

    def _pending(self) -> int:
        return self._announced + len(self._heap) + len(self._held) + self._busy

    def _run(self) -> None:
        while (entry := self._next()) is not None:
            delivery, tries = entry
            again = self._attempt(delivery, tries)
            with self._wake:
                self._busy -= 1
                if again:
                    due = time.monotonic() + self._options.callback_retry_pause_real_seconds
                    self._push(due, delivery, tries + 1)
                self._wake.notify_all()

    def _next(self) -> tuple[Delivery, int] | None:
        with self._wake:
            while not self._stopping:
                now = time.monotonic()
                if self._held and now >= self._held_until:
                    self._release(now)
                if self._heap and self._heap[0][0] <= now:
                    _, _, delivery, tries = heapq.heappop(self._heap)
                    self._busy += 1
                    return delivery, tries
                times = [self._heap[0][0]] if self._heap else []
                times += [self._held_until] if self._held else []
                self._wake.wait(min(times) - now if times else None)
            return None

    def _attempt(self, delivery: Delivery, tries: int) -> bool:
        """Post once; True when it must be tried again."""
        began = time.monotonic()
        attempt: dict[str, Any] = {"at": self._clock.now(), "http": 0, "error": ""}
        try:
            attempt["http"], body = self._post(delivery)
        except (OSError, http.client.HTTPException, ValueError) as fault:
            body = b""
            attempt["error"] = type(fault).__name__
        attempt["ms"] = round((time.monotonic() - began) * 1000, 1)
        delivery.attempts.append(attempt)
        if attempt["http"] == 200:
            delivery.state = "delivered"
            if body.strip():
                self._on_reply(delivery, body)
            return False
        if tries >= self._options.callback_retries:
            delivery.state = "failed"
            return False
        return True

    def _post(self, delivery: Delivery) -> tuple[int, bytes]:
        if delivery.unreachable:
            raise ConnectionRefusedError
        callback = delivery.app.callback
        encrypted = crypto.encrypt(callback.aes_key, delivery.xml, delivery.corp_id)
        timestamp, nonce = str(self._clock.stamp()), ids.nonce()
        query = urlencode(
            {
                "msg_signature": crypto.signature(callback.token, timestamp, nonce, encrypted),
                "timestamp": timestamp,
                "nonce": nonce,
            }
        )
        body = envelope(delivery.corp_id, delivery.app.agentid, encrypted).encode()
        return send("POST", callback.url, query, body, self._options.callback_timeout_real_seconds)


def send(method: str, url: str, query: str, body: bytes | None, seconds: float) -> tuple[int, bytes]:
    """One HTTP request on a connection of its own; (status, body).
    OSError or HTTPException when there is none.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=seconds)
    target = f"{parts.path or '/'}?{parts.query}&{query}" if parts.query else f"{parts.path or '/'}?{query}"
    try:
        connection.request(method, target, body, {"Content-Type": "text/xml", "Connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.read(_REPLY_LIMIT)
    finally:
        connection.close()
