"""200 staff in the sidebar at once over 1,000,000 customers. Product figure: p95 ≤ 50 ms server time.

``python -m benchmarks.sidebar [--customers 1000000] [--staff 200] [--seconds 30] [--backend sqlite|postgres] [--workers N] [--threads N]``

Each staff member does one thing after another with a short pause to read: opens a customer (profile, tasks and
scripts in one page), looks for another, opens their tasks, searches the scripts. Server time is what the answer's
``Server-Timing`` says; the time seen from outside and a do-nothing answer of the same server stand beside it.
"""

import argparse
import http.client
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import Flask
from flask.sessions import SecureCookieSessionInterface

from bot.sandbox.server import SandboxServer
from bot.seed import external_id, staff_id
from tests.support import databases
from tests.support.product import APP, SECRET_KEY, local_wecom, processes

LIMIT_MS = 50.0
PAUSE_SECONDS = (1.0, 3.0)
WORDS = ("报价", "环保", "安装", "bj", "保修多久", "太贵了")
SESSION_SECONDS = 6 * 3600


def cookie_of(corp: str, staff: str) -> str:
    """A signed-in session, as the sign-in leaves it."""
    app = Flask("benchmark")
    app.secret_key = SECRET_KEY
    signer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert signer is not None
    until = time.time() + SESSION_SECONDS
    return f"session={signer.dumps({'sidebar': {'corp': corp, 'app': APP, 'staff': staff, 'until': until}})}"


class Member(threading.Thread):
    """One staff member at work until told to stop. seen: (what, server ms, outside ms, bytes)."""

    def __init__(self, port: int, corp: str, number: int, size: argparse.Namespace, stopping: threading.Event) -> None:
        super().__init__(daemon=True)
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"Cookie": cookie_of(corp, staff_id(number)), "Accept-Encoding": "gzip"}
        self._rand = random.Random(number)
        self._number, self._size, self._stopping = number, size, stopping
        self.seen: list[tuple[str, float, float, int]] = []
        self.faults: list[str] = []

    def run(self) -> None:
        self._stopping.wait(self._rand.uniform(0, PAUSE_SECONDS[1]))
        acts: tuple[tuple[str, Callable[[], str]], ...] = (
            ("profile", lambda: f"/sidebar/{APP}/?external_userid={self._own()}"),
            ("search", lambda: f"/sidebar/start?q={quote(self._rand.choice('王李张刘陈杨黄赵'))}"),
            ("tasks", lambda: f"/sidebar/customers/{self._own()}/todos"),
            ("scripts", lambda: f"/sidebar/customers/{self._own()}/scripts?q={quote(self._rand.choice(WORDS))}"),
            ("nothing", lambda: "/healthz"),
        )
        while not self._stopping.is_set():
            for what, address in acts:
                self._ask(what, address())
                if self._stopping.wait(self._rand.uniform(*PAUSE_SECONDS)):
                    return

    def _own(self) -> str:
        """A customer of this member: the seed deals them out in turn."""
        rounds = self._size.customers // self._size.staff
        return external_id(self._rand.randrange(1, rounds) * self._size.staff + self._number)

    def _ask(self, what: str, path: str) -> None:
        began = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        size = len(answer.read())
        outside = (time.perf_counter() - began) * 1000
        if answer.status != http.client.OK:
            self.faults.append(f"{path}: {answer.status}")
        told = answer.getheader("Server-Timing", "app;dur=0")
        self.seen.append((what, float(told.rpartition("=")[2]), outside, size))


def measure(port: int, corp: str, size: argparse.Namespace) -> bool:
    """Let everybody work, print the figures; whether the limit holds."""
    stopping = threading.Event()
    members = [Member(port, corp, number, size, stopping) for number in range(size.staff)]
    for member in members:
        member.start()
    time.sleep(size.seconds)
    stopping.set()
    for member in members:
        member.join(40)
    faults = [fault for member in members for fault in member.faults]
    rows = [row for member in members for row in member.seen]
    print(f"{len(rows)} requests in {size.seconds:.0f} s, {len(faults)} failed {faults[:3]}")
    worst = 0.0
    for what in ("profile", "search", "tasks", "scripts", "nothing"):
        found = [row for row in rows if row[0] == what]
        if not found:
            continue
        inside, outside = sorted(row[1] for row in found), sorted(row[2] for row in found)
        middle, late = len(found) // 2, len(found) * 95 // 100
        worst = max(worst, inside[late])
        print(
            f"{what:8} n {len(found):5}  server p50 {inside[middle]:6.1f} ms  p95 {inside[late]:6.1f} ms"
            f"  outside p50 {outside[middle]:6.1f}  p95 {outside[late]:6.1f} ms  {found[0][3]:6} bytes"
        )
    holds = worst <= LIMIT_MS and not faults
    print(f"p95 server time {worst:.1f} ms, limit {LIMIT_MS:.0f} ms: {'reached' if holds else 'NOT REACHED'}")
    return holds


def seeded(wecom: SandboxServer, crew: Any, size: argparse.Namespace) -> None:
    """Fill the database with the command a person would use."""
    began = time.monotonic()
    command = [sys.executable, "-m", "bot", "--config", str(crew.folder / "config.yaml"), "seed"]
    command += ["--customers", str(size.customers), "--staff", str(size.staff), "--corp", wecom.corp_id]
    subprocess.run(command, env=crew.environment, check=True, stdout=subprocess.DEVNULL)
    took = time.monotonic() - began
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"seeded {size.customers:,} customers in {took:.0f} s ({memory:.0f} MB at most)")


def main() -> int:
    """Seed, serve, measure."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--customers", type=int, default=1_000_000)
    options.add_argument("--staff", type=int, default=200)
    options.add_argument("--seconds", type=float, default=30)
    options.add_argument("--backend", choices=("sqlite", "postgres"), default="sqlite")
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--threads", type=int, default=4)
    size = options.parse_args()
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {size.backend}, {size.workers} web workers of {size.threads} threads"
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = databases.sqlite_url(folder)
        if size.backend == "postgres":
            url = stack.enter_context(databases.postgres_clone(stack.enter_context(databases.postgres_template())))
        wecom = stack.enter_context(local_wecom())
        crew = stack.enter_context(processes(wecom, folder, url))
        crew.environment |= {"SCRM_SERVER__WEB_WORKERS": str(size.workers), "SCRM_SERVER__THREADS": str(size.threads)}
        seeded(wecom, crew, size)
        crew.start("web", "web")
        crew.wait_ready()
        warm = argparse.Namespace(**{**vars(size), "seconds": 6.0})
        print("warming up")
        measure(crew.port, wecom.corp_id, warm)
        return 0 if measure(crew.port, wecom.corp_id, size) else 1


if __name__ == "__main__":
    raise SystemExit(main())
