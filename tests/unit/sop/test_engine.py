"""Enrolments: entered once, asked again before every step, ended with a reason."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import select

from crm_core import customers, staff
from crm_core.events import StaffUpdated
from crm_core.ids import StaffUserId
from crm_core.ports import FollowFacts, StaffFacts
from crm_core.tables import OutboxRow
from sop import handlers, runner
from sop.tables import SopRow
from tests.support.ground import APP, CORP, FRIDAY_MORNING, LI, XIAO, ZHANG, Ground
from tests.unit.sop.sop_plans import NEXT_WORKDAY, Desk, after, step


def shanghai(moment: datetime) -> str:
    return (moment + timedelta(hours=8)).strftime("%m-%d %H:%M")


def run(desk: Desk, limit: int = 100) -> int:
    return runner.run_once(desk.ground.db, desk.engine, limit)


def pass_time(desk: Desk, **parts: float) -> int:
    desk.ground.clock.move(**parts)
    return run(desk)


def named(desk: Desk, name: str = "小测试", staff_userid: str = ZHANG) -> None:
    event = desk.ground.fetched(FollowFacts(staff=ZHANG), staff=staff_userid, name=name)
    desk.ground.handle(event, desk.ground.files().record_fetched, desk.reactions.start_waiting)


def messages(ground: Ground) -> list[OutboxRow]:
    return ground.all(select(OutboxRow).where(OutboxRow.kind == "send_app_message").order_by(OutboxRow.id))  # type: ignore[arg-type]


def test_a_new_follow_enters_every_enabled_sop(desk: Desk) -> None:
    for key in ("one", "two"):
        desk.install(step("a"), key=key)
    desk.add()
    rows = desk.enrolments()
    assert [(row.status, row.next_step, row.entered_at) for row in rows] == [("active", 0, FRIDAY_MORNING)] * 2
    assert {shanghai(row.next_at) for row in rows} == {"11-20 10:00"}


def test_without_sops_nothing_begins(desk: Desk) -> None:
    desk.add()
    assert desk.enrolments() == []


def test_a_half_follow_or_one_that_is_over_does_not_enter(desk: Desk, ground: Ground) -> None:
    desk.install(step("a"))
    ground.handle(ground.left(10), customers.record_follow_ended)
    desk.add(0)
    assert desk.enrolments() == []


def test_the_same_event_again_enters_nothing_even_when_the_sop_is_finished(desk: Desk, ground: Ground) -> None:
    desk.install(step("a"))
    for _ in range(2):
        desk.add(key="e1")
    assert desk.enrolment().status == "active"
    pass_time(desk, seconds=3)
    assert desk.enrolment().status == "finished"
    desk.add(key="e1")
    assert desk.enrolment().status == "finished"


def test_who_is_inside_does_not_enter_a_second_time_and_who_is_through_may(desk: Desk) -> None:
    desk.install(step("a"))
    desk.add(0)
    desk.add(1)
    assert len(desk.enrolments()) == 1
    pass_time(desk, seconds=3)
    desk.add(5)
    assert [row.status for row in desk.enrolments()] == ["finished", "active"]


def test_each_staff_member_has_an_enrolment_of_their_own(desk: Desk) -> None:
    desk.install(step("a"))
    desk.add()
    desk.add(staff=LI)
    assert {row.staff_userid for row in desk.enrolments()} == {ZHANG, LI}


def test_people_inside_stay_on_their_version_and_do_not_enter_the_next(desk: Desk) -> None:
    desk.install(step("a"), step("b", after(60)))
    desk.add(0)
    pass_time(desk, seconds=3)
    new = desk.install(step("a"), step("changed", after(60)))
    desk.add(10)
    desk.add(10, who="wm_new")
    assert desk.enrolment("wm_new").sop_id == new.id
    pass_time(desk, hours=2)
    assert [one.step_key for one in desk.runs()] == ["a", "b"]


def test_a_first_step_waits_for_the_name_but_not_for_long(desk: Desk) -> None:
    desk.install(step("a"))
    desk.add()
    assert pass_time(desk, seconds=1) == 0
    assert pass_time(desk, seconds=1) == 1
    [todo] = desk.todos()
    assert todo.message["text"] == "a 您"
    [message] = messages(desk.ground)
    assert message.payload["body"]["textcard"]["title"] == "新客户：标题 a"


def test_a_name_hurries_the_first_step(desk: Desk) -> None:
    row = desk.install(step("a"), step("b", after(10)))
    desk.add()
    named(desk, staff_userid=LI)
    assert desk.runs() == []
    named(desk)
    [todo] = desk.todos()
    assert (todo.title, todo.message["text"], todo.customer_name) == ("标题 a", "a 小测试", "小测试")
    [message] = messages(desk.ground)
    assert message.cause == f"sop:{row.id}"
    card = message.payload["body"]["textcard"]
    assert card["title"] == "小测试：标题 a"
    assert card["url"].endswith(f"/sidebar/?external_userid={XIAO}&todo={todo.id}")
    named(desk)
    assert len(desk.runs()) == 1
    assert desk.enrolment().next_step == 1


def test_a_first_step_of_later_is_not_hurried(desk: Desk) -> None:
    desk.install(step("a", after(30)))
    desk.add()
    named(desk)
    assert desk.runs() == []


def test_steps_follow_each_other_over_weekend_and_holiday(ground: Ground) -> None:
    desk = Desk(ground, worktime={"holidays": ["2026-11-23"]})
    desk.install(step("a"), step("b", after(30)), step("c", NEXT_WORKDAY), step("d", NEXT_WORKDAY))
    desk.add()
    planned = []
    for _ in range(4):
        planned.append(shanghai(desk.enrolment().next_at))
        ground.clock.moment = desk.enrolment().next_at
        assert run(desk) == 1
    assert planned == ["11-20 10:00", "11-20 10:30", "11-24 10:00", "11-25 10:00"]
    row = desk.enrolment()
    assert (row.status, row.end_reason, row.ended_at) == ("finished", "", ground.clock.now())
    assert [one.status for one in desk.runs()] == ["due"] * 4


def test_a_late_run_does_not_push_the_following_steps_back(desk: Desk) -> None:
    desk.install(step("a"), step("b", after(60)), step("c", after(600)))
    desk.add()
    assert pass_time(desk, minutes=30) == 1
    assert shanghai(desk.enrolment().next_at) == "11-20 11:00"
    [ran] = desk.runs()
    assert shanghai(ran.due_at) == "11-20 10:00"
    assert ran.ran_at == desk.ground.clock.now()


def test_a_step_in_quiet_hours_waits_for_their_end(desk: Desk) -> None:
    desk.install(step("a"), step("b", after(12 * 60)), step("c", after(12 * 60), quiet_hours="ignore"))
    desk.add()
    pass_time(desk, seconds=3)
    assert shanghai(desk.enrolment().next_at) == "11-21 08:30"


@pytest.mark.parametrize(("late", "status"), [({"hours": 24}, "due"), ({"hours": 24, "seconds": 1}, "expired")])
def test_a_step_that_comes_too_late_expires_with_the_reason(desk: Desk, late: dict[str, Any], status: str) -> None:
    desk.install(step("a"), step("b", after(60 * 24 * 10)))
    desk.add()
    desk.ground.clock.moment = desk.enrolment().next_at + timedelta(**late)
    assert run(desk) == 1
    [one] = desk.runs()
    assert one.status == status
    assert len(messages(desk.ground)) == (1 if status == "due" else 0)
    if status == "expired":
        assert "晚了 1 day, 0:00:01" in one.reason
        assert one.ended_at == desk.ground.clock.now()
    assert desk.enrolment().status == "active"


def test_a_customer_who_is_gone_gets_no_step(desk: Desk, ground: Ground) -> None:
    for key in ("one", "two"):
        desk.install(step("a"), step("b", after(60)), key=key)
    desk.add()
    pass_time(desk, seconds=3)
    ground.handle(ground.left(10), customers.record_follow_ended)
    pass_time(desk, hours=2)
    assert {(row.status, row.end_reason) for row in desk.enrolments()} == {("stopped", "已不是好友")}
    assert {(one.step_key, one.status, one.reason) for one in desk.runs()} == {("a", "expired", "已不是好友")}


@pytest.mark.parametrize("status", [2, 4, 5])
def test_a_member_who_cannot_work_gets_no_step(desk: Desk, ground: Ground, status: int) -> None:
    desk.install(step("a"))
    desk.add()
    with ground.committed() as uow:
        staff.apply_staff(uow, CORP, StaffFacts(userid=ZHANG, status=status))
    pass_time(desk, seconds=3)
    assert (desk.enrolment().status, desk.enrolment().end_reason) == ("stopped", "员工已停用或离职")
    assert desk.runs() == []


def test_an_sop_that_was_deleted_stops(desk: Desk, ground: Ground) -> None:
    row = desk.install(step("a"))
    desk.add()
    with ground.committed() as uow:
        uow.session.delete(uow.session.get_one(SopRow, row.id))
    pass_time(desk, seconds=3)
    assert (desk.enrolment().status, desk.enrolment().end_reason) == ("stopped", "SOP 已删除")


@pytest.mark.parametrize(("by", "reason"), [("left", "客户已删除员工"), ("dropped", "员工已删除客户")])
def test_the_end_of_a_follow_stops_its_steps_and_takes_open_todos_back(
    desk: Desk, ground: Ground, by: str, reason: str
) -> None:
    desk.install(step("a"), step("b", after(60)))
    desk.add()
    desk.add(staff=LI)
    pass_time(desk, seconds=3)
    event = getattr(ground, by)(10)
    for _ in range(2):
        ground.handle(event, customers.record_follow_ended, desk.reactions.stop_for_follow)
    stopped = {row.staff_userid: (row.status, row.end_reason) for row in desk.enrolments()}
    assert stopped == {ZHANG: ("stopped", reason), LI: ("active", "")}
    assert {one.staff_userid: (one.status, one.reason) for one in desk.runs()} == {
        ZHANG: ("expired", reason), LI: ("due", "")
    }  # fmt: skip
    assert desk.todos() == []
    assert pass_time(desk, hours=2) == 1


def test_an_old_end_does_not_stop_a_newer_follow(desk: Desk, ground: Ground) -> None:
    desk.install(step("a"))
    desk.add(20)
    event = ground.left(10)
    ground.handle(event, customers.record_follow_ended, desk.reactions.stop_for_follow)
    assert desk.enrolment().status == "active"


def test_an_end_of_a_follow_that_we_never_saw(desk: Desk, ground: Ground) -> None:
    ground.handle(ground.left(10), desk.reactions.stop_for_follow)
    assert desk.enrolments() == []


def test_a_changed_userid_is_carried_through(desk: Desk, ground: Ground) -> None:
    desk.install(step("a"), step("b", after(60)))
    desk.add()
    pass_time(desk, seconds=3)
    given: dict[str, Any] = {"corp": CORP, "app": APP, "occurred_at": FRIDAY_MORNING, "key": "r", "staff": ZHANG}
    ground.handle(StaffUpdated(**given), handlers.rename_staff)
    assert desk.enrolment().staff_userid == ZHANG
    renamed = StaffUpdated(**given, new_staff=StaffUserId("zhang.new"))
    for _ in range(2):
        ground.handle(renamed, handlers.rename_staff, staff.record_updated)
    assert desk.enrolment().staff_userid == "zhang.new"
    assert [one.staff_userid for one in desk.runs()] == ["zhang.new"]
    assert pass_time(desk, hours=2) == 1
