"""The loops: threads that claim and do work until they are told to stop."""

import contextlib
import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from prometheus_client import Counter
from sqlalchemy import Row

from bot.wake import EVERYBODY, WakeHub
from crm_core.db import Database
from crm_core.lease import LeaseTable
from crm_core.owner import is_dead, new_owner

log = structlog.get_logger()

FAULT_PAUSE_SECONDS = 1.0
STOP_SECONDS = 10.0
JANITOR_SECONDS = 2.0
POLITE_SECONDS = 1.0  # the longest that other work holds back for a greeting
CONTENDED_SECONDS = 0.05  # other processes took what was due

WORK_DONE = Counter("scrm_work_rows_total", "Rows claimed by a loop", ["loop"])
LOOP_FAULTS = Counter("scrm_loop_faults_total", "Faults that a loop survived", ["loop"])


class Work(Protocol):
    """A kind of work that is first claimed, then performed."""

    def claim(self, lanes: Collection[str], owner: str, limit: int) -> list[Row[Any]]:
        """Take up to ``limit`` due rows."""
        ...

    def perform(self, rows: Sequence[Row[Any]]) -> None:
        """Do them and write down what became of each."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """One kind of work. lanes: lanes of the table; threads: how many perform it in one process.

    urgent: the other loops of the process hold back for a moment while such a loop has work.

    Only one thread of a process looks for rows at a time (``gate``): the others would find nothing and cost a
    write transaction each.
    """

    name: str
    table: LeaseTable
    lanes: tuple[str, ...]
    work: Work
    limit: int
    threads: int
    urgent: bool = False
    gate: threading.Lock = field(default_factory=threading.Lock)

    @property
    def wake(self) -> tuple[str, ...]:
        """Names on the wake hub."""
        return tuple(f"{self.table.table.name}:{lane}" for lane in self.lanes)


class Calm:
    """Whether no urgent work is under way in this process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._urgent = 0

    @contextlib.contextmanager
    def disturbed(self) -> Iterator[None]:
        """Urgent work is under way inside the block."""
        with self._changed:
            self._urgent += 1
        try:
            yield
        finally:
            with self._changed:
                self._urgent -= 1
                if self._urgent == 0:
                    self._changed.notify_all()

    def wait(self, most_seconds: float) -> None:
        """Hold back while urgent work is under way, but not for longer than ``most_seconds``."""
        with self._changed:
            self._changed.wait_for(lambda: self._urgent == 0, most_seconds)


class WorkerPool:
    """Runs loops in threads of this process."""

    def __init__(self, db: Database, hub: WakeHub, loops: Sequence[Loop], *, idle_poll_seconds: float) -> None:
        self._db = db
        self._hub = hub
        self._loops = loops
        self._idle = idle_poll_seconds
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._calm = Calm()

    def start(self) -> None:
        """Start every thread."""
        for loop in self._loops:
            for number in range(loop.threads):
                thread = threading.Thread(target=self._run, args=(loop,), name=f"{loop.name}-{number}", daemon=True)
                thread.start()
                self._threads.append(thread)
        janitor = threading.Thread(target=self._free_the_dead, name="janitor", daemon=True)
        janitor.start()
        self._threads.append(janitor)
        log.info("workers_started", threads=len(self._threads))

    def stop(self) -> None:
        """Let every thread finish what it holds, then return."""
        self._stopping.set()
        self._hub.ring({EVERYBODY})
        for thread in self._threads:
            thread.join(STOP_SECONDS)

    def _free_the_dead(self) -> None:
        """Rows held by processes that died on this machine are claimed at once, not when their lease runs out."""
        tables = {id(loop.table): loop.table for loop in self._loops}
        while not self._stopping.is_set():
            for table in tables.values():
                try:
                    freed = self._free(table)
                except Exception as error:
                    LOOP_FAULTS.labels("janitor").inc()
                    log.exception("loop_fault", loop="janitor", error=type(error).__name__)
                    continue
                if freed:
                    log.warning("leases_of_the_dead_freed", table=table.table.name, rows=freed)
                    self._hub.ring({EVERYBODY})
            self._stopping.wait(JANITOR_SECONDS)

    def _free(self, table: LeaseTable) -> int:
        with self._db.reading() as session:
            if not table.has_dead_owners(session, is_dead):
                return 0
        with self._db.unit() as uow:
            freed = table.release_dead(uow.session, is_dead)
            uow.commit()
        return freed

    def _run(self, loop: Loop) -> None:
        owner = new_owner()
        if loop.urgent:
            self._db.hurry()
        while not self._stopping.is_set():
            ticket = self._hub.ticket(loop.wake)
            try:
                wait_seconds = self._turn(loop, owner)
            except Exception as error:
                LOOP_FAULTS.labels(loop.name).inc()
                log.exception("loop_fault", loop=loop.name, error=type(error).__name__)
                wait_seconds = FAULT_PAUSE_SECONDS
            if wait_seconds > 0 and not self._stopping.is_set():
                self._hub.wait(loop.wake, ticket, wait_seconds)

    def _turn(self, loop: Loop, owner: str) -> float:
        """Do one batch. Answers how long to wait before the next, in seconds."""
        if not loop.urgent:
            self._calm.wait(POLITE_SECONDS)
        with loop.gate:
            with self._db.reading() as session:
                due_ms = loop.table.next_due_ms(session, loop.lanes)
            if due_ms is None:
                return self._idle
            if due_ms > 0:
                return min(self._idle, due_ms / 1000)
            rows = loop.work.claim(loop.lanes, owner, loop.limit)
        if not rows:
            return CONTENDED_SECONDS
        if len(rows) == loop.limit:
            self._hub.ring(set(loop.wake))
        WORK_DONE.labels(loop.name).inc(len(rows))
        with self._calm.disturbed() if loop.urgent else contextlib.nullcontext():
            loop.work.perform(rows)
        return 0.0


def drain(loops: Sequence[Loop], *, most_rounds: int = 1000) -> int:
    """Work in this thread until no loop finds a due row. For tests and ``scrm`` commands. Answers rows done."""
    owner, total = new_owner(), 0
    for _ in range(most_rounds):
        done = 0
        for loop in loops:
            rows = loop.work.claim(loop.lanes, owner, loop.limit)
            if rows:
                loop.work.perform(rows)
            done += len(rows)
        total += done
        if done == 0:
            break
    return total
