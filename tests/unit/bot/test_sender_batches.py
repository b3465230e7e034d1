"""The sender's batches: one commit for many, early when slow, renewed leases, and nobody hurt by a neighbour."""

from typing import Any

import pytest
from sqlalchemy import Row

from crm_core import outbox
from crm_core.events import OutboundFinished
from tests.support.bench import WORKER, Bench, Heard

STAFF = "zhang.san"


@pytest.fixture
def customer(bench: Bench) -> str:
    return bench.somebody(STAFF)


def remark(bench: Bench, customer: str, text: str = "新备注", **more: Any) -> int:
    """Safe to repeat."""
    payload = {"staff": STAFF, "external_user": customer, "fields": {"remark": text}}
    return bench.put(outbox.SET_REMARK, payload, **more)


def row(bench: Bench, row_id: int) -> Row[Any]:
    return bench.read(bench.house.outbox, row_id)


def test_a_batch_is_acknowledged_in_one_commit(bench: Bench, customer: str, heard: Heard) -> None:
    ids = [remark(bench, customer, f"备注{number}") for number in range(5)]
    commits: list[frozenset[str]] = []

    class Counting:
        def wake(self, lanes: Any) -> None:
            commits.append(frozenset(lanes))

    bench.house.db.waker = Counting()

    def wake_and_note(event: OutboundFinished, uow: Any) -> None:
        uow.wake("done")
        heard.note(event, uow)

    bench.send(bench.sender({OutboundFinished: (wake_and_note,)}))
    assert {row(bench, row_id).state for row_id in ids} == {"done"}
    assert commits == [frozenset({"done"})]
    assert len(heard.events) == 5


def test_a_slow_batch_acknowledges_what_it_has_before_going_on(bench: Bench, customer: str, heard: Heard) -> None:
    ids = [remark(bench, customer, f"备注{number}") for number in range(3)]
    bench.fault("externalcontact/remark", "latency", ms=250)
    seen: list[list[str]] = []

    def look(event: OutboundFinished, uow: Any) -> None:
        seen.append([row(bench, row_id).state for row_id in ids])

    bench.send(bench.sender({OutboundFinished: (look,)}))
    assert seen == [["leased"] * 3, ["leased"] * 3, ["done", "done", "leased"]]


def test_a_batch_that_takes_too_long_renews_its_leases(bench: Bench, customer: str) -> None:
    first, second = remark(bench, customer, "一"), remark(bench, customer, "二")
    seconds = iter([0.0, 0.0, 0.0, 0.0, 0.0, 11.0, 11.0, 11.0, 11.0])
    until: list[int] = []

    def note(event: OutboundFinished, uow: Any) -> None:
        until.append(row(bench, second).lease_until - bench.now_ms)

    sender = bench.sender({OutboundFinished: (note,)}, monotonic=lambda: next(seconds, 11.0))
    claimed = sender.claim(("default",), WORKER, 5)
    bench.clock.advance(seconds=11)
    sender.perform(claimed)
    assert (row(bench, first).state, row(bench, second).state) == ("done", "done")
    assert until == [19_000, 30_000]


def test_a_row_lost_during_a_long_batch_is_left_to_its_new_owner(bench: Bench, customer: str) -> None:
    first, second = remark(bench, customer, "一"), remark(bench, customer, "二")
    seconds = iter([0.0, 0.0, 0.0, 0.0, 0.0])
    sender = bench.sender({}, monotonic=lambda: next(seconds, 11.0))
    claimed = sender.claim(("default",), WORKER, 5)
    bench.change(bench.house.outbox, second, owner="somebody-else")
    sender.perform(claimed)
    assert (row(bench, first).state, row(bench, second).state) == ("done", "leased")
    assert bench.called("externalcontact/remark") == 1


def test_a_worker_that_lost_its_lease_cannot_acknowledge_and_does_not_hurt_its_neighbours(
    bench: Bench, customer: str, heard: Heard
) -> None:
    first, second = remark(bench, customer, "一"), remark(bench, customer, "二")
    sender = bench.sender(heard.table(OutboundFinished))
    claimed = sender.claim(("default",), WORKER, 5)
    bench.change(bench.house.outbox, first, owner="somebody-else")
    sender.perform(claimed)
    assert (row(bench, first).state, row(bench, second).state) == ("leased", "done")
    assert [event.outbox_id for event in heard.events][-1] == second


def test_a_handler_that_fails_while_acknowledging_leaves_a_job_and_the_row_is_done(
    bench: Bench, customer: str, heard: Heard
) -> None:
    ids = [remark(bench, customer, f"备注{number}") for number in range(2)]
    heard.failing = True
    other = Heard()
    bench.send(bench.sender({OutboundFinished: (heard.note, other.note)}))
    assert {row(bench, row_id).state for row_id in ids} == {"done"}
    assert bench.called("externalcontact/remark") == 2
    assert len(bench.rows(bench.house.jobs)) == 2
    assert [event.outbox_id for event in other.events] == ids


def test_an_acknowledgement_the_database_refuses_comes_back_as_interrupted(
    bench: Bench, customer: str, heard: Heard
) -> None:
    row_id = remark(bench, customer)
    heard.failing = True
    sender = bench.sender(heard.table(OutboundFinished))
    with bench.without_table("jobs"):
        bench.send(sender)
    assert row(bench, row_id).state == "leased"
    heard.failing = False
    bench.clock.advance(seconds=31)
    (claimed,) = bench.send(sender)
    assert claimed.interrupted
    assert row(bench, row_id).state == "done"
