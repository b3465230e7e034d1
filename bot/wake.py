"""Wake-ups: who commits work tells who waits for it. A lost wake-up costs time, never work.

In one process a condition is enough. Between processes the hub has links: Unix datagrams beside a SQLite file,
LISTEN/NOTIFY on PostgreSQL, or Redis pub/sub when Redis is configured.
"""

import contextlib
import hashlib
import json
import os
import select
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Protocol

import structlog

log = structlog.get_logger()

CHANNEL = "scrm_wake"
RECONNECT_SECONDS = 2.0
LISTEN_SECONDS = 1.0
EVERYBODY = "*"
NEWS = "news:"  # lanes of open pages; they are handed to watchers and not counted, for there is no end of them
MOST_NEWS = 60  # lanes named in one message between processes; beyond that everybody looks
SOCKET_PATH_BYTES = 104  # macOS; Linux has 108
SOCKET_NAME_BYTES = 24


class Link(Protocol):
    """Carries wake-ups to and from other processes."""

    def tell(self, lanes: AbstractSet[str]) -> None:
        """Wake other processes. May fail; the failure is logged by the hub."""
        ...

    def start(self, hub: "WakeHub") -> None:
        """Begin to listen; rings the hub for what others tell."""
        ...

    def stop(self) -> None:
        """Stop listening and give resources back."""
        ...


class WakeHub:
    """Wakes threads that wait for lanes, here and through links elsewhere.

    One ring of a lane wakes one waiting thread: whoever finds more than it takes rings again. Waking all of them would
    cost a switch of the interpreter each, for nothing.
    """

    def __init__(self, links: Iterable[Link] = ()) -> None:
        self._lock = threading.Lock()
        self._rung: dict[str, int] = {}
        self._waiting: dict[str, list[threading.Event]] = {}
        self._links = list(links)
        self._watchers: list[Callable[[AbstractSet[str]], None]] = []

    def watch(self, told: Callable[[AbstractSet[str]], None]) -> None:
        """Call ``told`` with the news lanes that are rung, ``*`` for all of them. It must return at once."""
        self._watchers.append(told)

    def start(self) -> None:
        """Begin to hear other processes."""
        for link in self._links:
            link.start(self)

    def stop(self) -> None:
        """Stop hearing other processes and let every waiter go."""
        for link in self._links:
            link.stop()
        self.ring({EVERYBODY})

    def wake(self, lanes: AbstractSet[str]) -> None:
        """Wake who waits for ``lanes``, in this process and others."""
        self.ring(lanes)
        news = {lane for lane in lanes if lane.startswith(NEWS)}
        if len(news) > MOST_NEWS:
            lanes = (lanes - news) | {NEWS}
        for link in self._links:
            try:
                link.tell(lanes)
            except Exception as error:  # noqa: BLE001 - a wake-up may be lost, the work may not
                log.warning("wake_not_told", link=type(link).__name__, error=type(error).__name__)

    def ring(self, lanes: AbstractSet[str]) -> None:
        """Wake one waiter of each lane in this process; ``*`` wakes every waiter."""
        news = {lane for lane in lanes if lane.startswith(NEWS)}
        if news or EVERYBODY in lanes:
            for told in self._watchers:
                told({EVERYBODY} if EVERYBODY in lanes or NEWS in news else news)
        with self._lock:
            for lane in lanes - news:
                self._rung[lane] = self._rung.get(lane, 0) + 1
                waiting = self._waiting.get(lane, [])
                for event in waiting if lane == EVERYBODY else waiting[:1]:
                    event.set()

    def ticket(self, lanes: Iterable[str]) -> int:
        """How often these lanes were rung so far. Take it before looking for work."""
        with self._lock:
            return self._count(lanes)

    def wait(self, lanes: Iterable[str], ticket: int, timeout_seconds: float) -> bool:
        """Wait until one of ``lanes`` is rung after ``ticket`` was taken. Answers whether it was."""
        wanted = (*lanes, EVERYBODY)
        event = threading.Event()
        with self._lock:
            if self._count(wanted[:-1]) != ticket:
                return True
            for lane in wanted:
                self._waiting.setdefault(lane, []).append(event)
        try:
            return event.wait(timeout_seconds)
        finally:
            with self._lock:
                for lane in wanted:
                    self._waiting[lane].remove(event)

    def _count(self, lanes: Iterable[str]) -> int:
        return sum(self._rung.get(lane, 0) for lane in lanes) + self._rung.get(EVERYBODY, 0)


def socket_folder(folder: Path) -> Path:
    """``folder``, or a short stand-in for it where its name leaves no room for a Unix socket's (unix(7): 108 bytes)."""
    if len(os.fsencode(folder)) <= SOCKET_PATH_BYTES - SOCKET_NAME_BYTES:
        return folder
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"scrm-{os.getuid()}-{digest}"


