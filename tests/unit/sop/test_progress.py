"""Figures of the plans, pausing and resuming, taking one customer out."""

from datetime import timedelta

import pytest

from crm_core import audit
from crm_core.audit import AuditFilter
from crm_core.errors import Conflict, NotFound
from sop import progress, runner, steering
from sop.model import StepState
from sop.service import settle_todo
from tests.support.ground import CORP, FRIDAY_MORNING, LI, OTHER_CORP, XIAO, ZHANG
from tests.unit.sop.sop_plans import Desk, after, step

SINCE = FRIDAY_MORNING - timedelta(days=30)
KEY = "first-days"


@pytest.fixture
def inside(desk: Desk) -> Desk:
    """Two customers of two staff members inside a plan of two steps, the first of which waits with the staff."""
    desk.install(step("hello"), step("ask", after(60)))
    desk.add(staff=ZHANG, who=XIAO)
    desk.add(staff=LI, who="wm_other")
    tick(desk, seconds=5)
    return desk


def tick(desk: Desk, **later: float) -> int:
    desk.ground.clock.move(**later)
    return runner.run_once(desk.ground.db, desk.engine, 100)


def card(desk: Desk, **more: object) -> progress.SopCard:
    with desk.ground.reading() as session:
        return progress.card(session, CORP, KEY, SINCE, **more)  # type: ignore[arg-type]


def pause(desk: Desk) -> int:
    with desk.ground.committed() as uow:
        return steering.pause(uow, CORP, KEY, actor="boss")


def resume(desk: Desk) -> int:
    with desk.ground.committed() as uow:
        return steering.resume(uow, CORP, KEY, actor="boss")


def test_a_card_counts_those_who_came_in_and_may_be_seen(inside: Desk) -> None:
    found = card(inside)
    assert (found.version, found.is_running, found.enrolled, found.total) == (1, True, {"active": 2}, 2)
    assert card(inside, visible={ZHANG}).total == 1
    with inside.ground.reading() as session:
        assert [one.key for one in progress.cards(session, CORP, SINCE)] == [KEY]
        assert progress.card(session, CORP, KEY, FRIDAY_MORNING + timedelta(days=1)).total == 0
        with pytest.raises(NotFound):
            progress.card(session, OTHER_CORP, KEY, SINCE)


def test_each_step_tells_what_became_of_it(inside: Desk) -> None:
    (todo,) = inside.todos()
    with inside.ground.committed() as uow:
        settle_todo(uow, CORP, ZHANG, todo.id, outcome=StepState.SENT)
    with inside.ground.reading() as session:
        first, second = progress.steps(session, CORP, KEY, SINCE)
        assert (first.by_state, second.by_state) == ({"sent": 1, "due": 1}, {})
        (run,), older = progress.runs(session, CORP, KEY, SINCE, step=0, status="due")
        assert (run.staff, run.external_user, older) == (LI, "wm_other", None)
        assert progress.runs(session, CORP, KEY, SINCE, step=0, status="due", visible={ZHANG}) == ([], None)


def test_people_inside_come_page_by_page(inside: Desk) -> None:
    with inside.ground.reading() as session:
        (newest,), before = progress.enrolments(session, CORP, KEY, SINCE, limit=1)
        (oldest,), end = progress.enrolments(session, CORP, KEY, SINCE, before=before, limit=1)
        assert (newest.staff, oldest.staff, end) == (LI, ZHANG, None)
        assert progress.enrolments(session, CORP, KEY, SINCE, status="finished") == ([], None)
        found, runs = progress.enrolment(session, CORP, oldest.id)
        assert (found.next_step, [run.title for run in runs]) == (1, ["标题 hello"])
        for corp, visible in ((OTHER_CORP, None), (CORP, {LI})):
            with pytest.raises(NotFound):
                progress.enrolment(session, corp, oldest.id, visible)


def test_due_todos_are_counted_by_day(inside: Desk) -> None:
    midnight = FRIDAY_MORNING.replace(hour=16) - timedelta(days=1)  # of Friday in Shanghai
    with inside.ground.reading() as session:
        assert progress.due_counts(session, CORP, midnight) == progress.DueCounts(today=2, overdue=0)
        tomorrow = midnight + timedelta(days=1)
        assert progress.due_counts(session, CORP, tomorrow, {ZHANG}) == progress.DueCounts(today=0, overdue=1)
        (late,), _ = progress.due_runs(session, CORP, tomorrow, overdue=True, visible={ZHANG})
        assert late.staff == ZHANG
        assert progress.due_runs(session, CORP, tomorrow, overdue=False) == ([], None)
        (first,), after_id = progress.due_runs(session, CORP, tomorrow, limit=1)
        (second,), end = progress.due_runs(session, CORP, tomorrow, after=after_id, limit=1)
        assert {first.staff, second.staff} == {ZHANG, LI}
        assert end is None


def test_a_paused_plan_stands_still_and_lets_nobody_in(inside: Desk) -> None:
    assert pause(inside) == 2
    inside.add(who="wm_late")
    assert inside.enrolments("wm_late") == []
    assert tick(inside, hours=2) == 0
    assert card(inside).standing == 2
    with pytest.raises(Conflict):
        pause(inside)


def test_a_resumed_plan_goes_on_where_it_stood(inside: Desk) -> None:
    pause(inside)
    inside.ground.clock.move(hours=2)
    assert resume(inside) == 2
    assert tick(inside, seconds=1) == 2
    assert [run.status for run in inside.runs()] == ["due", "due"]
    with pytest.raises(Conflict):
        resume(inside)


def test_a_step_that_waited_too_long_in_a_pause_expires(inside: Desk) -> None:
    pause(inside)
    inside.ground.clock.move(days=3)
    resume(inside)
    tick(inside, seconds=1)
    assert [run.status for run in inside.runs()] == ["due", "expired"]


def test_a_new_version_does_not_leave_those_who_stand_still_behind(inside: Desk) -> None:
    pause(inside)
    inside.install(step("hello"), step("other", after(5)))
    found = card(inside)
    assert (found.version, found.is_running, found.standing) == (2, True, 2)
    assert resume(inside) == 2
    assert card(inside).enrolled == {"active": 2}


def test_a_lost_friend_leaves_a_paused_plan_too(inside: Desk) -> None:
    pause(inside)
    inside.ground.handle(inside.ground.left(60), inside.reactions.stop_for_follow)
    assert inside.enrolment().status == "stopped"


def test_one_customer_is_taken_out_with_what_waits(inside: Desk) -> None:
    row_id = inside.enrolment().id or 0
    with inside.ground.committed() as uow:
        with pytest.raises(NotFound):
            steering.stop_enrolment(uow, CORP, row_id, reason="", actor="boss", visible={LI})
        steering.stop_enrolment(uow, CORP, row_id, reason="客户已成交", actor="boss")
    assert [(run.status, run.reason) for run in inside.runs()] == [("expired", "客户已成交")]
    assert (inside.enrolment().status, inside.enrolment().end_reason) == ("stopped", "客户已成交")
    assert inside.runs("wm_other")[0].status == "due"
    with inside.ground.unit() as uow, pytest.raises(Conflict):
        steering.stop_enrolment(uow, CORP, row_id, reason="", actor="boss")
    with inside.ground.reading() as session:
        entries, _ = audit.page(session, CORP, AuditFilter(object_kind="enrolment"))
    assert [(entry.act, entry.actor, entry.object_id) for entry in entries] == [
        ("enrolment.stopped", "boss", str(row_id))
    ]
