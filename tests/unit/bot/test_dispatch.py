"""Inbox row → typed event → handlers: what each row becomes, and that one row never hurts another."""

from typing import Any

import pytest

from bot.dispatch import Dispatcher
from bot.wiring import _parser
from crm_core.bus import HandlerTable
from crm_core.db import UnitOfWork
from crm_core.events import FollowStarted
from tests.fakes import SilentWaker
from tests.support.bench import WORKER, Bench, Heard


def dispatcher(bench: Bench, handlers: HandlerTable, parse: Any = None, **more: Any) -> Dispatcher:
    return Dispatcher(bench.house.db, bench.house.inbox, parse or _parser(bench.house.settings), handlers, **more)


def work(bench: Bench, subject: Dispatcher, lane: str = "default") -> None:
    subject.perform(subject.claim((lane,), WORKER, 20))


def states(bench: Bench) -> list[str]:
    return [row.state for row in bench.rows(bench.house.inbox)]


def add(bench: Bench, user: str, **more: Any) -> int:
    return bench.put_callback(bench.add_xml("zhang.san", user), **more)


def of_kind(bench: Bench, event: str) -> str:
    return (
        f"<xml><ToUserName>{bench.corp}</ToUserName><FromUserName>sys</FromUserName><CreateTime>1</CreateTime>"
        f"<MsgType>event</MsgType><Event>{event}</Event></xml>"
    )


def test_a_callback_becomes_an_event_and_is_done(bench: Bench, heard: Heard) -> None:
    row_id = add(bench, "wm1")
    work(bench, dispatcher(bench, heard.table(FollowStarted)))
    row = bench.read(bench.house.inbox, row_id)
    assert (row.state, row.event_name, row.last_error) == ("done", "FollowStarted", None)
    (event,) = heard.events
    assert (event.external_user, event.key, event.received_ms) == ("wm1", row.dedupe_key, row.created_ms)


def test_what_we_do_not_use_is_ignored(bench: Bench) -> None:
    row_id = bench.put_callback(of_kind(bench, "brand_new_event"))
    work(bench, dispatcher(bench, {}))
    row = bench.read(bench.house.inbox, row_id)
    assert row.state == "ignored"
    assert row.last_error


def test_a_callback_of_an_app_that_is_no_longer_configured_is_ignored(bench: Bench) -> None:
    row_id = add(bench, "wm1", app="removed")
    work(bench, dispatcher(bench, {}))
    row = bench.read(bench.house.inbox, row_id)
    assert row.state == "ignored"
    assert "removed" in row.last_error


@pytest.mark.parametrize("body", ["not xml at all", "<xml><ToUserName>ww_of_somebody_else</ToUserName></xml>", "<xml>"])
def test_what_makes_no_sense_is_quarantined_and_alarms(
    bench: Bench, capsys: pytest.CaptureFixture[str], body: str
) -> None:
    row_id = bench.put_callback(body)
    work(bench, dispatcher(bench, {}))
    row = bench.read(bench.house.inbox, row_id)
    assert row.state == "quarantined"
    assert row.last_error
    said = capsys.readouterr()
    assert "callback_quarantined" in said.out + said.err


def test_a_failing_handler_does_not_hurt_the_batch(bench: Bench, heard: Heard) -> None:
    for user in ("wm1", "wm-bad", "wm2"):
        add(bench, user)

    def stumble(event: FollowStarted, uow: UnitOfWork) -> None:
        if event.external_user == "wm-bad":
            raise RuntimeError("stumbled")

    seen: list[str] = []

    def see(event: FollowStarted, uow: UnitOfWork) -> None:
        seen.append(event.external_user)

    work(bench, dispatcher(bench, {FollowStarted: (stumble, see)}))
    assert states(bench) == ["done", "done", "done"]
    assert seen[-3:] == ["wm1", "wm-bad", "wm2"]
    (job,) = bench.rows(bench.house.jobs)
    assert job.payload["data"]["external_user"] == "wm-bad"


