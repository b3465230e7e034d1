"""Customer groups and who is in them."""

from typing import Any

import pytest
from sqlmodel import select

from crm_core import groups
from crm_core.events import GroupChanged, GroupCreated, GroupDismissed, GroupFetched
from crm_core.ids import ChatId
from crm_core.ports import CustomerGroupFacts, GroupMemberFacts
from crm_core.tables import CustomerGroupRow, GroupMemberRow, OutboxRow
from tests.support.ground import APP, CORP, OTHER_CORP, Ground

CHAT = ChatId("wr_1")


def base(ground: Ground, **more: Any) -> dict[str, Any]:
    return {"corp": CORP, "app": APP, "occurred_at": ground.at(60), "key": "k1", "chat": CHAT, **more}


def facts(*members: str, version: str = "v1", name: str = "业主群", **more: Any) -> CustomerGroupFacts:
    return CustomerGroupFacts(
        chat_id=CHAT, name=name, owner="zhang", notice="公告", created_at=1_795_000_000, member_version=version,
        members=tuple(
            GroupMemberFacts(member_id=who, kind=2, name=who.upper(), joined_at=1_795_000_001) for who in members
        ),
        **more,
    )  # fmt: skip


def read_group(ground: Ground, *members: str, **more: Any) -> None:
    with ground.committed() as uow:
        groups.apply_facts(uow, CORP, facts(*members, **more))


def change(ground: Ground, detail: str = "del_member", *members: str, before: str = "v1", after: str = "v2") -> None:
    event = GroupChanged(**base(ground, detail=detail, member_ids=members, version_before=before, version_after=after))
    ground.handle(event, groups.record_changed)


def inside(ground: Ground) -> set[str]:
    return set(ground.all(select(GroupMemberRow.member_id).where(GroupMemberRow.left_at.is_(None))))  # type: ignore[union-attr]


def asked(ground: Ground) -> int:
    return len(ground.all(select(OutboxRow).where(OutboxRow.kind == "fetch_group")))


def version(ground: Ground) -> str:
    return str(ground.all(select(CustomerGroupRow.member_version))[0])


def test_a_new_group_is_read_a_little_later(ground: Ground) -> None:
    ground.handle(GroupCreated(**base(ground)), groups.record_created)
    [ask] = ground.all(select(OutboxRow))
    assert (ask.kind, ask.payload, ask.dedupe_key) == ("fetch_group", {"chat": CHAT}, "fetch_group:k1")
    assert ask.run_at - ask.created_ms == groups.DETAIL_LAG_MS


def test_reading_a_group_brings_members_in_step(ground: Ground) -> None:
    read_group(ground, "a", "b")
    ground.clock.move(minutes=1)
    told = base(
        ground, kind="fetch_group", outcome="done", outbox_id=1, facts=facts("b", "c", version="v2", name="新名")
    )
    del told["chat"]
    ground.handle(GroupFetched(**told), groups.record_fetched)
    [row] = ground.all(select(CustomerGroupRow))
    assert (row.name, row.owner, row.notice, row.member_version, row.status) == (
        "新名",
        "zhang",
        "公告",
        "v2",
        "active",
    )
    assert row.synced_at == ground.clock.now()
    left = {row.member_id: row.left_at for row in ground.all(select(GroupMemberRow))}
    assert left == {"a": ground.clock.now(), "b": None, "c": None}
    ground.clock.move(minutes=1)
    read_group(ground, "c")
    again = {row.member_id: row.left_at for row in ground.all(select(GroupMemberRow))}
    assert again["a"] == left["a"]
    assert again["b"] == ground.clock.now()
    read_group(ground, "a", "c")
    assert inside(ground) == {"a", "c"}


def test_leavers_are_applied_when_the_versions_fit(ground: Ground) -> None:
    read_group(ground, "a", "b")
    change(ground, "del_member", "a")
    assert (inside(ground), asked(ground), version(ground)) == ({"b"}, 0, "v2")
    assert ground.all(select(GroupMemberRow.left_at).where(GroupMemberRow.member_id == "a")) == [ground.at(60)]


@pytest.mark.parametrize(
    ("detail", "members", "before"),
    [
        ("del_member", ("a",), "v0"),
        ("del_member", ("a",), ""),
        ("del_member", (), "v1"),
        ("del_member", ("stranger",), "v1"),
        ("add_member", ("d",), "v1"),
        ("change_name", (), "v1"),
    ],
)
def test_else_the_group_is_read_anew(ground: Ground, detail: str, members: tuple[str, ...], before: str) -> None:
    read_group(ground, "a", "b")
    change(ground, detail, *members, before=before)
    assert (asked(ground), version(ground)) == (1, "v1")


def test_a_change_of_an_unknown_group_is_read(ground: Ground) -> None:
    change(ground, "del_member", "a")
    change(ground, "del_member", "a")
    assert asked(ground) == 1


def test_the_same_leaver_twice_leaves_once_and_asks_to_be_sure(ground: Ground) -> None:
    read_group(ground, "a", "b")
    change(ground, "del_member", "a")
    change(ground, "del_member", "a")
    assert (inside(ground), asked(ground), version(ground)) == ({"b"}, 1, "v2")


def test_a_dissolved_group_is_kept_but_nobody_is_in_it(ground: Ground) -> None:
    read_group(ground, "a")
    for chat in (CHAT, ChatId("wr_unknown")):
        ground.handle(GroupDismissed(**base(ground) | {"chat": chat}), groups.record_dismissed)
    with ground.reading() as session:
        assert groups.groups_of(session, CORP, "a") == []
        assert groups.known_chats(session, CORP) == {CHAT, "wr_unknown"}
        assert groups.known_chats(session, OTHER_CORP) == set()


def test_the_groups_somebody_is_in_by_name(ground: Ground) -> None:
    read_group(ground, "a", "b")
    with ground.committed() as uow:
        other = CustomerGroupFacts(
            chat_id=ChatId("wr_2"), name="A 群", members=(GroupMemberFacts(member_id="a", kind=1),)
        )
        groups.apply_facts(uow, CORP, other)
    with ground.reading() as session:
        assert [row.name for row in groups.groups_of(session, CORP, "a")] == ["A 群", "业主群"]
        assert [row.name for row in groups.groups_of(session, CORP, "b")] == ["业主群"]
        assert groups.groups_of(session, OTHER_CORP, "a") == []
    [created] = ground.all(select(CustomerGroupRow.created_at).where(CustomerGroupRow.chat_id == "wr_2"))
    assert created is None
