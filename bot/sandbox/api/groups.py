"""Customer groups (客户群). Source: WeCom docs 92120, 92122."""

from __future__ import annotations

from bot.sandbox.api.call import Answer, Call, Endpoint, page_of
from bot.sandbox.model import KIND_WECHAT, Group, GroupMember
from bot.sandbox.refusal import Refusal, wrong_field

_OWNERS = 100
_MANY_MEMBERS = 1000


def group_visible(call: Call, group: Group) -> bool:
    """Whether the group's owner is in the app's range; a group whose owner has left is seen by every app."""
    if group.chat_id in call.corp.orphan_groups:
        return True
    owner = call.corp.member(group.owner)
    return owner is not None and call.corp.sees(call.app, owner)


def list_groups(call: Call) -> Answer:
    """externalcontact/groupchat/list: limit 1 to 1000 is required; filters by status and owner."""
    body = call.body
    limit = body.whole("limit")
    if not 1 <= limit <= 1000:
        raise wrong_field("limit")
    status = body.whole("status_filter")
    owner_filter = body.child("owner_filter")
    owners = owner_filter.texts("userid_list", most=_OWNERS) if owner_filter else []
    named = [call.corp.need_member(call.app, userid).userid for userid in owners]
    if not named and len(call.corp.visible_staff(call.app)) > _MANY_MEMBERS:
        raise Refusal(81017)
    found = [
        g
        for g in call.corp.groups.values()
        if not g.dismissed and group_visible(call, g) and (not named or g.owner in named) and status in {0, g.status}
    ]
    page, cursor = page_of(call, found, lambda g: g.seq, limit, [status, named])
    answer: Answer = {"group_chat_list": [{"chat_id": g.chat_id, "status": g.status} for g in page]}
    return answer | ({"next_cursor": cursor} if cursor else {})


def _member_json(call: Call, member: GroupMember, *, named: bool) -> Answer:
    told: Answer = {
        "userid": member.id,
        "type": member.kind,
        "join_time": member.joined,
        "join_scene": member.scene,
        "group_nickname": "",
    }
    if member.kind == 2 and member.unionid and call.corp.bound and _is_wechat(call, member):
        told["unionid"] = member.unionid
    if member.inviter:
        told["invitor"] = {"userid": member.inviter}
    if member.state:
        told["state"] = member.state
    if named:
        told["name"] = member.name
    return told


def _is_wechat(call: Call, member: GroupMember) -> bool:
    return call.world.persons[call.corp.person_of[member.id]].kind == KIND_WECHAT


def get_group(call: Call) -> Answer:
    """externalcontact/groupchat/get: the detail,
    which may lag behind the event by group_detail_lag_seconds.
    """
    group = call.corp.groups.get(call.body.need_text("chat_id", missing=40050))
    if group is None:
        raise Refusal(40050)
    if group.dismissed:
        raise Refusal(49008)
    if not group_visible(call, group):
        raise Refusal(60011)
    age = call.world.clock.now() - group.changed_at
    told = dict(group.told) if group.told and age < call.world.options.group_detail_lag_seconds else detail(group)
    named = call.body.whole("need_name") == 1
    told["member_list"] = [_member_json(call, m, named=named) for m in told["member_list"]]
    return {"group_chat": told}


def detail(group: Group) -> Answer:
    """The group as it stands, members as records."""
    return {
        "chat_id": group.chat_id,
        "name": group.name,
        "owner": group.owner,
        "create_time": group.created,
        "notice": group.notice,
        "member_list": list(group.members.values()),
        "admin_list": [{"userid": userid} for userid in group.admins],
        "member_version": group.version,
    }


ENDPOINTS = {
    "externalcontact/groupchat/list": Endpoint(list_groups, "customers"),
    "externalcontact/groupchat/get": Endpoint(get_group, "customers"),
}
