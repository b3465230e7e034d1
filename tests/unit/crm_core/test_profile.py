"""The customer's profile and the search for customers."""

import pytest

from crm_core import contact_ways, customers, groups, profile, staff
from crm_core.contact_ways import ContactWayForm
from crm_core.errors import NotFound
from crm_core.ids import ChatId, ExternalUserId
from crm_core.ports import CustomerFacts, CustomerGroupFacts, FollowFacts, GroupMemberFacts, StaffFacts
from tests.support.ground import APP, CORP, LI, OTHER_CORP, XIAO, ZHANG, Ground


def read(ground: Ground, who: str = XIAO) -> profile.CustomerProfile:
    with ground.reading() as session:
        return profile.read(session, CORP, ExternalUserId(who))


def know(ground: Ground, who: str, name: str = "", *follows: FollowFacts, unionid: str = "") -> None:
    with ground.committed() as uow:
        facts = CustomerFacts(external_user=ExternalUserId(who), name=name, follows=follows, unionid=unionid)
        ground.files().apply_facts(uow, CORP, facts)


def hits(ground: Ground, words: str = "", **more: int) -> list[str]:
    with ground.reading() as session:
        return [hit.external_user for hit in profile.search(session, CORP, ZHANG, words, **more)]


def test_a_customer_we_never_heard_of(ground: Ground) -> None:
    with pytest.raises(NotFound):
        read(ground)


def test_a_customer_of_whom_wecom_has_told_nothing_yet(ground: Ground) -> None:
    ground.handle(ground.added(0), customers.record_follow)
    seen = read(ground)
    assert (seen.name, seen.synced_at, seen.stage, seen.stage_name) == ("", None, "new", "新客户")
    [follow] = seen.follows
    assert (follow.staff, follow.staff_name, follow.status, follow.source) == (ZHANG, ZHANG, "active", "未知来源")


def test_the_whole_picture(ground: Ground) -> None:
    with ground.committed() as uow:
        contact_ways.create(
            uow, corp=CORP, app=APP, form=ContactWayForm(name="门店活码", staff=(ZHANG,)), created_by=LI, state="abc"
        )
        staff.apply_staff(uow, CORP, StaffFacts(userid=ZHANG, name="张三"))
        member = GroupMemberFacts(member_id=XIAO, kind=2)
        groups.apply_facts(uow, CORP, CustomerGroupFacts(chat_id=ChatId("wr"), name="业主群", members=(member,)))
    ground.handle(ground.added(0, state="abc"), customers.record_follow, contact_ways.attach_follow)
    early = int(ground.at(-100).timestamp())
    know(
        ground, XIAO, "小王", FollowFacts(staff=ZHANG, remark="王总", remark_mobiles=("138",), add_way=1),
        FollowFacts(staff=LI, created_at=early, add_way=202), unionid="u",
    )  # fmt: skip
    know(ground, "wm_again", "小王", unionid="u")
    seen = read(ground)
    assert (seen.name, seen.group_names, seen.external_users) == ("小王", ("业主群",), 2)
    assert [(follow.staff, follow.source) for follow in seen.follows] == [(LI, "管理员分配"), (ZHANG, "门店活码")]
    own = seen.follow_of(ZHANG)
    assert own is not None
    assert (own.staff_name, own.remark, own.mobiles) == ("张三", "王总", ("138",))
    assert seen.follow_of("nobody") is None


@pytest.mark.parametrize(("way", "source"), [(1, "扫描二维码"), (16, "获客链接"), (7, "其他来源"), (999, "其他来源")])
def test_sources(ground: Ground, way: int, source: str) -> None:
    know(ground, XIAO, "小王", FollowFacts(staff=ZHANG, add_way=way))
    assert read(ground).follows[0].source == source


def test_an_ended_follow_stays_in_the_picture(ground: Ground) -> None:
    for event in (ground.added(0), ground.left(9)):
        ground.handle(
            event, customers.record_follow if event.occurred_at == ground.at(0) else customers.record_follow_ended
        )  # type: ignore[arg-type]
    [follow] = read(ground).follows
    assert (follow.status, follow.ended_by, follow.ended_at) == ("ended", "customer", ground.at(9))


def test_search_goes_over_names_and_remarks_of_ones_own_customers(ground: Ground) -> None:
    start = int(ground.at(0).timestamp())
    people = [("wm_a", "Alice Wang", "VIP 100%"), ("wm_b", "bob", "alice's friend"), ("wm_c", "王_五", "")]
    for number, (who, name, remark) in enumerate(people):
        know(ground, who, name, FollowFacts(staff=ZHANG, remark=remark, created_at=start + number))
    know(ground, "wm_of_li", "Alice too", FollowFacts(staff=LI))
    assert hits(ground) == ["wm_c", "wm_b", "wm_a"]
    assert hits(ground, limit=1) == ["wm_c"]
    assert hits(ground, "alice") == hits(ground, "ALICE") == ["wm_b", "wm_a"]
    assert hits(ground, "王") == ["wm_c"]
    assert hits(ground, "%") == ["wm_a"]
    assert hits(ground, "_") == ["wm_c"]
    assert hits(ground, "nobody") == []
    with ground.reading() as session:
        assert profile.search(session, OTHER_CORP, ZHANG, "") == []
        [hit] = profile.search(session, CORP, ZHANG, "bob")
    assert (hit.name, hit.remark, hit.stage, hit.status) == ("bob", "alice's friend", "新客户", "active")
