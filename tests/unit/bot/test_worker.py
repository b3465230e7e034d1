"""The loops: they run, survive faults, hold back for greetings, stop, and free what the dead held."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import Row

from bot import worker
from bot.worker import Calm, Loop, WorkerPool, drain
from crm_core.lease import WorkState
from tests.support.bench import Bench
from tests.support.product import InProcess, wait_for


class Ticking:
    """Work on the jobs table that finishes its rows and remembers them."""

    def __init__(self, house: Any) -> None:
        self._house = house
        self.done: list[int] = []
        self.claims = 0
        self.faults = 0
        self.changed = threading.Condition()

    def claim(self, lanes: Collection[str], owner: str, limit: int) -> list[Row[Any]]:
        self.claims += 1
        if self.faults:
            self.faults -= 1
            raise OSError("the database stumbled")
        with self._house.db.unit() as uow:
            rows: list[Row[Any]] = self._house.jobs.claim(uow.session, lanes=list(lanes), owner=owner, limit=limit)
            uow.commit()
        return rows

    def perform(self, rows: Sequence[Row[Any]]) -> None:
        with self._house.db.unit() as uow:
            for row in rows:
                self._house.jobs.finish(uow.session, row, WorkState.DONE)
            uow.commit()
        with self.changed:
            self.done += [row.id for row in rows]
            self.changed.notify_all()

    def wait(self, count: int, seconds: float = 15) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: len(self.done) >= count, seconds)


def loop_of(bench: Bench, work: Any, **more: Any) -> Loop:
    given = {"name": "test", "lanes": ("default",), "limit": 10, "threads": 2} | more
    return Loop(table=bench.house.jobs, work=work, **given)


@contextmanager
def pool_of(bench: Bench, *loops: Loop, idle: float = 30.0) -> Iterator[WorkerPool]:
    pool = WorkerPool(bench.house.db, bench.house.hub, loops, idle_poll_seconds=idle)
    pool.start()
    try:
        yield pool
    finally:
        pool.stop()


def test_a_commit_wakes_the_loop_long_before_it_would_look_again(bench: Bench) -> None:
    work = Ticking(bench.house)
    with pool_of(bench, loop_of(bench, work)):
        for number in range(20):
            bench.put_job("x", key=str(number))
            assert work.wait(number + 1)
    assert len(set(work.done)) == 20


def test_what_nobody_woke_for_is_found_by_looking(bench: Bench) -> None:
    work = Ticking(bench.house)
    bench.put_job("x")
    with pool_of(bench, loop_of(bench, work), idle=0.05):
        assert work.wait(1)
        bench.house.db.waker = type("Deaf", (), {"wake": lambda *_: None})()
        bench.put_job("x", key="unheard")
        assert work.wait(2)


def test_a_row_due_later_is_done_when_it_is_due(bench: Bench) -> None:
    work = Ticking(bench.house)
    row_id = bench.put_job("x")
    bench.change(bench.house.jobs, row_id, run_at=bench.now_ms + 60_000)
    with pool_of(bench, loop_of(bench, work), idle=0.05):
        assert not work.wait(1, seconds=0.3)
        assert work.claims == 0
        bench.clock.advance(seconds=60)
        assert work.wait(1)


@pytest.mark.usefixtures("product_logs")
def test_a_loop_survives_faults_and_counts_them(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "FAULT_PAUSE_SECONDS", 0.01)
    work = Ticking(bench.house)
    work.faults = 3
    before = REGISTRY.get_sample_value("scrm_loop_faults_total", {"loop": "test"}) or 0.0
    bench.put_job("x")
    with pool_of(bench, loop_of(bench, work), idle=0.05):
        assert work.wait(1)
    assert REGISTRY.get_sample_value("scrm_loop_faults_total", {"loop": "test"}) == before + 3


def test_stopping_waits_for_what_is_held(bench: Bench) -> None:
    began, go_on = threading.Event(), threading.Event()

    class Slow(Ticking):
        def perform(self, rows: Sequence[Row[Any]]) -> None:
            began.set()
            assert go_on.wait(15)
            super().perform(rows)

    work = Slow(bench.house)
    bench.put_job("x")
    pool = WorkerPool(bench.house.db, bench.house.hub, [loop_of(bench, work)], idle_poll_seconds=30)
    pool.start()
    assert began.wait(15)
    stopper = threading.Thread(target=pool.stop)
    stopper.start()
    go_on.set()
    stopper.join(15)
    assert not stopper.is_alive()
    assert len(work.done) == 1
    claims = work.claims
    bench.put_job("x", key="too late")
    assert not work.wait(2, seconds=0.1)
    assert work.claims == claims


def test_calm_holds_back_while_something_urgent_is_under_way() -> None:
    calm = Calm()
    calm.wait(30)
    with calm.disturbed(), calm.disturbed():
        began = time.monotonic()
        calm.wait(0.05)
        assert time.monotonic() - began >= 0.05
    waited = threading.Event()
    entered = threading.Event()

    def wait() -> None:
        entered.set()
        calm.wait(30)
        waited.set()

    with pytest.raises(ValueError, match="even then"), calm.disturbed():
        threading.Thread(target=wait, daemon=True).start()
        assert entered.wait(10)
        raise ValueError("even then")
    assert waited.wait(10)


def test_other_loops_hold_back_for_an_urgent_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "POLITE_SECONDS", 30.0)
    usual, urgent = Ticking(bench.house), Ticking(bench.house)
    pool = WorkerPool(bench.house.db, bench.house.hub, [], idle_poll_seconds=30)
    bench.put_job("x")
    with pool._calm.disturbed():  # as during a greeting
        turn = threading.Thread(target=pool._turn, args=(loop_of(bench, usual), "usual"))
        turn.start()
        assert not usual.wait(1, seconds=0.1)
        pool._turn(loop_of(bench, urgent, urgent=True), "urgent")
        assert len(urgent.done) == 1
        bench.put_job("x", key="ordinary")
    assert usual.wait(1)
    turn.join()


CLAIM_AND_HANG = """
import sys, time
from pathlib import Path
from bot.wiring import JOBS
from crm_core.clock import SystemClock
from crm_core.db import Database, open_engine
from crm_core.lease import Backoff, LeaseTable
from crm_core.owner import new_owner
class Deaf:
    def wake(self, lanes): ...
