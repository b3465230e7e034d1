"""Tag rules: what tags by itself, a form that counts whom it would fit, on and off."""

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from bot.console.access import Sight, acting, looking
from bot.console.room import room
from bot.console.views import page
from crm_core import audit
from crm_core.db import UnitOfWork
from tagging import rules
from tagging import service as tagging
from tagging.rules import KINDS, WEEKEND, RuleForm

FIELDS = ("name", "conditions", "tags")


@page("/tags/rules", permission="tags.read")
def rules_page() -> str:
    """All rules."""
    with looking() as sight:
        return _shown(sight, RuleForm(name="", kind="added", tag_ids=()), {})


def _shown(sight: Sight, form: RuleForm, faults: dict[str, str]) -> str:
    library = tagging.library(sight.session, sight.corp)
    return render_template(
        "console/rules.html",
        rules=rules.listing(sight.session, sight.corp),
        form=form,
        faults=faults,
        kinds=KINDS,
        weekend=WEEKEND,
        library=library,
        tag_names={tag.tag_id: tag.name for group in library for tag in group.tags},
    )


def _number(given: MultiDict[str, str], name: str, most: int) -> int:
    text = given.get(name, "")
    return min(int(text), most) if text.isascii() and text.isdigit() and len(text) < 4 else 0


def _form(given: MultiDict[str, str]) -> RuleForm:
    kind = given.get("kind", "")
    weekend = given.get("weekend", "any")
    hours = {"from_hour": _number(given, "from_hour", 23), "until_hour": _number(given, "until_hour", 23)}
    words = given.get("words" if kind == "attribute" else "group_words", "").strip()[:50]
    conditions: dict[str, dict[str, object]] = {
        "added": {**hours, "weekend": weekend if weekend in WEEKEND else "any"},
        "attribute": {
            "gender": _number(given, "gender", 2),
            "kind": _number(given, "customer_kind", 2),
            "words": words,
        },
        "joined_group": {"words": words},
    }
    return RuleForm(
        name=given.get("name", ""),
        kind=kind,
        tag_ids=tuple(given.getlist("tag")),
        conditions=conditions.get(kind, {}),
    )


@page("/tags/rules/check", permission="tags.write", methods=("POST",))
def check_rule() -> str:
    """What is wrong so far, and how many customers the rule would fit."""
    form, touched = _form(request.form), set(request.form.get("touched", "").split(","))
    faults = rules.faults(form)
    preview = None
    if "conditions" not in faults and "kind" not in faults:
        with looking() as sight:
            now = room().db.clock.now()
            preview = rules.preview(sight.session, sight.corp, form, now, room().zone)
    shown = {name: said for name, said in faults.items() if name in touched}
    return render_template("console/rule_check.html", fields=FIELDS, faults=shown, preview=preview, form=form)


@page("/tags/rules", permission="tags.write", methods=("POST",))
def make_rule() -> ResponseReturnValue:
    """Write a rule down, or show the form again with what is wrong."""
    form = _form(request.form)
    faults = rules.faults(form)
    with acting() as (uow, sight):
        if faults:
            return _shown(sight, form, faults), 422
        rule_id = rules.create(uow, sight.corp, form, actor=sight.who.actor)
        _note(uow, sight, "tag_rule.created", rule_id)
    return redirect("/console/tags/rules")


@page("/tags/rules/<int:rule_id>/switch", permission="tags.write", methods=("POST",))
def switch_rule(rule_id: int) -> ResponseReturnValue:
    """On or off. Raises: NotFound."""
    with acting() as (uow, sight):
        is_on = rules.switch(uow, sight.corp, rule_id)
        _note(uow, sight, "tag_rule.on" if is_on else "tag_rule.off", rule_id)
    return "", 204, {"HX-Refresh": "true"}


@page("/tags/rules/<int:rule_id>/delete", permission="tags.write", methods=("POST",))
def delete_rule(rule_id: int) -> ResponseReturnValue:
    """Gone; what it tagged stays. Raises: NotFound."""
    with acting() as (uow, sight):
        rules.delete(uow, sight.corp, rule_id)
        _note(uow, sight, "tag_rule.deleted", rule_id)
    return "", 204, {"HX-Refresh": "true"}


def _note(uow: UnitOfWork, sight: Sight, act: str, rule_id: int) -> None:
    audit.record(
        uow,
        corp=sight.corp,
        actor=sight.who.actor,
        act=act,
        object_kind="tag_rule",
        object_id=str(rule_id),
    )
