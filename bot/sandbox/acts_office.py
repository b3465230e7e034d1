"""What happens towards apps and in the admin console."""

from __future__ import annotations

from typing import Any

from bot.sandbox import ids
from bot.sandbox.acts import ActRefused, member_of
from bot.sandbox.api.cards import INTERACTIVE
from bot.sandbox.corp import Corp
from bot.sandbox.events import Event, XmlFields, tag_event
from bot.sandbox.inheritance import orphan_all
from bot.sandbox.model import (
    App,
    Department,
    ResponseCode,
    Staff,
    Tag,
    TagGroup,
)
from bot.sandbox.world import World


# towards apps
def need_app(corp: Corp, agentid: int) -> App:
    """A self-built app of the corp."""
    app = corp.apps.get(agentid)
    if app is None or app.is_contacts:
        raise ActRefused(f"没有这个应用：{agentid}")
    return app


def _app_event(kind: str, app: App, member: Staff, fields: XmlFields) -> Event:
    told: XmlFields = [*fields, ("AgentID", app.agentid)]
    return Event(kind, "", told, sender=member.userid, to_agentid=app.agentid)


def write_to_app(world: World, corp: Corp, app: App, userid: str, content: str) -> str:
    """A member writes a text to the app; the message id the app will see."""
    member = member_of(corp, userid)
    if not corp.sees(app, member):
        raise ActRefused("该成员看不到这个应用")
    line = corp.app_chat(app.agentid, member.userid, world.options.chat_length)
    said = world.say(line, "staff", "text", {"content": content}, "client", member.userid)
    fields: XmlFields = [("MsgType", "text"), ("Content", content), ("MsgId", int(said.id))]
    world.emit(corp, _app_event("message", app, member, fields))
    return said.id


def enter_app(world: World, corp: Corp, app: App, userid: str) -> None:
    """A member opens the app; told only when the app asked to be told."""
    if app.reports_enter:
        world.emit(corp, _app_event("enter_agent", app, member_of(corp, userid), [("EventKey", "")]))


def click_card(
    world: World, corp: Corp, userid: str, msgid: str, key: str, selected: dict[str, list[str]] | None = None
) -> str:
    """A member presses a button of a template card; the response code the app gets with the event.

    selected: question_key → option ids, for cards that ask.
    """
    member = member_of(corp, userid)
    message = corp.app_messages.get(msgid)
    if message is None or member.userid not in message.receivers or message.recalled:
        raise ActRefused("消息不存在")
    card = message.seen_as.get(member.userid, {}).get("card") or message.body
    kind = str(message.body.get("card_type", ""))
    menu = [a["key"] for a in card.get("action_menu", {}).get("action_list", [])]
    if kind not in INTERACTIVE and key not in menu:
        raise ActRefused("这张卡片没有按钮")
    code = ResponseCode(ids.opaque("RC_", 40), msgid, world.clock.now(), member.userid)
    corp.response_codes[code.code] = code
    message.clicks += 1
    fields: XmlFields = [
        ("EventKey", key),
        ("TaskId", message.task_id),
        ("CardType", kind),
        ("ResponseCode", code.code),
    ]
    if key in menu:
        world.emit(corp, _app_event("template_card_menu_event", need_app(corp, message.agentid), member, fields))
        return code.code
    if selected:
        fields.append(("SelectedItems", [("SelectedItem", _answer(q, chosen)) for q, chosen in selected.items()]))
    world.emit(corp, _app_event("template_card_event", need_app(corp, message.agentid), member, fields))
    return code.code


def _answer(question: str, chosen: list[str]) -> XmlFields:
    options: XmlFields = [("OptionId", one) for one in chosen]
    return [("QuestionKey", question), ("OptionIds", options)]


def click_menu(world: World, corp: Corp, app: App, userid: str, key: str) -> None:
    """A member presses a click button of the app's menu: the app gets its key."""
    buttons = [
        b for top in corp.menus.get(app.agentid, {}).get("button", []) for b in [top, *top.get("sub_button", [])]
    ]
    if not any(b.get("type") == "click" and b.get("key") == key for b in buttons):
        raise ActRefused("菜单里没有这个按钮")
    world.emit(corp, _app_event("click", app, member_of(corp, userid), [("EventKey", key)]))


# in the admin console
def add_staff(world: World, corp: Corp, spec: dict[str, Any]) -> Staff:
    """A new member; create_user."""
    if corp.member(str(spec.get("userid", ""))) or not spec.get("userid"):
        raise ActRefused("成员账号为空或已存在")
    try:
        member = Staff(seq=next(corp.seq), **({"name": spec["userid"], "departments": [1]} | spec))
    except TypeError as fault:
        raise ActRefused(f"成员字段有误：{fault}") from fault
    corp.staff[member.userid.lower()] = member
    world.emit(corp, _user_event("create_user", member))
    return member


def change_staff(world: World, corp: Corp, userid: str, changes: dict[str, Any]) -> Staff:
    """Change a member in the admin console; status 5 (left) also takes the account away: delete_user."""
    member = member_of(corp, userid)
    for name, value in changes.items():
        if name not in Staff.__slots__ or name in {"userid", "seq"}:
            raise ActRefused(f"不能修改 {name}")
        setattr(member, name, value)
    if member.status == 5:
        del corp.staff[member.userid.lower()]
        orphan_all(world, corp, member.userid)
        world.emit(corp, Event("change_contact", "delete_user", [("UserID", member.userid)]))
    else:
        world.emit(corp, _user_event("update_user", member))
    return member


def _user_event(change_type: str, member: Staff) -> Event:
    fields: XmlFields = [
        ("UserID", member.userid),
        ("Name", member.name),
        ("Department", ",".join(str(d) for d in member.departments)),
        ("MainDepartment", member.departments[0]),
        ("IsLeaderInDept", ",".join(str(int(d in member.leads)) for d in member.departments)),
        ("Position", member.position),
        ("Status", member.status),
    ]
    return Event("change_contact", change_type, fields, about=(member.userid,))


def add_department(world: World, corp: Corp, name: str, parent_id: int) -> Department:
    """A new department; create_party."""
    if parent_id not in corp.departments:
        raise ActRefused("上级部门不存在")
    made = Department(max(corp.departments) + 1, name, parent_id)
    corp.departments[made.id] = made
    fields: XmlFields = [("Id", made.id), ("Name", name), ("ParentId", parent_id), ("Order", made.order)]
    world.emit(corp, Event("change_contact", "create_party", fields))
    return made


def add_console_tag(world: World, corp: Corp, group_name: str, name: str) -> Tag:
    """A tag made in the admin console."""
    now = world.clock.stamp()
    group = corp.tag_group_named(group_name)
    if group is None:
        group = TagGroup(ids.opaque("et"), group_name, now)
        corp.groups_of_tags[group.id] = group
        world.emit(corp, tag_event("create", group.id, "tag_group"))
    if any(t.name == name for t in group.tags.values()):
        raise ActRefused("标签已存在")
    tag = Tag(ids.opaque("et"), name, now)
    group.tags[tag.id] = tag
    corp.tag_home[tag.id] = group.id
    world.emit(corp, tag_event("create", tag.id, "tag"))
    return tag


def delete_console_tag(world: World, corp: Corp, tag_id: str) -> None:
    """A tag deleted in the admin console."""
    if tag_id not in corp.tag_home:
        raise ActRefused("没有这个标签")
    corp.forget_tag(tag_id)
    world.emit(corp, tag_event("delete", tag_id, "tag"))
