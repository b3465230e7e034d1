"""Pieces of the page, as htmx asks for them."""

from collections.abc import Callable
from typing import Any

from flask import Response, render_template, request

from crm_core import audit, customers, group_profile, profile, roles
from crm_core.db import UnitOfWork
from crm_core.errors import NotAllowed, NotFound
from crm_core.ids import AppKey, ExternalUserId
from sidebar.auth import StaffSession
from sidebar.desk import Desk
from sidebar.follow_panel import field_values, follow_panel, reminder_lines, same_panel
from sidebar.layout import CARDS
from sidebar.material_panel import material_panel
from sidebar.panels import Panels
from sidebar.room import bp, room
from sidebar.schemas import SkipForm, TagForm, read_form
from sidebar.script_panel import Audience, script_panel
from sidebar.sentences import FILTERS
from sidebar.views import customer_panels, customer_unit, done, layout_for, number_arg, own_panels, visitor
from sop import service as sop
from sop.model import StepState
from tagging import personal
from tagging import service as tagging

MOST_LOOKS = 8  # how often the head asks again whether a tag has arrived at WeCom
NO_CUSTOMER = ExternalUserId("")


@bp.get("/start")
def start() -> str:
    """Outside a chat: my customers with search, what waits, and my groups."""
    words = request.args.get("q", "").strip()[:64]
    with own_panels() as (panels, session):
        hits = profile.search(session, visitor().corp, visitor().staff, words, limit=30)
        if "q" in request.args:
            return render_template("sidebar/start_list.html", hits=hits, words=words)
        return render_template("sidebar/start.html", hits=hits, words=words, **start_parts(panels))


def start_parts(panels: Panels) -> dict[str, Any]:
    """What the start page shows beside the customers."""
    desk = panels.desk
    return {
        "layout": layout_for(desk, "start"),
        "todos": panels.todos(NO_CUSTOMER),
        "reminders": reminder_lines(desk),
        "groups": group_profile.groups_with(desk.session, desk.corp, desk.staff),
    }


@bp.get("/customers/<external_userid>")
def customer(external_userid: str) -> str:
    """All that the page shows of one customer."""
    with customer_panels(external_userid) as (panels, external_user):
        return render_template("sidebar/customer.html", **customer_parts(panels, external_user))


def customer_parts(panels: Panels, external_user: ExternalUserId) -> dict[str, Any]:
    """What the customer page shows at first: the head, the cards, and the tab that comes first."""
    layout = layout_for(panels.desk, "customer")
    parts = {
        "external_user": external_user,
        "layout": layout,
        "head": panels.head(external_user),
        "todos": panels.todos(external_user, chosen=number_arg("todo")),
        "follow": follow_panel(panels.desk, external_user),
        "same": same_panel(panels.desk, external_user),
    }
    return parts | FIRST_TAB[layout.first_tab](panels, external_user)


def _scripts_part(panels: Panels, external_user: ExternalUserId) -> dict[str, Any]:
    return {"scripts": script_panel(panels.desk, panels.audience(external_user))}


def _materials_part(panels: Panels, external_user: ExternalUserId) -> dict[str, Any]:
    return {"materials": material_panel(panels.desk, panels.audience(external_user))}


def _todos_part(panels: Panels, external_user: ExternalUserId) -> dict[str, Any]:
    return {
        "todos": panels.todos(external_user, chosen=number_arg("todo")),
        "settled": panels.settled(external_user),
        "planned": reminder_lines(panels.desk, external_user=external_user),
    }


def _timeline_part(panels: Panels, external_user: ExternalUserId) -> dict[str, Any]:
    panel = panels.timeline(
        external_user, chosen=request.args.get("kind", "all"), before=request.args.get("before", "")
    )
    return {"timeline": panel, "filters": FILTERS}


def _data_part(panels: Panels, external_user: ExternalUserId) -> dict[str, Any]:
    return {
        "data": panels.data(external_user),
        "fields": field_values(panels.desk, external_user),
        "merges": same_panel(panels.desk, external_user).merges,
    }


FIRST_TAB: dict[str, Callable[[Panels, ExternalUserId], dict[str, Any]]] = {
    "scripts": _scripts_part,
    "materials": _materials_part,
    "todos": _todos_part,
    "timeline": _timeline_part,
    "data": _data_part,
}


@bp.get("/customers/<external_userid>/tasks")
def tasks(external_userid: str) -> str:
    """The card of today's tasks alone."""
    with customer_panels(external_userid) as (panels, external_user):
        return tasks_card(panels, external_user)


def tasks_card(panels: Panels, external_user: ExternalUserId) -> str:
    """The card of today's tasks as it is now."""
    layout = layout_for(panels.desk, "customer")
    return render_template(
        "sidebar/tasks.html",
        external_user=external_user,
        todos=panels.todos(external_user),
        card=next(card for card in layout.cards if card.key == "tasks"),
    )


@bp.get("/customers/<external_userid>/head")
def head(external_userid: str) -> str:
    """The head alone; asked for while a tag is on its way."""
    with customer_panels(external_userid) as (panels, external_user):
        return _head(panels, external_user, number_arg("look"))


def _head(panels: Panels, external_user: ExternalUserId, looks: int = 0) -> str:
    next_look = looks + 1 if looks < MOST_LOOKS else 0
    return render_template(
        "sidebar/head.html", external_user=external_user, head=panels.head(external_user), next_look=next_look
    )


