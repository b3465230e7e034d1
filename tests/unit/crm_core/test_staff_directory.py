"""The department tree, members with customers and roles, customers left behind."""

from collections.abc import Iterator

import pytest

from crm_core import customers, roles, staff, staff_directory
from crm_core.errors import NotFound
from crm_core.ids import CorpId, StaffUserId
from crm_core.ports import DepartmentFacts, StaffFacts
from crm_core.roles import Role
from crm_core.staff_directory import MemberFilter
from tests.support.ground import CORP, OTHER_CORP, Ground


def facts(userid: str, name: str, *departments: int, status: int = 1) -> StaffFacts:
    return StaffFacts(userid=StaffUserId(userid), name=name, departments=departments, status=status, position="顾问")


@pytest.fixture
def company(ground: Ground) -> Iterator[Ground]:
    """Head office 1 with sales 2 (north 3) and service 4; four members, one of whom left with a customer."""
    with ground.committed() as uow:
        rows = ((1, 0, "总部"), (2, 1, "销售部"), (3, 2, "北区"), (4, 1, "客服部"))
        staff.apply_departments(
            uow, CORP, [DepartmentFacts(dept_id=i, parent_id=up, name=name) for i, up, name in rows]
        )
        for one in (
            facts("ann", "安妮", 3),
            facts("bob", "鲍勃", 2, 4),
            facts("cat", "凯特", 4),
            facts("dan", "丹", 3),
        ):
            staff.apply_staff(uow, CORP, one)
        staff.apply_staff(uow, OTHER_CORP, facts("eve", "伊芙", 2))
        staff.apply_contact_scope(uow, CORP, [StaffUserId("ann"), StaffUserId("dan")])
        roles.give(uow, CORP, StaffUserId("bob"), Role.ADMIN, actor="test")
    for number, (userid, who) in enumerate((("ann", "wm_1"), ("ann", "wm_2"), ("dan", "wm_3"))):
        ground.handle(ground.added(number, staff=userid, who=who), customers.record_follow)
    ground.handle(ground.left(60, staff="ann", who="wm_2"), customers.record_follow_ended)
    with ground.committed() as uow:
        staff.mark_left(uow, CORP, {"ann", "bob", "cat"})
    yield ground


def listed(ground: Ground, *, corp: CorpId = CORP, **wanted: object) -> list[str]:
    with ground.reading() as session:
        members, _ = staff_directory.page(session, corp, MemberFilter(**wanted))  # type: ignore[arg-type]
    return [member.userid for member in members]


def test_the_tree_counts_each_person_once_per_branch(company: Ground) -> None:
    with company.reading() as session:
        (top,) = staff_directory.tree(session, CORP)
        (seen,) = staff_directory.tree(session, CORP, frozenset({"cat"}))
    assert (top.name, top.people) == ("总部", 3)
    assert [(one.name, one.people) for one in top.children] == [("销售部", 2), ("客服部", 2)]
    assert [(one.name, one.people) for one in top.children[0].children] == [("北区", 1)]
    assert seen.people == 1


def test_a_member_shows_customers_that_last_role_and_departments(company: Ground) -> None:
    with company.reading() as session:
        ann = staff_directory.get(session, CORP, "ann")
        bob = staff_directory.get(session, CORP, "bob")
    assert (ann.name, ann.customers, ann.can_contact, ann.status_name) == ("安妮", 1, True, "在职")
    assert (bob.departments, bob.grant.role) == (("销售部", "客服部"), Role.ADMIN)
    with company.reading() as session:
        for corp, visible in ((OTHER_CORP, None), (CORP, frozenset({"bob"}))):
            with pytest.raises(NotFound):
                staff_directory.get(session, corp, "ann", visible)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, {"ann", "bob", "cat"}),
        ({"dept_id": 2}, {"ann", "bob"}),
        ({"dept_id": 4}, {"bob", "cat"}),
        ({"words": "凯"}, {"cat"}),
        ({"words": "ANN"}, {"ann"}),
        ({"words": "顾问"}, {"ann", "bob", "cat"}),
        ({"status": 5}, {"dan"}),
        ({"contact": True}, {"ann"}),
        ({"role": "admin"}, {"bob"}),
        ({"role": "staff"}, {"ann", "cat"}),
        ({"visible": frozenset({"cat"})}, {"cat"}),
    ],
)
def test_filters(company: Ground, wanted: dict[str, object], expected: set[str]) -> None:
    assert set(listed(company, **wanted)) == expected


def test_pages_go_by_name(company: Ground) -> None:
    with company.reading() as session:
        first, older = staff_directory.page(session, CORP, MemberFilter(), limit=2)
        rest, end = staff_directory.page(session, CORP, MemberFilter(), after=older, limit=2)
    assert [one.userid for one in first + rest] == listed(company)
    assert (len(first), len(rest), end) == (2, 1, "")


def test_customers_of_those_who_left_are_counted(company: Ground) -> None:
    with company.reading() as session:
        assert staff_directory.left_behind(session, CORP) == staff_directory.LeftBehind(members=1, customers=1)
        assert staff_directory.left_behind(session, OTHER_CORP) == staff_directory.LeftBehind(members=0, customers=0)


def test_a_tree_that_bites_its_tail_ends(company: Ground) -> None:
    with company.committed() as uow:
        rows = ((1, 0, "总部"), (2, 3, "甲"), (3, 2, "乙"))
        staff.apply_departments(
            uow, CORP, [DepartmentFacts(dept_id=i, parent_id=up, name=name) for i, up, name in rows]
        )
    with company.reading() as session:
        assert [one.name for one in staff_directory.tree(session, CORP)] == ["总部"]
