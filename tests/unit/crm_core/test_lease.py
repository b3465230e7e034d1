"""Durable work: claim with a lease, fencing, retries, and what becomes of rows nobody finishes."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Row, select
from sqlmodel import Session

from crm_core import outbox
from crm_core.errors import LeaseLost
from crm_core.lease import Backoff, LeaseTable, WorkState
from crm_core.outbox import OUTBOX
from tests.support.ground import APP, CORP, Ground

LANES = ("default",)
LEASE_MS = 30_000


@pytest.fixture
def table(ground: Ground) -> LeaseTable:
    return ground.lease_table(max_attempts=3)


def put(ground: Ground, key: str, *, kind: outbox.OutboundKind = outbox.MARK_TAG, **more: Any) -> int:
    with ground.committed() as uow:
        row_id = outbox.add(uow, kind, corp=CORP, app=APP, payload={"key": key}, dedupe_key=key, **more)
    assert row_id is not None
    return row_id


def take(ground: Ground, table: LeaseTable, owner: str = "a", limit: int = 10, lanes: Any = LANES) -> list[Row[Any]]:
    with ground.committed() as uow:
        return table.claim(uow.session, lanes=lanes, owner=owner, limit=limit)


def read(ground: Ground, row_id: int) -> Row[Any]:
    with ground.reading() as session:
        return session.connection().execute(select(OUTBOX).where(OUTBOX.c.id == row_id)).one()


def keys(rows: list[Row[Any]]) -> list[str]:
    return [row.dedupe_key for row in rows]


def test_the_most_urgent_kind_comes_first_then_the_nearest_deadline_then_the_oldest(
    ground: Ground, table: LeaseTable
) -> None:
    put(ground, "calm", kind=outbox.FETCH_TAGS)
    put(ground, "late", deadline_ms=ground.work_clock.ms + 20_000)
    put(ground, "soon", deadline_ms=ground.work_clock.ms + 5_000)
    ground.work_clock.advance(10)
    put(ground, "first", kind=outbox.FETCH_CUSTOMER)
    put(ground, "second", kind=outbox.FETCH_CUSTOMER)
    assert keys(take(ground, table)) == ["first", "second", "soon", "late", "calm"]


def test_a_claim_takes_no_more_than_asked_for_and_the_urgent_ones_of_all(ground: Ground, table: LeaseTable) -> None:
    for number in range(6):
        put(ground, f"calm{number}", kind=outbox.FETCH_TAGS)
    put(ground, "urgent", kind=outbox.FETCH_CUSTOMER)
    assert keys(take(ground, table, limit=2)) == ["urgent", "calm0"]
    assert len(take(ground, table, limit=3)) == 3
    assert keys(take(ground, table)) == ["calm4", "calm5"]


def test_a_claim_looks_only_into_its_lanes(ground: Ground, table: LeaseTable) -> None:
    put(ground, "tag")
    put(ground, "welcome", kind=outbox.SEND_WELCOME)
    assert keys(take(ground, table, lanes=("welcome",))) == ["welcome"]
    assert keys(take(ground, table, lanes=("single", "message"))) == []
    assert keys(take(ground, table, lanes=("default", "welcome"))) == ["tag"]


def test_a_claimed_row_says_whose_it_is_and_for_how_long(ground: Ground, table: LeaseTable) -> None:
    put(ground, "one")
    [row] = take(ground, table, "worker-7")
    assert (row.owner, row.state, row.attempts, row.interrupted) == ("worker-7", "leased", 1, False)
    assert row.lease_until == row.run_at == ground.work_clock.ms + LEASE_MS
    assert row.payload == {"key": "one"}


def test_a_delayed_row_is_not_due_before_its_time(ground: Ground, table: LeaseTable) -> None:
    put(ground, "later", delay_ms=500)
    ground.work_clock.advance(499)
    assert take(ground, table) == []
    ground.work_clock.advance(1)
    assert keys(take(ground, table)) == ["later"]


def test_a_lease_keeps_others_out_until_it_runs_out_and_then_says_interrupted(
    ground: Ground, table: LeaseTable
) -> None:
    put(ground, "one")
    take(ground, table, "a")
    ground.work_clock.advance(LEASE_MS - 1)
    assert take(ground, table, "b") == []
    ground.work_clock.advance(1)
    [row] = take(ground, table, "b")
    assert (row.owner, row.attempts, row.interrupted) == ("b", 2, True)


def test_renewing_prolongs_the_lease_from_now(ground: Ground, table: LeaseTable) -> None:
    put(ground, "one")
    [row] = take(ground, table, "a")
    ground.work_clock.advance(LEASE_MS - 1)
    with ground.committed() as uow:
        table.renew(uow.session, row)
    ground.work_clock.advance(LEASE_MS - 1)
    assert take(ground, table, "b") == []
    ground.work_clock.advance(1)
    assert keys(take(ground, table, "b")) == ["one"]


def test_a_finished_row_keeps_what_came_of_it_and_is_never_taken_again(ground: Ground, table: LeaseTable) -> None:
    row_id = put(ground, "one")
    [row] = take(ground, table)
    ground.work_clock.advance(70)
    with ground.committed() as uow:
        table.finish(uow.session, row, WorkState.DONE, result={"msgid": "m1"})
    ground.work_clock.advance(10 * LEASE_MS)
    assert take(ground, table) == []
    kept = read(ground, row_id)
    assert (kept.state, kept.result, kept.last_error) == ("done", {"msgid": "m1"}, None)
    assert (kept.lease_until, kept.finished_ms) == (None, ground.work_clock.ms - 10 * LEASE_MS)


@pytest.mark.parametrize("state", [WorkState.UNKNOWN, WorkState.EXPIRED, WorkState.IGNORED, WorkState.QUARANTINED])
def test_every_other_end_is_final_too_and_keeps_its_reason(ground: Ground, table: LeaseTable, state: WorkState) -> None:
    row_id = put(ground, "one")
    [row] = take(ground, table)
    with ground.committed() as uow:
        table.finish(uow.session, row, state, error="为什么")
    ground.work_clock.advance(10 * LEASE_MS)
    assert take(ground, table) == []
    assert (read(ground, row_id).state, read(ground, row_id).last_error) == (state.value, "为什么")


ACTS: dict[str, Callable[[LeaseTable, Session, Row[Any]], object]] = {
    "finish": lambda table, session, row: table.finish(session, row, WorkState.DONE),
    "retry": lambda table, session, row: table.retry(session, row, error="x"),
    "postpone": lambda table, session, row: table.postpone(session, row, wait_ms=1),
    "renew": LeaseTable.renew,
    "pass_on": lambda table, session, row: table.pass_on(session, row, lane="welcome"),
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("since", ["claimed again", "finished", "back in the queue", "passed on"])
def test_a_worker_that_was_paused_past_its_lease_changes_nothing(
    ground: Ground, table: LeaseTable, act: str, since: str
) -> None:
    row_id = put(ground, "one")
    [paused] = take(ground, table, "paused")
    ground.work_clock.advance(LEASE_MS)
    [row] = take(ground, table, "other")
    with ground.committed() as uow:
        if since == "finished":
            table.finish(uow.session, row, WorkState.DONE)
        elif since == "back in the queue":
            table.retry(uow.session, row, error="later", wait_ms=5)
        elif since == "passed on":
            table.pass_on(uow.session, row, lane="default")
    before = read(ground, row_id)
    with ground.unit() as uow, pytest.raises(LeaseLost):
        ACTS[act](table, uow.session, paused)
    assert read(ground, row_id) == before


def test_the_same_owner_cannot_act_on_an_earlier_claim_of_its_own(ground: Ground, table: LeaseTable) -> None:
    put(ground, "one")
    [early] = take(ground, table, "a")
    ground.work_clock.advance(LEASE_MS)
    [again] = take(ground, table, "a")
    with ground.unit() as uow, pytest.raises(LeaseLost):
        table.finish(uow.session, early, WorkState.DONE)
    with ground.committed() as uow:
        table.finish(uow.session, again, WorkState.DONE)


def test_an_expired_lease_that_nobody_took_may_still_be_finished(ground: Ground, table: LeaseTable) -> None:
    row_id = put(ground, "one")
    [row] = take(ground, table)
    ground.work_clock.advance(10 * LEASE_MS)
    with ground.committed() as uow:
        table.finish(uow.session, row, WorkState.DONE)
    assert read(ground, row_id).state == "done"


def test_a_retry_waits_keeps_the_error_and_counts(ground: Ground, table: LeaseTable) -> None:
    row_id = put(ground, "one")
    [row] = take(ground, table)
    with ground.committed() as uow:
        assert table.retry(uow.session, row, error="timeout", wait_ms=4_000) is WorkState.READY
    waiting = read(ground, row_id)
    assert (waiting.state, waiting.owner, waiting.last_error, waiting.attempts) == ("ready", None, "timeout", 1)
    ground.work_clock.advance(3_999)
    assert take(ground, table) == []
    ground.work_clock.advance(1)
    [again] = take(ground, table)
    assert (again.attempts, again.interrupted) == (2, False)


def test_without_a_wait_of_its_own_a_retry_backs_off(ground: Ground) -> None:
    table = ground.lease_table(first_seconds=8.0)
    row_id = put(ground, "one")
    [row] = take(ground, table)
    with ground.committed() as uow:
        table.retry(uow.session, row, error="x")
    assert 4_000 <= read(ground, row_id).run_at - ground.work_clock.ms <= 8_000


def test_a_row_is_given_up_after_its_last_attempt(ground: Ground, table: LeaseTable) -> None:
    row_id = put(ground, "one")
    outcomes = []
    for _ in range(3):
        [row] = take(ground, table)
        with ground.committed() as uow:
            outcomes.append(table.retry(uow.session, row, error="no luck", wait_ms=0))
    assert outcomes == [WorkState.READY, WorkState.READY, WorkState.DEAD]
    assert take(ground, table) == []
    assert (read(ground, row_id).state, read(ground, row_id).last_error) == ("dead", "no luck")
    assert read(ground, row_id).finished_ms == ground.work_clock.ms


def test_postponing_is_not_counted_as_an_attempt(ground: Ground, table: LeaseTable) -> None:
    row_id = put(ground, "one")
    for _ in range(10):
        [row] = take(ground, table)
        assert row.attempts == 1
        with ground.committed() as uow:
            table.postpone(uow.session, row, wait_ms=1_000, error="busy")
        ground.work_clock.advance(1_000)
    assert (read(ground, row_id).attempts, read(ground, row_id).last_error) == (0, "busy")


def test_passing_on_moves_the_row_fresh_into_another_lane(ground: Ground, table: LeaseTable) -> None:
    row_id = put(ground, "one", kind=outbox.SEND_WELCOME, deadline_ms=ground.work_clock.ms + 20_000)
    [row] = take(ground, table, lanes=("welcome",))
    with ground.committed() as uow:
        table.pass_on(uow.session, row, lane="default")
    passed = read(ground, row_id)
    assert (passed.lane, passed.state, passed.attempts, passed.owner) == ("default", "ready", 0, None)
    assert (passed.deadline_at, passed.run_at) == (None, ground.work_clock.ms)
    assert take(ground, table, lanes=("welcome",)) == []
    [again] = take(ground, table)
    assert (again.id, again.attempts, again.interrupted) == (row_id, 1, False)


def test_rows_of_a_dead_owner_are_free_at_once_and_say_interrupted(ground: Ground, table: LeaseTable) -> None:
    put(ground, "of the dead")
    take(ground, table, "dead", limit=1)
    put(ground, "of the living")
    take(ground, table, "alive", limit=1)
    with ground.committed() as uow:
        assert table.has_dead_owners(uow.session, lambda owner: owner == "dead")
        assert table.release_dead(uow.session, lambda owner: owner == "dead") == 1
        assert not table.has_dead_owners(uow.session, lambda owner: owner == "dead")
        assert table.release_dead(uow.session, lambda owner: owner == "dead") == 0
    [row] = take(ground, table, "other")
    assert (row.dedupe_key, row.interrupted) == ("of the dead", True)


def test_nobody_dead_means_nothing_to_release(ground: Ground, table: LeaseTable) -> None:
    put(ground, "one")
    take(ground, table, "alive")
    with ground.committed() as uow:
        assert not table.has_dead_owners(uow.session, lambda _owner: False)
        assert table.release_dead(uow.session, lambda _owner: False) == 0
    assert take(ground, table, "other") == []


def _end(ground: Ground, table: LeaseTable, key: str, state: WorkState) -> int:
    row_id = put(ground, key, deadline_ms=ground.work_clock.ms + 1)
    [row] = take(ground, table)
    with ground.committed() as uow:
        table.finish(uow.session, row, state, error="why")
    return row_id


def test_replay_by_id_makes_the_row_fresh(ground: Ground, table: LeaseTable) -> None:
    dead, other = _end(ground, table, "dead", WorkState.DEAD), _end(ground, table, "other", WorkState.DEAD)
    ground.work_clock.advance(1_000)
    with ground.committed() as uow:
        assert table.replay(uow.session, [dead]) == 1
        assert table.replay(uow.session, [dead]) == 0
        assert table.replay(uow.session, []) == 0
    [row] = take(ground, table)
    assert (row.id, row.attempts, row.deadline_at, row.finished_ms) == (dead, 1, None, None)
    assert row.interrupted is False
    assert read(ground, other).state == "dead"


def test_replay_by_state_leaves_what_ended_well(ground: Ground, table: LeaseTable) -> None:
    ended = {state: _end(ground, table, state.value, state) for state in WorkState if state.value not in OPEN}
    with ground.committed() as uow:
        assert table.replay(uow.session, states=["unknown"]) == 1
        assert table.replay(uow.session) == 3
        assert table.replay(uow.session, [ended[WorkState.DONE]]) == 0
    assert table_counts(ground, table) == {"ready": 4, "done": 1, "ignored": 1}


OPEN = ("ready", "leased")


def table_counts(ground: Ground, table: LeaseTable) -> dict[str, int]:
    with ground.reading() as session:
        return table.counts(session)


def test_a_replayed_row_cannot_be_finished_by_its_old_worker(ground: Ground, table: LeaseTable) -> None:
    row_id = put(ground, "one")
    [paused] = take(ground, table, "paused")
    ground.work_clock.advance(LEASE_MS)
    [row] = take(ground, table, "other")
    with ground.committed() as uow:
        table.finish(uow.session, row, WorkState.UNKNOWN, error="?")
        table.replay(uow.session, [row_id])
    with ground.unit() as uow, pytest.raises(LeaseLost):
        table.finish(uow.session, paused, WorkState.DONE)


def test_next_due_tells_how_long_to_sleep(ground: Ground, table: LeaseTable) -> None:
    def wait(*lanes: str) -> int | None:
        with ground.reading() as session:
            return table.next_due_ms(session, lanes)

    assert wait("default") is None
    put(ground, "later", delay_ms=900)
    assert wait("default") == 900
    assert wait("welcome") is None
    ground.work_clock.advance(5_000)
    assert wait("default", "welcome") == 0
    take(ground, table)
    assert wait("default") == LEASE_MS


def test_counts_are_by_state(ground: Ground, table: LeaseTable) -> None:
    assert table_counts(ground, table) == {}
    _end(ground, table, "done", WorkState.DONE)
    put(ground, "leased")
    take(ground, table)
    put(ground, "ready")
    assert table_counts(ground, table) == {"done": 1, "leased": 1, "ready": 1}


def test_purging_takes_only_old_rows_that_ended_well(ground: Ground, table: LeaseTable) -> None:
    for state in WorkState:
        if state.value not in OPEN:
            _end(ground, table, f"old {state}", state)
    ground.work_clock.advance(10_000)
    young = _end(ground, table, "young", WorkState.DONE)
    put(ground, "open")
    with ground.committed() as uow:
        assert table.purge(uow.session, older_than_ms=ground.work_clock.ms) == 2
    assert table_counts(ground, table) == {
        "done": 1, "dead": 1, "unknown": 1, "expired": 1, "quarantined": 1, "ready": 1
    }  # fmt: skip
    assert read(ground, young).state == "done"


def test_now_is_the_work_clock(ground: Ground, table: LeaseTable) -> None:
    with ground.reading() as session:
        assert table.now_ms(session) == ground.work_clock.ms
        ground.work_clock.advance(1)
        assert table.now_ms(session) == ground.work_clock.ms


def test_an_uncommitted_claim_is_no_claim(ground: Ground, table: LeaseTable) -> None:
    put(ground, "one")
    with ground.unit() as uow:
        assert len(table.claim(uow.session, lanes=LANES, owner="a", limit=1)) == 1
    [row] = take(ground, table, "b")
    assert (row.attempts, row.interrupted) == (1, False)


def test_backoff_doubles_up_to_its_ceiling_with_half_of_it_random() -> None:
    backoff = Backoff(first_seconds=2, most_seconds=60)
    rand = random.Random(1)
    for attempts, ceiling in ((0, 2), (1, 2), (2, 4), (3, 8), (5, 32), (6, 60), (50, 60)):
        waits = [backoff.wait_ms(attempts, rand) for _ in range(200)]
        assert ceiling * 500 <= min(waits) < max(waits) <= ceiling * 1000
        assert len(set(waits)) > 100
    assert 1000 <= backoff.wait_ms(1) <= 2000
