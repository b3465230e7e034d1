"""What staff write down about groups, and the group as one member of staff sees it."""

from datetime import timedelta

import pytest

from crm_core import customers, group_profile, group_records, groups, page_layouts, staff
from crm_core.errors import InputInvalid, NotFound
from crm_core.events import StaffUpdated
from crm_core.ids import ChatId, StaffUserId
from crm_core.ports import CustomerGroupFacts, GroupMemberFacts, StaffFacts
from tests.support.ground import APP, CORP, LI, OTHER_CORP, XIAO, ZHANG, Ground

CHAT, OTHER = ChatId("wr_1"), ChatId("wr_2")


def gather(ground: Ground, chat: ChatId, *members: tuple[str, int], owner: str = ZHANG) -> None:
    now = int(ground.clock.now().timestamp())
    facts = CustomerGroupFacts(
        chat_id=chat, name=f"群 {chat}", owner=owner, member_version="v1",
        members=tuple(
            GroupMemberFacts(member_id=who, kind=kind, name=who, joined_at=now - 60, join_scene=3, invitor=LI)
            for who, kind in members
        ),
    )  # fmt: skip
    with ground.committed() as uow:
        staff.apply_staff(uow, CORP, StaffFacts(userid=LI, name="李四"))
        groups.apply_facts(uow, CORP, facts)


def read(ground: Ground, viewer: StaffUserId = ZHANG) -> group_profile.GroupProfile:
    with ground.reading() as session:
        return group_profile.read(
            session, CORP, viewer, CHAT, today=ground.clock.now().replace(hour=0, minute=0, second=0)
        )


def test_members_joins_leaves_and_who_is_elsewhere_too(ground: Ground) -> None:
    gather(ground, CHAT, (ZHANG, 1), (XIAO, 2), ("wm_b", 2))
    gather(ground, OTHER, (LI, 1), (XIAO, 2), owner=LI)
    ground.handle(ground.added(0), customers.record_follow)
    seen = read(ground)
    assert [(m.member, m.is_staff, m.is_owner, m.is_mine, m.other_groups) for m in seen.members] == [
        (ZHANG, True, True, False, 0),
        ("wm_b", False, False, False, 0),
        (XIAO, False, False, True, 1),
    ]
    assert (seen.staff_count, seen.customer_count, seen.joined_today, seen.left_today) == (1, 2, 3, 0)
    assert (seen.members[1].joined, seen.members[1].invitor) == ("扫描群二维码", "李四")
    gather(ground, CHAT, (ZHANG, 1), (XIAO, 2))
    assert (read(ground).left_today, read(ground).customer_count) == (1, 1)
    ground.clock.move(hours=48)
    assert (read(ground).joined_today, read(ground).left_today) == (0, 0)


def test_who_may_see_a_group(ground: Ground) -> None:
    gather(ground, CHAT, (ZHANG, 1), (XIAO, 2))
    gather(ground, OTHER, (XIAO, 2), owner=LI)
    with ground.reading() as session:
        seen = {
            (who, chat)
            for who in (ZHANG, LI, StaffUserId(XIAO))
            for chat in (CHAT, OTHER, ChatId("wr_none"))
            if group_profile.may_see(session, CORP, who, chat)
        }
        assert not group_profile.may_see(session, OTHER_CORP, ZHANG, CHAT)
        assert [line.chat for line in group_profile.groups_with(session, CORP, ZHANG, member=XIAO)] == [CHAT]
        assert [line.chat for line in group_profile.groups_of_customer(session, CORP, XIAO)] == [CHAT, OTHER]
        with pytest.raises(NotFound):
            group_profile.read(session, CORP, ZHANG, ChatId("wr_none"), today=ground.clock.now())
    assert seen == {(ZHANG, CHAT), (LI, OTHER)}


def test_tags_of_a_group(ground: Ground) -> None:
    with ground.committed() as uow:
        for name in ("高端  业主", "高端 业主", "团购"):
            group_records.add_tag(uow, CORP, CHAT, name, by=ZHANG)
        group_records.add_tag(uow, CORP, OTHER, "团购", by=ZHANG)
        assert group_records.tags_of(uow.session, CORP, CHAT) == sorted(["高端 业主", "团购"])
        assert group_records.used_tags(uow.session, CORP)[0] == "团购"
        group_records.remove_tag(uow, CORP, CHAT, "团购")
        group_records.remove_tag(uow, CORP, CHAT, "没有的")
        assert group_records.tags_of(uow.session, CORP, CHAT) == ["高端 业主"]
        for wrong in (" ", "长" * 21):
            with pytest.raises(InputInvalid):
                group_records.add_tag(uow, CORP, CHAT, wrong, by=ZHANG)
        for number in range(19):
            group_records.add_tag(uow, CORP, CHAT, f"t{number}", by=ZHANG)
        with pytest.raises(InputInvalid, match="最多"):
            group_records.add_tag(uow, CORP, CHAT, "多一个", by=ZHANG)


def test_notes_of_a_group_and_a_changed_userid(ground: Ground) -> None:
    with ground.committed() as uow:
        for _ in range(2):
            group_records.add_note(uow, CORP, CHAT, " 周六参观 ", by=ZHANG, key="k")
        (note,) = group_records.notes_of(uow.session, CORP, CHAT)
        assert (note.text, note.staff) == ("周六参观", ZHANG)
        for hidden, left in ((True, 0), (False, 1)):
            group_records.hide_note(uow, CORP, CHAT, note.id, by=ZHANG, hidden=hidden)
            assert len(group_records.notes_of(uow.session, CORP, CHAT)) == left
        for who, chat in ((LI, CHAT), (ZHANG, OTHER)):
            with pytest.raises(NotFound):
                group_records.hide_note(uow, CORP, chat, note.id, by=who, hidden=True)
        for wrong in ("  ", "长" * 501):
            with pytest.raises(InputInvalid):
                group_records.add_note(uow, CORP, CHAT, wrong, by=ZHANG, key="w")
        page_layouts.keep(uow, CORP, ZHANG, "customer", {"cards": ["follow"]})
        page_layouts.keep(uow, CORP, ZHANG, "customer", {"cards": ["tasks"]})
        page_layouts.keep(uow, CORP, LI, "start", {"cards": ["old"]})
        page_layouts.keep(uow, CORP, ZHANG, "start", {"cards": ["new"]})
    for old, new in ((ZHANG, LI), (ZHANG, ZHANG)):
        event = StaffUpdated(
            corp=CORP, app=APP, occurred_at=ground.clock.now() + timedelta(seconds=1), key=f"u{new}", staff=old,
            new_staff=new, fields={},
        )  # fmt: skip
        ground.handle(event, group_records.rename_staff)
        ground.handle(event, page_layouts.rename_staff)
    with ground.reading() as session:
        assert group_records.notes_of(session, CORP, CHAT)[0].staff == LI
        assert page_layouts.layout_of(session, CORP, LI, "customer") == {"cards": ["tasks"]}
        assert page_layouts.layout_of(session, CORP, LI, "start") == {"cards": ["old"]}
        assert page_layouts.layout_of(session, CORP, ZHANG, "start") == {}
