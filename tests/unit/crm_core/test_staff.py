"""Departments and staff."""

from typing import Any

import pytest
from sqlmodel import select

from crm_core import customers, staff, timeline, welcome_messages
from crm_core.events import (
    DepartmentCreated,
    DepartmentDeleted,
    DepartmentUpdated,
    StaffCreated,
    StaffDeleted,
    StaffUpdated,
)
from crm_core.ids import StaffUserId
from crm_core.ports import DepartmentFacts, StaffFacts
from crm_core.tables import DepartmentRow, FollowRow, StaffRow, TimelineRow
from tests.support.ground import APP, CORP, FRIDAY_MORNING, LI, OTHER_CORP, XIAO, ZHANG, Ground

NEW = StaffUserId("zhang.new")


def base(**more: Any) -> dict[str, Any]:
    return {"corp": CORP, "app": APP, "occurred_at": FRIDAY_MORNING, "key": "k", **more}


def told(ground: Ground, *facts: StaffFacts) -> None:
    with ground.committed() as uow:
        for fact in facts:
            staff.apply_staff(uow, CORP, fact)


def member(ground: Ground, userid: str = ZHANG) -> StaffRow:
    with ground.reading() as session:
        return session.get_one(StaffRow, (CORP, userid))


def update(ground: Ground, new: StaffUserId | None = None, /, **fields: str) -> None:
    ground.handle(StaffUpdated(**base(staff=ZHANG, new_staff=new, fields=fields)), staff.record_updated)


def departments(ground: Ground) -> dict[int, tuple[str, int, int]]:
    return {row.dept_id: (row.name, row.parent_id, row.sort_order) for row in ground.all(select(DepartmentRow))}


def test_fields_that_wecom_does_not_tell_keep_their_value(ground: Ground) -> None:
    told(
        ground,
        StaffFacts(userid=ZHANG, name="张三", alias="老张", position="店长", departments=(2, 3), main_department=2),
    )
    told(ground, StaffFacts(userid=ZHANG, avatar_url="https://a"))
    row = member(ground)
    assert (row.name, row.alias, row.position, row.departments, row.main_department, row.avatar_url) == (
        "张三", "老张", "店长", [2, 3], 2, "https://a"
    )  # fmt: skip


def test_a_new_member_from_a_callback(ground: Ground) -> None:
    fields = {
        "Name": "张三",
        "Department": "1, 7,x",
        "MainDepartment": "7",
        "Status": "4",
        "Alias": "Z",
        "Position": "店长",
    }
    ground.handle(StaffCreated(**base(staff=ZHANG, fields=fields)), staff.record_created)
    row = member(ground)
    assert (row.name, row.departments, row.main_department, row.status) == ("张三", [1, 7], 7, 4)


def test_a_change_of_name_does_not_make_a_disabled_member_active(ground: Ground) -> None:
    told(ground, StaffFacts(userid=ZHANG, name="张三", status=2))
    update(ground, Name="张三丰")
    assert (member(ground).name, member(ground).status) == ("张三丰", 2)
    update(ground, Status="1")
    assert member(ground).status == staff.ACTIVE


def test_a_member_who_comes_back_is_active(ground: Ground) -> None:
    told(ground, StaffFacts(userid=ZHANG))
    ground.handle(StaffDeleted(**base(staff=ZHANG)), staff.record_deleted)
    assert member(ground).status == staff.LEFT
    ground.handle(StaffCreated(**base(staff=ZHANG)), staff.record_created)
    assert member(ground).status == staff.ACTIVE


def test_a_member_who_left_can_no_longer_contact_and_strangers_leaving_change_nothing(ground: Ground) -> None:
    with ground.committed() as uow:
        staff.apply_contact_scope(uow, CORP, [ZHANG])
    for userid in (ZHANG, LI):
        ground.handle(StaffDeleted(**base(staff=userid)), staff.record_deleted)
    [row] = ground.all(select(StaffRow))
    assert (row.userid, row.status, row.can_contact) == (ZHANG, staff.LEFT, False)


def test_whether_a_member_can_work(ground: Ground) -> None:
    told(ground, *(StaffFacts(userid=StaffUserId(f"s{status}"), status=status) for status in (1, 2, 4, 5)))
    with ground.reading() as session:
        can = [
            userid for userid in ("s1", "s2", "s4", "s5", "new") if staff.is_active(session, CORP, StaffUserId(userid))
        ]
    assert can == ["s1", "new"]


def test_a_changed_userid_is_carried_through(ground: Ground) -> None:
    told(ground, StaffFacts(userid=ZHANG, name="张三", departments=(2,)))
    ground.handle(ground.added(0, key="a"), customers.record_follow)
    with ground.committed() as uow:
        welcome_messages.set_message(uow, CORP, ZHANG, {"text": "我是老张"})
        uow.session.add(StaffRow(corp_id=OTHER_CORP, userid=ZHANG))
    for _ in range(2):
        update(ground, NEW, Name="张三丰")
    assert {(row.corp_id, row.userid, row.name) for row in ground.all(select(StaffRow))} == {
        (CORP, NEW, "张三丰"), (OTHER_CORP, ZHANG, "")
    }  # fmt: skip
    assert member(ground, NEW).departments == [2]
    assert ground.all(select(FollowRow.staff_userid)) == ground.all(select(TimelineRow.staff_userid)) == [NEW]
    with ground.reading() as session:
        assert welcome_messages.for_staff(session, CORP, NEW) == {"text": "我是老张", "attachments": []}
        assert [entry.staff for entry in timeline.read(session, CORP, XIAO)] == [NEW]


