"""Puts the sidebar into a Flask application: routes, sign-in, CSRF, rate limits, security headers."""

import threading
from zoneinfo import ZoneInfo

from flask import Flask, Response, g, request
from flask_limiter.util import get_remote_address

from crm_core.config import Settings
from crm_core.errors import NotAuthenticated
from materials.search import tokenizer
from materials.service import ScriptShelf
from sidebar import (
    auth,
    failure_pages,
    failures,
    routes_api,
    routes_follow,
    routes_fragments,
    routes_group,
    routes_login,
    routes_materials,
    routes_pages,
    routes_profile,
    routes_scripts,
    routes_suggest,
    routes_tag_hints,
    surface,
)
from sidebar.assets import Assets
from sidebar.room import SURFACE, Room, SidebarDeps, bp, room
from sidebar.sentences import findable
from sidebar.surface import SAFE_METHODS

__all__ = ["SidebarDeps", "install"]

VIEWS = (
    failure_pages,
    routes_api,
    routes_follow,
    routes_fragments,
    routes_group,
    routes_login,
    routes_materials,
    routes_profile,
    routes_scripts,
    routes_tag_hints,
    routes_suggest,
    routes_pages,
)
ASSETS = (
    "tokens.css",
    "sidebar/sidebar.css",
    "sidebar/page.js",
    "vendor/htmx.min.js",
    "vendor/wecom.global.prod.js",
    "vendor/icons.svg",
)
LATE_ASSETS = ("sidebar/suggest.js", "sidebar/suggest.css")  # loaded by the page once it stands
BUNDLES = {
    "sidebar/page.js": (
        "sidebar/wecom.js",
        "sidebar/materials.js",
        "sidebar/send.js",
        "sidebar/forms.js",
        "sidebar/app.js",
    )
}
# Views that decide themselves what to do with somebody who is not signed in.
OPEN_VIEWS = {"login_callback", "signed_out", "static_file", "home", "page"}
READS_A_MINUTE, WRITES_A_MINUTE, STRANGERS_A_MINUTE = 600, 120, 600  # a whole office may share one address


def install(app: Flask, deps: SidebarDeps) -> ScriptShelf:
    """Serve the sidebar under ``/sidebar/``. Also sets the session cookie's flags on ``app``. Answers its scripts."""
    settings = deps.settings
    limiter = surface.prepare(app, settings)
    shelf = ScriptShelf(deps.embedder)
    app.extensions["sidebar"] = Room(
        db=deps.db,
        settings=settings,
        gateways=deps.gateways,
        store=deps.store,
        chats=deps.chats,
        shelf=shelf,
        assets=Assets((*ASSETS, *LATE_ASSETS), prefix=f"{SURFACE.prefix}/static", bundles=BUNDLES),
        zone=ZoneInfo(settings.worktime.time_zone),
        suggesting=deps.suggesting,
    )
    limiter.limit(_allowance, key_func=_who_asks)(bp)
    app.register_blueprint(bp)
    threading.Thread(target=tokenizer, name="script-words", daemon=True).start()
    return shelf


def _who_asks() -> str:
    who = auth.current(room())
    kind = "read" if request.method in SAFE_METHODS else "write"
    return f"{kind}:{who.corp}:{who.staff}" if who else f"{kind}:{get_remote_address()}"


def _allowance() -> str:
    if auth.current(room()) is None:
        return f"{STRANGERS_A_MINUTE}/minute"
    return f"{READS_A_MINUTE}/minute" if request.method in SAFE_METHODS else f"{WRITES_A_MINUTE}/minute"


@bp.before_request
def _admit() -> None:
    """Find out who asks; refuse strangers and forged writes."""
    view = (request.endpoint or "").rpartition(".")[2]
    if view == "static_file":
        return
    who = auth.current(room())
    if who is not None:
        g.visitor = who
    if view in OPEN_VIEWS:
        return
    if who is None:
        raise NotAuthenticated("登录已过期，请重新打开侧边栏")
    auth.require_active(room(), who)
    if request.method not in SAFE_METHODS:
        surface.check_csrf(SURFACE)


@bp.context_processor
def _for_templates() -> dict[str, object]:
    found = room()
    return {
        "asset": found.assets.url,
        "csrf": lambda: surface.csrf_token(SURFACE),
        "jssdk_script": found.settings.wecom.jssdk_url or found.assets.url("vendor/wecom.global.prod.js"),
        "has_stand_in": bool(found.settings.wecom.jssdk_url),
        "request_id": failures.request_id(),
        "findable": findable,
        "picture": lambda url: surface.picture_url(found.settings, url),
    }


@bp.after_request
def _dress(response: Response) -> Response:
    return surface.dress(response, policy=content_policy(room().settings), request_id=failures.request_id())


def content_policy(settings: Settings) -> str:
    """The page's Content-Security-Policy: our own scripts, no inline ones, and who may frame us."""
    script = surface.origin(settings.wecom.jssdk_url) if settings.wecom.jssdk_url else ""
    return surface.content_policy(
        scripts=script, pictures=surface.picture_origins(settings), frame_ancestors=surface.wecom_frames(settings)
    )
