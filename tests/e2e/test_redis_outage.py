"""Redis stops and starts mid-run: slower for a moment, nothing lost, nothing twice."""

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.sandbox.server import SandboxServer
from tests.crash.crash_run import Load, first_way
from tests.support.product import free_port, local_wecom, processes, wait_for

RATE = 10


class RedisServer:
    """A redis-server of the test's own on a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = [shutil.which("redis-server") or "redis-server", "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def company() -> Iterator[SandboxServer]:
    limits = {
        "app_messages_per_day_per_account": 10**6,
        "app_messages_per_member_minute": 100_000,
        "app_messages_per_member_hour": 100_000,
    }
    with local_wecom(callback_retry_pause_real_seconds=0.2, **limits) as server:
        yield server


@pytest.mark.redis
def test_an_outage_of_redis_loses_nothing(
    company: SandboxServer, tmp_path: Path, database_url: str, redis_server: RedisServer
) -> None:
    with processes(company, tmp_path, database_url, redis=redis_server.url, demo={"enabled": True}) as crew:
        crew.start("web", "serve")
        crew.start("worker", "worker")
        crew.wait_ready()
        way = wait_for(lambda: first_way(company), seconds=30, what="live codes")
        load = Load(company, way, RATE)
        thread = threading.Thread(target=load.run)
        thread.start()
        for act in (redis_server.stop, redis_server.start, lambda: None):
            time.sleep(2)  # real load on real processes; no clock of ours is involved
            act()
        load.stopping.set()
        thread.join()
        corp = company.world.corps[company.corp_id]
        codes = [corp.welcomes[scan["welcome_code"]] for scan in load.scanned]
        wait_for(lambda: all(code.deliveries for code in codes), seconds=25, what="every welcome")
        wait_for(lambda: len(corp.app_messages) >= len(codes), seconds=25, what="every task")
        assert {code.deliveries for code in codes} == {1}
        assert len(corp.app_messages) == len(codes)
