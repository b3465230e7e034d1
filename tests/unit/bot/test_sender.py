"""Outbox → WeCom: every way a call can end, against the local WeCom and its faults."""

import itertools
from typing import Any

import pytest
from sqlalchemy import Row

from bot.sender import URGENT_FIRST_WAIT_MS, URGENT_MOST_WAIT_MS
from crm_core import outbox
from crm_core.events import ContactWayCreated, CustomerFetched, OutboundFinished, TagsMarked
from tests.support.bench import Bench, Heard

STAFF = "zhang.san"


@pytest.fixture
def customer(bench: Bench) -> str:
    return bench.somebody(STAFF)


def remark(bench: Bench, customer: str, text: str = "新备注", **more: Any) -> int:
    """Safe to repeat."""
    payload = {"staff": STAFF, "external_user": customer, "fields": {"remark": text}}
    return bench.put(outbox.SET_REMARK, payload, **more)


def app_message(bench: Bench, text: str = "该跟进了", staff: str = STAFF, **more: Any) -> int:
    """WeCom drops a repeat within half an hour."""
    payload = {"staff": [staff], "body": {"msgtype": "text", "text": {"content": text}}}
    return bench.put(outbox.SEND_APP_MESSAGE, payload, **more)


def contact_way(bench: Bench, state: str = "abc234") -> int:
    """Never to be repeated blindly."""
    payload = {
        "contact_way_id": 1, "staff": [STAFF], "departments": [], "state": state, "memo": "展会", "skip_verify": True,
    }  # fmt: skip
    return bench.put(outbox.ADD_CONTACT_WAY, payload)


def row(bench: Bench, row_id: int) -> Row[Any]:
    return bench.read(bench.house.outbox, row_id)


def ways_at_wecom(bench: Bench) -> list[str]:
    return [way.state for way in bench.wecom.world.corps[bench.corp].ways.values()]


def abandon(bench: Bench, row_id: int) -> None:
    """Another worker claimed the row and was never heard of again."""
    bench.sender().claim(("welcome", "default", "message", "single"), "gone", 1)
    assert row(bench, row_id).owner == "gone"
    bench.clock.advance(seconds=31)


def test_a_call_that_works_is_done_and_told(bench: Bench, customer: str, heard: Heard) -> None:
    row_id = remark(bench, customer, cause="sop")
    bench.send(bench.sender(heard.table(OutboundFinished)))
    assert (row(bench, row_id).state, row(bench, row_id).last_error) == ("done", None)
    (event,) = heard.events
    assert (event.kind, event.outcome, event.outbox_id, event.cause) == ("set_remark", "done", row_id, "sop")
    assert event.subject["external_user"] == customer
    assert event.key == f"outbox:{row_id}:done"


def test_a_row_past_its_deadline_is_never_sent(bench: Bench, customer: str, heard: Heard) -> None:
    row_id = remark(bench, customer, deadline_ms=bench.now_ms + 1000)
    bench.clock.advance(seconds=1)
    bench.send(bench.sender(heard.table(OutboundFinished)))
    assert (row(bench, row_id).state, row(bench, row_id).last_error) == ("expired", "超过时限，未发送")
    assert bench.called("externalcontact/remark") == 0
    assert heard.events[0].outcome == "expired"


def test_a_deadline_that_passes_while_the_batch_is_worked_on_counts(bench: Bench, customer: str) -> None:
    row_id = remark(bench, customer, deadline_ms=bench.now_ms + 1000)
    seconds = itertools.chain([0.0, 0.0], itertools.repeat(1.5))  # claimed, asked for patience, then time passes
    bench.send(bench.sender({}, monotonic=lambda: next(seconds)))
    assert row(bench, row_id).state == "expired"


def test_what_wecom_calls_too_late_is_expired(bench: Bench) -> None:
    payload = {"code": "nonsense", "staff": STAFF, "external_user": "wm1", "message": {"text": "您好"}}
    row_id = bench.put(outbox.SEND_WELCOME, payload, deadline_ms=bench.now_ms + 19_500)
    bench.send(bench.sender({}))
    assert row(bench, row_id).state == "expired"
    assert "41050" in row(bench, row_id).last_error


def test_throttling_postpones_without_counting(bench: Bench, customer: str) -> None:
    row_id = remark(bench, customer)
    bench.fault("externalcontact/remark", "errcode", code=45009, times=1)
    bench.send(bench.sender({}))
    kept = row(bench, row_id)
    assert (kept.state, kept.attempts, kept.owner) == ("ready", 0, None)
    assert kept.run_at - bench.now_ms == pytest.approx(60_000, abs=100)
    assert "45009" in kept.last_error


