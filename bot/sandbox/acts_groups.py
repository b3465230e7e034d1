"""What happens in customer groups: open, join, leave, write, rename, change hands, dissolve."""

from __future__ import annotations

from typing import Any

from bot.sandbox import ids
from bot.sandbox.acts import ActRefused, member_of
from bot.sandbox.api.groups import detail
from bot.sandbox.archiving import archive_group
from bot.sandbox.corp import Corp
from bot.sandbox.events import XmlFields, group_event
from bot.sandbox.model import ChatMessage, Group, GroupMember, JoinWay, Person, Staff
from bot.sandbox.world import World


def need_group(corp: Corp, chat_id: str) -> Group:
    """A living group."""
    group = corp.groups.get(chat_id)
    if group is None or group.dismissed:
        raise ActRefused("群不存在或已解散")
    return group


def create_group(world: World, corp: Corp, owner: str, name: str) -> Group:
    """A member opens a customer group."""
    member = member_of(corp, owner)
    now = world.clock.stamp()
    group = Group(ids.opaque("wr"), next(corp.seq), name, member.userid, now, version=ids.letters(16))
    group.members[member.userid] = GroupMember(member.userid, 1, now, 1, member.name)
    group.changed_at = world.clock.now()
    corp.groups[group.chat_id] = group
    world.emit(corp, group_event("create", group.chat_id, group.owner))
    return group


def join_group(world: World, corp: Corp, group: Group, person: Person, *, scene: int = 3, state: str = "") -> str:
    """A person joins a group (scene 1 invited, 2 by link, 3 by code); their external_userid."""
    external = world.external_id(corp, person)
    if external in group.members:
        raise ActRefused("已经在群里了")
    if len(group.members) >= world.options.group_capacity:
        raise ActRefused("群已满员")
    told, before = detail(group), group.version
    made = GroupMember(external, 2, world.clock.stamp(), scene, person.name, person.unionid, state=state)
    made.inviter = group.owner if scene == 1 else ""
    group.members[external] = made
    extra: XmlFields = [("UpdateDetail", "add_member"), ("JoinScene", 3 if scene == 3 else 0)]
    _changed(world, corp, group, told, before, [*extra, *_members([external])])
    _greet(world, corp, group, person.name)
    return external


def _greet(world: World, corp: Corp, group: Group, name: str) -> None:
    """Say that somebody came, and the group's welcome when a template is applied to it."""
    line = corp.group_chat(group.chat_id, world.options.chat_length)
    world.say(line, "system", "text", {"content": f"{name} 加入了群聊"}, "system")
    template = corp.group_welcomes.get(corp.group_welcome_of.get(group.chat_id, ""))
    for kind, body in template.lines if template else []:
        told = {k: v.replace("%NICKNAME%", name) if k == "content" else v for k, v in body.items()}
        world.say(line, "staff", kind, told, "group_welcome", group.owner)


def add_staff_to_group(world: World, corp: Corp, group: Group, userid: str) -> None:
    """A colleague is taken into the group."""
    member = member_of(corp, userid)
    if member.userid in group.members:
        raise ActRefused("已经在群里了")
    told, before = detail(group), group.version
    made = GroupMember(member.userid, 1, world.clock.stamp(), 1, member.name, inviter=group.owner)
    group.members[member.userid] = made
    extra: XmlFields = [("UpdateDetail", "add_member"), ("JoinScene", 0)]
    _changed(world, corp, group, told, before, [*extra, *_members([member.userid])])


def change_owner(world: World, corp: Corp, group: Group, owner: Staff, *, by: int | None = None) -> None:
    """The group gets another owner, who joins it if need be; `by`: the app that asked for it."""
    if group.owner == owner.userid:
        raise ActRefused("已经是群主了")
    told, before = detail(group), group.version
    if owner.userid not in group.members:
        group.members[owner.userid] = GroupMember(owner.userid, 1, world.clock.stamp(), 1, owner.name)
    group.owner = owner.userid
    _changed(world, corp, group, told, before, [("UpdateDetail", "change_owner")], by=by)