db = Database(open_engine(sys.argv[1]), SystemClock(), Deaf())
table = LeaseTable(JOBS, db.work_clock, lease_seconds=3600, backoff=Backoff())
with db.unit() as uow:
    rows = table.claim(uow.session, lanes=["default"], owner=new_owner(), limit=5)
    uow.commit()
print(len(rows), flush=True)
time.sleep(600)
"""


def test_rows_of_a_killed_process_are_freed_at_once(product: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "JANITOR_SECONDS", 0.05)
    bench = Bench(product.house, product.wecom, product.clock)
    row_id = bench.put_job("x")
    url = bench.house.settings.database.url
    child = subprocess.Popen([sys.executable, "-c", CLAIM_AND_HANG, url], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child:
        assert child.stdout.readline() == "1\n"
        work = Ticking(bench.house)
        with pool_of(bench, loop_of(bench, work), idle=0.05):
            assert not work.wait(1, seconds=0.3)
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
            assert work.wait(1)
    row = bench.read(bench.house.jobs, row_id)
    assert (row.attempts, row.interrupted) == (2, True)


@pytest.mark.usefixtures("product_logs")
def test_the_janitor_survives_a_database_that_is_away(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "JANITOR_SECONDS", 0.02)
    monkeypatch.setattr(worker, "FAULT_PAUSE_SECONDS", 0.02)

    def faults() -> float:
        return REGISTRY.get_sample_value("scrm_loop_faults_total", {"loop": "janitor"}) or 0.0

    before = faults()
    work = Ticking(bench.house)
    with pool_of(bench, loop_of(bench, work), idle=0.05):
        with bench.without_table("jobs"):
            wait_for(lambda: faults() > before, what="a janitor's fault")
        bench.put_job("x")
        assert work.wait(1)


def test_drain_works_until_nothing_is_due(bench: Bench) -> None:
    work = Ticking(bench.house)
    for number in range(25):
        bench.put_job("x", key=str(number))
    later = bench.put_job("x", key="later")
    bench.change(bench.house.jobs, later, run_at=bench.now_ms + 1000)
    assert drain([loop_of(bench, work)]) == 25
    assert drain([loop_of(bench, work)]) == 0
    bench.put_job("x", key="one more")
    bench.put_job("x", key="and one")
    assert drain([loop_of(bench, work, limit=1)], most_rounds=1) == 1
