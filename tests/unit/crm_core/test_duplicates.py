"""Who may be the same person, and what a staff member decides about it."""

import pytest
from sqlmodel import select

from crm_core import accounts, duplicates, timeline
from crm_core.config import IdentityPart
from crm_core.customers import CustomerFiles
from crm_core.errors import Conflict, NotFound
from crm_core.ids import ExternalUserId, StaffUserId
from crm_core.ports import CustomerFacts, FollowFacts
from crm_core.record_tables import CustomerMobileRow
from crm_core.tables import AuditRow, ExternalUserRow
from tests.support.ground import CORP, LI, XIAO, ZHANG, Ground

YOU = ExternalUserId("wm_you")
NO_MERGE = IdentityPart(merge_on_mobile=False, merge_on_unionid=False)


def know(
    ground: Ground, who: ExternalUserId, *, staff: StaffUserId = ZHANG, name: str = "小满", avatar: str = "",
    mobile: str = "", unionid: str = "",
) -> None:  # fmt: skip
    facts = CustomerFacts(
        external_user=who, name=name, avatar_url=avatar, unionid=unionid,
        follows=(FollowFacts(staff=staff, remark_mobiles=(mobile,) if mobile else (), created_at=1_795_000_000),),
    )  # fmt: skip
    with ground.committed() as uow:
        CustomerFiles(NO_MERGE).apply_facts(uow, CORP, facts)


def found(ground: Ground, who: ExternalUserId = XIAO) -> list[tuple[str, tuple[str, ...]]]:
    with ground.reading() as session:
        return [(item.external_user, item.reasons) for item in duplicates.find(session, CORP, ZHANG, who)]


def customer_of(ground: Ground, who: ExternalUserId) -> int:
    (number,) = ground.all(select(ExternalUserRow.customer_id).where(ExternalUserRow.external_userid == who))
    return int(number)


@pytest.mark.parametrize(
    ("both", "reasons"),
    [
        ({"avatar": "https://a"}, ("昵称和头像相同",)),
        ({"mobile": "138"}, ("手机号相同",)),
        ({"unionid": "u1"}, ("微信身份相同",)),
        ({"unionid": "u1", "mobile": "138", "avatar": "https://a"}, ("微信身份相同", "手机号相同", "昵称和头像相同")),
        ({}, None),
    ],
)
def test_what_two_accounts_share_is_named(
    ground: Ground, both: dict[str, str], reasons: tuple[str, ...] | None
) -> None:
    know(ground, XIAO, **both)  # type: ignore[arg-type]
    know(ground, YOU, **both)  # type: ignore[arg-type]
    assert found(ground) == ([(YOU, reasons)] if reasons else [])
    assert found(ground, YOU) == ([(XIAO, reasons)] if reasons else [])


def test_customers_of_others_are_not_named(ground: Ground) -> None:
    know(ground, XIAO, mobile="138")
    know(ground, YOU, mobile="138", staff=LI)
    assert found(ground) == []
    with ground.committed() as uow, pytest.raises(NotFound):
        duplicates.merge(uow, CORP, ZHANG, XIAO, YOU)


def test_the_list_by_number_follows_what_the_follows_say(ground: Ground) -> None:
    know(ground, XIAO, mobile="138")
    know(ground, XIAO, mobile="139")
    assert ground.all(select(CustomerMobileRow.mobile)) == ["139"]


def test_merged_they_share_a_timeline_and_can_be_parted(ground: Ground) -> None:
    know(ground, XIAO, mobile="138")
    know(ground, YOU, mobile="138", name="小满的手机")
    with ground.committed() as uow:
        timeline.append(uow, corp=CORP, external_user=YOU, kind="x.y", at=uow.now(), dedupe_key="d")
        number = duplicates.merge(uow, CORP, ZHANG, XIAO, YOU)
    assert customer_of(ground, XIAO) == customer_of(ground, YOU)
    assert found(ground) == []
    with ground.reading() as session:
        assert accounts.accounts_of(session, CORP, ZHANG, XIAO) == [XIAO, YOU]
        also = timeline.read(session, CORP, XIAO, also=[YOU])
        assert {entry.kind for entry in also} == {"x.y", "customer.merged"}
        (merge,) = duplicates.merges_of(session, CORP, YOU)
        assert (merge.id, merge.others, merge.reason) == (number, "小满的手机", "员工合并")
    with ground.committed() as uow:
        with pytest.raises(Conflict):
            duplicates.merge(uow, CORP, ZHANG, XIAO, YOU)
        duplicates.undo(uow, CORP, ZHANG, XIAO, number)
        with pytest.raises(Conflict):
            duplicates.undo(uow, CORP, ZHANG, XIAO, number)
        with pytest.raises(NotFound):
            duplicates.undo(uow, CORP, ZHANG, XIAO, 999)
    assert customer_of(ground, XIAO) != customer_of(ground, YOU)
    assert found(ground) == []  # a person said so: it is not asked again
    assert ground.all(select(AuditRow.act).order_by(AuditRow.id)) == ["customer.merged", "customer.split"]


def test_kept_apart_they_are_not_named_again(ground: Ground) -> None:
    know(ground, XIAO, mobile="138")
    know(ground, YOU, mobile="138")
    for _ in range(2):
        with ground.committed() as uow:
            duplicates.keep_apart(uow, CORP, ZHANG, XIAO, YOU)
    assert found(ground) == []
    with ground.committed() as uow:
        facts = CustomerFacts(external_user=YOU, follows=(FollowFacts(staff=ZHANG, remark_mobiles=("138",)),))
        CustomerFiles(IdentityPart()).apply_facts(uow, CORP, facts)
    assert customer_of(ground, XIAO) != customer_of(ground, YOU)
