"""The inbox's way in: a decrypted callback becomes an event with a dedupe key; events that meet share one commit."""

import asyncio
import binascii
import contextlib
import logging
import re
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from hashlib import sha256
from typing import NamedTuple, Protocol

from crm_core.errors import ScrmError, StoreUnavailable
from crm_core.ports import Waker

WELCOME_LANE = "welcome"
DEFAULT_LANE = "default"
URGENT = 0
ORDINARY = 100
WELCOME_CODE_MS = 20_000  # a welcome code lives 20 s from the event (WeCom doc 92137)
MAX_BATCH = 256

_MSG_ID = re.compile(rb"\s*([1-9][0-9]{0,19})\s*</MsgId>")
_WELCOME_CODE = re.compile(rb"\s*(?:<!\[CDATA\[)?\s*[^\]<\s]")
_CREATE_TIME = re.compile(rb"<CreateTime>([0-9]{1,12})</CreateTime>")

logger = logging.getLogger(__name__)


class InboxEvent(NamedTuple):
    """One row to be. ``lifetime_ms`` is None for events that never grow stale."""

    corp_id: str
    app_key: str
    dedupe_key: str
    lane: str
    priority: int
    body: bytes
    lifetime_ms: int | None


class RowRefused(ScrmError):
    """The database is well but will not take one of these rows."""

    code = "row_refused"


class InboxStore(Protocol):
    """Where events are kept. Used by one thread at a time."""

    def turn(self) -> AbstractContextManager[object]:
        """Wait until no other process writes, where only one can. Raises: OSError."""
        ...

    def commit(self, events: Sequence[InboxEvent]) -> None:
        """Store all or none, on disk when it returns; a known dedupe key is skipped. Needs the turn.

        Raises: RowRefused, StoreUnavailable.
        """
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


class CommitWatcher(Protocol):
    """Counts what the committer does."""

    def committed(self, rows: int, seconds: float) -> None:
        """A batch of ``rows`` is on disk after ``seconds``."""
        ...

    def not_stored(self, rows: int) -> None:
        """So many rows were not stored."""
        ...


def event_of(corp_id: str, app_key: str, plaintext: bytes) -> InboxEvent:
    """The event of a decrypted callback.

    Dedupe key: ``corp|app|m<MsgId>`` when there is one, else ``corp|app|<CreateTime>|<SHA-256>`` of the whole text
    (reference §1.5: the vendor's hint, FromUserName + CreateTime, is too coarse). The time in front keeps
    neighbours together in the unique index: half the disk pages per commit of a bare hash.
    """
    at = find_content(plaintext, b"<MsgId>")
    message_id = _MSG_ID.match(plaintext, at) if at >= 0 else None
    if message_id is not None:
        key = f"{corp_id}|{app_key}|m{message_id[1].decode()}"
    else:
        created = _CREATE_TIME.search(plaintext)
        digest = binascii.b2a_base64(sha256(plaintext).digest(), newline=False).decode()
        key = f"{corp_id}|{app_key}|{created[1].decode() if created else 0}|{digest}"
    at = find_content(plaintext, b"<WelcomeCode>")
    if at >= 0 and _WELCOME_CODE.match(plaintext, at):
        return InboxEvent(corp_id, app_key, key, WELCOME_LANE, URGENT, plaintext, WELCOME_CODE_MS)
    return InboxEvent(corp_id, app_key, key, DEFAULT_LANE, ORDINARY, plaintext, None)


def find_content(plaintext: bytes, tag: bytes) -> int:
    """Where the content of the first ``tag`` starts, or -1. What stands inside CDATA is text and no tag."""
    at = plaintext.find(tag)
    while at >= 0 and plaintext.rfind(b"<![CDATA[", 0, at) > plaintext.rfind(b"]]>", 0, at):
        end = plaintext.find(b"]]>", at)
        at = plaintext.find(tag, end) if end >= 0 else -1
    return at + len(tag) if at >= 0 else -1


_Waiting = tuple[InboxEvent, "asyncio.Future[bool]"]


