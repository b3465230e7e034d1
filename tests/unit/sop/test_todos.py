"""Todos: what a step leaves with a staff member, until they tick it off."""

from threading import Thread

import pytest

from crm_core import staff, timeline
from crm_core.errors import Conflict, InputInvalid, NotFound
from crm_core.ids import ExternalUserId, StaffUserId
from crm_core.ports import FollowFacts, StaffFacts
from sop import runner, service
from sop.model import StepState
from tests.support.ground import CORP, LI, OTHER_CORP, XIAO, ZHANG, Ground
from tests.unit.sop.sop_plans import Desk, after, step


@pytest.fixture
def todo(desk: Desk) -> service.Todo:
    desk.install({**step("a"), "message": {"text": "{昵称}您好，我是{员工}"}})
    desk.add()
    event = desk.ground.fetched(FollowFacts(staff=ZHANG))
    desk.ground.handle(event, desk.ground.files().record_fetched, desk.reactions.start_waiting)
    [one] = desk.todos()
    return one


def settle(
    ground: Ground, todo_id: int, outcome: StepState, reason: str = "", staff_userid: str = ZHANG
) -> service.Todo:
    with ground.committed() as uow:
        return service.settle_todo(uow, CORP, StaffUserId(staff_userid), todo_id, outcome=outcome, reason=reason)


def test_a_todo_is_filled_in_and_counted(desk: Desk, ground: Ground, todo: service.Todo) -> None:
    with ground.committed() as uow:
        staff.apply_staff(uow, CORP, StaffFacts(userid=ZHANG, name="张三"))
    with ground.reading() as session:
        assert service.get_todo(session, CORP, ZHANG, todo.id).message["text"] == "小测试您好，我是张三"
        assert [one.id for one in service.todos(session, CORP, ZHANG)] == [todo.id]
        assert service.todos(session, CORP, LI) == []


def test_a_sent_todo_is_told_once_and_settled_for_good(desk: Desk, ground: Ground, todo: service.Todo) -> None:
    for _ in range(2):
        assert settle(ground, todo.id, StepState.SENT).status == "sent"
    with ground.reading() as session:
        entries = [entry for entry in timeline.read(session, CORP, XIAO) if entry.kind == "sop.sent"]
        assert service.todos(session, CORP, ZHANG) == []
    assert [entry.data["title"] for entry in entries] == ["标题 a"]
    with pytest.raises(Conflict):
        settle(ground, todo.id, StepState.SKIPPED, "改主意了")
    assert desk.todos() == []
    [done] = desk.todos(open_only=False)
    assert (done.status, done.ended_at) == ("sent", ground.clock.now())


def test_skipping_needs_a_reason_and_is_told_with_it(ground: Ground, todo: service.Todo) -> None:
    for empty in ("", "  "):
        with pytest.raises(InputInvalid) as caught:
            settle(ground, todo.id, StepState.SKIPPED, empty)
        assert caught.value.field == "reason"
    skipped = settle(ground, todo.id, StepState.SKIPPED, " 已电话沟通 ")
    assert (skipped.status, skipped.reason) == ("skipped", "已电话沟通")
    assert settle(ground, todo.id, StepState.SKIPPED) == skipped
    with ground.reading() as session:
        [entry] = [entry for entry in timeline.read(session, CORP, XIAO) if entry.kind == "sop.skipped"]
    assert entry.data["reason"] == "已电话沟通"
    with pytest.raises(Conflict):
        settle(ground, todo.id, StepState.SENT)


def test_nobody_settles_or_sees_the_todo_of_another(ground: Ground, todo: service.Todo) -> None:
    for todo_id, userid in ((todo.id, LI), (todo.id + 100, ZHANG)):
        with pytest.raises(NotFound):
            settle(ground, todo_id, StepState.SENT, staff_userid=userid)
    with ground.reading() as session:
        with pytest.raises(NotFound):
            service.get_todo(session, OTHER_CORP, ZHANG, todo.id)
        assert service.todos(session, OTHER_CORP, ZHANG) == []


def test_todos_are_listed_oldest_first_and_history_newest_first(desk: Desk, ground: Ground) -> None:
    desk.install(step("a"), step("b", after(60)), step("c", after(60)))
    desk.add(who="wm_a")
    desk.add(who="wm_b")
    for _ in range(3):
        ground.clock.move(hours=1)
        runner.run_once(ground.db, desk.engine, 100)
    with ground.reading() as session:

        def titles(**more: object) -> list[str]:
            return [one.title[-1] for one in service.todos(session, CORP, ZHANG, **more)]  # type: ignore[arg-type]

        assert titles() == list("aabbcc")
        assert titles(open_only=False) == list("ccbbaa")
        assert titles(limit=3) == list("aab")
        assert titles(external_user=ExternalUserId("wm_a")) == list("abc")


def test_two_answers_at_the_same_moment_settle_a_todo_once(ground: Ground, todo: service.Todo) -> None:
    outcomes: list[str] = []

    def skip() -> None:
        try:
            outcomes.append(settle(ground, todo.id, StepState.SKIPPED, "因为").status)
        except Conflict:
            outcomes.append("conflict")

    with ground.unit() as uow:
        service.settle_todo(uow, CORP, ZHANG, todo.id, outcome=StepState.SENT)
        uow.session.flush()
        thread = Thread(target=skip)
        thread.start()
        thread.join(0.3)  # until it waits for us, or has done what it should not
        uow.commit()
    thread.join(30)
    with ground.reading() as session:
        told = [entry.kind for entry in timeline.read(session, CORP, XIAO, kinds=("sop.",))]
        [final] = service.todos(session, CORP, ZHANG, open_only=False)
    assert (outcomes, final.status, told) == (["conflict"], "sent", ["sop.sent"])


def test_names_in_a_text() -> None:
    assert service.fill("{昵称}，我是{员工}", customer="小王", staff_name="张三") == "小王，我是张三"
    assert service.fill("{昵称}好", customer="", staff_name="张三") == "您好"
