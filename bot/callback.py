"""The callback door: WeCom's GET check and POST callbacks, answered 200 only after the row is on disk.

It speaks RSGI (granian's own interface) and stands before the Flask app, which never sees a callback.

Replay. The signature binds timestamp, nonce and ciphertext to the token, so a captured request can be repeated but
not altered. A repeat carries the same plaintext, hence the same dedupe key, and changes nothing while the first
row is kept. ``max_age_seconds`` refuses older timestamps; it is off (0) by default, because the vendor does not say
whether its own retries keep the first timestamp.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

from prometheus_client import CollectorRegistry, Counter, Histogram

from bot.inbox import GroupCommit, InboxEvent, event_of, find_content
from bot.rsgi import CLIENT_GONE, HttpProtocol, Scope
from bot.wecom.crypto import SIGNATURE_CHARS, CallbackCrypto
from bot.wecom.element import read_body
from bot.wecom.envelope import read_encrypt
from crm_core.errors import CallbackRejected, StoreUnavailable

PATH_PREFIX = "/callback/"
MAX_QUERY_CHARS = 4096
MAX_NONCE_CHARS = 128
_TEXT = [("content-type", "text/plain; charset=utf-8"), ("x-content-type-options", "nosniff")]
_TIMESTAMP = re.compile(r"[0-9]{1,15}", re.ASCII)
_NAME = re.compile(rb"\s*(?:<!\[CDATA\[(.*?)\]\]>|([^<]*?))\s*</ToUserName>", re.DOTALL)
_PARAMETERS = frozenset({"msg_signature", "timestamp", "nonce", "echostr"})


@dataclass(frozen=True, slots=True)
class CallbackApp:
    """One app's door. ``reply``: b"" or, for suite command callbacks, b"success" (reference §1.4)."""

    key: str
    corp_id: str
    crypto: CallbackCrypto
    reply: bytes = b""


