"""What belongs to the frame itself: the theme of one person, and the living style page."""

from urllib.parse import urlsplit

from flask import redirect, render_template, request
from werkzeug.wrappers import Response

from bot.console.room import SURFACE, bp
from bot.console.views import page, visitor
from crm_core.errors import InputInvalid

THEMES = {"system": "跟随系统", "light": "浅色", "dark": "深色"}
THEME_COOKIE, NAV_COOKIE = "console_theme", "console_nav"
YEAR_SECONDS = 365 * 24 * 3600
GROUNDS = ("ground", "surface", "sunken", "line", "control-line")
TEXTS = ("text-1", "text-2", "primary-text", "success", "warning", "danger")
BLUES = ("blue-1", "blue-2", "blue-3", "blue-4", "blue-5", "primary", "primary-press", "primary-soft")
SOFTS = ("success-soft", "warning-soft", "danger-soft")


@bp.post("/theme")
def choose_theme() -> Response:
    """Remember a theme for this browser. Raises: InputInvalid."""
    visitor()
    wanted = request.form.get("theme", "")
    if wanted not in THEMES:
        raise InputInvalid("没有这个主题", field="theme")
    answer = redirect(own_path(request.form.get("to", "")))
    answer.set_cookie(
        THEME_COOKIE,
        wanted,
        max_age=YEAR_SECONDS,
        path=SURFACE.prefix,
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
    )
    return answer


def own_path(target: str) -> str:
    """A page of the console to go back to; anything else leads home."""
    parts = urlsplit(target)
    inside = parts.path.startswith(f"{SURFACE.prefix}/") and not parts.netloc and not parts.scheme
    return target if inside and "\\" not in target else f"{SURFACE.prefix}/"


def chosen_theme() -> str:
    """The theme of this browser: system, light or dark."""
    kept = request.cookies.get(THEME_COOKIE, "")
    return kept if kept in THEMES else "system"


def nav_is_folded() -> bool:
    """Whether this browser keeps the navigation folded to icons."""
    return request.cookies.get(NAV_COOKIE) == "folded"


@page("/style", permission="settings.read")
def style() -> str:
    """Every token and component, in both themes."""
    return render_template("console/style.html", grounds=GROUNDS, texts=TEXTS, blues=BLUES, softs=SOFTS)
