"""Jobs: bodies run, keep their lease, are retried, end dead; nobody else's job is acknowledged."""

from typing import Any

import pytest

from bot.jobs import JobRunner
from crm_core.errors import LeaseLost
from tests.support.bench import WORKER, Bench

DAY_MS = 86_400_000


def runner(bench: Bench, **bodies: Any) -> JobRunner:
    return JobRunner(bench.house.db, bench.house.jobs, bodies, {})


def work(bench: Bench, subject: JobRunner) -> None:
    subject.perform(subject.claim(("default",), WORKER, 10))


def test_a_body_gets_its_payload_and_the_job_is_done(bench: Bench) -> None:
    row_id, seen = bench.put_job("report", {"full": True}), []
    work(bench, runner(bench, report=lambda payload, keep_alive: seen.append(payload)))
    assert seen == [{"full": True}]
    assert bench.read(bench.house.jobs, row_id).state == "done"


def test_a_kind_nobody_knows_is_dead_and_named(bench: Bench) -> None:
    row_id = bench.put_job("of_another_version")
    work(bench, runner(bench))
    row = bench.read(bench.house.jobs, row_id)
    assert (row.state, row.last_error) == ("dead", "没有名为 of_another_version 的任务")


def test_a_failing_body_is_tried_again_later(bench: Bench) -> None:
    row_id, fine = bench.put_job("fails"), bench.put_job("works")
    work(bench, runner(bench, fails=lambda *_: 1 / 0, works=lambda *_: None))
    row = bench.read(bench.house.jobs, row_id)
    assert (row.state, row.attempts) == ("ready", 1)
    assert row.run_at > bench.now_ms
    assert "ZeroDivisionError" in row.last_error
    assert bench.read(bench.house.jobs, fine).state == "done"


def test_keep_alive_prolongs_the_lease(bench: Bench) -> None:
    row_id = bench.put_job("long")
    until: list[int] = []

    def body(payload: Any, keep_alive: Any) -> None:
        bench.clock.advance(seconds=20)
        keep_alive()
        until.append(bench.read(bench.house.jobs, row_id).lease_until - bench.now_ms)

    work(bench, runner(bench, long=body))
    assert until == [30_000]


def test_a_job_taken_over_is_given_up_at_once(bench: Bench) -> None:
    row_id, went_on = bench.put_job("long"), []

    def body(payload: Any, keep_alive: Any) -> None:
        bench.change(bench.house.jobs, row_id, owner="somebody-else")
        keep_alive()
        went_on.append(True)

    work(bench, runner(bench, long=body))
    assert went_on == []
    row = bench.read(bench.house.jobs, row_id)
    assert (row.state, row.owner, row.last_error) == ("leased", "somebody-else", None)


def test_a_failure_after_the_job_was_taken_over_is_not_written_down(bench: Bench) -> None:
    row_id = bench.put_job("long")

    def body(payload: Any, keep_alive: Any) -> None:
        bench.change(bench.house.jobs, row_id, owner="somebody-else")
        raise ValueError

    work(bench, runner(bench, long=body))
    assert bench.read(bench.house.jobs, row_id).last_error is None


def test_a_lost_lease_of_something_else_inside_a_body_ends_it(bench: Bench) -> None:
    row_id = bench.put_job("long")

    def body(payload: Any, keep_alive: Any) -> None:
        raise LeaseLost("其他行")

    work(bench, runner(bench, long=body))
    assert bench.read(bench.house.jobs, row_id).state == "leased"


@pytest.mark.parametrize(("kind", "days"), [("inbox", 30), ("jobs", 2)])
def test_purge_forgets_what_ended_well_long_ago(bench: Bench, kind: str, days: int) -> None:
    table = bench.house.inbox if kind == "inbox" else bench.house.jobs

    def put(key: str) -> int:
        return bench.put_callback(key) if kind == "inbox" else bench.put_job("other", key=key)

    old, dead, recent = put("old"), put("dead"), put("recent")
    limit = bench.now_ms - days * DAY_MS
    bench.change(table, old, state="done", finished_ms=limit - 1)
    bench.change(table, dead, state="dead", finished_ms=limit - 1)
    bench.change(table, recent, state="done", finished_ms=limit + 60_000)
    bench.put_job("work.purge")
    bench.work()
    left = {row.id for row in bench.rows(table)}
    assert old not in left
    assert {dead, recent} <= left


def test_the_sync_job_reads_the_company(bench: Bench) -> None:
    row_id = bench.put_job("sync.full", {"full": True})
    bench.work()
    assert bench.read(bench.house.jobs, row_id).state == "done"
    assert bench.called("externalcontact/batch/get_by_user") > 0


def test_the_tick_job_runs(bench: Bench) -> None:
    row_id = bench.put_job("sop.tick")
    bench.work()
    assert bench.read(bench.house.jobs, row_id).state == "done"
