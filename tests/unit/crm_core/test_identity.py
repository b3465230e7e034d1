"""One ID: which external users are one customer."""

import pytest
from sqlmodel import select

from crm_core import identity
from crm_core.errors import Conflict, NotFound
from crm_core.ids import CorpId, CustomerId, ExternalUserId
from crm_core.ports import CustomerFacts, FollowFacts
from crm_core.tables import CustomerMergeRow, CustomerRow, ExternalUserRow, IdentityRow
from tests.support.ground import CORP, LI, OTHER_CORP, ZHANG, Ground

ONE, TWO, THREE = ExternalUserId("wm_1"), ExternalUserId("wm_2"), ExternalUserId("wm_3")


def meet(
    ground: Ground, who: str, *, unionid: str = "", mobiles: tuple[str, ...] = (), corp: CorpId = CORP, **rules: bool
) -> CustomerId:
    facts = CustomerFacts(
        external_user=ExternalUserId(who), unionid=unionid, follows=(FollowFacts(staff=ZHANG, remark_mobiles=mobiles),)
    )
    with ground.committed() as uow:
        return ground.files(**rules).apply_facts(uow, corp, facts)


def customer_of(ground: Ground, who: str, corp: CorpId = CORP) -> int:
    with ground.reading() as session:
        return session.get_one(ExternalUserRow, (corp, who)).customer_id


def identities(ground: Ground, customer: int) -> set[str]:
    return set(ground.all(select(IdentityRow.value).where(IdentityRow.customer_id == customer)))


def undo(ground: Ground, merge_id: int) -> None:
    with ground.committed() as uow:
        identity.undo_merge(uow, merge_id)


@pytest.fixture
def merges(ground: Ground) -> list[int]:
    """Two merges in a row: 3 into 2, then 2 into 1. Their ids."""
    meet(ground, ONE)
    meet(ground, TWO)
    meet(ground, THREE, mobiles=("133",))
    meet(ground, TWO, mobiles=("133", "122"))
    meet(ground, ONE, mobiles=("122",))
    return ground.all(select(CustomerMergeRow.id).order_by(CustomerMergeRow.id))  # type: ignore[arg-type]


def test_an_external_user_is_one_customer_however_often_asked(ground: Ground) -> None:
    with ground.committed() as uow:
        first = identity.resolve(uow, CORP, ONE)
        assert identity.resolve(uow, CORP, ONE) == first
        assert identity.resolve(uow, CORP, TWO) != first
        assert identity.resolve(uow, OTHER_CORP, ONE) != first
    assert len(ground.all(select(CustomerRow))) == 3


def test_the_same_person_in_two_corps_is_one_customer(ground: Ground) -> None:
    here = meet(ground, ONE, unionid="u1")
    there = meet(ground, "wm_there", unionid="u1", corp=OTHER_CORP)
    assert here == there == customer_of(ground, "wm_there", OTHER_CORP)
    assert identities(ground, here) == {ONE, "wm_there", "u1"}


@pytest.mark.parametrize("known_by", ["unionid", "mobile"])
def test_the_newer_customer_is_merged_into_the_older(ground: Ground, known_by: str) -> None:
    old, new = meet(ground, ONE), meet(ground, TWO)
    for who in (TWO, ONE):
        meet(
            ground, who, unionid="u" if known_by == "unionid" else "", mobiles=("138",) if known_by == "mobile" else ()
        )
    assert customer_of(ground, ONE) == customer_of(ground, TWO) == old
    [merge] = ground.all(select(CustomerMergeRow))
    assert (merge.kept_id, merge.merged_id, merge.reason, merge.undone_at) == (old, new, known_by, None)
    assert merge.merged_at == ground.clock.now()
    [gone] = ground.all(select(CustomerRow).where(CustomerRow.id == new))
    assert gone.merged_into == old


def test_learning_the_same_again_changes_nothing(ground: Ground) -> None:
    ids = [meet(ground, ONE, unionid="u1", mobiles=("138", "")) for _ in range(3)]
    assert len(set(ids)) == 1
    assert identities(ground, ids[0]) == {ONE, "u1", "138"}
    assert ground.all(select(CustomerMergeRow)) == []


