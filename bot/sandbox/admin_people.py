"""Acts between customers and members: scan, add, write, delete, groups."""

from __future__ import annotations

from typing import Any

from bot.sandbox import acts, acts_groups, acts_links, views
from bot.sandbox.archiving import consent
from bot.sandbox.asking import corp_asked, known_person, message_asked, pair_asked, person_asked
from bot.sandbox.corp import Corp
from bot.sandbox.fields import Fields
from bot.sandbox.model import ContactWay, Group
from bot.sandbox.world import World


def _scan(world: World, body: Fields) -> dict[str, Any]:
    corp, way = acts.find_code(world, body.text("config_id"), body.text("state"), body.text("corp"))
    person = person_asked(world, body)
    if isinstance(way, ContactWay):
        half = body.flag("half")
        return {"corp_id": corp.corp_id} | acts.scan(world, corp, way, person, half=half).as_json()
    return {"corp_id": corp.corp_id} | acts_groups.scan_join_way(world, corp, way, person)


def _add(world: World, body: Fields) -> dict[str, Any]:
    corp = corp_asked(world, body)
    member = acts.member_of(corp, body.need_text("userid"))
    stage, way = body.text("stage", "full"), body.whole("add_way", 2)
    return acts.add(world, corp, member, person_asked(world, body), stage=stage, add_way=way).as_json()


def _confirm(world: World, body: Fields) -> dict[str, Any]:
    return acts.confirm(world, corp_asked(world, body), *pair_asked(body)).as_json()


def _customer_message(world: World, body: Fields) -> dict[str, Any]:
    corp = corp_asked(world, body)
    kind, content = message_asked(body)
    if body.text("chat_id"):
        group, person = _group(corp, body), known_person(world, body)
        external = person.external_ids.get(corp.corp_id, "")
        said = acts_groups.write_to_group(world, corp, group, external, kind, content, "customer")
    else:
        said = acts.customer_writes(world, corp, *pair_asked(body), kind, content)
        acts_links.count_words(world, corp, acts.need_follow(corp, *pair_asked(body)))
    return {"message": views.message_json(said)}


def _staff_message(world: World, body: Fields) -> dict[str, Any]:
    corp, via = corp_asked(world, body), body.text("via", "client")
    kind, content = message_asked(body)
    if via == "sidebar":
        kind, content = acts.sidebar_message(world, corp, kind, content)
    if body.text("chat_id"):
        said = acts_groups.write_to_group(world, corp, _group(corp, body), body.need_text("userid"), kind, content, via)
    else:
        said = acts.staff_writes(world, corp, *pair_asked(body), kind, content, via=via)
    return {"message": views.message_json(said)}


def _delete_by_customer(world: World, body: Fields) -> dict[str, Any]:
    acts.delete_by_customer(world, corp_asked(world, body), *pair_asked(body))
    return {}


def _delete_by_staff(world: World, body: Fields) -> dict[str, Any]:
    acts.delete_by_staff(world, corp_asked(world, body), *pair_asked(body), source=body.text("source"))
    return {}


def _edit_follow(world: World, body: Fields) -> dict[str, Any]:
    corp = corp_asked(world, body)
    changes = {
        name: body.values[name]
        for name in ("remark", "description", "add_tags", "remove_tags", "personal_tags", "remark_mobiles")
        if body.has(name)
    }
    follow = acts.edit_follow(world, corp, *pair_asked(body), changes)
    return {"relation": views.follow_json(world, corp, follow)}


def _group(corp: Corp, body: Fields) -> Group:
    return acts_groups.need_group(corp, body.need_text("chat_id"))


def _create_group(world: World, body: Fields) -> dict[str, Any]:
    corp = corp_asked(world, body)
    group = acts_groups.create_group(world, corp, body.need_text("userid"), body.need_text("name"))
    return {"group": views.group_json(corp, group)}


def _join_group(world: World, body: Fields) -> dict[str, Any]:
    corp = corp_asked(world, body)
    group, person = _group(corp, body), person_asked(world, body)
    scene = body.whole("scene", 3)
    return {
        "external_userid": acts_groups.join_group(world, corp, group, person, scene=scene),
        "person_id": person.id,
    }


def _leave_group(world: World, body: Fields) -> dict[str, Any]:
    corp = corp_asked(world, body)
    group = _group(corp, body)
    acts_groups.leave_group(world, corp, group, body.need_text("member"), removed=body.flag("removed"))
    return {}


def _change_group(world: World, body: Fields) -> dict[str, Any]:
    corp = corp_asked(world, body)
    group = _group(corp, body)
    if body.flag("dismiss"):
        acts_groups.dismiss_group(world, corp, group)
    elif body.text("owner"):
        acts_groups.change_owner(world, corp, group, acts.member_of(corp, body.text("owner")))
    elif body.has("welcome"):
        acts_groups.apply_welcome(world, corp, group, body.text("welcome"))
    else:
        name = body.text("name") if body.has("name") else None
        notice = body.text("notice") if body.has("notice") else None
        acts_groups.rename_group(world, corp, group, name=name, notice=notice)
    return {"group": views.group_json(corp, group)}


def _add_staff_to_group(world: World, body: Fields) -> dict[str, Any]:
    corp = corp_asked(world, body)
    group = _group(corp, body)
    acts_groups.add_staff_to_group(world, corp, group, body.need_text("userid"))
    return {"group": views.group_json(corp, group)}


def _open_link(world: World, body: Fields) -> dict[str, Any]:
    corp, link = acts_links.find_link(world, body.need_text("link_id"))
    adding = acts_links.open_link(world, corp, link, person_asked(world, body), body.text("customer_channel"))
    return {"corp_id": corp.corp_id} | adding.as_json()


def _archive_consent(world: World, body: Fields) -> dict[str, Any]:
    corp = corp_asked(world, body)
    follow = acts.need_follow(corp, *pair_asked(body))
    consent(world, corp, follow.userid, follow.external_userid, agreed=body.flag("agreed"))
    return {}


ACTS = {
    "archive_consent": _archive_consent,
    "scan": _scan,
    "open_link": _open_link,
    "add": _add,
    "confirm": _confirm,
    "customer_message": _customer_message,
    "staff_message": _staff_message,
    "delete_staff_by_customer": _delete_by_customer,
    "delete_customer_by_staff": _delete_by_staff,
    "edit_follow": _edit_follow,
    "create_group": _create_group,
    "join_group": _join_group,
    "add_staff_to_group": _add_staff_to_group,
    "leave_group": _leave_group,
    "change_group": _change_group,
}
