"""Acts on the outside are written once, in the commit of the change that wants them."""

import pytest
from sqlmodel import select

from crm_core import outbox
from crm_core.outbox import JOBS, KINDS, Repeat
from crm_core.tables import JobRow, OutboxRow
from tests.support.ground import APP, CORP, START_MS, Ground


def test_an_act_is_written_with_lane_urgency_and_clock(ground: Ground) -> None:
    with ground.committed() as uow:
        row_id = outbox.add(
            uow,
            outbox.SEND_WELCOME,
            corp=CORP,
            app=APP,
            payload={"text": "您好"},
            dedupe_key="w1",
            deadline_ms=START_MS + 20_000,
            cause="sop:1",
        )
    [row] = ground.all(select(OutboxRow))
    assert (row.id, row.corp_id, row.app_key, row.kind) == (row_id, CORP, APP, "send_welcome")
    assert (row.lane, row.priority, row.state, row.attempts) == ("welcome", 0, "ready", 0)
    assert (row.created_ms, row.run_at, row.deadline_at) == (START_MS, START_MS, START_MS + 20_000)
    assert (row.payload, row.result, row.cause, row.interrupted) == ({"text": "您好"}, None, "sop:1", False)


def test_the_same_act_twice_is_written_once_and_wakes_nobody_the_second_time(ground: Ground) -> None:
    def add() -> int | None:
        with ground.committed() as uow:
            return outbox.add(uow, outbox.MARK_TAG, corp=CORP, app=APP, payload={}, dedupe_key="same")

    assert add() is not None
    assert ground.waker.lanes == ["outbox:default"]
    assert add() is None
    assert ground.waker.lanes == ["outbox:default"]
    assert len(ground.all(select(OutboxRow))) == 1


def test_a_double_within_one_unit_is_seen_as_well(ground: Ground) -> None:
    with ground.committed() as uow:
        ids = [
            outbox.add(uow, outbox.MARK_TAG, corp=CORP, app=APP, payload={}, dedupe_key=key) for key in ("a", "a", "b")
        ]
    assert [row_id is not None for row_id in ids] == [True, False, True]


def test_a_delayed_act_wakes_nobody_now(ground: Ground) -> None:
    with ground.committed() as uow:
        outbox.add(uow, outbox.FETCH_GROUP, corp=CORP, app=APP, payload={}, dedupe_key="g", delay_ms=2_500)
    assert ground.waker.lanes == []
    [row] = ground.all(select(OutboxRow))
    assert (row.created_ms, row.run_at) == (START_MS, START_MS + 2_500)


def test_without_a_commit_nothing_is_written_and_nobody_is_woken(ground: Ground) -> None:
    with ground.unit() as uow:
        outbox.add(uow, outbox.MARK_TAG, corp=CORP, app=APP, payload={}, dedupe_key="a")
        outbox.add_job(uow, "sop.tick", dedupe_key="j")
    assert ground.all(select(OutboxRow)) == ground.all(select(JobRow)) == []
    assert ground.waker.lanes == []


def test_a_job_is_written_once_and_wakes_its_lane(ground: Ground) -> None:
    with ground.committed() as uow:
        first = outbox.add_job(uow, "work.purge", dedupe_key="purge:1", payload={"days": 3})
        again = outbox.add_job(uow, "work.purge", dedupe_key="purge:1")
    assert (first is not None, again) == (True, None)
    assert ground.waker.lanes == ["jobs:default"]
    [row] = ground.all(select(JobRow))
    assert (row.kind, row.payload, row.lane, row.corp_id) == ("work.purge", {"days": 3}, "default", "")


def test_a_job_without_payload_has_an_empty_one(ground: Ground) -> None:
    with ground.committed() as uow:
        outbox.add_job(uow, "sop.tick", dedupe_key="t")
    assert ground.all(select(JobRow.payload)) == [{}]
    assert JOBS.name == "jobs"


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_goes_by_its_own_name(kind: outbox.OutboundKind) -> None:
    assert KINDS[kind.name] is kind
    assert kind.lane in {"welcome", "default", "message", "single", "media", "kf"}


def test_greetings_are_the_most_urgent_and_only_making_codes_and_rules_must_not_be_repeated() -> None:
    assert min(KINDS.values(), key=lambda kind: kind.priority) is outbox.SEND_WELCOME
    assert [kind.name for kind in KINDS.values() if kind.repeat is Repeat.NEVER] == [
        "add_contact_way",
        "add_intercept_rule",
    ]
    assert [kind.name for kind in KINDS.values() if kind.repeat is Repeat.VENDOR_DEDUPES] == ["send_app_message"]


def test_what_can_wait_goes_after_everything_else_of_its_lane(ground: Ground) -> None:
    with ground.committed() as uow:
        for key, can_wait in (("kept", True), ("now", False)):
            outbox.add(uow, outbox.SEND_APP_MESSAGE, corp=CORP, app=APP, payload={}, dedupe_key=key, can_wait=can_wait)
    with ground.committed() as uow:
        rows = ground.lease_table().claim(uow.session, lanes=["message"], owner="w", limit=1)
    assert [row.dedupe_key for row in rows] == ["now"]