def test_a_shared_phone_does_not_merge_people_whose_unionids_differ(ground: Ground) -> None:
    mother = meet(ground, ONE, unionid="u1", mobiles=("138",))
    son = meet(ground, TWO, unionid="u2", mobiles=("138",))
    assert mother != son
    assert customer_of(ground, TWO) == son
    assert ground.all(select(CustomerMergeRow)) == []


def test_a_shared_phone_merges_when_only_one_has_a_unionid_or_they_share_one_of_several(ground: Ground) -> None:
    known = meet(ground, ONE, unionid="u1", mobiles=("138",))
    assert meet(ground, TWO, mobiles=("138",)) == known


def test_each_rule_can_be_switched_off(ground: Ground) -> None:
    first = meet(ground, ONE, unionid="u", mobiles=("138",), merge_on_unionid=False, merge_on_mobile=False)
    second = meet(ground, TWO, unionid="u", mobiles=("138",), merge_on_unionid=False, merge_on_mobile=False)
    assert first != second
    assert identities(ground, first) == {ONE}


def test_a_merge_can_be_taken_back_and_only_once(ground: Ground) -> None:
    old, new = meet(ground, ONE, mobiles=("138",)), meet(ground, TWO, mobiles=("139",))
    meet(ground, TWO, mobiles=("138", "139"))
    [merge] = ground.all(select(CustomerMergeRow.id))
    ground.clock.move(hours=1)
    undo(ground, merge)
    assert (customer_of(ground, ONE), customer_of(ground, TWO)) == (old, new)
    assert identities(ground, old) == {ONE, "138"}
    assert identities(ground, new) == {TWO, "139"}
    [row] = ground.all(select(CustomerMergeRow))
    assert row.undone_at == ground.clock.now()
    assert ground.all(select(CustomerRow.merged_into).where(CustomerRow.id == new)) == [None]
    with ground.unit() as uow, pytest.raises(Conflict):
        identity.undo_merge(uow, merge)
    with ground.unit() as uow, pytest.raises(NotFound):
        identity.undo_merge(uow, merge + 100)


@pytest.mark.parametrize("shared", ["unionid", "mobile"])
def test_the_next_news_from_wecom_does_not_repeat_a_merge_that_was_taken_back(ground: Ground, shared: str) -> None:
    unionid, mobiles = ("u", ()) if shared == "unionid" else ("", ("138",))
    old, new = meet(ground, ONE, unionid=unionid, mobiles=mobiles), meet(ground, TWO)
    meet(ground, TWO, unionid=unionid, mobiles=mobiles)
    undo(ground, ground.all(select(CustomerMergeRow.id))[0])
    for who in (TWO, ONE, TWO):
        meet(ground, who, unionid=unionid, mobiles=mobiles)
    assert (customer_of(ground, ONE), customer_of(ground, TWO)) == (old, new)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_merges_upon_merges_can_be_taken_back_in_any_order(
    ground: Ground, merges: list[int], order: tuple[int, int]
) -> None:
    assert customer_of(ground, ONE) == customer_of(ground, TWO) == customer_of(ground, THREE)
    for number in order:
        undo(ground, merges[number])
    of_one, of_two, of_three = (customer_of(ground, who) for who in (ONE, TWO, THREE))
    assert of_one < of_two < of_three
    assert identities(ground, of_three) == {THREE, "133"}
    assert identities(ground, of_two) == {TWO, "122"}
    assert identities(ground, of_one) == {ONE}


def test_a_follow_of_another_staff_member_brings_its_mobile_too(ground: Ground) -> None:
    first = meet(ground, ONE, mobiles=("138",))
    facts = CustomerFacts(
        external_user=TWO,
        follows=(FollowFacts(staff=ZHANG), FollowFacts(staff=LI, remark_mobiles=("137", "138"))),
    )
    with ground.committed() as uow:
        assert ground.files().apply_facts(uow, CORP, facts) == first
