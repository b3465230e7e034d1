"""Custom fields: what a corp wants to know of its customers besides what WeCom tells."""

from flask import redirect, render_template
from flask.typing import ResponseReturnValue

from bot.console.forms import Reading
from bot.console.room import SURFACE, room
from bot.console.views import is_fragment, page, told, visitor
from crm_core import custom_fields
from crm_core.custom_fields import KINDS, MOST_NAME_CHARS, CustomField, FieldForm
from crm_core.errors import NotFound

LABELS = {"name": "字段名称", "kind": "类型", "choices": "选项", "hint": "填写说明", "sort_order": "排序"}
WITH_CHOICES = ("choice", "multi")
MOST_CHOICE_TEXT, MOST_HINT, MOST_ORDER = 2000, 100, 999


@page("/fields", permission="fields.write")
def field_list() -> str:
    """All fields, those switched off too."""
    with room().db.reading() as session:
        found = custom_fields.fields(session, visitor().corp, enabled_only=False)
    return render_template("console/fields.html", fields=found, kinds=KINDS)


@page("/fields/new", permission="fields.write")
def new_field() -> str:
    """An empty form."""
    return _form(None, {"kind": "text", "sort_order": "0"})


@page("/fields/<int:field_id>", permission="fields.write")
def one_field(field_id: int) -> str:
    """A field's form. Raises: NotFound."""
    field = _find(field_id)
    values = {
        "name": field.name,
        "kind": field.kind,
        "choices": "\n".join(field.choices),
        "hint": field.hint,
        "sort_order": str(field.sort_order),
    }
    return _form(field, values)


@page("/fields/new", permission="fields.write", methods=("POST",))
def define_field() -> ResponseReturnValue:
    """Define a field."""
    return _save(None)


@page("/fields/<int:field_id>", permission="fields.write", methods=("POST",))
def change_field(field_id: int) -> ResponseReturnValue:
    """Change a field; its kind stays, its values are kept. Raises: NotFound."""
    return _save(_find(field_id))


@page("/fields/<int:field_id>/switch", permission="fields.write", methods=("POST",))
def switch_field(field_id: int) -> ResponseReturnValue:
    """Switch a field off or on again; doing it once more undoes it. Raises: NotFound."""
    field, who = _find(field_id), visitor()
    form = FieldForm(
        name=field.name, kind=field.kind, choices=field.choices, hint=field.hint, sort_order=field.sort_order
    )
    with room().db.unit() as uow:
        custom_fields.change(uow, who.corp, field_id, form, enabled=not field.enabled, actor=who.actor)
        uow.commit()
    if not is_fragment():
        return redirect(f"{SURFACE.prefix}/fields")
    said = f"已停用“{field.name}”，已填的内容保留" if field.enabled else f"已启用“{field.name}”"
    return told(said, "fields-changed", undo=f"{SURFACE.prefix}/fields/{field_id}/switch")


def _save(field: CustomField | None) -> ResponseReturnValue:
    who, reading = visitor(), Reading()
    form = _read(reading, field)
    if reading.checked_field:
        return reading.answer_check()
    if reading.is_good:
        with reading.judging("name"), room().db.unit() as uow:
            if field is None:
                custom_fields.define(uow, who.corp, form, actor=who.actor)
            else:
                custom_fields.change(uow, who.corp, field.id, form, enabled=field.enabled, actor=who.actor)
            uow.commit()
    if not reading.is_good:
        return reading.answer_faulty("console/field_form.html", **_known(field))
    if is_fragment():
        return told(f"已保存“{form.name}”", "fields-changed", "close-drawer")
    return redirect(f"{SURFACE.prefix}/fields")


def _read(reading: Reading, field: CustomField | None) -> FieldForm:
    """The form as filled in. The kind of a field that exists is not asked for."""
    kind = field.kind if field is not None else reading.choice("kind", "类型", KINDS, str) or ""
    name = reading.text("name", "字段名称", most=MOST_NAME_CHARS)
    needs_choices = kind in WITH_CHOICES
    choices = reading.text("choices", "选项", most=MOST_CHOICE_TEXT, required=needs_choices) if needs_choices else ""
    form = FieldForm(
        name=name,
        kind=kind,
        choices=tuple(choices.splitlines()),
        hint=reading.text("hint", "填写说明", most=MOST_HINT, required=False),
        sort_order=reading.whole("sort_order", "排序", least=0, most=MOST_ORDER),
    )
    if name and kind:
        with reading.judging("name"):
            custom_fields.check(form)
    return form


def _find(field_id: int) -> CustomField:
    with room().db.reading() as session:
        found = custom_fields.fields(session, visitor().corp, enabled_only=False)
    for field in found:
        if field.id == field_id:
            return field
    raise NotFound("没有这个字段")


def _form(field: CustomField | None, values: dict[str, str]) -> str:
    return render_template("console/field_form.html", values=values, faults={}, **_known(field))


def _known(field: CustomField | None) -> dict[str, object]:
    return {"field_now": field, "kinds": list(KINDS.items()), "kind_names": KINDS, "labels": LABELS}
