"""Whole pages."""

from flask import redirect, render_template, request
from werkzeug.wrappers import Response

from crm_core.errors import NotFound
from sidebar import auth
from sidebar.access import access_customer
from sidebar.desk import desk_of
from sidebar.group_panel import access_group
from sidebar.panels import Panels
from sidebar.room import SURFACE, bp, room
from sidebar.routes_fragments import customer_parts
from sidebar.routes_group import group_parts
from sidebar.views import visitor


@bp.get("/")
def home() -> Response | str:
    """The sidebar without an app in its address: the app signed in with, the only one, or a choice."""
    signed_in, apps = auth.current(room()), auth.sidebar_apps(room().settings)
    key = signed_in.app if signed_in else apps[0][1].key if len(apps) == 1 else ""
    if not key:
        return render_template("sidebar/choose.html", apps=apps, query=request.query_string.decode())
    return _page(key)


@bp.get("/<app_key>/")
def page(app_key: str) -> Response | str:
    """The sidebar of one app; the customer comes from the address or, once it answers, from the client."""
    auth.find_app(room().settings, app_key)
    return _page(app_key)


def _page(app_key: str) -> Response | str:
    signed_in = auth.current(room())
    target = request.full_path.rstrip("?")
    moved = auth.seat_may_have_changed(room(), request.headers.get("Sec-Fetch-Dest", ""), target)
    if signed_in is None or signed_in.app != app_key or moved:
        return redirect(auth.begin_login(room(), app_key, target, request.user_agent.string))
    auth.require_active(room(), signed_in)
    return _render(signed_in, request.args.get("external_userid", ""))


def _render(signed_in: auth.StaffSession, wanted: str) -> str:
    _, app = auth.find_app(room().settings, signed_in.app)
    known = {"signed_in": signed_in, "agent_id": app.agent_id, "chat": "", "external_user": ""}
    chat_id = request.args.get("chat_id", "")
    if not wanted and not chat_id:
        return render_template("sidebar/page.html", **known)
    with room().db.reading() as session:
        if wanted:
            external_user = access_customer(session, signed_in, wanted)
            parts = customer_parts(Panels(desk_of(room(), session, signed_in)), external_user)
        else:
            chat = access_group(session, signed_in, chat_id)
            parts = group_parts(desk_of(room(), session, signed_in), chat)
        return render_template("sidebar/page.html", **(known | parts))


@bp.post("/sign-out")
def sign_out() -> Response:
    """Forget who is signed in."""
    auth.sign_out(SURFACE)
    return redirect("/sidebar/signed-out")


@bp.route("/<path:rest>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
def nowhere(rest: str) -> Response:
    """Any other address, so that a wrong one fails in the same form. Raises: NotFound."""
    visitor()
    raise NotFound(f"没有这个页面：{rest[:80]}")
