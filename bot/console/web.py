"""Puts the console into a Flask application: routes, sign-in, CSRF, rate limits, security headers."""

from urllib.parse import quote
from zoneinfo import ZoneInfo

from flask import Flask, Response, g, redirect, render_template, request
from flask_limiter.util import get_remote_address
from werkzeug.wrappers import Response as WerkzeugResponse

from bot.console import (
    material_files,
    navigation,
    pages_archive,
    pages_card,
    pages_chat_tag_learner,
    pages_chat_tags,
    pages_chats,
    pages_corps,
    pages_customer_acts,
    pages_customer_data,
    pages_customers,
    pages_fields,
    pages_frame,
    pages_gaps,
    pages_groups,
    pages_hits,
    pages_home,
    pages_import,
    pages_kf,
    pages_lists,
    pages_materials,
    pages_radar,
    pages_radar_rules,
    pages_records,
    pages_replies,
    pages_rules,
    pages_script_sheets,
    pages_scripts,
    pages_search,
    pages_sensitive,
    pages_sensitive_import,
    pages_sign_in,
    pages_sops,
    pages_staff,
    pages_tags,
    pages_tasks,
    pages_ways,
    pages_welcome,
    pages_work,
    signing,
    telling,
)
from bot.console.room import SURFACE, Room, bp, room
from bot.console.views import address, counted, is_fragment
from bot.wiring import House
from crm_core.errors import NotAuthenticated, NotFound
from crm_core.roles import ROLE_NAMES, Scope
from materials.service import ScriptShelf
from sidebar import failures, surface
from sidebar.assets import Assets
from sidebar.failures import FailurePages, answer_failures
from sidebar.surface import SAFE_METHODS

PAGES = (
    pages_kf,
    material_files,
    pages_archive,
    pages_card,
    pages_chat_tag_learner,
    pages_chat_tags,
    pages_chats,
    pages_corps,
    pages_customer_acts,
    pages_customer_data,
    pages_customers,
    pages_fields,
    pages_frame,
    pages_groups,
    pages_hits,
    pages_home,
    pages_import,
    pages_lists,
    pages_materials,
    pages_radar,
    pages_radar_rules,
    pages_records,
    pages_replies,
    pages_rules,
    pages_script_sheets,
    pages_gaps,
    pages_scripts,
    pages_sensitive,
    pages_sensitive_import,
    pages_search,
    pages_sign_in,
    pages_sops,
    pages_staff,
    pages_tags,
    pages_tasks,
    pages_ways,
    pages_welcome,
    pages_work,
)
ASSETS = (
    "tokens.css",
    "console/console.css",
    "console/chats.css",
    "console/chats.js",
    "console/console.js",
    "console/materials.css",
    "console/materials.js",
    "console/radar.css",
    "console/radar.js",
    "console/lists.js",
    "vendor/htmx.min.js",
    "vendor/icons-console.svg",
)
# Views that work for somebody who is not signed in.
OPEN_VIEWS = {"sign_out", "sign_in", "sign_in_with_wecom", "sign_in_with_password", "login_callback", "static_file"}
# Views for everybody who is signed in, whatever their role.
VIEWS_OF_ALL = {"choose_corp", "choose_theme", "nowhere"}
READS_A_MINUTE, WRITES_A_MINUTE, STRANGERS_A_MINUTE, GUESSES_A_MINUTE = 600, 180, 120, 5


def install(app: Flask, house: House, shelf: ScriptShelf) -> None:
    """Serve the console under ``/console/``; it searches scripts on the sidebar's shelf."""
    limiter = surface.prepare(app, house.settings)
    app.extensions["console"] = Room(
        house=house,
        shelf=shelf,
        assets=Assets(ASSETS, prefix=f"{SURFACE.prefix}/static"),
        zone=ZoneInfo(house.settings.worktime.time_zone),
    )
    limiter.limit(_allowance, key_func=_who_asks)(bp)
    app.register_blueprint(bp)


def _view() -> str:
    return (request.endpoint or "").rpartition(".")[2]


def _who_asks() -> str:
    who = signing.current(room()) if _view() != "static_file" else None
    kind = "read" if request.method in SAFE_METHODS else "write"
    return f"console:{kind}:{who.home}:{who.staff}" if who else f"console:{_view()}:{get_remote_address()}"


def _allowance() -> str:
    if _view() == "sign_in_with_password":
        return f"{GUESSES_A_MINUTE}/minute"
    if _view() == "static_file":
        return f"{READS_A_MINUTE}/minute"
    if signing.current(room()) is None:
        return f"{STRANGERS_A_MINUTE}/minute"
    return f"{READS_A_MINUTE}/minute" if request.method in SAFE_METHODS else f"{WRITES_A_MINUTE}/minute"


@bp.before_request
def _admit() -> WerkzeugResponse | None:
    """Find out who asks; strangers are sent to sign in, forged writes are refused."""
    if _view() == "static_file":
        return None
    if request.method not in SAFE_METHODS:
        surface.check_csrf(SURFACE)
    who = signing.current(room())
    if who is not None:
        g.visitor = who
    elif _view() not in OPEN_VIEWS:
        if request.method == "GET" and "HX-Request" not in request.headers and not request.path.startswith(API):
            return redirect(f"{SURFACE.prefix}/sign-in?to={quote(request.full_path.rstrip('?'), safe='')}")
        raise NotAuthenticated("登录已过期，请重新登录")
    return None


API = f"{SURFACE.prefix}/api/"


@bp.context_processor
def _for_templates() -> dict[str, object]:
    found, who = room(), g.get("visitor")
    corps = [(part.corp_id, part.name or part.corp_id) for part in found.settings.corps]
    return {
        "asset": found.assets.url,
        "csrf": lambda: surface.csrf_token(SURFACE),
        "request_id": failures.request_id(),
        "picture": lambda url: surface.picture_url(found.settings, url),
        "me": who,
        "role_name": ROLE_NAMES[who.grant.role] if who else "",
        "sections": navigation.sections_for(who) if who else [],
        "corps": corps if who and who.grant.scope == Scope.CORPS else [],
        "theme": pages_frame.chosen_theme(),
        "nav_folded": pages_frame.nav_is_folded(),
        "address": address,
        "as_part": is_fragment(),
        "counted": counted,
        **telling.WORDS,
        "here": request.path.removeprefix(SURFACE.prefix),
    }


@bp.after_request
def _dress(response: Response) -> Response:
    settings = room().settings
    policy = surface.content_policy(pictures=surface.picture_origins(settings))
    return surface.dress(response, policy=policy, request_id=failures.request_id())


def _page(_status: int, code: str, message: str) -> str:
    return render_template("console/failure.html", message=message, code=code)


def _part(_status: int, message: str) -> str:
    return render_template("console/failure_part.html", message=message)


@bp.route("/<path:rest>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
def nowhere(rest: str) -> Response:
    """Any other address. Raises: NotFound."""
    raise NotFound(f"没有这个页面：{rest[:80]}")


answer_failures(bp, FailurePages(api=API, page=_page, part=_part))
