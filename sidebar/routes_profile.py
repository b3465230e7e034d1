"""Knowing the customer: the lists behind the numbers, personal tags, custom fields, accounts of one person."""

from flask import Response, jsonify, render_template, request

from crm_core import custom_fields, duplicates, staff
from crm_core.errors import InputInvalid, NotFound
from materials import files, pictures
from materials.uploads import receive, rules_of
from sidebar.access import access_customer
from sidebar.follow_panel import field_values, relation_lines, same_panel
from sidebar.room import bp, room
from sidebar.schemas import NameForm, OtherForm, read_form
from sidebar.views import customer_panels, customer_unit, done, visitor
from tagging import personal

RELATIONS = {"staff": "跟进人", "groups": "所在客户群", "common": "共同的群"}
FIELD_PREFIX = "field-"
MOST_FIELD_CHARS = 2000


@bp.get("/customers/<external_userid>/relations/<which>")
def relations(external_userid: str, which: str) -> str:
    """The list behind one of the three numbers. Raises: NotFound."""
    if which not in RELATIONS:
        raise NotFound("没有这个列表")
    with customer_panels(external_userid) as (panels, external_user):
        return render_template(
            "sidebar/relations_sheet.html",
            title=RELATIONS[which],
            which=which,
            lines=relation_lines(panels.desk, external_user, which),
        )


@bp.post("/customers/<external_userid>/personal-tags/<act>")
def change_personal_tags(external_userid: str, act: str) -> Response:
    """Put a personal tag on, or take it off; answers the part of the sheet that shows them. Raises: NotFound."""
    form, who = read_form(NameForm), visitor()
    change = {"add": personal.add, "remove": personal.remove}.get(act)
    if change is None:
        raise NotFound("没有这个操作")
    with customer_unit(external_userid) as (uow, external_user):
        change(uow, who.corp, who.staff, external_user, form.name)
    with customer_panels(external_userid) as (panels, external_user):
        desk = panels.desk
        html = render_template(
            "sidebar/personal_tags.html",
            external_user=external_user,
            personal=personal.of_follow(desk.session, desk.corp, desk.staff, external_user),
            proposed=personal.recent(desk.session, desk.corp, desk.staff, external_user),
        )
    response = Response(html)
    response.headers["HX-Trigger"] = "head-changed"
    return response


@bp.get("/customers/<external_userid>/fields")
def field_sheet(external_userid: str) -> str:
    """The sheet to fill in the custom fields."""
    with customer_panels(external_userid) as (panels, external_user):
        return render_template(
            "sidebar/field_sheet.html",
            external_user=external_user,
            fields=field_values(panels.desk, external_user),
            people=staff.listing(panels.desk.session, panels.desk.corp),
        )


@bp.post("/customers/<external_userid>/fields")
def save_fields(external_userid: str) -> Response:
    """Write the custom fields; answers the fields part of the data tab. Raises: InputInvalid naming the field."""
    who = visitor()
    given: dict[int, list[str]] = {}
    for name in request.form:
        number = name.removeprefix(FIELD_PREFIX)
        if name.startswith(FIELD_PREFIX) and number.isascii() and number.isdigit() and len(number) < 16:
            given[int(number)] = request.form.getlist(name)
    if any(len(text) > MOST_FIELD_CHARS for texts in given.values() for text in texts):
        raise InputInvalid("内容太长，请删短一些")
    with customer_unit(external_userid) as (uow, external_user):
        custom_fields.save(uow, who.corp, external_user, staff_userid=who.staff, given=given)
    with customer_panels(external_userid) as (panels, external_user):
        return done(
            render_template(
                "sidebar/fields.html", external_user=external_user, fields=field_values(panels.desk, external_user)
            )
        )


@bp.post("/api/customers/<external_userid>/pictures")
def upload_picture(external_userid: str) -> Response:
    """Take a picture for a field; answers its key. Raises: InputInvalid, in plain words."""
    who, sent = visitor(), request.files.get("picture")
    with customer_panels(external_userid):
        pass  # the door: whose customer this is
    if sent is None:
        raise InputInvalid("请选择一张图片", field="picture")
    rules = rules_of(room().settings.materials)
    received = receive(
        room().db, room().store, who.corp, who.staff, sent.stream, sent.filename or "图片", rules, wanted="image"
    )
    return jsonify({"ok": True, "data": {"key": received.file.key}})


@bp.get("/customers/<external_userid>/fields/<int:field_id>/picture")
def field_picture(external_userid: str, field_id: int) -> Response:
    """The picture in a field, small, as JPEG. Raises: NotFound."""
    with customer_panels(external_userid) as (panels, external_user):
        desk = panels.desk
        keys = [
            str(item.value)
            for item in field_values(desk, external_user)
            if item.field.id == field_id and item.field.kind == "image" and item.value
        ]
        if not keys or files.get(desk.session, desk.corp, keys[0]).kind != "image":
            raise NotFound("这里没有图片")
    with room().store.open(keys[0]) as content:
        return Response(pictures.small(content), mimetype="image/jpeg")


@bp.post("/customers/<external_userid>/same/<act>")
def decide_same(external_userid: str, act: str) -> Response:
    """The other account is the same person (merge), or is not (apart); answers the card. Raises: NotFound."""
    form, who = read_form(OtherForm), visitor()
    decide = {"merge": duplicates.merge, "apart": duplicates.keep_apart}.get(act)
    if decide is None:
        raise NotFound("没有这个操作")
    with customer_unit(external_userid) as (uow, external_user):
        other = access_customer(uow.session, who, form.other)
        decide(uow, who.corp, who.staff, external_user, other)
    return _same_card(external_userid)


@bp.post("/customers/<external_userid>/merges/<int:merge_id>/undo")
def undo_merge(external_userid: str, merge_id: int) -> Response:
    """Take a merge back; answers the card."""
    who = visitor()
    with customer_unit(external_userid) as (uow, external_user):
        duplicates.undo(uow, who.corp, who.staff, external_user, merge_id)
    return _same_card(external_userid)


def _same_card(external_userid: str) -> Response:
    with customer_panels(external_userid) as (panels, external_user):
        html = render_template(
            "sidebar/same_body.html",
            external_user=external_user,
            same=same_panel(panels.desk, external_user),
        )
    response = Response(html)
    response.headers["HX-Trigger"] = "head-changed"
    return response