@bp.get("/customers/<external_userid>/scripts")
def scripts(external_userid: str) -> str:
    """The script tab, or only its list while somebody types."""
    with customer_panels(external_userid) as (panels, external_user):
        return script_tab(panels.desk, panels.audience(external_user))


def script_tab(desk: Desk, audience: Audience) -> str:
    """The script tab for whoever gets what is sent."""
    panel = script_panel(desk, audience, query=request.args.get("q", "")[:80], folder=number_arg("folder"))
    template = "sidebar/script_list.html" if request.args.get("part") == "list" else "sidebar/scripts.html"
    return render_template(template, scripts=panel)


@bp.get("/customers/<external_userid>/todos")
def todos(external_userid: str) -> str:
    """The task tab: open, planned, elsewhere, and done."""
    with customer_panels(external_userid) as (panels, external_user):
        parts = _todos_part(panels, external_user)
        return render_template("sidebar/todos.html", external_user=external_user, **parts)


@bp.get("/customers/<external_userid>/timeline")
def timeline(external_userid: str) -> str:
    """The timeline tab, or its next page."""
    template = "sidebar/timeline_page.html" if request.args.get("before") else "sidebar/timeline.html"
    with customer_panels(external_userid) as (panels, external_user):
        return render_template(template, external_user=external_user, **_timeline_part(panels, external_user))


@bp.get("/customers/<external_userid>/data")
def data(external_userid: str) -> str:
    """The data tab; mobiles are masked."""
    with customer_panels(external_userid) as (panels, external_user):
        return render_template("sidebar/data.html", external_user=external_user, **_data_part(panels, external_user))


@bp.post("/customers/<external_userid>/mobiles")
def reveal_mobiles(external_userid: str) -> str:
    """The data tab with mobiles in full; who looked is written down first."""
    who = visitor()
    with customer_unit(external_userid) as (uow, external_user):
        roles.grant_of(uow.session, who.corp, who.staff).require("mobile.reveal")
        audit.record(
            uow,
            corp=who.corp,
            actor=who.staff,
            act="mobile.revealed",
            object_kind="external_user",
            object_id=external_user,
        )
    with customer_panels(external_userid) as (panels, external_user):
        shown = panels.data(external_user, revealed=True)
        return render_template("sidebar/mobiles.html", external_user=external_user, data=shown)


@bp.get("/customers/<external_userid>/tags")
def tag_sheet(external_userid: str) -> str:
    """The sheet to set and take tags."""
    with customer_panels(external_userid) as (panels, external_user):
        desk = panels.desk
        groups = tagging.library(desk.session, desk.corp)
        names = {tag.tag_id: tag.name for group in groups for tag in group.tags}
        recent = tagging.recent_tags(desk.session, desk.corp, desk.staff)
        return render_template(
            "sidebar/tag_sheet.html",
            external_user=external_user,
            groups=groups,
            recent=[(tag, names[tag]) for tag in recent if tag in names],
            own=panels.own_tag_ids(external_user),
            personal=personal.of_follow(desk.session, desk.corp, desk.staff, external_user),
            proposed=personal.recent(desk.session, desk.corp, desk.staff, external_user),
        )


@bp.post("/customers/<external_userid>/tags")
def save_tags(external_userid: str) -> Response:
    """Want other tags on one's own follow; WeCom is told after the commit. Answers the new head."""
    form, who = read_form(TagForm, "chosen", "shown"), visitor()
    with customer_unit(external_userid) as (uow, external_user):
        if not customers.is_following(uow.session, who.corp, who.staff, external_user):
            raise NotAllowed("好友关系已结束，不能再改标签")
        _request_marks(uow, who, external_user, form)
    return new_head(external_userid)


def _request_marks(uow: UnitOfWork, who: StaffSession, external_user: ExternalUserId, form: TagForm) -> None:
    chosen, shown = dict.fromkeys(form.chosen), dict.fromkeys(form.shown)
    tagging.request_marks(
        uow,
        corp=who.corp,
        app=AppKey(who.app),
        staff=who.staff,
        external_user=external_user,
        add=[tag for tag in chosen if tag not in shown],
        remove=[tag for tag in shown if tag not in chosen],
        source="staff",
        dedupe_key=f"sidebar_tags:{who.staff}:{form.key}",
    )


def new_head(external_userid: str) -> Response:
    """The head as it is now, after a sheet has done its work."""
    with customer_panels(external_userid) as (panels, external_user):
        return done(_head(panels, external_user))


@bp.get("/layout/<page_name>")
def layout_sheet(page_name: str) -> str:
    """The sheet to arrange a page. Raises: NotFound."""
    if page_name not in CARDS:
        raise NotFound("没有这个页面")
    with own_panels() as (panels, _):
        return render_template("sidebar/layout_sheet.html", layout=layout_for(panels.desk, page_name))


@bp.get("/todos/<int:todo_id>/skip")
def skip_sheet(todo_id: int) -> str:
    """The sheet to skip a todo."""
    who = visitor()
    with room().db.reading() as session:
        todo = sop.get_todo(session, who.corp, who.staff, todo_id)
        return render_template("sidebar/skip_sheet.html", todo=todo)


@bp.post("/todos/<int:todo_id>/skip")
def skip(todo_id: int) -> Response:
    """Skip a todo with a reason; answers what waits now."""
    form, who = read_form(SkipForm), visitor()
    with room().db.unit() as uow:
        todo = sop.settle_todo(uow, who.corp, who.staff, todo_id, outcome=StepState.SKIPPED, reason=form.reason)
        uow.commit()
    with customer_panels(todo.external_user) as (panels, external_user):
        return done(tasks_card(panels, external_user))