class GroupCommit:
    """One thread that commits whatever has gathered while the last commit ran; one per process and event loop.

    ``max_pending`` bounds the events that wait; beyond it ``add`` refuses. Nothing lingers: a lone event is
    committed at once, and the busier it gets the larger the batches grow.
    """

    def __init__(self, store: InboxStore, waker: Waker, watcher: CommitWatcher, *, max_pending: int) -> None:
        self._store = store
        self._waker = waker
        self._watcher = watcher
        self._max_pending = max_pending
        self._waiting: list[_Waiting] = []
        self._changed = threading.Condition(threading.Lock())
        self._open = False
        self._thread: threading.Thread | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to take events; ``loop`` is the one that calls ``add``."""
        self._loop = loop
        self._open = True
        self._thread = threading.Thread(target=self._run, name="inbox-commit", daemon=True)
        self._thread.start()

    def add(self, event: InboxEvent) -> "asyncio.Future[bool]":
        """Queue an event. The future says whether it is on disk (or was already known).

        Raises: StoreUnavailable when too many wait or after ``stop``.
        """
        with self._changed:
            if not self._open or len(self._waiting) >= self._max_pending:
                raise StoreUnavailable("收件队列已满或正在停止")
            future: asyncio.Future[bool] = self._loop.create_future()
            self._waiting.append((event, future))
            if len(self._waiting) == 1:
                self._changed.notify()
        return future

    def stop(self) -> None:
        """Refuse new events, commit those that wait, then give the store back. Blocks until done."""
        with self._changed:
            self._open = False
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            while self._wait():
                self._commit()
        finally:
            self._store.close()

    def _wait(self) -> bool:
        """Wait for events; false means that all is done."""
        with self._changed:
            while self._open and not self._waiting:
                self._changed.wait()
            return bool(self._waiting)

    def _take(self) -> list[_Waiting]:
        with self._changed:
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
        return batch

    def _commit(self) -> None:
        """Wait for the turn first and look what has gathered then: the longer the wait, the larger the batch."""
        batch: list[_Waiting] = []
        try:
            with self._store.turn():
                batch, started = self._take(), self._loop.time()
                stored = self._store_all([event for event, _ in batch])
        except OSError as error:
            batch, started = batch or self._take(), self._loop.time()
            stored = [False] * len(batch)
            _report("no turn to write", [event for event, _ in batch], type(error).__name__)
        self._settle(batch, stored, self._loop.time() - started)

    def _settle(self, batch: list[_Waiting], stored: list[bool], seconds: float) -> None:
        kept = sum(stored)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for the answer any more
            self._loop.call_soon_threadsafe(_answer, batch, stored)
        if kept:
            self._watcher.committed(kept, seconds)
            self._wake({event.lane for (event, _), done in zip(batch, stored, strict=True) if done})
        if kept < len(batch):
            self._watcher.not_stored(len(batch) - kept)

    def _store_all(self, events: list[InboxEvent]) -> list[bool]:
        try:
            self._store.commit(events)
        except RowRefused as error:
            if len(events) > 1:
                return [stored for event in events for stored in self._store_all([event])]
            _report("inbox row refused", events, error.message)
        except StoreUnavailable as error:
            _report("inbox store unavailable", events, error.message)
        except Exception as error:  # noqa: BLE001  # the loop must live on
            _report("inbox store failed", events, type(error).__name__)
        else:
            return [True] * len(events)
        return [False] * len(events)

    def _wake(self, lanes: set[str]) -> None:
        try:
            self._waker.wake(lanes)
        except Exception:
            logger.exception("waking failed")  # a lost wake-up costs time, never work


def _report(what: str, events: Sequence[InboxEvent], reason: str) -> None:
    """Log a fault without the database's own message, which may quote the row."""
    logger.error(what, extra={"rows": len(events), "app_key": events[0].app_key, "reason": reason})


def _answer(batch: list[_Waiting], stored: list[bool]) -> None:
    for (_, future), done in zip(batch, stored, strict=True):
        if not future.done():
            future.set_result(done)
