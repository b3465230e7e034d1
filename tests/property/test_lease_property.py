"""Workers that are paused, killed and woken at random: every row is finished by exactly one owner."""

import itertools
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import Row, select

from crm_core import outbox
from crm_core.errors import LeaseLost
from crm_core.lease import LeaseTable, WorkState
from crm_core.outbox import OUTBOX
from tests.support.ground import APP, CORP, Ground

LEASE_MS = 30_000
WORKERS = st.sampled_from(["a", "b", "c"])
runs = itertools.count(1)


class Workshop(RuleBasedStateMachine):
    """Rows, workers that each hold what they claimed, and a clock."""

    ground: Ground

    def __init__(self) -> None:
        super().__init__()
        self.run = next(runs)
        self.lane = f"lane{self.run}"
        self.table: LeaseTable = self.ground.lease_table(max_attempts=1000)
        self.held: dict[str, list[Row[Any]]] = {"a": [], "b": [], "c": []}
        self.latest: dict[int, tuple[str, int]] = {}
        self.finished: dict[int, list[str]] = {}

    @initialize(count=st.integers(1, 6))
    def rows(self, count: int) -> None:
        kind = outbox.OutboundKind("mark_tag", self.lane, 60, outbox.Repeat.SAFE)
        with self.ground.committed() as uow:
            for number in range(count):
                key = f"{self.run}:{number}"
                row_id = outbox.add(uow, kind, corp=CORP, app=APP, payload={}, dedupe_key=key, delay_ms=number)
                self.finished[row_id or 0] = []

    @rule(worker=WORKERS, limit=st.integers(1, 3))
    def claim(self, worker: str, limit: int) -> None:
        with self.ground.committed() as uow:
            rows = self.table.claim(uow.session, lanes=[self.lane], owner=worker, limit=limit)
        assert len(rows) <= limit
        for row in rows:
            assert self.finished[row.id] == []
            self.held[worker].append(row)
            self.latest[row.id] = (worker, row.attempts)

    @rule(ms=st.sampled_from([1, 1_000, LEASE_MS - 1, LEASE_MS]))
    def pass_time(self, ms: int) -> None:
        self.ground.work_clock.advance(ms)

    @rule(worker=WORKERS, act=st.sampled_from(["finish", "retry", "postpone", "renew"]), place=st.integers(0, 5))
    def act(self, worker: str, act: str, place: int) -> None:
        held = self.held[worker]
        if not held:
            return
        row = held[place % len(held)]
        is_ours = self.latest.get(row.id) == (worker, row.attempts)
        try:
            with self.ground.committed() as uow:
                self._do(uow.session, act, row)
        except LeaseLost:
            assert not is_ours
            held.remove(row)
            return
        assert is_ours
        if act == "finish":
            self.finished[row.id].append(worker)
        if act != "renew":
            held.remove(row)
            del self.latest[row.id]

    def _do(self, session: Any, act: str, row: Row[Any]) -> None:
        if act == "finish":
            self.table.finish(session, row, WorkState.DONE)
        elif act == "retry":
            self.table.retry(session, row, error="x", wait_ms=500)
        elif act == "postpone":
            self.table.postpone(session, row, wait_ms=500)
        else:
            self.table.renew(session, row)

    @rule(worker=WORKERS)
    def die(self, worker: str) -> None:
        """The worker is gone; its rows are free, and whatever it still thinks it holds is not its own any more."""
        with self.ground.committed() as uow:
            self.table.release_dead(uow.session, lambda owner: owner == worker)
        self.held[worker].clear()

    @invariant()
    def nobody_finishes_twice(self) -> None:
        assert all(len(owners) <= 1 for owners in self.finished.values())

    def teardown(self) -> None:
        """However it went, what is left can still be done, once."""
        self.ground.work_clock.advance(10 * LEASE_MS)
        while any(not owners for owners in self.finished.values()):
            with self.ground.committed() as uow:
                rows = self.table.claim(uow.session, lanes=[self.lane], owner="last", limit=10)
                assert rows
                for row in rows:
                    self.table.finish(uow.session, row, WorkState.DONE)
                    self.finished[row.id].append("last")
        assert all(len(owners) == 1 for owners in self.finished.values())
        with self.ground.reading() as session:
            states = session.execute(select(OUTBOX.c.state).where(OUTBOX.c.lane == self.lane)).scalars().all()
        assert set(states) == {"done"}


def test_every_row_is_finished_by_exactly_one_owner(ground: Ground) -> None:
    machine = type("WorkshopHere", (Workshop,), {"ground": ground})
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=25, stateful_step_count=25, suppress_health_check=[HealthCheck.too_slow]),
    )
