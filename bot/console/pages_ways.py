"""Live codes: the list, a form that is checked while one types, each one's page and picture."""

from collections.abc import Mapping
from typing import Any

from flask import Response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from bot import qr
from bot.console import charts, lists, message_form
from bot.console.access import Sight, acting, contact_app, looking
from bot.console.list_specs import WAYS
from bot.console.list_state import ListState
from bot.console.pages_tasks import attachment
from bot.console.room import room
from bot.console.views import page
from crm_core import audit, contact_ways, staff, way_figures
from crm_core.contact_ways import ContactWayForm
from crm_core.errors import InputInvalid
from crm_core.listing import Listed
from crm_core.way_figures import STATUS_NAMES, WayFilter
from tagging import service as tagging

FIELDS = ("name", "staff", "memo", "customer_remark", "welcome")
MOST_LOGO_BYTES = 2_000_000


@page("/live-codes", permission="contact_ways.read")
def ways_page() -> ResponseReturnValue:
    """All live codes with their figures."""
    state = ListState.of(WAYS, request.args)
    with looking() as sight:
        wanted = WayFilter(
            words=state.one("q"), status=state.one("status"), staff=state.one("staff"), visible=sight.visible
        )
        now, zone = room().db.clock.now(), room().zone
        found: Listed[Any] = way_figures.page(sight.session, sight.corp, wanted, now=now, zone=zone, cursor=state.after)
        people = staff.listing(sight.session, sight.corp, contact_only=True)
        tag_names = _tag_names(sight)
    choices = {
        "status": list(STATUS_NAMES.items()),
        "staff": [(row.userid, row.name or row.userid) for row in people],
    }
    return lists.show("console/ways.html", state, found, choices=choices, tag_names=tag_names)


def _tag_names(sight: Sight) -> dict[str, str]:
    return {tag.tag_id: tag.name for group in tagging.library(sight.session, sight.corp) for tag in group.tags}


def _choices(sight: Sight) -> dict[str, object]:
    return {
        "people": staff.listing(sight.session, sight.corp, contact_only=True),
        "departments": staff.departments(sight.session, sight.corp),
        "library": tagging.library(sight.session, sight.corp),
    }


def _form(sight: Sight, given: MultiDict[str, str]) -> ContactWayForm:
    """What was filled in. Raises: InputInvalid (a material that is gone)."""
    return ContactWayForm(
        name=given.get("name", ""),
        staff=tuple(dict.fromkeys(given.getlist("staff"))),
        departments=tuple(int(one) for one in given.getlist("department") if one.isascii() and one.isdigit()),
        skip_verify=bool(given.get("skip_verify")),
        memo=given.get("memo", ""),
        customer_remark=given.get("customer_remark", ""),
        tag_ids=tuple(dict.fromkeys(given.getlist("tag"))),
        welcome=message_form.read(sight.session, sight.corp, given),
    )


def _shown(sight: Sight, form: ContactWayForm, faults: Mapping[str, str], *, way: Any = None) -> str:
    return render_template(
        "console/way_form.html",
        form=form,
        faults=faults,
        way=way,
        bubbles=message_form.bubbles(form.welcome),
        **message_form.fields(sight.session, sight.corp, form.welcome),
        **_choices(sight),
    )


@page("/live-codes/new", permission="contact_ways.write")
def new_way() -> str:
    """The empty form."""
    with looking() as sight:
        return _shown(sight, ContactWayForm(name="", staff=()), {})


@page("/live-codes/check", permission="contact_ways.write", methods=("POST",))
def check_way() -> str:
    """What is wrong so far and how the greeting looks, while one types; only fields already touched are faulted."""
    touched = set(request.form.get("touched", "").split(","))
    with looking() as sight:
        form = _form(sight, request.form)
        way = _known_way(sight)
    faults = contact_ways.faults(form, is_single=way.is_single if way else False)
    shown = {name: said for name, said in faults.items() if name in touched}
    bubbles = message_form.bubbles(form.welcome)
    return render_template("console/way_check.html", fields=FIELDS, faults=shown, bubbles=bubbles)


def _known_way(sight: Sight) -> Any:
    number = request.form.get("way", "")
    return contact_ways.get(sight.session, sight.corp, int(number)) if number.isascii() and number.isdigit() else None


@page("/live-codes", permission="contact_ways.write", methods=("POST",))
def make_way() -> ResponseReturnValue:
    """Make a live code, or show the form again with what is wrong."""
    with acting() as (uow, sight):
        form = _form(sight, request.form)
        faults = contact_ways.faults(form)
        if faults:
            return _shown(sight, form, faults), 422
        app = contact_app(sight.corp)
        way = contact_ways.create(uow, corp=sight.corp, app=app, form=form, created_by=sight.who.actor)
        _note(uow, sight, "contact_way.created", way)
        number = way.id
    return redirect(f"/console/live-codes/{number}")


