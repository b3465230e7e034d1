"""Beacons of reading pages on their way into the database: gathered in memory, written a batch to a commit.

A page never waits for the database. Beacons carry totals, so one that is lost with a killed process is made up for by
the next; ``close`` writes what still waits.
"""

import threading
from collections.abc import Sequence

import structlog

from bot.handler_runs import run_handlers
from crm_core.bus import HandlerTable
from crm_core.db import Database
from crm_core.errors import StoreUnavailable
from materials import radar
from materials.radar_model import Beacon

log = structlog.get_logger()

MOST_BATCH = 100
MOST_WAITING = 20_000
GATHER_SECONDS = 0.15  # a breath between commits: a busy hour makes larger batches instead of more of them


class BeaconRecorder:
    """One thread that writes what has gathered; it starts with the first beacon. ``most_waiting`` bounds the rest."""

    def __init__(self, db: Database, handlers: HandlerTable, *, most_waiting: int = MOST_WAITING) -> None:
        self._db = db
        self._handlers = handlers
        self._most_waiting = most_waiting
        self._waiting: list[Beacon] = []
        self._changed = threading.Condition(threading.Lock())
        self._idle = threading.Event()
        self._idle.set()
        self._open = True
        self._thread: threading.Thread | None = None

    def add(self, beacon: Beacon) -> None:
        """Take a beacon. Raises: StoreUnavailable when too many wait, or after ``close``."""
        with self._changed:
            if not self._open or len(self._waiting) >= self._most_waiting:
                raise StoreUnavailable("阅读信号太多，稍后会自动补报")
            self._waiting.append(beacon)
            self._idle.clear()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="beacons", daemon=True)
                self._thread.start()
            self._changed.notify()

    def settle(self, seconds: float = 10.0) -> bool:
        """Wait until everything that was taken is written. Answers whether it is."""
        return self._idle.wait(seconds)

    def close(self) -> None:
        """Take no more, write what waits. Blocks until done."""
        with self._changed:
            self._open = False
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while batch := self._take():
            self._write(batch)
            with self._changed:
                if not self._waiting:
                    self._idle.set()
                self._changed.wait_for(lambda: not self._open, GATHER_SECONDS)

    def _take(self) -> list[Beacon]:
        """Wait for beacons; none means that all is done."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or not self._open)
            batch, self._waiting = self._waiting[:MOST_BATCH], self._waiting[MOST_BATCH:]
        return batch

    def _write(self, batch: Sequence[Beacon]) -> None:
        try:
            self._commit(batch, apart=False)
        except Exception as error:  # noqa: BLE001 - some handler failed, or one beacon is bad: find it
            log.info("beacons_apart", beacons=len(batch), error=type(error).__name__)
            for beacon in batch:
                try:
                    self._commit([beacon], apart=True)
                except Exception:
                    log.exception("beacon_not_recorded", link_id=beacon.link_id)

    def _commit(self, batch: Sequence[Beacon], *, apart: bool) -> None:
        with self._db.unit() as uow:
            events = radar.record(uow, batch)
            for event in events:
                run_handlers(uow, event, self._handlers, apart=apart)
            uow.commit()
