"""Wake-ups inside a process and between processes; a broken link never troubles whoever commits."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from bot import wake
from bot.wake import CHANNEL, PostgresLink, RedisLink, SocketLink, WakeHub, socket_folder
from tests.support import databases
from tests.support.product import free_port, wait_for

LANE = "outbox:welcome"


@contextmanager
def running(*links: Any) -> Iterator[WakeHub]:
    hub = WakeHub(links)
    hub.start()
    try:
        yield hub
    finally:
        hub.stop()


def test_a_ring_between_ticket_and_wait_is_not_lost() -> None:
    hub = WakeHub()
    ticket = hub.ticket([LANE])
    hub.wake({LANE})
    assert hub.wait([LANE], ticket, timeout_seconds=0)


def test_other_lanes_do_not_wake_and_the_star_wakes_all() -> None:
    hub = WakeHub()
    ticket = hub.ticket([LANE])
    hub.wake({"outbox:default"})
    assert not hub.wait([LANE], ticket, timeout_seconds=0)
    hub.ring({"*"})
    assert hub.wait([LANE], ticket, timeout_seconds=0)


def test_no_ring_of_many_threads_is_lost() -> None:
    hub = WakeHub()
    heard, rings = 0, 4 * 500
    ticket = hub.ticket([LANE])
    ringers = [threading.Thread(target=lambda: [hub.wake({LANE}) for _ in range(500)]) for _ in range(4)]
    for ringer in ringers:
        ringer.start()
    while heard < rings:
        assert hub.wait([LANE], ticket, timeout_seconds=10)
        now = hub.ticket([LANE])
        heard, ticket = heard + now - ticket, now
    for ringer in ringers:
        ringer.join()
    assert not hub.wait([LANE], ticket, timeout_seconds=0)


def test_stopping_lets_every_waiter_go() -> None:
    hub = WakeHub()
    woken: list[bool] = []
    ticket = hub.ticket([LANE])
    waiter = threading.Thread(target=lambda: woken.append(hub.wait([LANE], ticket, timeout_seconds=30)))
    waiter.start()
    hub.stop()
    waiter.join(10)
    assert woken == [True]


class Broken:
    """A link whose other side is gone."""

    def tell(self, lanes: Any) -> None:
        raise OSError("gone")

    def start(self, hub: WakeHub) -> None: ...

    def stop(self) -> None: ...


def test_a_broken_link_troubles_neither_the_committer_nor_the_next_link(tmp_path: Path) -> None:
    with running(SocketLink(tmp_path)) as other:
        ticket = other.ticket([LANE])
        with running(Broken(), SocketLink(tmp_path)) as hub:
            hub.wake({LANE})
            assert other.wait([LANE], ticket, timeout_seconds=10)


def test_sockets_wake_the_other_hub_and_not_themselves_twice(tmp_path: Path) -> None:
    with running(SocketLink(tmp_path)) as one, running(SocketLink(tmp_path)) as two:
        ticket, own = two.ticket([LANE]), one.ticket([LANE])
        one.wake({LANE, "jobs:default"})
        assert two.wait([LANE], ticket, timeout_seconds=10)
        assert one.ticket([LANE]) == own + 1
    assert list(tmp_path.glob("*.sock")) == []


def test_sockets_wake_another_process(tmp_path: Path) -> None:
    listen = (
        "import sys; from pathlib import Path; from bot.wake import SocketLink, WakeHub\n"
        "hub = WakeHub([SocketLink(Path(sys.argv[1]))]); hub.start(); ticket = hub.ticket(['lane'])\n"
        "print('ready', flush=True); print(hub.wait(['lane'], ticket, 20), flush=True); hub.stop()"
    )
    other = subprocess.Popen([sys.executable, "-c", listen, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    with other:
        assert other.stdout.readline() == "ready\n"
        with running(SocketLink(tmp_path)) as hub:
            hub.wake({"lane"})
            assert other.stdout.readline() == "True\n"


def test_the_socket_of_a_dead_process_is_removed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(tmp_path / "1-dead.sock"))
    with running(SocketLink(tmp_path)) as hub:
        hub.wake({LANE})
        assert not (tmp_path / "1-dead.sock").exists()
        assert len(list(tmp_path.glob("*.sock"))) == 1


def test_a_listener_that_does_not_keep_up_holds_nobody_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asleep:
        asleep.bind(str(tmp_path / "1-asleep.sock"))
        with running(SocketLink(tmp_path)) as hub:
            for _ in range(3000):
                hub.wake({LANE})
            assert (tmp_path / "1-asleep.sock").exists()


def test_nonsense_on_the_socket_is_survived(tmp_path: Path) -> None:
    with running(SocketLink(tmp_path)) as hub, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        (path,) = tmp_path.glob("*.sock")
        for message in (b"\xff", b"7", b"[[1]]", b"null", b'{"a": 1}'):
            out.sendto(message, str(path))
        ticket = hub.ticket([LANE])
        out.sendto(json.dumps([LANE]).encode(), str(path))
        assert hub.wait([LANE], ticket, timeout_seconds=10)


def test_a_deep_folder_does_not_keep_the_product_from_starting(tmp_path: Path) -> None:
    deep = tmp_path / "很深的目录" / ("x" * 60) / "wake"
    assert socket_folder(tmp_path / "wake") == tmp_path / "wake"
    assert socket_folder(deep) == socket_folder(deep) != socket_folder(deep.parent)
    with running(SocketLink(socket_folder(deep))) as one, running(SocketLink(socket_folder(deep))) as two:
        ticket = two.ticket([LANE])
        one.wake({LANE})
        assert two.wait([LANE], ticket, timeout_seconds=10)
    socket_folder(deep).rmdir()


def keep_waking(hub: WakeHub, other: WakeHub, *, seconds: float = 20) -> bool:
    """Wake until the other side hears it (it may still be connecting)."""
    ticket = other.ticket([LANE])
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        hub.wake({LANE})
        if other.wait([LANE], ticket, timeout_seconds=0.2):
            return True
    return False


@pytest.fixture
def conninfo() -> str:
    return make_url(databases.POSTGRES).set(drivername="postgresql").render_as_string(hide_password=False)


def listening_backends() -> list[int]:
    engine = create_engine(databases.POSTGRES)
    with engine.connect() as connection:
        found = connection.execute(text(f"SELECT pid FROM pg_stat_activity WHERE query = 'LISTEN {CHANNEL}'"))
        pids = [int(row[0]) for row in found]
    engine.dispose()
    return pids


def terminate(pids: list[int]) -> None:
    engine = create_engine(databases.POSTGRES)
    with engine.connect() as connection:
        for pid in pids:
            connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    engine.dispose()


@pytest.mark.postgres
def test_postgres_wakes_the_other_hub_and_not_itself_twice(conninfo: str) -> None:
    with running(PostgresLink(conninfo)) as one, running(PostgresLink(conninfo)) as two:
        assert keep_waking(one, two)
        assert keep_waking(two, one)
        one.wake({"other:lane"})
        assert keep_waking(one, two)
        assert one._rung["other:lane"] == 1


@pytest.mark.postgres
def test_postgres_links_mend_themselves(conninfo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wake, "RECONNECT_SECONDS", 0.1)
    before = set(listening_backends())
    with running(PostgresLink(conninfo)) as one, running(PostgresLink(conninfo)) as two:
        assert keep_waking(one, two)
        assert keep_waking(two, one)
        terminate([pid for pid in listening_backends() if pid not in before])
        assert keep_waking(one, two)


@pytest.mark.postgres
def test_a_telling_connection_that_broke_is_opened_anew_at_once(conninfo: str) -> None:
    link = PostgresLink(conninfo)
    with running(PostgresLink(conninfo)) as other:
        hub = WakeHub([link])
        assert keep_waking(hub, other)
        terminate([link._out.info.backend_pid])
        ticket = other.ticket([LANE])
        hub.wake({LANE})
        assert other.wait([LANE], ticket, timeout_seconds=10)
        link.stop()


@pytest.mark.postgres
def test_without_postgres_the_committer_goes_on() -> None:
    link = PostgresLink(f"postgresql://nobody@127.0.0.1:{free_port()}/none")
    with pytest.raises(Exception, match="connection"):
        link.tell({LANE})
    with running(link) as hub:
        ticket = hub.ticket([LANE])
        hub.wake({LANE})
        assert hub.wait([LANE], ticket, timeout_seconds=0)


@contextmanager
def redis_server(port: int, folder: Path) -> Iterator[None]:
    """A Redis of this test's own, so that it can be stopped."""
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: _answers(port), what="redis")
        yield
    finally:
        server.terminate()
        server.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.redis
def test_redis_wakes_the_other_hub_and_may_come_and_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wake, "RECONNECT_SECONDS", 0.3)
    redis = pytest.importorskip("redis")

    port = free_port()
    clients = [redis.Redis(port=port, socket_timeout=3, socket_connect_timeout=2) for _ in range(2)]
    with running(RedisLink(clients[0])) as one:
        one.wake({LANE})  # Redis is not there yet
        began = time.monotonic()
        for _ in range(200):
            one.wake({LANE})
        assert time.monotonic() - began < 20  # left alone after the first failure
        with running(RedisLink(clients[1])) as two:
            with redis_server(port, tmp_path):
                assert keep_waking(one, two)
                one.wake({"own"})
                assert keep_waking(one, two)
                assert one._rung["own"] == 1  # what it told itself does not come back
            ticket = one.ticket([LANE])
            one.wake({LANE})  # stopped: nobody there hears it, nobody here is troubled
            assert one.wait([LANE], ticket, timeout_seconds=0)
            with redis_server(port, tmp_path):
                assert keep_waking(one, two)
    for client in clients:
        client.close()
