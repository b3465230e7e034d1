"""Soak: 30 minutes at 50 callbacks a second. Memory must stay flat and no queue may grow.

``python -m benchmarks.soak [--minutes 30] [--rate 50] [--backend sqlite|postgres]``

The mix, by share of callbacks: new customers through a live code 20 %, edited remarks and tags 15 %, customers who delete
a staff member 5 %, staff who open the app 30 %, staff who write to the app 30 %. A new customer costs a welcome, a look-up,
two tags, a remark and a follow-up task; an edit costs a look-up.
"""

import argparse
import os
import platform
import random
import subprocess
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine, create_engine, text

from bot.sandbox.server import SandboxServer
from tests.crash.crash_run import first_way
from tests.support import databases
from tests.support.product import ask_admin, local_wecom, processes, wait_for

SHARES = {"scan": 20, "edit": 15, "leave": 5, "enter": 30, "write": 30}
WARM_MINUTES = 3
FLAT_SHARE = 0.15  # growth of resident memory after the warm-up that still counts as flat
KEPT_RELATIONS = 2000


@dataclass
class Mix:
    """Causes callbacks at a steady rate."""

    wecom: SandboxServer
    config_id: str
    rate: float
    stopping: threading.Event = field(default_factory=threading.Event)
    caused: Counter[str] = field(default_factory=Counter)
    relations: list[tuple[str, str]] = field(default_factory=list)

    def run(self) -> None:
        rand, began, count = random.Random(1), time.monotonic(), 0
        names, weights = list(SHARES), list(SHARES.values())
        with httpx.Client(timeout=60) as client:
            while not self.stopping.is_set():
                count += 1
                self.stopping.wait(max(0.0, began + count / self.rate - time.monotonic()))
                self.cause(client, rand.choices(names, weights)[0], rand, count)

    def cause(self, client: httpx.Client, kind: str, rand: random.Random, count: int) -> None:
        if kind in ("edit", "leave") and not self.relations:
            kind = "scan"
        self.caused[kind] += 1
        agent = {"agentid": self.wecom.app.agentid, "userid": "LiNa"}
        if kind == "scan":
            made = ask_admin(client, self.wecom, "scan", {"config_id": self.config_id, "name": f"客户{count}"})
            self.relations.append((made["userid"], made["external_userid"]))
            del self.relations[:-KEPT_RELATIONS]
        elif kind == "edit":
            staff, user = rand.choice(self.relations)
            body = {"userid": staff, "external_userid": user, "remark": f"备注{count}"}
            ask_admin(client, self.wecom, "edit_follow", body)
        elif kind == "leave":
            staff, user = self.relations.pop(rand.randrange(len(self.relations)))
            ask_admin(client, self.wecom, "delete_staff_by_customer", {"userid": staff, "external_userid": user})
        elif kind == "enter":
            ask_admin(client, self.wecom, "enter_app", agent)
        else:
            ask_admin(client, self.wecom, "app_message", agent | {"content": f"查客户 {count}"})


def memory_mb(process_group: int) -> float:
    """Resident memory of the product's processes, MB; pages they share are counted once each."""
    listed = subprocess.run(["ps", "-o", "rss=", "-g", str(process_group)], capture_output=True, text=True, check=False)
    return sum(int(word) for word in listed.stdout.split()) / 1024


def open_rows(engine: Engine) -> dict[str, int]:
    """Rows that wait, by table; steps due are jobs."""
    with engine.connect() as connection:
        return {
            table: connection.execute(
                text(f"SELECT count(*) FROM {table} WHERE state IN ('ready', 'leased')")
            ).scalar_one()
            for table in ("inbox", "outbox", "jobs")
        }


def soak(backend: str, minutes: float, rate: float) -> bool:
    """Run it; answers whether memory stayed flat and the queues did not grow."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        limits: dict[str, Any] = {
            "app_messages_per_day_per_account": 10**6,
            "app_messages_per_member_minute": 10**6,
            "app_messages_per_member_hour": 10**6,
        }
        wecom = stack.enter_context(local_wecom(log_length=200, app_message_length=500, **limits))
        url = databases.sqlite_url(folder)
        if backend == "postgres":
            url = stack.enter_context(databases.postgres_clone(stack.enter_context(databases.postgres_template())))
        crew = stack.enter_context(processes(wecom, folder, url, redis=databases.REDIS, demo={"enabled": True}))
        web = crew.start("web", "serve")
        crew.wait_ready()
        way = wait_for(lambda: first_way(wecom), seconds=30, what="live codes")
        mix = Mix(wecom, way, rate)
        thread = threading.Thread(target=mix.run)
        thread.start()
        engine, began = create_engine(url), time.monotonic()
        memory: list[float] = []
        queues: list[int] = []
        for minute in range(1, int(minutes) + 1):
            time.sleep(max(0.0, began + minute * 60 - time.monotonic()))
            waiting = open_rows(engine)
            memory.append(memory_mb(web.pid))
            queues.append(sum(waiting.values()))
            print(
                f"minute {minute:3}: {memory[-1]:.0f} MB, waiting {waiting}, caused {sum(mix.caused.values())}",
                flush=True,
            )
        mix.stopping.set()
        thread.join()
        wait_for(lambda: not any(open_rows(engine).values()), seconds=60, what="queues to be empty")
        engine.dispose()
        return judge(memory, queues, mix, minutes)


def judge(memory: list[float], queues: list[int], mix: Mix, minutes: float) -> bool:
    """Print the figures; answers whether they are good."""
    settled = memory[WARM_MINUTES:] or memory
    growth = settled[-1] / settled[0] - 1
    late = queues[len(queues) // 2 :]
    print(f"callbacks {sum(mix.caused.values())} in {minutes:.0f} min: {dict(mix.caused)}")
    print(f"memory after {WARM_MINUTES} min {settled[0]:.0f} MB, at the end {settled[-1]:.0f} MB ({growth:+.1%})")
    print(f"waiting rows: most in the first half {max(queues[: len(queues) // 2] or [0])}, second half {max(late)}")
    return growth <= FLAT_SHARE and max(late) < mix.rate * 20


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--backend", choices=["sqlite", "postgres"], default="sqlite")
    given = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {given.backend}")
    raise SystemExit(not soak(given.backend, given.minutes, given.rate))


if __name__ == "__main__":
    main()
