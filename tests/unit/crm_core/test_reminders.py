"""Reminders and follow-up records: set once, told once, done, put off, and never lost."""

from datetime import timedelta

import pytest

from bot import notices
from crm_core import customers, follow_ups, reminders, staff, timeline
from crm_core.errors import Conflict, InputInvalid, NotFound
from crm_core.events import StaffUpdated
from crm_core.follow_ups import FollowUpForm
from crm_core.ids import StaffUserId
from crm_core.outbox import OUTBOX
from crm_core.ports import StaffFacts
from tests.support.ground import APP, CORP, LI, OTHER_CORP, XIAO, ZHANG, Ground


def set_one(ground: Ground, *, hours: float = 2, key: str = "k1", note: str = "问量房") -> int:
    with ground.committed() as uow:
        due = ground.clock.now() + timedelta(hours=hours)
        return reminders.remind(
            uow, corp=CORP, app=APP, staff=ZHANG, external_user=XIAO, due_at=due, note=note, key=key
        )


def waiting(ground: Ground, **more: object) -> list[str]:
    with ground.reading() as session:
        return [item.note for item in reminders.waiting(session, CORP, ZHANG, **more)]  # type: ignore[arg-type]


def told(ground: Ground) -> list[dict[str, object]]:
    with ground.reading() as session:
        return [dict(row._mapping) for row in session.execute(OUTBOX.select().order_by(OUTBOX.c.id))]


def kinds(ground: Ground) -> list[str]:
    with ground.reading() as session:
        return [entry.kind for entry in timeline.read(session, CORP, XIAO)]


def test_a_reminder_is_set_once_and_listed_by_its_time(ground: Ground) -> None:
    first = set_one(ground)
    assert set_one(ground) == first
    set_one(ground, hours=1, key="k2", note="先打电话")
    assert waiting(ground) == ["先打电话", "问量房"]
    with ground.reading() as session:
        assert reminders.waiting(session, CORP, LI) == []
        assert reminders.waiting(session, OTHER_CORP, ZHANG) == []


@pytest.mark.parametrize(("hours", "said"), [(0, "已经过去"), (-1, "已经过去"), (24 * 366 * 4, "最远三年")])
def test_a_time_that_makes_no_sense_is_refused(ground: Ground, hours: float, said: str) -> None:
    with pytest.raises(InputInvalid, match=said):
        set_one(ground, hours=hours)
    with pytest.raises(InputInvalid, match="最多"):
        set_one(ground, note="长" * 201)


def test_when_due_it_is_told_once_by_app_message(ground: Ground) -> None:
    ground.handle(ground.added(0), customers.record_follow)
    before = len(told(ground))
    set_one(ground, note="问<b>量房</b>")
    assert notices.ring_reminders(ground.db, ground.settings) == 0
    ground.clock.move(hours=3)
    assert notices.ring_reminders(ground.db, ground.settings) == 1
    assert notices.ring_reminders(ground.db, ground.settings) == 0
    (row,) = told(ground)[before:]
    body = row["payload"]["body"]["textcard"]  # type: ignore[index]
    assert row["kind"] == "send_app_message"
    assert row["payload"]["staff"] == [ZHANG]  # type: ignore[index]
    assert "问&lt;b&gt;量房&lt;/b&gt;" in body["description"]
    assert body["url"].endswith(f"/sidebar/?external_userid={XIAO}")
    assert waiting(ground) == ["问<b>量房</b>"]


def test_put_off_it_is_told_again_and_who_left_is_told_nothing(ground: Ground) -> None:
    number = set_one(ground)
    ground.clock.move(hours=3)
    notices.ring_reminders(ground.db, ground.settings)
    with ground.committed() as uow:
        reminders.postpone(uow, CORP, ZHANG, number, due_at=ground.clock.now() + timedelta(hours=1))
    ground.clock.move(hours=2)
    assert notices.ring_reminders(ground.db, ground.settings) == 1
    assert len(told(ground)) == 2
    with ground.committed() as uow:
        reminders.postpone(uow, CORP, ZHANG, number, due_at=ground.clock.now() + timedelta(hours=1))
        staff.apply_staff(uow, CORP, StaffFacts(userid=ZHANG, name="张三", status=staff.LEFT))
    ground.clock.move(hours=2)
    assert notices.ring_reminders(ground.db, ground.settings) == 1
    assert len(told(ground)) == 2


def test_done_deleted_and_brought_back(ground: Ground) -> None:
    number = set_one(ground)
    for status, left in ((reminders.DELETED, []), (reminders.OPEN, ["问量房"]), (reminders.DONE, [])):
        with ground.committed() as uow:
            reminders.settle(uow, CORP, ZHANG, number, status=status)
            reminders.settle(uow, CORP, ZHANG, number, status=status)
        assert waiting(ground) == left
    assert kinds(ground) == ["reminder.done"]
    ground.clock.move(hours=3)
    assert notices.ring_reminders(ground.db, ground.settings) == 0
    with ground.committed() as uow, pytest.raises(Conflict):
        reminders.postpone(uow, CORP, ZHANG, number, due_at=ground.clock.now() + timedelta(hours=1))
    with ground.reading() as session, pytest.raises(NotFound):
        reminders.get(session, CORP, LI, number)


def test_a_changed_userid_keeps_its_reminders(ground: Ground) -> None:
    set_one(ground)
    new = StaffUserId("zhang.san")
    event = StaffUpdated(
        corp=CORP, app=APP, occurred_at=ground.clock.now(), key="u", staff=ZHANG, new_staff=new, fields={}
    )
    ground.handle(event, reminders.rename_staff)
    with ground.reading() as session:
        assert [item.note for item in reminders.waiting(session, CORP, new)] == ["问量房"]


def record(ground: Ground, key: str = "f1", **form: object) -> None:
    with ground.committed() as uow:
        follow_ups.record(
            uow, corp=CORP, app=APP, staff=ZHANG, external_user=XIAO,
            form=FollowUpForm(**({"key": key, "stage": "new"} | form)),  # type: ignore[arg-type]
        )  # fmt: skip


def test_a_record_a_stage_and_a_next_contact_are_one_act_done_once(ground: Ground) -> None:
    ground.handle(ground.added(0), customers.record_follow)
    later = ground.clock.now() + timedelta(days=1)
    for _ in range(2):
        record(ground, stage="intent", text=" 到店了 ", next_contact=later)
    assert kinds(ground)[:2] == ["stage.changed", "follow_up.recorded"]
    assert len(kinds(ground)) == 3
    assert waiting(ground) == ["到店了"]
    record(ground, key="f2", stage="won")
    assert kinds(ground).count("follow_up.recorded") == 1
    with pytest.raises(InputInvalid, match="请写下跟进内容"):
        record(ground, key="f3", stage="won", text="  ")
    with pytest.raises(InputInvalid, match="最多"):
        record(ground, key="f4", stage="won", text="长" * 501)
    with pytest.raises(InputInvalid, match="已经过去"):
        record(ground, key="f5", stage="won", text="晚了", next_contact=ground.clock.now())
    assert kinds(ground).count("follow_up.recorded") == 1
