"""SIGKILL the product at random moments under load, then ask the local WeCom and the database what came of it.

In the suite ten rounds; ``python -m tests.crash.crash_run --rounds 100`` by hand, ``--backend postgres`` for that.
"""

import argparse
import os
import random
import signal
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
from tests.support import databases
from tests.support.product import Processes, ask_admin, local_wecom, processes, wait_for

SCANS_PER_SECOND = 50
SETTLE_SECONDS = 120


@dataclass
class Load:
    """Scans one live code at a steady rate until told to stop."""

    wecom: SandboxServer
    config_id: str
    rate: float
    scanned: list[dict[str, Any]] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        began, count = time.monotonic(), 0
        with httpx.Client(timeout=30) as client:
            while not self.stopping.is_set():
                count += 1
                self.stopping.wait(max(0.0, began + count / self.rate - time.monotonic()))
                body = {"corp_id": self.wecom.corp_id, "config_id": self.config_id, "name": f"客户{count}"}
                self.scanned.append(ask_admin(client, self.wecom, "scan", body))


@dataclass
class Verdict:
    """What a run left behind. problems is empty when nothing was lost and nothing done twice."""

    scans: int
    kills: int
    welcomed: int
    inbox: dict[str, int]
    outbox: dict[str, int]
    explained: dict[str, int]
    problems: list[str]

    def __str__(self) -> str:
        lines = [
            f"scans {self.scans}, kills {self.kills}, welcomed {self.welcomed}",
            f"inbox {self.inbox}, outbox {self.outbox}, not done but explained {self.explained}",
        ]
        return "\n".join([*lines, *(f"PROBLEM {problem}" for problem in self.problems)])


def run(*, backend: str, rounds: int, seed: int, redis: str = "", rate: float = SCANS_PER_SECOND) -> Verdict:
    """Run ``rounds`` kills under load and judge."""
    rand = random.Random(seed)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        wecom = stack.enter_context(
            local_wecom(
                callback_retries=2000,
                callback_retry_pause_real_seconds=0.25,
                log_length=500,
                app_message_length=200_000,
                app_messages_per_member_minute=1_000_000,
                app_messages_per_day_per_account=1_000_000,
                app_messages_per_member_hour=1_000_000,
            )
        )
        url = _database(stack, backend, folder)
        demo = {"enabled": True, "clock_file": ""}
        crew = stack.enter_context(
            processes(wecom, folder, url, redis=redis, demo=demo, work={"lease_seconds": 6, "max_attempts": 12})
        )
        roles = _roles(backend)
        for name, command in roles.items():
            crew.start(name, command)
        crew.wait_ready()
        config_id = wait_for(lambda: first_way(wecom), seconds=30, what="live codes")
        load = Load(wecom, config_id, rate)
        thread = threading.Thread(target=load.run)
        thread.start()
        try:
            for _ in range(rounds):
                time.sleep(rand.uniform(0.3, 2.0))
                _strike(crew, roles, rand)
                _revive(crew, roles)
        finally:
            load.stopping.set()
            thread.join()
        _wait_until_up(crew, roles)
        wait_for(lambda: wecom.settle(1.0), seconds=SETTLE_SECONDS, what="callbacks to be delivered")
        _wait_until_worked_off(crew, url)
        return _judge(wecom, url, load, rounds)


def _database(stack: ExitStack, backend: str, folder: Path) -> str:
    if backend == "postgres":
        template = stack.enter_context(databases.postgres_template())
        return stack.enter_context(databases.postgres_clone(template))
    return databases.sqlite_url(folder)


def _roles(backend: str) -> dict[str, str]:
    if backend == "postgres":
        return {"web": "serve", "worker-1": "worker", "worker-2": "worker"}
    return {"web": "serve", "worker-1": "worker"}


def _strike(crew: Processes, roles: dict[str, str], rand: random.Random) -> None:
    """Kill one process: the whole group, or only granian's child, which its parent must replace."""
    name = rand.choice(sorted(roles))
    if name == "web" and rand.random() < 0.4:
        for pid in _children(crew.running[name].pid):
            os.kill(pid, signal.SIGKILL)
        return
    crew.kill(name)
    crew.start(name, roles[name])


def _revive(crew: Processes, roles: dict[str, str]) -> None:
    """Start what has ended by itself, as systemd or a container would: granian gives up when its child dies twice."""
    for name, command in roles.items():
        if crew.running[name].poll() is not None:
            crew.kill(name)
            crew.start(name, command)


def _wait_until_up(crew: Processes, roles: dict[str, str]) -> None:
    for last_try in (False, False, True):
        try:
            crew.wait_ready(seconds=20)
        except AssertionError:
            if last_try:
                raise
            _revive(crew, roles)
        else:
            return


