"""The loop over due steps: in batches, exactly once, and no enrolment holds up another."""

from collections.abc import Iterator
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from crm_core import customers
from crm_core.tables import OutboxRow
from sop import runner
from sop.tables import EnrolmentRow, SopRow, StepRunRow
from tests.support.ground import CORP, Ground, ground_on
from tests.unit.sop.sop_plans import Desk, after, step


def fill(desk: Desk, count: int) -> None:
    desk.install(step("a"), step("b", after(60)))
    for number in range(count):
        desk.add(who=f"wm_{number}")
    desk.ground.clock.move(seconds=3)


def run(desk: Desk, limit: int = 100) -> int:
    return runner.run_once(desk.ground.db, desk.engine, limit)


def count(ground: Ground, table: Any) -> int:
    return len(ground.all(select(table)))


def collide(ground: Ground, who: str) -> None:
    """A step run that stands there already, so that the database refuses the next."""
    with ground.committed() as uow:
        row = uow.session.exec(select(EnrolmentRow).where(EnrolmentRow.external_userid == who)).one()
        uow.session.add(
            StepRunRow(
                corp_id=CORP, enrolment_id=row.id or 0, step=0, step_key="a", title="a", sop_name="a", staff_userid="x",
                external_userid="x", due_at=ground.at(0), ran_at=ground.at(0),
            )
        )  # fmt: skip


def ruin(ground: Ground, who: str, *, next_step: int = 99) -> None:
    """An enrolment that points behind the end of its plan."""
    with ground.committed() as uow:
        row = uow.session.exec(select(EnrolmentRow).where(EnrolmentRow.external_userid == who)).one()
        row.next_step = next_step
        uow.session.add(row)


def test_nothing_due(desk: Desk) -> None:
    assert run(desk) == 0
    desk.install(step("a", after(5)))
    desk.add()
    assert run(desk) == 0


def test_due_steps_are_run_in_batches_the_longest_due_first(desk: Desk, ground: Ground) -> None:
    desk.install(step("a"))
    for number in range(5):
        desk.add(who=f"wm_{number}")
        ground.clock.move(seconds=1)
    ground.clock.move(seconds=3)
    assert [run(desk, 2), run(desk, 2)] == [2, 2]
    assert [row.external_userid for row in ground.all(select(StepRunRow).order_by(StepRunRow.id))] == [  # type: ignore[arg-type]
        "wm_0", "wm_1", "wm_2", "wm_3"
    ]  # fmt: skip
    assert [run(desk, 2), run(desk, 2)] == [1, 0]
    assert count(ground, OutboxRow) == 5 + 5


@pytest.mark.parametrize(("spoil", "reason"), [(ruin, "IndexError"), (collide, "IntegrityError")])
def test_one_broken_enrolment_does_not_hold_up_the_others(desk: Desk, ground: Ground, spoil: Any, reason: str) -> None:
    fill(desk, 4)
    spoil(ground, "wm_1")
    assert run(desk) == 3
    broken = desk.enrolment("wm_1")
    assert broken.status == "stopped"
    assert broken.end_reason.startswith(reason)
    assert len(desk.runs("wm_0")) == len(desk.runs("wm_3")) == 1
    assert run(desk) == 0


@pytest.mark.parametrize("limit", [1, 2])
def test_a_broken_enrolment_at_the_head_of_a_small_batch_does_not_block_the_rest(
    desk: Desk, ground: Ground, limit: int
) -> None:
    fill(desk, 3)
    ruin(ground, "wm_0")
    while run(desk, limit) or desk.enrolment("wm_2").next_step == 0:
        pass
    assert desk.enrolment("wm_0").status == "stopped"
    assert count(ground, StepRunRow) == 2


def test_a_plan_that_cannot_be_read_stops_its_enrolments_with_the_reason(desk: Desk, ground: Ground) -> None:
    fill(desk, 2)
    with ground.committed() as uow:
        row = uow.session.exec(select(SopRow)).one()
        row.plan = {"key": "x"}
        uow.session.add(row)
    fresh = Desk(ground)
    assert run(fresh) == 0
    reasons = {row.end_reason for row in ground.all(select(EnrolmentRow).where(EnrolmentRow.corp_id == CORP))}
    assert len(reasons) == 1
    assert reasons.pop().startswith("InputInvalid: SOP")


@pytest.fixture
def cut_line(ground: Ground) -> Iterator[None]:
    """The database refuses to take step runs, as when the connection is lost."""

    def refuse(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if statement.startswith("INSERT INTO step_runs"):
            raise OperationalError(statement, {}, Exception("server closed the connection"))

    event.listen(ground.db.engine, "before_cursor_execute", refuse)
    yield
    event.remove(ground.db.engine, "before_cursor_execute", refuse)


@pytest.mark.usefixtures("cut_line")
@pytest.mark.parametrize("people", [1, 3])
def test_a_database_that_is_away_stops_no_enrolment(desk: Desk, ground: Ground, people: int) -> None:
    fill(desk, people)
    with pytest.raises(OperationalError):
        run(desk)
    assert set(ground.all(select(EnrolmentRow.status))) == {"active"}


def at_once(*acts: Any) -> list[Any]:
    """Run all in threads that start together; answers what they answered. Their errors are ours."""
    start, answers, errors = Barrier(len(acts)), [], []

    def one(act: Any) -> None:
        start.wait(10)
        try:
            answers.append(act())
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [Thread(target=one, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    return answers


def test_two_runners_at_once_double_nothing(desk: Desk, ground: Ground) -> None:
    fill(desk, 40)
    other = Desk(ground)

    def until_done(of: Desk) -> int:
        done = 0
        while ran := run(of, 3):
            done += ran
        return done

    assert sum(at_once(lambda: until_done(desk), lambda: until_done(other))) == 40
    assert count(ground, StepRunRow) == 40
    assert set(ground.all(select(EnrolmentRow.next_step))) == {1}


def test_a_follow_that_starts_twice_at_once_enters_once(desk: Desk, ground: Ground) -> None:
    desk.install(step("a"))
    twins = [ground.added(0), ground.added(0)]
    ground.handle(twins[0], customers.record_follow)
    with ground.unit() as uow:
        desk.reactions.enrol_new_follow(twins[0], uow)
        uow.session.flush()
        thread = Thread(target=ground.handle, args=(twins[1], desk.reactions.enrol_new_follow))
        thread.start()
        thread.join(0.3)  # until it waits for us, or has done what it should not
        uow.commit()
    thread.join(30)
    assert [row.status for row in desk.enrolments()] == ["active"]


@pytest.mark.postgres
def test_a_runner_passes_over_rows_that_another_holds(postgres_url: str) -> None:
    with ground_on(postgres_url) as ground:
        desk = Desk(ground)
        fill(desk, 4)
        with ground.unit() as uow:
            held = uow.session.exec(
                select(EnrolmentRow).where(EnrolmentRow.external_userid == "wm_0").with_for_update()
            ).one()
            assert run(desk) == 3
            assert held.next_step == 0
        assert run(desk) == 1