class SocketLink:
    """Unix datagrams between the processes of one host; one socket file a process, in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / f"{os.getpid()}-{uuid.uuid4().hex[:6]}.sock"
        self._out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._out.setblocking(False)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def tell(self, lanes: AbstractSet[str]) -> None:
        """Send to every other socket in the folder; leftovers of dead processes are removed."""
        others = [
            entry.name
            for entry in os.scandir(self._folder)
            if entry.name.endswith(".sock") and entry.name != self._path.name
        ]
        message = json.dumps(sorted(lanes)).encode() if others else b""
        for name in others:
            path = self._folder / name
            try:
                self._out.sendto(message, str(path))
            except ConnectionRefusedError:
                path.unlink(missing_ok=True)
            except (BlockingIOError, FileNotFoundError):
                continue  # a full queue means the other side is awake anyway

    def start(self, hub: WakeHub) -> None:
        """Bind and listen in a thread."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        inward = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        inward.bind(str(self._path))
        self._thread = threading.Thread(target=self._listen, args=(hub, inward), name="wake-socket", daemon=True)
        self._thread.start()

    def _listen(self, hub: WakeHub, inward: socket.socket) -> None:
        with inward:
            while not self._stopping.is_set():
                ready, _, _ = select.select([inward], [], [], LISTEN_SECONDS)
                if ready:
                    with contextlib.suppress(ValueError, TypeError, OSError):  # anybody may write here
                        hub.ring(set(json.loads(inward.recv(65_536))))

    def stop(self) -> None:
        """Stop listening and remove the socket file."""
        self._stopping.set()
        if self._thread is not None:
            with contextlib.suppress(OSError):
                self._out.sendto(b"[]", str(self._path))
            self._thread.join()
        self._path.unlink(missing_ok=True)
        self._out.close()


class PostgresLink:
    """LISTEN/NOTIFY; one connection to tell, one to listen, both autocommit."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._lock = threading.Lock()
        self._out: Any = None
        self._stopping = threading.Event()
        self._source = uuid.uuid4().hex[:12]

    def tell(self, lanes: AbstractSet[str]) -> None:
        """NOTIFY; a broken connection is opened anew once."""
        payload = json.dumps([self._source, *sorted(lanes)])
        with self._lock:
            for last_try in (False, True):
                try:
                    if self._out is None:
                        self._out = self._connect()
                    self._out.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
                except Exception:
                    self._out = None
                    if last_try:
                        raise
                else:
                    return

    def start(self, hub: WakeHub) -> None:
        """Listen in a thread; reconnects for ever."""
        threading.Thread(target=self._listen, args=(hub,), name="wake-postgres", daemon=True).start()

    def _listen(self, hub: WakeHub) -> None:
        while not self._stopping.is_set():
            try:
                with self._connect() as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    hub.ring({EVERYBODY})  # whatever was told while nobody listened
                    while not self._stopping.is_set():
                        for notice in connection.notifies(timeout=LISTEN_SECONDS):
                            source, *lanes = json.loads(notice.payload)
                            if source != self._source:
                                hub.ring(set(lanes))
            except Exception as error:  # noqa: BLE001 - listen again; polling goes on meanwhile
                if not self._stopping.is_set():
                    log.warning("wake_not_heard", link="PostgresLink", error=type(error).__name__)
                self._stopping.wait(RECONNECT_SECONDS)

    def _connect(self) -> Any:
        import psycopg  # noqa: PLC0415 - an extra that only PostgreSQL installations have

        return psycopg.connect(self._conninfo, autocommit=True, connect_timeout=5)

    def stop(self) -> None:
        """Stop listening and close the telling connection."""
        self._stopping.set()
        with self._lock:
            if self._out is not None:
                self._out.close()
                self._out = None


class RedisLink:
    """Redis pub/sub. While Redis is away nobody is woken and polling alone goes on."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._stopping = threading.Event()
        self._source = uuid.uuid4().hex[:12]
        self._silent_until = 0.0

    def tell(self, lanes: AbstractSet[str]) -> None:
        """PUBLISH; after a failure Redis is left alone for a while, so that commits are not slowed down."""
        if time.monotonic() < self._silent_until:
            return
        try:
            self._client.publish(CHANNEL, json.dumps([self._source, *sorted(lanes)]))
        except Exception:
            self._silent_until = time.monotonic() + RECONNECT_SECONDS
            raise

    def start(self, hub: WakeHub) -> None:
        """Listen in a thread; reconnects for ever."""
        threading.Thread(target=self._listen, args=(hub,), name="wake-redis", daemon=True).start()

    def _listen(self, hub: WakeHub) -> None:
        while not self._stopping.is_set():
            try:
                with self._client.pubsub(ignore_subscribe_messages=True) as channel:
                    channel.subscribe(CHANNEL)
                    hub.ring({EVERYBODY})
                    while not self._stopping.is_set():
                        message = channel.get_message(timeout=LISTEN_SECONDS)
                        if message is not None:
                            source, *lanes = json.loads(message["data"])
                            if source != self._source:
                                hub.ring(set(lanes))
            except Exception as error:  # noqa: BLE001 - listen again; polling goes on meanwhile
                if not self._stopping.is_set():
                    log.warning("wake_not_heard", link="RedisLink", error=type(error).__name__)
                self._stopping.wait(RECONNECT_SECONDS)

    def stop(self) -> None:
        """Stop listening."""
        self._stopping.set()
