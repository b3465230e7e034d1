"""Corp tags (企业客户标签). Source: WeCom docs 92117 and 92118."""

from __future__ import annotations

from bot.sandbox import ids
from bot.sandbox.api.call import Answer, Call, Endpoint
from bot.sandbox.events import contact_event, tag_event
from bot.sandbox.model import Tag, TagGroup
from bot.sandbox.refusal import Refusal, wrong_field

NAME_CHARS = 30


def _tag_json(tag: Tag) -> Answer:
    return {"id": tag.id, "name": tag.name, "create_time": tag.created, "order": tag.order}


def group_json(group: TagGroup, tags: list[Tag] | None = None, *, with_deleted: bool = False) -> Answer:
    """A tag group as the platform shows it; `deleted` appears only in look-ups by id."""
    more = {"deleted": False} if with_deleted else {}
    shown = sorted(group.tags.values() if tags is None else tags, key=lambda t: -t.order)
    return {
        "group_id": group.id,
        "group_name": group.name,
        "create_time": group.created,
        "order": group.order,
        **more,
        "tag": [_tag_json(t) | more for t in shown],
    }


def list_tags(call: Call) -> Answer:
    """externalcontact/get_corp_tag_list: all, or by group ids,
    or by tag ids (ignored when both are given).
    """
    tag_ids, group_ids = call.body.texts("tag_id"), call.body.texts("group_id")
    groups = sorted(call.corp.groups_of_tags.values(), key=lambda g: -g.order)
    if group_ids:
        _known(call, [], group_ids)
        return {"tag_group": [group_json(g, with_deleted=True) for g in groups if g.id in group_ids]}
    if tag_ids:
        _known(call, tag_ids, [])
        found = [(g, [t for t in g.tags.values() if t.id in tag_ids]) for g in groups]
        return {"tag_group": [group_json(g, tags, with_deleted=True) for g, tags in found if tags]}
    return {"tag_group": [group_json(g) for g in groups]}


def _known(call: Call, tag_ids: list[str], group_ids: list[str]) -> None:
    if any(t not in call.corp.tag_home for t in tag_ids):
        raise Refusal(40068)
    if any(g not in call.corp.groups_of_tags for g in group_ids):
        raise Refusal(40068)


def add_tags(call: Call) -> Answer:
    """externalcontact/add_corp_tag: into group_id, or a group by name that is made when there is none."""
    wanted: dict[str, int] = {}
    for one in call.body.children("tag"):
        name = one.need_text("name", missing=40072, chars=NAME_CHARS, code=40072)
        wanted.setdefault(name, one.whole("order"))
    if not wanted:
        raise wrong_field("tag")
    group = _group_to_fill(call)
    known = {t.name for t in group.tags.values()}
    if known.intersection(wanted):
        raise Refusal(40071)
    if len(call.corp.tag_home) + len(wanted) > call.world.options.tag_limit:
        raise Refusal(40126)
    if group.id not in call.corp.groups_of_tags:
        call.corp.groups_of_tags[group.id] = group
        call.world.emit(call.corp, tag_event("create", group.id, "tag_group"), by=call.app.agentid)
    made = [Tag(ids.opaque("et"), name, call.now, order) for name, order in wanted.items()]
    for tag in made:
        group.tags[tag.id] = tag
        call.corp.tag_home[tag.id] = group.id
        call.world.emit(call.corp, tag_event("create", tag.id, "tag"), by=call.app.agentid)
    return {"tag_group": group_json(group, made)}


def _group_to_fill(call: Call) -> TagGroup:
    group_id = call.body.text("group_id")
    if group_id:
        _known(call, [], [group_id])
        return call.corp.groups_of_tags[group_id]
    name = call.body.need_text("group_name", missing=40072, chars=NAME_CHARS, code=40072)
    found = call.corp.tag_group_named(name)
    order = call.body.whole("order")
    return found or TagGroup(ids.opaque("et"), name, call.now, order, call.app.agentid)