def test_a_row_whose_parsing_breaks_is_put_back_and_dead_in_the_end(bench: Bench, heard: Heard) -> None:
    good, poison = add(bench, "wm1"), add(bench, "wm-poison")
    real = _parser(bench.house.settings)

    def parse(row: Any) -> Any:
        if row.id == poison:
            raise ZeroDivisionError
        return real(row)

    subject = dispatcher(bench, heard.table(FollowStarted), parse)
    work(bench, subject)
    assert states(bench) == ["done", "ready"]
    assert "ZeroDivisionError" in bench.read(bench.house.inbox, poison).last_error
    for _ in range(8):
        bench.clock.advance(minutes=15)
        work(bench, subject)
    assert bench.read(bench.house.inbox, good).attempts == 1
    assert (bench.read(bench.house.inbox, poison).state, bench.read(bench.house.inbox, poison).attempts) == ("dead", 8)


@pytest.mark.parametrize("body", ["", "not xml at all"])
def test_a_worker_that_lost_its_lease_changes_nothing(bench: Bench, heard: Heard, body: str) -> None:
    lost, kept = bench.put_callback(body or bench.add_xml("zhang.san", "wm-lost")), add(bench, "wm-kept")
    subject = dispatcher(bench, heard.table(FollowStarted))
    rows = subject.claim(("default",), WORKER, 20)
    bench.change(bench.house.inbox, lost, owner="somebody-else")
    subject.perform(rows)
    assert bench.read(bench.house.inbox, lost).state == "leased"
    assert bench.read(bench.house.inbox, kept).state == "done"
    assert [event.external_user for event in heard.events] == ["wm-kept"]


def test_a_poison_row_that_was_taken_over_meanwhile_is_left_alone(bench: Bench) -> None:
    row_id = add(bench, "wm1")
    subject = dispatcher(bench, {}, lambda row: 1 / 0)
    rows = subject.claim(("default",), WORKER, 20)
    bench.change(bench.house.inbox, row_id, owner="somebody-else")
    subject.perform(rows)
    row = bench.read(bench.house.inbox, row_id)
    assert (row.state, row.owner, row.last_error) == ("leased", "somebody-else", None)


def test_the_first_lane_hands_a_row_on_fresh_and_wakes_the_next(bench: Bench, heard: Heard) -> None:
    row_id = add(bench, "wm1", lane="welcome")
    bench.change(bench.house.inbox, row_id, deadline_at=bench.now_ms + 20_000)
    bench.house.db.waker = waker = SilentWaker()
    work(bench, dispatcher(bench, heard.table(FollowStarted), pass_on_to="default"), lane="welcome")
    row = bench.read(bench.house.inbox, row_id)
    assert (row.lane, row.state, row.attempts, row.owner, row.deadline_at) == ("default", "ready", 0, None, None)
    assert waker.lanes == ["inbox:default"]
    work(bench, dispatcher(bench, heard.table(FollowStarted)))
    assert bench.read(bench.house.inbox, row_id).state == "done"
    assert len(heard.events) == 2


def test_the_first_lane_still_ignores_and_quarantines(bench: Bench) -> None:
    bench.put_callback(of_kind(bench, "brand_new_event"), lane="welcome")
    bench.put_callback("nonsense", lane="welcome")
    work(bench, dispatcher(bench, {}, pass_on_to="default"), lane="welcome")
    assert states(bench) == ["ignored", "quarantined"]


def test_a_greeting_handler_that_fails_still_hands_the_row_on(bench: Bench, heard: Heard) -> None:
    row_id = add(bench, "wm1", lane="welcome")
    heard.failing = True
    work(bench, dispatcher(bench, heard.table(FollowStarted), pass_on_to="default"), lane="welcome")
    row = bench.read(bench.house.inbox, row_id)
    assert (row.lane, row.state) == ("default", "ready")
    assert len(bench.rows(bench.house.jobs)) == 1