def _children(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in listed.stdout.split()]


def first_way(wecom: SandboxServer) -> str | None:
    ways = wecom.world.corps[wecom.corp_id].ways
    return next(iter(ways)) if len(ways) >= 3 else None


def _wait_until_worked_off(crew: Processes, url: str) -> None:
    """Until every queue is empty; a busy machine may take its time, as long as rows keep being finished."""
    engine = create_engine(url)
    try:
        opened, finished = _work(engine)
        while opened:
            seen = finished
            wait_for(lambda: _work(engine)[1] > seen, seconds=SETTLE_SECONDS, what=f"work to go on, {opened} left")  # noqa: B023
            time.sleep(1)
            opened, finished = _work(engine)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{crew.logs()}") from None
    finally:
        engine.dispose()


def _work(engine: Engine) -> tuple[int, int]:
    """How many rows are open, how many finished, in inbox, outbox and retried handlers."""
    is_open = "CASE WHEN state IN ('ready', 'leased') THEN 1 ELSE 0 END"
    with engine.connect() as connection:
        rows = [
            connection.execute(text(f"SELECT coalesce(sum({is_open}), 0), count(*) FROM {table} {only}")).one()
            for table, only in (("inbox", ""), ("outbox", ""), ("jobs", "WHERE kind = 'handler_run'"))
        ]
    opened = sum(int(row[0]) for row in rows)
    return opened, sum(int(row[1]) for row in rows) - opened


def _judge(wecom: SandboxServer, url: str, load: Load, kills: int) -> Verdict:
    engine = create_engine(url)
    with engine.connect() as connection:

        def rows(sql: str) -> list[Any]:
            return list(connection.execute(text(sql)).all())

        inbox = dict(rows("SELECT state, count(*) FROM inbox GROUP BY state"))
        outbox = dict(rows("SELECT state, count(*) FROM outbox GROUP BY state"))
        explained_rows = rows("SELECT kind, state, payload, last_error FROM outbox WHERE state <> 'done'")
        follows = Counter(row[0] for row in rows("SELECT external_userid FROM follows"))
        enrolled = Counter(row[0] for row in rows("SELECT external_userid FROM enrolments"))
        runs = Counter(row[0] for row in rows("SELECT external_userid FROM step_runs"))
    engine.dispose()
    problems = [
        f"outbox {kind} ended as {state} without a reason" for kind, state, _, error in explained_rows if not error
    ]
    sent = _welcomes_at(wecom)
    unsent = {payload_of(row[2])["code"] for row in explained_rows if row[0] == "send_welcome"}
    for scan in load.scanned:
        user, code = scan["external_userid"], scan["welcome_code"]
        for what, counter in (("follow", follows), ("enrolment", enrolled), ("first step", runs)):
            if counter[user] != 1:
                problems.append(f"{user}: {counter[user]} x {what}")
        if sent[code] > 1 or (sent[code] == 0 and code not in unsent):
            problems.append(f"{user}: welcomed {sent[code]} times, explained: {code in unsent}")
    messages = _app_messages_at(wecom)
    problems += [f"app message {url} shown {count} times" for url, count in messages.items() if count > 1]
    explained = dict(Counter(f"{row[0]}:{row[1]}" for row in explained_rows))
    return Verdict(len(load.scanned), kills, sum(sent.values()), inbox, outbox, explained, problems)


def payload_of(value: Any) -> dict[str, Any]:
    """A JSON column as either driver gives it."""
    import json

    return json.loads(value) if isinstance(value, str) else value


def _welcomes_at(wecom: SandboxServer) -> Counter[str]:
    """How often each welcome code was used with success, as the local WeCom counts."""
    corp = wecom.world.corps[wecom.corp_id]
    return Counter({welcome.code: welcome.deliveries for welcome in corp.welcomes.values()})


def _app_messages_at(wecom: SandboxServer) -> Counter[str]:
    """How often each follow-up task (its address is unique) was shown to staff."""
    corp = wecom.world.corps[wecom.corp_id]
    return Counter(str(message.body["url"]) for message in corp.app_messages.values())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--backend", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--rate", type=float, default=SCANS_PER_SECOND)
    given = parser.parse_args()
    verdict = run(backend=given.backend, rounds=given.rounds, seed=given.seed, redis=databases.REDIS, rate=given.rate)
    print(f"backend {given.backend}, seed {given.seed}")
    print(verdict)
    raise SystemExit(bool(verdict.problems))


if __name__ == "__main__":
    main()
