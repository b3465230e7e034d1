"""Radar rules: what a customer has to do to get tags and interest points."""

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue

from bot.console.room import SURFACE, room
from bot.console.views import page, visitor
from crm_core.errors import InputInvalid
from materials import folders, material_lists, radar_rules
from materials.material_lists import MaterialQuery
from materials.radar_model import CONDITION_NAMES, CONDITION_PHRASES
from materials.radar_rules import RadarRuleForm
from tagging import service as tagging

EMPTY = RadarRuleForm(name="", condition="opens", threshold=1, points=0)


@page("/radar/rules", permission="radar.read")
def radar_rules_page() -> str:
    """All rules."""
    return _show(EMPTY, 0, None)


@page("/radar/rules/<int:rule_id>", permission="radar.write")
def radar_rule_page(rule_id: int) -> str:
    """One rule in the form. Raises: NotFound."""
    with room().db.reading() as session:
        form = radar_rules.get(session, visitor().corp, rule_id)
    return _show(form, rule_id, None)


@page("/radar/rules", permission="radar.write", methods=("POST",))
def save_radar_rule() -> ResponseReturnValue:
    """Make or change a rule; faults are shown in the form."""
    who, form, rule_id = visitor(), _form(), _number("rule_id")
    try:
        with room().db.unit() as uow:
            radar_rules.save(uow, who.corp, form, actor=who.actor, rule_id=rule_id)
            uow.commit()
    except InputInvalid as fault:
        return _show(form, rule_id, fault), fault.http_status
    return redirect(f"{SURFACE.prefix}/radar/rules")


@page("/radar/rules/<int:rule_id>/remove", permission="radar.write", methods=("POST",))
def remove_radar_rule(rule_id: int) -> ResponseReturnValue:
    """Delete a rule. Raises: NotFound, InputInvalid."""
    who = visitor()
    with room().db.unit() as uow:
        radar_rules.remove(uow, who.corp, rule_id, actor=who.actor)
        uow.commit()
    return redirect(f"{SURFACE.prefix}/radar/rules")


def _show(form: RadarRuleForm, rule_id: int, fault: InputInvalid | None) -> str:
    corp = visitor().corp
    with room().db.reading() as session:
        library = tagging.library(session, corp)
        tags = {tag.tag_id: tag.name for group in library for tag in group.tags}
        tree = folders.tree(session, corp)
        offered = list(material_lists.listing(session, corp, MaterialQuery(), limit=200).items)
        found = radar_rules.rules(session, corp)
        wanted = {form.material_id, *(rule.form.material_id for rule in found)} - {0}
        titles = material_lists.titles(session, corp, wanted)
    return render_template(
        "console/radar_rules.html",
        rules=found,
        form=form,
        rule_id=rule_id,
        fault=fault,
        library=library,
        tags=tags,
        folders=tree,
        folder_names={folder.id: folder.name for folder in tree},
        materials=offered,
        titles=titles,
        conditions={condition.value: name for condition, name in CONDITION_NAMES.items()},
        phrases={condition.value: phrase for condition, phrase in CONDITION_PHRASES.items()},
        can_write=visitor().allows("radar.write"),
    )


def _form() -> RadarRuleForm:
    kind, _, number = request.form.get("what", "").partition(":")
    target = int(number) if number.isdigit() else 0
    return RadarRuleForm(
        name=request.form.get("name", ""),
        condition=request.form.get("condition", ""),
        threshold=_number("threshold"),
        material_id=target if kind == "material" else 0,
        folder_id=target if kind == "folder" else 0,
        tag_ids=tuple(request.form.getlist("tags")),
        points=_number("points"),
        enabled=request.form.get("enabled") == "yes",
    )


def _number(name: str) -> int:
    text = request.form.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
