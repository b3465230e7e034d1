"""Acts towards apps and in the admin console."""

from __future__ import annotations

from typing import Any

from bot.sandbox import acts_links, acts_office, views
from bot.sandbox.asking import corp_asked
from bot.sandbox.company import new_person
from bot.sandbox.fields import Fields
from bot.sandbox.world import World


def _app_message(world: World, body: Fields) -> dict[str, Any]:
    corp = corp_asked(world, body)
    app = acts_office.need_app(corp, body.whole("agentid"))
    return {"msgid": acts_office.write_to_app(world, corp, app, body.need_text("userid"), body.need_text("content"))}


def _enter_app(world: World, body: Fields) -> dict[str, Any]:
    corp = corp_asked(world, body)
    acts_office.enter_app(world, corp, acts_office.need_app(corp, body.whole("agentid")), body.need_text("userid"))
    return {}


def _card_click(world: World, body: Fields) -> dict[str, Any]:
    selected = body.child("selected")
    code = acts_office.click_card(
        world,
        corp_asked(world, body),
        body.need_text("userid"),
        body.need_text("msgid"),
        body.need_text("key"),
        {question: selected.texts(question) for question in selected.values} if selected else None,
    )
    return {"response_code": code}


def _staff(world: World, body: Fields) -> dict[str, Any]:
    spec = {k: v for k, v in body.values.items() if k not in {"corp", "seq"}}
    return {"staff": views.staff_json(acts_office.add_staff(world, corp_asked(world, body), spec))}


def _change_staff(world: World, body: Fields) -> dict[str, Any]:
    changes = {k: v for k, v in body.values.items() if k not in {"corp", "userid"}}
    member = acts_office.change_staff(world, corp_asked(world, body), body.need_text("userid"), changes)
    return {"staff": views.staff_json(member)}


def _departments(world: World, body: Fields) -> dict[str, Any]:
    made = acts_office.add_department(
        world, corp_asked(world, body), body.need_text("name"), body.whole("parent_id", 1)
    )
    return {"id": made.id}


def _customers(world: World, body: Fields) -> dict[str, Any]:
    made = new_person(world, body.need_text("name"), kind=body.whole("kind", 1), unionid=body.text("unionid"))
    made.gender = body.whole("gender")
    world.touch()
    return {"customer": views.person_json(made)}


def _tags(world: World, body: Fields) -> dict[str, Any]:
    corp = corp_asked(world, body)
    made = acts_office.add_console_tag(world, corp, body.need_text("group"), body.need_text("name"))
    return {"id": made.id, "group_id": corp.tag_home[made.id]}


def _delete_tag(world: World, body: Fields) -> dict[str, Any]:
    acts_office.delete_console_tag(world, corp_asked(world, body), body.need_text("id"))
    return {}


def _menu_click(world: World, body: Fields) -> dict[str, Any]:
    corp = corp_asked(world, body)
    app = acts_office.need_app(corp, body.whole("agentid"))
    acts_office.click_menu(world, corp, app, body.need_text("userid"), body.need_text("key"))
    return {}


def _link_balance(world: World, body: Fields) -> dict[str, Any]:
    corp = corp_asked(world, body)
    acts_links.set_balance(world, corp, body.whole("balance"))
    return {"balance": corp.link_balance}


ACTS = {
    "app_message": _app_message,
    "enter_app": _enter_app,
    "card_click": _card_click,
    "menu_click": _menu_click,
    "staff": _staff,
    "change_staff": _change_staff,
    "departments": _departments,
    "customers": _customers,
    "tags": _tags,
    "delete_tag": _delete_tag,
    "link_balance": _link_balance,
}