def test_being_busy_is_counted_and_waits_longer_each_time(bench: Bench, customer: str) -> None:
    row_id = remark(bench, customer)
    bench.fault("externalcontact/remark", "busy")
    waits = []
    for attempt in (1, 2, 3):
        bench.send(bench.sender({}))
        kept = row(bench, row_id)
        assert (kept.state, kept.attempts) == ("ready", attempt)
        waits.append(kept.run_at - bench.now_ms)
        bench.clock.advance(seconds=waits[-1] / 1000)
    for wait, ceiling in zip(waits, (2000, 4000, 8000), strict=True):
        assert ceiling / 2 - 1 <= wait <= ceiling
    assert "-1" in row(bench, row_id).last_error


def test_a_row_in_a_hurry_is_tried_again_at_once(bench: Bench, customer: str) -> None:
    row_id = remark(bench, customer, deadline_ms=bench.now_ms + 60_000)
    bench.fault("externalcontact/remark", "busy")
    waits = []
    for _ in range(6):
        bench.send(bench.sender({}))
        waits.append(row(bench, row_id).run_at - bench.now_ms)
        bench.clock.advance(seconds=waits[-1] / 1000)
    assert waits == [URGENT_FIRST_WAIT_MS, 600, 1200, 2400, URGENT_MOST_WAIT_MS, URGENT_MOST_WAIT_MS]


def test_the_last_try_that_fails_makes_it_dead_and_says_why_in_chinese(
    bench: Bench, customer: str, heard: Heard
) -> None:
    row_id = remark(bench, customer)
    bench.change(bench.house.outbox, row_id, attempts=7)
    bench.fault("externalcontact/remark", "busy")
    bench.send(bench.sender(heard.table(OutboundFinished)))
    assert row(bench, row_id).state == "dead"
    assert "系统繁忙" in row(bench, row_id).last_error
    assert heard.events[0].outcome == "dead"


def test_an_unclassified_fault_is_kept_with_its_trace_and_tried_again(bench: Bench) -> None:
    row_id = bench.put(outbox.SET_REMARK, {"nothing": "useful"})
    bench.send(bench.sender({}))
    kept = row(bench, row_id)
    assert (kept.state, kept.attempts) == ("ready", 1)
    assert "KeyError" in kept.last_error
    assert "Traceback" in kept.last_error


def test_a_refusal_is_dead_at_once_with_a_sentence_for_people(bench: Bench) -> None:
    row_id = remark(bench, "wm-nobody")
    bench.send(bench.sender({}))
    kept = row(bench, row_id)
    assert (kept.state, kept.attempts) == ("dead", 1)
    assert any("一" <= char <= "鿿" for char in kept.last_error)
    assert "externalcontact/remark" in kept.last_error
    assert bench.called("externalcontact/remark") == 1


def test_text_that_wecom_would_not_take_is_dead_without_a_call(bench: Bench, customer: str) -> None:
    row_id = remark(bench, customer, "长" * 500)
    bench.send(bench.sender({}))
    assert row(bench, row_id).state == "dead"
    assert bench.called("externalcontact/remark") == 0


def test_an_app_that_is_no_longer_configured_is_dead(bench: Bench, customer: str) -> None:
    row_id = remark(bench, customer, app="removed")
    bench.send(bench.sender({}))
    assert row(bench, row_id).state == "dead"
    assert "没有这个企业或应用" in row(bench, row_id).last_error


@pytest.mark.parametrize("fault", ["drop_after", "drop_before", "http_500"])
def test_a_safe_call_without_answer_is_made_again(bench: Bench, customer: str, fault: str) -> None:
    row_id = remark(bench, customer)
    bench.fault("externalcontact/remark", fault, times=3)
    sender = bench.sender({})
    bench.send(sender)
    assert (row(bench, row_id).state, row(bench, row_id).attempts) == ("ready", 1)
    bench.clock.advance(seconds=2)
    bench.send(sender)
    assert row(bench, row_id).state == "done"


@pytest.mark.parametrize("fault", ["drop_after", "drop_before"])
def test_an_app_message_without_answer_is_repeated_while_wecom_drops_repeats(bench: Bench, fault: str) -> None:
    row_id = app_message(bench)
    bench.fault("message/send", fault, times=1)
    sender = bench.sender({})
    bench.send(sender)
    assert row(bench, row_id).state == "ready"
    bench.clock.advance(seconds=2)
    bench.send(sender)
    assert row(bench, row_id).state == "done"
    assert len(bench.wecom.world.corps[bench.corp].app_messages) == 1


def test_an_app_message_without_answer_stands_as_unknown_once_repeats_would_be_shown(
    bench: Bench, heard: Heard
) -> None:
    row_id = app_message(bench)
    bench.clock.advance(seconds=1800)
    bench.fault("message/send", "drop_after", times=1)
    bench.send(bench.sender(heard.table(OutboundFinished)))
    assert row(bench, row_id).state == "unknown"
    assert "没有正常应答" in row(bench, row_id).last_error
    assert heard.events[0].outcome == "unknown"


def test_an_app_message_nobody_may_see_is_dead(bench: Bench) -> None:
    row_id = app_message(bench, staff="nobody-here")
    bench.send(bench.sender({}))
    assert row(bench, row_id).state == "dead"


