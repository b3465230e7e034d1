"""Signing in and out, and the static files: all that works without being signed in."""

from flask import redirect, render_template, request
from werkzeug.wrappers import Response

from sidebar import auth
from sidebar.room import bp, room


@bp.get("/login/callback")
def login_callback() -> Response:
    """WeCom sends the browser back here; on to the page without the code in its address."""
    target = auth.finish_login(room(), request.args.get("state", ""), request.args.get("code", ""))
    return redirect(target)


@bp.get("/signed-out")
def signed_out() -> str:
    """The page after signing out."""
    return render_template("sidebar/signed_out.html")


@bp.get("/static/<digest>/<path:name>")
def static_file(digest: str, name: str) -> Response:
    """A static file under its content's hash."""
    return room().assets.serve(request, digest, name)