def _may_change(call: Call, group: TagGroup) -> None:
    if call.world.options.tag_creator_only_edits and group.created_by != call.app.agentid:
        raise Refusal(60011)


def edit_tag(call: Call) -> Answer:
    """externalcontact/edit_corp_tag: rename or reorder a tag or a group of this app's own."""
    wanted = call.body.need_text("id", missing=40068)
    name = call.body.text("name", chars=NAME_CHARS, code=40072)
    if call.body.has("name") and not name:
        raise Refusal(40072)
    home = call.corp.tag(wanted)
    group = home[0] if home else call.corp.groups_of_tags.get(wanted)
    if group is None:
        raise Refusal(40068)
    _may_change(call, group)
    target: Tag | TagGroup = home[1] if home else group
    siblings: list[Tag] | list[TagGroup] = (
        list(group.tags.values()) if home else list(call.corp.groups_of_tags.values())
    )
    if name and any(other.name == name and other.id != wanted for other in siblings):
        raise Refusal(40071)
    target.name = name or target.name
    target.order = call.body.whole("order", target.order)
    kind = "tag" if home else "tag_group"
    call.world.emit(call.corp, tag_event("update", wanted, kind), by=call.app.agentid)
    return {}


def delete_tags(call: Call) -> Answer:
    """externalcontact/del_corp_tag: tags and groups; a group that loses its last tag goes too."""
    tag_ids, group_ids = call.body.texts("tag_id"), call.body.texts("group_id")
    if not tag_ids and not group_ids:
        raise wrong_field("tag_id")
    _known(call, tag_ids, group_ids)
    homes = {call.corp.tag_home[t] for t in tag_ids} | set(group_ids)
    for group_id in homes:
        _may_change(call, call.corp.groups_of_tags[group_id])
    for tag_id in dict.fromkeys(tag_ids):
        if call.corp.tag_home[tag_id] not in group_ids:
            call.corp.forget_tag(tag_id)
            call.world.emit(call.corp, tag_event("delete", tag_id, "tag"), by=call.app.agentid)
    for group_id in homes:
        group = call.corp.groups_of_tags[group_id]
        if group_id in group_ids or not group.tags:
            for tag_id in list(group.tags):
                call.corp.forget_tag(tag_id)
            del call.corp.groups_of_tags[group_id]
            call.world.emit(call.corp, tag_event("delete", group_id, "tag_group"), by=call.app.agentid)
    return {}


def mark_tag(call: Call) -> Answer:
    """externalcontact/mark_tag: put tags on a relation and take some off;
    repeating it changes nothing more.
    """
    body = call.body
    add, remove = body.texts("add_tag", most=3000), body.texts("remove_tag", most=3000)
    follow = call.corp.need_follow(call.app, body.need_text("userid", missing=40003), body.text("external_userid"))
    if not add and not remove:
        raise wrong_field("add_tag")
    _known(call, add + remove, [])
    before = set(follow.tags)
    for tag_id in dict.fromkeys(add):
        follow.tags[tag_id] = follow.tags.get(tag_id, 0) + 1
    for tag_id in remove:
        follow.tags.pop(tag_id, None)
    if set(follow.tags) != before:
        event = contact_event("edit_external_contact", follow.userid, follow.external_userid, State=follow.state)
        call.world.emit(call.corp, event, by=call.app.agentid)
    call.world.touch()
    return {}


ENDPOINTS = {
    "externalcontact/get_corp_tag_list": Endpoint(list_tags, "customers"),
    "externalcontact/add_corp_tag": Endpoint(add_tags, "customers"),
    "externalcontact/edit_corp_tag": Endpoint(edit_tag, "customers"),
    "externalcontact/del_corp_tag": Endpoint(delete_tags, "customers"),
    "externalcontact/mark_tag": Endpoint(mark_tag, "customers"),
}
