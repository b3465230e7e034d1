"""WeCom's answers → facts. Pure; lenient about missing fields and numbers sent as strings.

Source: WeCom docs 92114 (get), 92994 (batch), 92117 (tags), 92122 (group); customer contact §1.2, 2.3, 2.4, 3, 6.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from bot.wecom.loose import as_dict, as_int, as_text, dicts, ints, texts
from crm_core.ids import ChatId, ExternalUserId, StaffUserId, TagId
from crm_core.ports import (
    CustomerFacts,
    CustomerGroupFacts,
    DepartmentFacts,
    FollowFacts,
    GroupMemberFacts,
    StaffFacts,
    TagFacts,
    TagGroupFacts,
    TagMark,
)


def customer(contact: Mapping[str, Any], follows: Iterable[FollowFacts]) -> CustomerFacts:
    """``external_contact`` of get and of the batch call."""
    return CustomerFacts(
        external_user=ExternalUserId(as_text(contact.get("external_userid"))),
        name=as_text(contact.get("name")),
        avatar_url=as_text(contact.get("avatar")),
        kind=as_int(contact.get("type"), 1),
        gender=as_int(contact.get("gender")),
        unionid=as_text(contact.get("unionid")),
        corp_name=as_text(contact.get("corp_full_name")) or as_text(contact.get("corp_name")),
        position=as_text(contact.get("position")),
        follows=tuple(follows),
    )


def follow(info: Mapping[str, Any]) -> FollowFacts:
    """One of ``follow_user[]`` (tags as objects) or ``follow_info`` (corp tag ids only)."""
    ids_only = "tags" not in info and "tag_id" in info
    return FollowFacts(
        staff=StaffUserId(as_text(info.get("userid"))),
        remark=as_text(info.get("remark")),
        description=as_text(info.get("description")),
        created_at=as_int(info.get("createtime")),
        add_way=as_int(info.get("add_way")),
        oper_userid=as_text(info.get("oper_userid")),
        state=as_text(info.get("state")),
        remark_corp_name=as_text(info.get("remark_corp_name")),
        remark_mobiles=texts(info.get("remark_mobiles")),
        tags=tuple(_id_mark(one) for one in texts(info.get("tag_id"))) if ids_only else _marks(info),
        tag_ids_only=ids_only,
    )


def batch_follow(info: Mapping[str, Any]) -> FollowFacts:
    """``follow_info`` of the batch call, which never says more of tags than their ids."""
    return follow({"tag_id": [], **{name: value for name, value in info.items() if name != "tags"}})


def _marks(info: Mapping[str, Any]) -> tuple[TagMark, ...]:
    return tuple(
        TagMark(
            kind=as_int(one.get("type"), 1),
            name=as_text(one.get("tag_name")),
            group_name=as_text(one.get("group_name")),
            tag_id=TagId(as_text(one.get("tag_id"))) if as_text(one.get("tag_id")) else None,
        )
        for one in dicts(info.get("tags"))
    )


def _id_mark(tag_id: str) -> TagMark:
    return TagMark(kind=1, name="", tag_id=TagId(tag_id))


def staff(member: Mapping[str, Any]) -> StaffFacts:
    """One of ``userlist[]``; the simple list has only userid, name and departments."""
    departments = ints(member.get("department"))
    return StaffFacts(
        userid=StaffUserId(as_text(member.get("userid"))),
        name=as_text(member.get("name")),
        alias=as_text(member.get("alias")),
        avatar_url=as_text(member.get("avatar")),
        position=as_text(member.get("position")),
        departments=departments,
        main_department=as_int(member.get("main_department"), departments[0] if departments else 0),
        status=as_int(member.get("status"), 1),
    )


def department(part: Mapping[str, Any]) -> DepartmentFacts:
    """One of ``department[]`` or, without a name, of ``department_id[]``."""
    return DepartmentFacts(
        dept_id=as_int(part.get("id")),
        name=as_text(part.get("name")),
        parent_id=as_int(part.get("parentid")),
        sort_order=as_int(part.get("order")),
    )


def tag_groups(answer: Mapping[str, Any]) -> tuple[TagGroupFacts, ...]:
    """``tag_group[]`` without deleted groups and tags (``deleted`` only comes with look-ups by id)."""
    return tuple(
        TagGroupFacts(
            group_id=as_text(group.get("group_id")),
            name=as_text(group.get("group_name")),
            sort_order=as_int(group.get("order")),
            tags=tuple(
                TagFacts(
                    tag_id=TagId(as_text(tag.get("id"))),
                    name=as_text(tag.get("name")),
                    sort_order=as_int(tag.get("order")),
                )
                for tag in dicts(group.get("tag"))
                if not tag.get("deleted")
            ),
        )
        for group in dicts(answer.get("tag_group"))
        if not group.get("deleted")
    )


def merged_tag_groups(answers: Iterable[tuple[TagGroupFacts, ...]]) -> tuple[TagGroupFacts, ...]:
    """Several look-ups as one: each group once, each tag once."""
    groups: dict[str, TagGroupFacts] = {}
    for group in (group for answer in answers for group in answer):
        before = groups.get(group.group_id)
        tags = {tag.tag_id: tag for tag in (*(before.tags if before else ()), *group.tags)}
        groups[group.group_id] = TagGroupFacts(
            group_id=group.group_id, name=group.name, sort_order=group.sort_order, tags=tuple(tags.values())
        )
    return tuple(groups.values())


def customer_group(chat: Mapping[str, Any]) -> CustomerGroupFacts:
    """``group_chat`` of groupchat/get with ``need_name`` 1."""
    return CustomerGroupFacts(
        chat_id=ChatId(as_text(chat.get("chat_id"))),
        name=as_text(chat.get("name")),
        owner=as_text(chat.get("owner")),
        notice=as_text(chat.get("notice")),
        created_at=as_int(chat.get("create_time")),
        member_version=as_text(chat.get("member_version")),
        members=tuple(_group_member(one) for one in dicts(chat.get("member_list"))),
    )


def _group_member(one: Mapping[str, Any]) -> GroupMemberFacts:
    return GroupMemberFacts(
        member_id=as_text(one.get("userid")),
        kind=as_int(one.get("type"), 1),
        name=as_text(one.get("name")) or as_text(one.get("group_nickname")),
        unionid=as_text(one.get("unionid")),
        joined_at=as_int(one.get("join_time")),
        join_scene=as_int(one.get("join_scene")),
        invitor=as_text(as_dict(one.get("invitor")).get("userid")),
        state=as_text(one.get("state")),
    )
