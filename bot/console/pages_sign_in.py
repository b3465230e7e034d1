"""Signing in and out, choosing the corp, and the static files."""

from flask import redirect, render_template, request
from werkzeug.wrappers import Response

from bot.console import signing
from bot.console.room import SURFACE, bp, room
from bot.console.views import visitor
from sidebar import auth


@bp.get("/sign-in")
def sign_in() -> str:
    """The ways in."""
    found = room()
    return render_template(
        "console/sign_in.html",
        apps=auth.sidebar_apps(found.settings),
        has_password=signing.has_password(found),
        is_demo=found.settings.demo.enabled,
        target=request.args.get("to", ""),
    )


@bp.get("/sign-in/<app_key>")
def sign_in_with_wecom(app_key: str) -> Response:
    """Off to WeCom. Raises: NotFound."""
    target = request.args.get("to") or f"{SURFACE.prefix}/"
    return redirect(auth.begin_login(room(), app_key, target, request.user_agent.string))


@bp.get("/login/callback")
def login_callback() -> Response:
    """WeCom sends the browser back here."""
    return redirect(auth.finish_login(room(), request.args.get("state", ""), request.args.get("code", "")))


@bp.post("/sign-in")
def sign_in_with_password() -> Response:
    """The first admin's way in. Raises: InputInvalid."""
    signing.sign_in_with_password(room(), request.form.get("password", ""))
    return redirect(f"{SURFACE.prefix}/")


@bp.post("/sign-out")
def sign_out() -> Response:
    """Forget who is signed in."""
    signing.sign_out()
    return redirect(f"{SURFACE.prefix}/sign-in")


@bp.post("/corp")
def choose_corp() -> Response:
    """Look at another corp. Raises: NotAllowed, NotFound."""
    signing.choose_corp(room(), visitor(), request.form.get("corp", ""))
    return redirect(f"{SURFACE.prefix}/")


@bp.get("/static/<digest>/<path:name>")
def static_file(digest: str, name: str) -> Response:
    """A static file under its content's hash."""
    return room().assets.serve(request, digest, name)