def _note(uow: Any, sight: Sight, act: str, way: Any) -> None:
    audit.record(
        uow,
        corp=sight.corp,
        actor=sight.who.actor,
        act=act,
        object_kind="contact_way",
        object_id=str(way.id),
        data={"name": way.name},
    )


@page("/live-codes/<int:way_id>/edit", permission="contact_ways.write")
def edit_way(way_id: int) -> str:
    """The filled form. Raises: NotFound."""
    with looking() as sight:
        way = contact_ways.get(sight.session, sight.corp, way_id)
        form = ContactWayForm(
            name=way.name,
            staff=tuple(way.staff),
            departments=tuple(way.departments),
            skip_verify=way.skip_verify,
            memo=way.memo,
            customer_remark=way.customer_remark,
            tag_ids=tuple(way.tag_ids),
            welcome=way.welcome,
        )
        return _shown(sight, form, {}, way=way)


@page("/live-codes/<int:way_id>/edit", permission="contact_ways.write", methods=("POST",))
def change_way(way_id: int) -> ResponseReturnValue:
    """Change a live code, or show the form again with what is wrong. Raises: NotFound, Conflict."""
    with acting() as (uow, sight):
        way = contact_ways.get(sight.session, sight.corp, way_id)
        form = _form(sight, request.form)
        faults = contact_ways.faults(form, is_single=way.is_single)
        if faults:
            return _shown(sight, form, faults, way=way), 422
        _note(uow, sight, "contact_way.changed", contact_ways.change(uow, sight.corp, way_id, form))
    return redirect(f"/console/live-codes/{way_id}")


@page("/live-codes/<int:way_id>/delete", permission="contact_ways.write", methods=("POST",))
def delete_way(way_id: int) -> ResponseReturnValue:
    """Delete a live code. Raises: NotFound, Conflict."""
    with acting() as (uow, sight):
        _note(uow, sight, "contact_way.deleted", contact_ways.get(sight.session, sight.corp, way_id))
        contact_ways.delete(uow, sight.corp, way_id)
    return "", 204, {"HX-Redirect": "/console/live-codes"}


@page("/live-codes/<int:way_id>", permission="contact_ways.read")
def way_page(way_id: int) -> str:
    """One live code: its picture, its trend, who got how many. Raises: NotFound."""
    now, zone = room().db.clock.now(), room().zone
    with looking() as sight:
        way = contact_ways.get(sight.session, sight.corp, way_id)
        line = way_figures.read(sight.session, sight.corp, way, sight.visible, now, zone)
        trend = way_figures.trend(sight.session, sight.corp, way_id, sight.visible, now=now, zone=zone)
        split = way_figures.by_staff(sight.session, sight.corp, way_id, sight.visible)
        names = _tag_names(sight)
        inside = dict(staff.departments(sight.session, sight.corp))
    return render_template(
        "console/way.html",
        way=way,
        line=line,
        chart=charts.days(trend),
        split=split,
        tags=[names[tag] for tag in way.tag_ids if tag in names],
        departments=[inside[one].strip() for one in way.departments if one in inside],
        bubbles=message_form.bubbles(way.welcome),
    )


@page("/live-codes/<int:way_id>/code.<kind>", permission="contact_ways.read")
def way_picture(way_id: int, kind: str) -> Response:
    """The QR code as PNG or SVG. Raises: NotFound, InputInvalid, WeComUnavailable."""
    return _picture(way_id, kind, logo=None, is_download="download" in request.args)


@page("/live-codes/<int:way_id>/code.<kind>", permission="contact_ways.read", methods=("POST",))
def way_picture_with_logo(way_id: int, kind: str) -> Response:
    """The QR code with a logo in its middle. Raises: NotFound, InputInvalid, WeComUnavailable."""
    given = request.files.get("logo")
    logo = given.stream.read(MOST_LOGO_BYTES + 1) if given else b""
    if len(logo) > MOST_LOGO_BYTES:
        raise InputInvalid("Logo 不能超过 2 MB", field="logo")
    return _picture(way_id, kind, logo=logo or None, is_download=True)


def _picture(way_id: int, kind: str, *, logo: bytes | None, is_download: bool) -> Response:
    if kind not in ("png", "svg"):
        raise InputInvalid("只有 PNG 和 SVG 两种格式")
    with looking() as sight:
        way = contact_ways.get(sight.session, sight.corp, way_id)
    drawn = qr.render(qr.read_remote(way.qr_url), "svg" if kind == "svg" else "png", logo)
    response = Response(drawn, mimetype="image/svg+xml" if kind == "svg" else "image/png")
    return attachment(response, f"{way.name}.{kind}") if is_download else response
