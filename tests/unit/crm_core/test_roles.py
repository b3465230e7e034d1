"""Who may do what, and whose customers they see."""

import pytest

from crm_core import roles, staff
from crm_core.errors import Conflict, InputInvalid, NotAllowed, NotFound
from crm_core.ids import CorpId, StaffUserId
from crm_core.ports import DepartmentFacts, StaffFacts
from crm_core.roles import DEFAULT_SCOPE, PERMISSIONS, ROLE_PERMISSIONS, Grant, Role, Scope
from tests.support.ground import Ground

CORP = CorpId("ww_one")
PEOPLE = {"boss": (2,), "seller": (3,), "other": (4,), "far": (9,)}


@pytest.fixture
def company(ground: Ground) -> Ground:
    with ground.db.unit() as uow:
        tree = {2: 1, 3: 2, 4: 2, 9: 1}
        staff.apply_departments(
            uow, CORP, [DepartmentFacts(dept_id=n, name=str(n), parent_id=parent) for n, parent in tree.items()]
        )
        for userid, departments in PEOPLE.items():
            staff.apply_staff(uow, CORP, StaffFacts(userid=StaffUserId(userid), name=userid, departments=departments))
        uow.commit()
    return ground


def give(ground: Ground, userid: str, role: Role, scope: Scope | None = None) -> Grant:
    with ground.db.unit() as uow:
        grant = roles.give(uow, CORP, StaffUserId(userid), role, scope, actor="test")
        uow.commit()
    return grant


def seen(ground: Ground, userid: str) -> frozenset[str] | None:
    with ground.db.reading() as session:
        who = StaffUserId(userid)
        return roles.visible_staff(session, CORP, who, roles.grant_of(session, CORP, who))


def test_whoever_was_given_nothing_is_staff_and_sees_their_own(company: Ground) -> None:
    assert seen(company, "seller") == {"seller"}


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope.OWN, {"boss"}),
        (Scope.DEPARTMENT, {"boss"}),
        (Scope.DEPARTMENT_TREE, {"boss", "seller", "other"}),
        (Scope.CORP, None),
        (Scope.CORPS, None),
    ],
)
def test_a_scope_says_whose_customers_one_sees(company: Ground, scope: Scope, expected: set[str] | None) -> None:
    give(company, "boss", Role.SUPERVISOR, scope)
    assert seen(company, "boss") == expected


def test_a_role_brings_its_usual_scope_and_leaves_an_audit_row(company: Ground) -> None:
    for role, scope in DEFAULT_SCOPE.items():
        assert give(company, "far", Role(role)).scope == scope if role != Role.ADMIN else True


def test_the_last_admin_stays(company: Ground) -> None:
    give(company, "boss", Role.ADMIN)
    with pytest.raises(Conflict):
        give(company, "boss", Role.STAFF)
    give(company, "seller", Role.ADMIN)
    assert give(company, "boss", Role.STAFF).role == Role.STAFF


def test_what_makes_no_sense_is_refused(company: Ground) -> None:
    with pytest.raises(InputInvalid):
        give(company, "boss", Role.STAFF, Scope.CORP)
    with pytest.raises(NotFound):
        give(company, "nobody", Role.ADMIN)


def test_permissions_follow_the_role() -> None:
    assert all(held <= set(PERMISSIONS) for held in ROLE_PERMISSIONS.values())
    grant = Grant(role=Role.STAFF, scope=Scope.OWN)
    grant.require("customers.read")
    with pytest.raises(NotAllowed, match="分配角色"):
        grant.require("roles.write")
