"""One decider per welcome code: live code, then staff member, then corp; on time or not at all."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bot import welcome
from bot.welcome import WelcomeDesk
from crm_core import contact_ways, outbox, timeline, welcome_messages
from crm_core.contact_ways import ContactWayForm
from crm_core.events import FollowHalfStarted, FollowStarted, OutboundFinished
from crm_core.ids import AppKey, ExternalUserId, StaffUserId, WelcomeCode
from tests.support.bench import Bench
from tests.support.product import APP, admin

STAFF = "zhang.san"


def greetings(bench: Bench) -> list[Any]:
    return [row for row in bench.rows(bench.house.outbox) if row.kind == outbox.SEND_WELCOME.name]


def way(bench: Bench, text: str, state: str = "wayabc") -> None:
    welcome_of_way = {"text": text, "attachments": []} if text else None
    form = ContactWayForm(name="门店", staff=(STAFF,), welcome=welcome_of_way)
    with bench.unit() as uow:
        contact_ways.create(uow, corp=bench.corp, app=AppKey(APP), form=form, created_by="test", state=state)
        uow.commit()


def greeting_of(bench: Bench, staff: str, text: str) -> None:
    with bench.unit() as uow:
        welcome_messages.set_message(uow, bench.corp, staff, {"text": text, "attachments": []})
        uow.commit()


def offer(
    bench: Bench, *, code: str | None = "wc-1", state: str = "wayabc", kind: type[FollowStarted | FollowHalfStarted] = FollowStarted
) -> None:  # fmt: skip
    event = kind(
        corp=bench.corp,
        app=AppKey(APP),
        occurred_at=bench.clock.now(),
        key=f"k:{code}",
        received_ms=bench.now_ms,
        staff=StaffUserId(STAFF),
        external_user=ExternalUserId("wm1"),
        state=state,
        welcome_code=WelcomeCode(code) if code else None,
    )
    with bench.unit() as uow:
        WelcomeDesk(bench.house.settings).offer_welcome(event, uow)
        uow.commit()


@pytest.mark.parametrize(
    ("of_way", "of_staff", "of_corp", "said"),
    [
        ("活码的", "员工的", "企业的", "活码的"),
        ("", "员工的", "企业的", "员工的"),
        (None, "员工的", "企业的", "员工的"),
        (None, "", "企业的", "企业的"),
        ("", "", "企业的", "企业的"),
        ("活码的", "", "", "活码的"),
        ("", "", "", None),
        (None, "", "", None),
    ],
)
def test_the_nearest_greeting_wins(
    bench: Bench, of_way: str | None, of_staff: str, of_corp: str, said: str | None
) -> None:
    if of_way is not None:
        way(bench, of_way)
    greeting_of(bench, STAFF, of_staff)
    greeting_of(bench, welcome_messages.EVERYBODY, of_corp)
    greeting_of(bench, "somebody-else", "别人的")
    offer(bench)
    assert [row.payload["message"]["text"] for row in greetings(bench)] == ([] if said is None else [said])


def test_without_a_code_nobody_is_greeted(bench: Bench) -> None:
    greeting_of(bench, STAFF, "您好")
    offer(bench, code=None)
    assert greetings(bench) == []


def test_one_code_is_one_greeting_and_its_deadline_is_before_wecoms(bench: Bench) -> None:
    greeting_of(bench, STAFF, "您好")
    offer(bench)
    offer(bench)
    offer(bench, kind=FollowHalfStarted)
    offer(bench, code="wc-2", kind=FollowHalfStarted)
    assert [row.payload["code"] for row in greetings(bench)] == ["wc-1", "wc-2"]
    assert {row.deadline_at - bench.now_ms for row in greetings(bench)} == {19_500}
    assert {(row.lane, row.priority) for row in greetings(bench)} == {("welcome", 0)}


def test_from_callback_to_greeting(synced: Bench) -> None:
    greeting_of(synced, STAFF, "{昵称}，您好")
    done = admin(synced.wecom, "add", {"corp": synced.corp, "userid": STAFF, "name": "小满"})
    xml = synced.add_xml(STAFF, done["external_userid"], code=done["welcome_code"])
    synced.put_callback(xml, lane="welcome")
    synced.work()
    (row,) = greetings(synced)
    assert row.state == "done"
    entries = _timeline(synced, done["external_userid"])
    assert "welcome.sent" in entries


def test_too_late_is_expired_never_sent_and_on_the_timeline(synced: Bench) -> None:
    greeting_of(synced, STAFF, "您好")
    done = admin(synced.wecom, "add", {"corp": synced.corp, "userid": STAFF, "name": "小满"})
    synced.put_callback(synced.add_xml(STAFF, done["external_userid"], code=done["welcome_code"]), lane="welcome")
    synced.clock.advance(seconds=19.6)
    synced.work()
    (row,) = greetings(synced)
    assert (row.state, row.last_error) == ("expired", "超过时限，未发送")
    assert synced.called("externalcontact/send_welcome_msg") == 0
    assert "welcome.failed" in _timeline(synced, done["external_userid"])


def _timeline(bench: Bench, external_user: str) -> list[str]:
    with bench.house.db.reading() as session:
        return [entry.kind for entry in timeline.read(session, bench.corp, ExternalUserId(external_user))]


def test_only_greetings_are_recorded_as_greetings(bench: Bench) -> None:
    event = OutboundFinished(
        corp=bench.corp,
        app=AppKey(APP),
        occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
        key="k",
        kind="set_remark",
        outcome="done",
        outbox_id=1,
        subject={"external_user": "wm1"},
    )
    with bench.unit() as uow:
        welcome.record_outcome(event, uow)
        uow.commit()
    assert _timeline(bench, "wm1") == []