def test_a_changed_userid_that_a_sync_has_found_before_the_news_came(ground: Ground) -> None:
    """The new member and one of its follows are there already; both records become one."""
    told(ground, StaffFacts(userid=ZHANG, name="张三"), StaffFacts(userid=NEW, name="张三丰"))
    ground.handle(ground.added(0), customers.record_follow)
    ground.handle(ground.added(0, who="wm_other"), customers.record_follow)
    with ground.committed() as uow:
        old = customers.find_follow(uow.session, CORP, ZHANG, XIAO)
        assert old is not None
        old.contact_way_id, old.state = 7, "abc"
        welcome_messages.set_message(uow, CORP, ZHANG, {"text": "旧"})
        welcome_messages.set_message(uow, CORP, NEW, {"text": "新"})
    ground.handle(ground.added(100, staff=NEW), customers.record_follow)
    update(ground, NEW)
    follows = ground.all(select(FollowRow).order_by(FollowRow.external_userid))  # type: ignore[arg-type]
    assert [(row.staff_userid, row.external_userid) for row in follows] == [(NEW, "wm_other"), (NEW, XIAO)]
    assert (follows[1].contact_way_id, follows[1].state, follows[1].started_at) == (7, "abc", ground.at(0))
    assert [row.userid for row in ground.all(select(StaffRow))] == [NEW]
    with ground.reading() as session:
        assert welcome_messages.for_staff(session, CORP, NEW) == {"text": "新", "attachments": []}


def test_a_userid_changed_to_itself_or_of_a_stranger(ground: Ground) -> None:
    update(ground, ZHANG, Name="张三")
    update(ground, NEW, Name="李四")
    assert {row.userid: row.name for row in ground.all(select(StaffRow))} == {NEW: "李四"}


def test_who_has_the_customer_contact_function(ground: Ground) -> None:
    told(ground, StaffFacts(userid=ZHANG, name="张三"), StaffFacts(userid=LI, name="李四"))
    with ground.committed() as uow:
        staff.apply_contact_scope(uow, CORP, [LI, StaffUserId("wang")])
    with ground.reading() as session:
        assert [row.userid for row in staff.listing(session, CORP)] == ["wang", ZHANG, LI]
        assert {row.userid for row in staff.listing(session, CORP, contact_only=True)} == {"wang", LI}
    with ground.committed() as uow:
        staff.apply_contact_scope(uow, CORP, [ZHANG])
    with ground.reading() as session:
        assert [row.userid for row in staff.listing(session, CORP, contact_only=True)] == [ZHANG]


def test_a_full_listing_tells_who_left(ground: Ground) -> None:
    told(ground, StaffFacts(userid=ZHANG), StaffFacts(userid=LI))
    with ground.committed() as uow:
        assert staff.mark_left(uow, CORP, {ZHANG}) == 1
        assert staff.mark_left(uow, CORP, {ZHANG}) == 0
    with ground.reading() as session:
        assert [row.userid for row in staff.listing(session, CORP)] == [ZHANG]


def test_names_fall_back_to_the_userid(ground: Ground) -> None:
    told(ground, StaffFacts(userid=ZHANG, name="张三"), StaffFacts(userid=LI))
    with ground.reading() as session:
        assert staff.names(session, CORP, [ZHANG, LI, "gone"]) == {ZHANG: "张三", LI: LI, "gone": "gone"}
        assert staff.names(session, CORP, []) == {}


def test_departments_come_change_and_go(ground: Ground) -> None:
    events: list[Any] = [
        DepartmentCreated(**base(dept_id=2, name="门店", parent_id=1, sort_order=2**31)),
        DepartmentCreated(**base(dept_id=3)),
        DepartmentUpdated(**base(dept_id=2, name="徐汇门店")),
        DepartmentUpdated(**base(dept_id=3, parent_id=2)),
        DepartmentUpdated(**base(dept_id=4, name="后来才知道")),
    ]
    for event in events:
        ground.handle(event, staff.record_department)
    for dept_id in (4, 99):
        ground.handle(DepartmentDeleted(**base(dept_id=dept_id)), staff.record_department_deleted)
    assert departments(ground) == {2: ("徐汇门店", 1, 2**31), 3: ("", 2, 0)}


def test_a_listing_of_departments_replaces_what_we_have(ground: Ground) -> None:
    for listed in (
        [DepartmentFacts(dept_id=1, name="总部"), DepartmentFacts(dept_id=2, name="门店", parent_id=1)],
        [DepartmentFacts(dept_id=1), DepartmentFacts(dept_id=3, name="工厂", parent_id=1, sort_order=5)],
    ):
        with ground.committed() as uow:
            staff.apply_departments(uow, CORP, listed)
    assert departments(ground) == {1: ("总部", 0, 0), 3: ("工厂", 1, 5)}


@pytest.mark.parametrize("status", ["", "x"])
def test_a_status_that_makes_no_sense_is_none(ground: Ground, status: str) -> None:
    told(ground, StaffFacts(userid=ZHANG, status=2))
    update(ground, Status=status)
    assert member(ground).status == 2