class DoorMetrics:
    """Prometheus series of the door; nothing in them comes from a request."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._committed = Counter("scrm_callbacks_committed", "Callbacks answered 200", registry=registry)
        self._unstored = Counter("scrm_callbacks_unstored", "Callbacks answered 503", registry=registry)
        self._rejected = Counter("scrm_callbacks_rejected", "Callbacks refused", ["reason"], registry=registry)
        self._batch = Histogram(
            "scrm_callback_batch_rows", "Rows a commit", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256), registry=registry
        )
        self._seconds = Histogram(
            "scrm_callback_commit_seconds",
            "Seconds a commit",
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5),
            registry=registry,
        )

    def committed(self, rows: int, seconds: float) -> None:
        """A batch of ``rows`` is on disk after ``seconds``."""
        self._committed.inc(rows)
        self._batch.observe(rows)
        self._seconds.observe(seconds)

    def not_stored(self, rows: int) -> None:
        """So many rows were not stored."""
        self._unstored.inc(rows)

    def rejected(self, reason: str) -> None:
        """A request was refused."""
        self._rejected.labels(reason).inc()


class CallbackDoor:
    """``/callback/<app key>``: verify, decrypt, check whom it is for, store, answer.

    Answers: 200 stored or known before; 403 refused; 404 no such app; 405; 413 body over ``max_body_bytes``;
    503 not stored, so WeCom sends again. No answer but the GET check has a body that says more than that.
    """

    def __init__(
        self,
        apps: Iterable[CallbackApp],
        inbox: GroupCommit,
        metrics: DoorMetrics,
        *,
        max_body_bytes: int = 1_048_576,
        max_age_seconds: float = 0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._apps = {app.key: app for app in apps}
        self._inbox = inbox
        self._metrics = metrics
        self._max_body_bytes = max_body_bytes
        self._max_age_seconds = max_age_seconds
        self._now = now

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to take callbacks; ``loop`` is the one that runs the door."""
        self._inbox.start(loop)

    def stop(self) -> None:
        """Commit what waits, then stop. Blocks until done."""
        self._inbox.stop()

    async def __call__(self, scope: Scope, protocol: HttpProtocol) -> None:
        """Answer one request."""
        app = self._apps.get(scope.path[len(PATH_PREFIX) :])
        if app is None:
            self._refuse(protocol, 404, "unknown_app")
        elif scope.method == "POST":
            await self._take(app, scope, protocol)
        elif scope.method == "GET":
            self._prove(app, scope, protocol)
        else:
            self._refuse(protocol, 405, "method", [("allow", "GET, POST")])

    async def _take(self, app: CallbackApp, scope: Scope, protocol: HttpProtocol) -> None:
        try:
            body = await self._read(scope, protocol)
        except CLIENT_GONE:
            self._metrics.rejected("disconnected")
            return
        if body is None:
            self._refuse(protocol, 413, "too_large")
            return
        try:
            event = self._event(app, scope.query_string, body)
            stored = await self._inbox.add(event)
        except CallbackRejected as error:
            self._refuse(protocol, 403, error.reason)
            return
        except StoreUnavailable:
            self._metrics.not_stored(1)
            stored = False
        if stored and app.reply:
            protocol.response_bytes(200, _TEXT, app.reply)
        elif stored:
            protocol.response_empty(200, [])
        else:
            protocol.response_empty(503, [("retry-after", "1")])

    async def _read(self, scope: Scope, protocol: HttpProtocol) -> bytes | None:
        """The body, or None when it is over the limit; never holds more than the limit."""
        length = scope.headers.get("content-length")
        if length is not None:
            return await protocol() if int(length) <= self._max_body_bytes else None
        body = bytearray()
        async for chunk in protocol:
            body += chunk
            if len(body) > self._max_body_bytes:
                return None
        return bytes(body)

    def _event(self, app: CallbackApp, query: str, body: bytes) -> InboxEvent:
        signature, timestamp, nonce, _ = self._signed(query)
        plaintext = app.crypto.open(signature, timestamp, nonce, read_encrypt(body))
        _check_addressee(app, plaintext)
        return event_of(app.corp_id, app.key, plaintext)

    def _prove(self, app: CallbackApp, scope: Scope, protocol: HttpProtocol) -> None:
        """Answer the check of a callback URL with the decrypted echo (reference §1.2)."""
        try:
            signature, timestamp, nonce, echo = self._signed(scope.query_string)
            plaintext = app.crypto.open(signature, timestamp, nonce, echo)
        except CallbackRejected as error:
            self._refuse(protocol, 403, error.reason)
            return
        protocol.response_bytes(200, _TEXT, plaintext)

    def _signed(self, query: str) -> tuple[str, str, str, str]:
        """Signature, timestamp, nonce and echo of a query string. Raises: CallbackRejected."""
        found = _parameters(query)
        try:
            signature, timestamp, nonce = found["msg_signature"], found["timestamp"], found["nonce"]
        except KeyError:
            raise CallbackRejected("query") from None
        if len(signature) != SIGNATURE_CHARS or not _TIMESTAMP.fullmatch(timestamp) or len(nonce) > MAX_NONCE_CHARS:
            raise CallbackRejected("query")
        if self._max_age_seconds and abs(self._now() - int(timestamp)) > self._max_age_seconds:
            raise CallbackRejected("timestamp")
        return signature, timestamp, nonce, found.get("echostr", "")

    def _refuse(
        self,
        protocol: HttpProtocol,
        status: Literal[403, 404, 405, 413],
        reason: str,
        headers: list[tuple[str, str]] | None = None,
    ) -> None:
        self._metrics.rejected(reason)
        protocol.response_empty(status, headers or [])


def _parameters(query: str) -> dict[str, str]:
    """The parameters we know. A ``+`` stands for itself: base64 holds no blanks. Raises: CallbackRejected."""
    if len(query) > MAX_QUERY_CHARS:
        raise CallbackRejected("query")
    found: dict[str, str] = {}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name in _PARAMETERS:
            if name in found:
                raise CallbackRejected("query")
            found[name] = unquote(value) if "%" in value else value
    return found


def _check_addressee(app: CallbackApp, plaintext: bytes) -> None:
    """Refuse what names another corp as its receiver. Suite callbacks and AI bots name nobody."""
    at = find_content(plaintext, b"<ToUserName>")
    if at < 0:
        return
    match = _NAME.match(plaintext, at)
    name = (match[1] or match[2] or b"").decode(errors="replace") if match else None
    if name != app.corp_id and name not in app.crypto.receive_ids:
        raise CallbackRejected("to_user")


def callback_fields(body: bytes) -> dict[str, Any]:
    """A stored callback under WeCom's own names. Raises: CallbackAnomalous."""
    return read_body(body).plain()