def test_a_lost_answer_of_a_live_code_is_looked_up_and_found(bench: Bench, heard: Heard) -> None:
    row_id = contact_way(bench)
    bench.fault("externalcontact/add_contact_way", "drop_after", times=1)
    bench.send(bench.sender(heard.table(ContactWayCreated)))
    assert (row(bench, row_id).state, row(bench, row_id).last_error) == ("done", "回答丢失，已向企业微信查到结果")
    assert ways_at_wecom(bench) == ["abc234"]
    assert heard.events[0].made.config_id in bench.wecom.world.corps[bench.corp].ways


def test_a_lost_answer_of_a_live_code_that_was_not_made_stands_as_unknown(bench: Bench) -> None:
    row_id = contact_way(bench)
    bench.fault("externalcontact/add_contact_way", "drop_before", times=1)
    bench.send(bench.sender({}))
    assert row(bench, row_id).state == "unknown"
    assert "没有查到" in row(bench, row_id).last_error
    assert ways_at_wecom(bench) == []


def test_when_the_look_up_fails_as_well_it_stands_as_unknown_with_both_reasons(bench: Bench) -> None:
    row_id = contact_way(bench)
    bench.fault("externalcontact/add_contact_way", "drop_after", times=1)
    bench.fault("externalcontact/list_contact_way", "busy")
    bench.send(bench.sender({}))
    assert row(bench, row_id).state == "unknown"
    assert "add_contact_way" in row(bench, row_id).last_error
    assert "查询失败" in row(bench, row_id).last_error


def test_a_live_code_is_tried_again_when_wecom_surely_did_nothing(bench: Bench) -> None:
    row_id = contact_way(bench)
    bench.fault("externalcontact/add_contact_way", "busy", times=1)
    sender = bench.sender({})
    bench.send(sender)
    assert row(bench, row_id).state == "ready"
    bench.clock.advance(seconds=2)
    bench.send(sender)
    assert row(bench, row_id).state == "done"
    assert ways_at_wecom(bench) == ["abc234"]


def test_a_request_that_never_left_is_tried_again_whatever_it_is(bench: Bench, sandbox: Any) -> None:
    row_id = contact_way(bench)
    sandbox.stop()
    bench.send(bench.sender({}))
    assert (row(bench, row_id).state, row(bench, row_id).attempts) == ("ready", 1)
    assert "连不上企业微信" in row(bench, row_id).last_error


def test_an_interrupted_safe_call_is_made_again(bench: Bench, customer: str) -> None:
    row_id = remark(bench, customer)
    abandon(bench, row_id)
    bench.send(bench.sender({}))
    assert row(bench, row_id).state == "done"
    assert bench.called("externalcontact/remark") == 1


def test_an_interrupted_app_message_is_repeated_only_within_wecoms_window(bench: Bench) -> None:
    early = app_message(bench, "早")
    abandon(bench, early)
    bench.send(bench.sender({}))
    assert row(bench, early).state == "done"
    late = app_message(bench, "晚")
    abandon(bench, late)
    bench.clock.advance(seconds=1800)
    bench.send(bench.sender({}))
    assert row(bench, late).state == "unknown"
    assert "无法确认是否已执行" in row(bench, late).last_error
    assert len(bench.wecom.world.corps[bench.corp].app_messages) == 1


@pytest.mark.parametrize(("made_before", "state"), [(True, "done"), (False, "unknown")])
def test_an_interrupted_live_code_is_looked_up_and_never_made_twice(
    bench: Bench, made_before: bool, state: str
) -> None:
    row_id = contact_way(bench)
    abandon(bench, row_id)
    if made_before:
        body = {"type": 2, "scene": 2, "user": [STAFF], "state": "abc234"}
        bench.house.gateways.of(bench.corp).client.post(  # type: ignore[attr-defined]
            "externalcontact/add_contact_way", body, repeatable=False
        )
    asked = bench.called("externalcontact/add_contact_way")
    bench.send(bench.sender({}))
    assert row(bench, row_id).state == state
    assert bench.called("externalcontact/add_contact_way") == asked


def test_a_mark_that_failed_still_tells_which_tags_it_was_about(bench: Bench, customer: str, heard: Heard) -> None:
    payload = {"staff": STAFF, "external_user": customer, "add": ["et-unknown"], "remove": []}
    row_id = bench.put(outbox.MARK_TAG, payload)
    bench.send(bench.sender(heard.table(TagsMarked)))
    assert row(bench, row_id).state == "dead"
    assert (heard.events[0].outcome, heard.events[0].added) == ("dead", ("et-unknown",))


def test_a_fetch_tells_the_facts(bench: Bench, customer: str, heard: Heard) -> None:
    bench.put(outbox.FETCH_CUSTOMER, {"staff": STAFF, "external_user": customer})
    bench.send(bench.sender(heard.table(CustomerFetched)))
    assert heard.events[0].facts.external_user == customer