def apply_welcome(world: World, corp: Corp, group: Group, template_id: str) -> None:
    """The owner applies a welcome template to the group; "" takes it off."""
    if template_id and template_id not in corp.group_welcomes:
        raise ActRefused("没有这个入群欢迎语")
    corp.group_welcome_of[group.chat_id] = template_id
    world.touch()


def write_to_group(
    world: World, corp: Corp, group: Group, author: str, msgtype: str, body: dict[str, Any], via: str = "client"
) -> ChatMessage:
    """A member of the group writes; nothing of it reaches an app."""
    member = group.members.get(author)
    if member is None:
        raise ActRefused("你不在这个群里")
    line = corp.group_chat(group.chat_id, world.options.chat_length)
    said = world.say(line, "staff" if member.kind == 1 else "customer", msgtype, body, via, author)
    return archive_group(world, corp, said, group)


def leave_group(world: World, corp: Corp, group: Group, member_id: str, *, removed: bool = False) -> None:
    """Somebody leaves a group, or is removed from it."""
    if member_id not in group.members:
        raise ActRefused("不在群里")
    told, before = detail(group), group.version
    del group.members[member_id]
    extra: XmlFields = [("UpdateDetail", "del_member"), ("QuitScene", int(removed))]
    _changed(world, corp, group, told, before, [*extra, *_members([member_id])])


def rename_group(world: World, corp: Corp, group: Group, *, name: str | None, notice: str | None) -> None:
    """The owner changes the group's name or notice; one event each."""
    if name is not None:
        told, before = detail(group), group.version
        group.name = name
        _changed(world, corp, group, told, before, [("UpdateDetail", "change_name")])
    if notice is not None:
        told, before = detail(group), group.version
        group.notice = notice
        _changed(world, corp, group, told, before, [("UpdateDetail", "change_notice")])


def dismiss_group(world: World, corp: Corp, group: Group) -> None:
    """The owner dissolves the group."""
    group.dismissed = True
    world.emit(corp, group_event("dismiss", group.chat_id, group.owner))


def _members(names: list[str]) -> XmlFields:
    items: XmlFields = [("Item", name) for name in names]
    return [("MemChangeCnt", len(names)), ("MemChangeList", items)]


def _changed(
    world: World,
    corp: Corp,
    group: Group,
    told: dict[str, Any],
    before: str,
    extra: XmlFields,
    *,
    by: int | None = None,
) -> None:
    group.told = told
    group.changed_at = world.clock.now()
    group.version = ids.letters(16)
    versions: XmlFields = [("LastMemVer", before), ("CurMemVer", group.version)]
    world.emit(corp, group_event("update", group.chat_id, group.owner, [*extra, *versions]), by=by)


def scan_join_way(world: World, corp: Corp, way: JoinWay, person: Person) -> dict[str, Any]:
    """A person scans a group code: into the first group with room, or a new one when the code allows it."""
    groups = [corp.groups[c] for c in way.chat_ids if not corp.groups[c].dismissed]
    external = person.external_ids.get(corp.corp_id, "")
    already = next((g for g in groups if external in g.members), None)
    if already:
        return {
            "happened": "already",
            "chat_id": already.chat_id,
            "external_userid": external,
            "person_id": person.id,
        }
    group = next((g for g in groups if len(g.members) < world.options.group_capacity), None)
    if group is None:
        if not way.auto_create_room or not groups:
            raise ActRefused("群聊人数已满")
        group = create_group(world, corp, groups[0].owner, f"{way.room_base_name}{way.room_base_id}")
        way.room_base_id += 1
        way.chat_ids.append(group.chat_id)
    external = join_group(world, corp, group, person, state=way.state)
    return {
        "happened": "joined",
        "chat_id": group.chat_id,
        "external_userid": external,
        "person_id": person.id,
    }
